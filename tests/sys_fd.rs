//! Descriptors and waiting: what a caller may rely on when signals, short writes and closed ends get in the way.
#![allow(clippy::unwrap_used, unsafe_code)]

mod sys_reexec;

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::thread::JoinHandleExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fkrpc::sys::fd::{dup_cloexec, pipe, read, write_all};
use fkrpc::sys::poll::readable;
use sys_reexec::{c, enter, run};

#[test]
#[ignore = "run by the other tests, in a process of its own"]
fn scenario() {
    let Some(name) = enter() else { return };
    match name.as_str() {
        "nothing open" => make_a_pipe_without_stdio(),
        other => panic!("no scenario {other}"),
    }
    c::exit();
}

#[test]
fn a_pipe_is_close_on_exec_at_both_ends_and_ends_when_its_writer_does() {
    let (reader, writer) = pipe().unwrap();
    for end in [&reader, &writer] {
        assert_eq!(c::identity(end.as_raw_fd()).unwrap().2, libc::FD_CLOEXEC);
    }
    write_all(writer.as_fd(), b"bytes").unwrap();
    drop(writer);
    let mut buffer = [0; 16];
    assert_eq!(read(reader.as_fd(), &mut buffer).unwrap(), 5);
    assert_eq!(&buffer[..5], b"bytes");
    assert_eq!(read(reader.as_fd(), &mut buffer).unwrap(), 0);
}

fn make_a_pipe_without_stdio() {
    let log = c::dup(2);
    (0..3).for_each(c::close);
    let (reader, writer) = pipe().unwrap();
    assert_eq!((0..3).map(c::identity).collect::<Vec<_>>(), [None, None, None]);
    c::write(log, &format!("{}", reader.as_raw_fd() > 2 && writer.as_raw_fd() > 2)).unwrap();
}

#[test]
fn a_pipe_never_takes_the_place_of_a_closed_standard_stream() {
    assert_eq!(run("nothing open", b"", "").log, "true");
}

#[test]
fn a_copy_is_close_on_exec_and_not_below_the_number_asked_for() {
    let (reader, _writer) = pipe().unwrap();
    let copy = dup_cloexec(reader.as_fd(), 100).unwrap();
    assert!(copy.as_raw_fd() >= 100);
    assert_eq!(c::identity(copy.as_raw_fd()).unwrap().2, libc::FD_CLOEXEC);
    assert_eq!(
        dup_cloexec(reader.as_fd(), -1).unwrap_err().raw_os_error(),
        Some(libc::EINVAL)
    );
}

#[test]
fn reading_from_the_wrong_end_is_an_error() {
    let (_reader, writer) = pipe().unwrap();
    assert_eq!(
        read(writer.as_fd(), &mut [0; 4]).unwrap_err().raw_os_error(),
        Some(libc::EBADF)
    );
}

/// Reads to the end in small pieces, so that the writer meets a full pipe again and again.
fn slow_reader(reader: OwnedFd) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let (mut all, mut buffer) = (Vec::new(), [0; 1000]);
        loop {
            match read(reader.as_fd(), &mut buffer).unwrap() {
                0 => return all,
                count => all.extend_from_slice(&buffer[..count]),
            }
        }
    })
}

fn a_megabyte() -> Vec<u8> {
    (0..1_000_000_u32).map(|number| number.to_le_bytes()[0]).collect()
}

#[test]
fn everything_is_written_although_the_pipe_takes_a_part_at_a_time() {
    let (reader, writer) = pipe().unwrap();
    let received = slow_reader(reader);
    write_all(writer.as_fd(), &a_megabyte()).unwrap();
    drop(writer);
    assert!(received.join().unwrap() == a_megabyte());
}

#[test]
fn everything_is_written_although_somebody_made_the_descriptor_non_blocking() {
    let (reader, writer) = pipe().unwrap();
    // SAFETY: F_SETFL takes an int, and the pipe is this test's alone.
    let result = unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    assert_eq!(result, 0);
    let received = slow_reader(reader);
    write_all(writer.as_fd(), &a_megabyte()).unwrap();
    drop(writer);
    assert!(received.join().unwrap() == a_megabyte());
}

#[test]
fn writing_to_nobody_is_epipe_where_sigpipe_is_ignored() {
    // The Rust runtime ignores it in this process; the scenarios of sys_signal run without that.
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    assert_eq!(
        write_all(writer.as_fd(), b"x").unwrap_err().raw_os_error(),
        Some(libc::EPIPE)
    );
    write_all(writer.as_fd(), b"").unwrap();
}

#[test]
fn a_pipe_is_readable_with_bytes_or_without_a_writer_and_not_before() {
    let (reader, writer) = pipe().unwrap();
    assert!(!readable(reader.as_fd(), Some(Duration::ZERO)).unwrap());
    assert!(!readable(reader.as_fd(), Some(Duration::from_micros(1_500))).unwrap());
    write_all(writer.as_fd(), b"x").unwrap();
    assert!(readable(reader.as_fd(), Some(Duration::ZERO)).unwrap());
    assert!(readable(reader.as_fd(), None).unwrap());
    assert_eq!(read(reader.as_fd(), &mut [0; 4]).unwrap(), 1);
    drop(writer);
    assert!(readable(reader.as_fd(), Some(Duration::MAX)).unwrap());
}

#[test]
fn waiting_for_a_descriptor_that_is_not_open_is_an_error() {
    // SAFETY: nobody opens this number; the borrow is the mistake under test.
    let nothing = unsafe { std::os::fd::BorrowedFd::borrow_raw(9_999) };
    assert_eq!(readable(nothing, None).unwrap_err().raw_os_error(), Some(libc::EBADF));
}

static INTERRUPTIONS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_signal: libc::c_int) {
    INTERRUPTIONS.fetch_add(1, Ordering::SeqCst);
}

/// Runs `blocked` in a thread, sends that thread signals until a number of them has arrived, and then lets it go on.
fn interrupted<T: Send + 'static>(
    blocked: impl FnOnce() -> io::Result<T> + Send + 'static,
    let_go: impl FnOnce(),
) -> io::Result<T> {
    c::set_disposition(libc::SIGUSR1, count as extern "C" fn(libc::c_int) as libc::sighandler_t);
    let thread = thread::spawn(blocked);
    let enough = INTERRUPTIONS.load(Ordering::SeqCst) + 20;
    while INTERRUPTIONS.load(Ordering::SeqCst) < enough {
        assert!(!thread.is_finished(), "a signal ended it");
        // SAFETY: the thread was not joined, so its handle is valid; the handler only counts.
        let result = unsafe { libc::pthread_kill(thread.as_pthread_t(), libc::SIGUSR1) };
        assert_eq!(result, 0);
        thread::sleep(Duration::from_micros(200));
    }
    let_go();
    thread.join().unwrap()
}

#[test]
fn signals_do_not_end_a_read() {
    let (reader, writer) = pipe().unwrap();
    let count = interrupted(
        move || read(reader.as_fd(), &mut [0; 4]),
        || write_all(writer.as_fd(), b"abc").unwrap(),
    );
    assert_eq!(count.unwrap(), 3);
}

#[test]
fn signals_do_not_end_a_wait() {
    let (reader, writer) = pipe().unwrap();
    let wait = move || readable(reader.as_fd(), Some(Duration::from_secs(3_600)));
    assert!(interrupted(wait, || write_all(writer.as_fd(), b"abc").unwrap()).unwrap());
}

#[test]
fn signals_do_not_end_a_write() {
    let (reader, writer) = pipe().unwrap();
    let write = move || write_all(writer.as_fd(), &a_megabyte());
    let mut received = None;
    interrupted(write, || received = Some(slow_reader(reader))).unwrap();
    assert!(received.unwrap().join().unwrap() == a_megabyte());
}
