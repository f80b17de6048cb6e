//! How long waits of a wire end: by a deadline, by the end of the process at the other end, by a signal.
#![allow(clippy::unwrap_used, unsafe_code)]

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use fkrpc::frame::{Framing, Inbox};
use fkrpc::sys::process::{spawn, Command, Errors, Limits};
use fkrpc::sys::signals::{self, Guard};
use fkrpc::sys::{clock, fd, interrupt};
use fkrpc::wire::{Received, Wire};

/// More than those that are polled for.
const WARM: usize = 40;

/// Signals are the process's.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn inbox() -> Inbox {
    Inbox::new(Framing::Line, 128)
}

/// A wire in the middle of a conversation, and the other ends.
fn talking() -> (Wire, Inbox, OwnedFd, OwnedFd) {
    let (input, writer) = fd::pipe().unwrap();
    let (reader, output) = fd::pipe().unwrap();
    let mut wire = Wire::descriptors(input, output).unwrap();
    let mut inbox = inbox();
    for _ in 0..WARM {
        fd::write_all(writer.as_fd(), b"warm\n").unwrap();
        let deadline = clock::monotonic_us() + 60_000_000;
        let received = wire.receive_heeding(&mut inbox, Some(deadline), true).unwrap();
        assert_eq!(received, Received::Bytes);
    }
    inbox.clear();
    (wire, inbox, writer, reader)
}

#[test]
fn a_deadline_is_never_early_while_everybody_is_woken_at_random() {
    let _alone = alone();
    let over = Arc::new(AtomicBool::new(false));
    let waker = {
        let over = over.clone();
        thread::spawn(move || {
            while !over.load(SeqCst) {
                interrupt::wake(interrupt::TIME | interrupt::END | interrupt::SIGNAL);
                thread::sleep(Duration::from_micros(20));
            }
        })
    };
    let (mut wire, mut inbox, _writer, _reader) = talking();
    for wait in [150_000, 1_000, 400_000, 0, 250_000] {
        let deadline = clock::monotonic_us() + wait;
        assert_eq!(wire.receive(&mut inbox, Some(deadline)).unwrap(), Received::TimedOut);
        assert!(clock::monotonic_us() >= deadline);
    }
    over.store(true, SeqCst);
    waker.join().unwrap();
}

#[test]
fn threads_with_different_deadlines_meet_their_own() {
    let _alone = alone();
    let threads: Vec<_> = (1..6)
        .map(|number| {
            thread::spawn(move || {
                let (mut wire, mut inbox, _writer, _reader) = talking();
                for _ in 0..2 {
                    let deadline = clock::monotonic_us() + 110_000 * number;
                    assert_eq!(wire.receive(&mut inbox, Some(deadline)).unwrap(), Received::TimedOut);
                    assert!(clock::monotonic_us() >= deadline);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn bytes_that_come_before_the_deadline_are_read() {
    let _alone = alone();
    let (mut wire, mut inbox, writer, _reader) = talking();
    let other = thread::spawn(move || {
        thread::sleep(Duration::from_millis(200));
        fd::write_all(writer.as_fd(), b"later\n").unwrap();
    });
    let deadline = clock::monotonic_us() + 600_000_000;
    assert_eq!(wire.receive(&mut inbox, Some(deadline)).unwrap(), Received::Bytes);
    other.join().unwrap();
    assert_eq!(wire.receive(&mut inbox, Some(deadline)).unwrap(), Received::End);
}

#[test]
fn a_process_that_ends_while_somebody_holds_its_pipes_ends_a_long_conversation() {
    let _alone = alone();
    // The shell's child holds stdout and stderr open for longer than the test may last.
    let script = "for i in $(seq 40); do echo $i; done; sleep 1000 & echo $! >&2; read -r line; echo last";
    for errors in [Errors::Keep, Errors::Null] {
        let mut process = spawn(&Command {
            program: OsStr::new("sh"),
            args: vec![OsStr::new("-c"), OsStr::new(script)],
            env: Vec::new(),
            cwd: None,
            errors,
            limits: Limits::default(),
        })
        .unwrap();
        let (input, output) = (process.output.take().unwrap(), process.input.take().unwrap());
        let hold = fd::dup_cloexec(output.as_fd(), 3).unwrap();
        let mut wire = Wire::descriptors(input, output).unwrap();
        wire.ends_with(process.watch().unwrap());
        let mut inbox = inbox();
        let mut lines = 0;
        let mut line = Vec::new();
        while lines < 40 {
            assert_eq!(wire.receive(&mut inbox, None).unwrap(), Received::Bytes);
            while inbox.next(&mut line).unwrap() {
                lines += 1;
            }
        }
        for _ in 0..WARM {
            let soon = Some(clock::monotonic_us());
            assert_eq!(wire.receive(&mut inbox, soon).unwrap(), Received::TimedOut);
        }
        let other = thread::spawn(move || {
            thread::sleep(Duration::from_millis(200));
            fd::write_all(hold.as_fd(), b"go on\n").unwrap();
        });
        let mut ends = Vec::new();
        loop {
            ends.push(wire.receive(&mut inbox, None).unwrap());
            if ends.last() == Some(&Received::End) {
                break;
            }
        }
        assert_eq!(ends, [Received::Bytes, Received::End]);
        assert!(inbox.next(&mut line).unwrap());
        assert_eq!(line, b"last");
        other.join().unwrap();
        process.signal_group(libc::SIGKILL).unwrap();
        process.wait(None).unwrap();
    }
}

#[test]
fn a_signal_wakes_whoever_heeds_it_on_whatever_thread_it_comes() {
    let _alone = alone();
    let guard = Guard::install(0b1_0000).unwrap();
    let (mut wire, mut inbox, writer, _reader) = talking();
    // The sender gets some of them, the reader others.
    for round in 0..2000 {
        let sender = thread::spawn(move || {
            if round % 3 == 0 {
                thread::yield_now();
            }
            // SAFETY: no memory is involved.
            assert_eq!(unsafe { libc::kill(libc::getpid(), libc::SIGUSR1) }, 0);
        });
        assert_eq!(wire.receive_heeding(&mut inbox, None, true).unwrap(), Received::Signal);
        assert_eq!(signals::take(), Some("USR1"));
        sender.join().unwrap();
    }
    drop(writer);
    assert_eq!(wire.receive_heeding(&mut inbox, None, true).unwrap(), Received::End);
    drop(guard);
}
