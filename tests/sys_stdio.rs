//! The stdio switch, each scenario in a process of its own: not one stray byte on the wire, not one lost.
#![allow(clippy::unwrap_used)]

mod sys_reexec;

use std::io::{Read, Seek, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use fkrpc::sys::{fd, stdio};
use sys_reexec::{broken_pipe, c, command, enter, outcome, run};

#[test]
#[ignore = "run by the other tests, in a process of its own"]
fn scenario() {
    let Some(name) = enter() else { return };
    match name.as_str() {
        "print" => print_everywhere(),
        "flushed" => print_what_was_flushed_before(),
        "another stream" => print_to_another_stream(),
        "no log reader" => serve_without_a_log_reader(),
        "leftover" => read_a_line_first(),
        "echo" => echo(),
        "input closed" => serve_without(0),
        "output closed" => serve_without(1),
        "log closed" => serve_without_a_log(),
        "grandchildren" => run_grandchildren(),
        "few descriptors" => run_out_of_descriptors(),
        "private" => look_at_the_private_descriptors(),
        "twice" => take_twice(),
        other => panic!("no scenario {other}"),
    }
    c::exit();
}

fn send(stdio: &stdio::Stdio, text: &str) {
    fd::write_all(stdio.output.as_fd(), text.as_bytes()).unwrap();
}

fn receive(stdio: &stdio::Stdio) -> Vec<u8> {
    let mut all = stdio.leftover.clone();
    let mut buffer = [0; 1000];
    loop {
        match fd::read(stdio.input.as_fd(), &mut buffer).unwrap() {
            0 => return all,
            count => all.extend_from_slice(&buffer[..count]),
        }
    }
}

fn print_everywhere() {
    c::write(1, "early\n").unwrap();
    c::printf("held ");
    let stdio = stdio::take().unwrap();
    c::puts("puts");
    let _ = c::write(1, "raw\n");
    assert_eq!(c::system("echo shell; echo device >/dev/stdout"), 0);
    send(&stdio, "wire\n");
    c::printf("at exit");
}

#[test]
fn every_kind_of_print_goes_to_the_log_once_the_switch_is_made() {
    let outcome = run("print", b"", "");
    assert_eq!(outcome.wire, "early\nwire\n");
    assert_eq!(outcome.log, "held puts\nraw\nshell\ndevice\nat exit");
}

fn print_what_was_flushed_before() {
    c::puts("early");
    c::flush();
    let _stdio = stdio::take().unwrap();
    c::puts("first");
    c::write(1, "second\n").unwrap();
}

#[test]
fn a_line_is_in_the_log_as_soon_as_it_is_printed() {
    let outcome = run("flushed", b"", "");
    assert_eq!(
        (outcome.wire.as_str(), outcome.log.as_str()),
        ("early\n", "first\nsecond\n")
    );
}

fn print_to_another_stream() {
    c::print_to_a_stream_on(1, "held ");
    let _stdio = stdio::take().unwrap();
    c::write(1, "later").unwrap();
}

#[test]
fn what_another_stream_on_the_same_descriptor_held_goes_to_the_log_at_once() {
    let outcome = run("another stream", b"", "");
    assert_eq!((outcome.wire.as_str(), outcome.log.as_str()), ("", "held later"));
}

#[test]
fn a_log_that_is_the_wire_is_silenced() {
    assert_eq!(run("print", b"", "exec 2>&1").wire, "early\nwire\n");
}

#[test]
fn one_socket_for_input_output_and_log_carries_the_wire_alone() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut command = command("print", "");
    let copy = || Stdio::from(OwnedFd::from(theirs.try_clone().unwrap()));
    let mut child = command.stdin(copy()).stdout(copy()).stderr(copy()).spawn().unwrap();
    drop((command, theirs));
    let mut wire = String::new();
    ours.read_to_string(&mut wire).unwrap();
    assert!(child.wait().unwrap().success(), "{wire}");
    assert_eq!(wire, "early\nwire\n");
}

#[test]
fn a_log_that_is_the_input_s_socket_is_silenced() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut command = command("print", "");
    let copy = || Stdio::from(OwnedFd::from(theirs.try_clone().unwrap()));
    let child = command
        .stdin(copy())
        .stderr(copy())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop((command, theirs));
    let mut stray = String::new();
    ours.read_to_string(&mut stray).unwrap();
    assert_eq!(
        outcome("print", child.wait_with_output().unwrap()).wire,
        "early\nwire\n"
    );
    assert_eq!(stray, "");
}

fn serve_without_a_log_reader() {
    c::printf("held");
    let stdio = stdio::take().unwrap();
    send(&stdio, "wire\n");
    // Not exit: what could not be flushed would be tried again, and that is the host's own SIGPIPE.
    c::leave();
}

#[test]
fn a_log_whose_reader_has_gone_does_not_kill_the_switch() {
    let mut command = command("no log reader", "");
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::from(broken_pipe()))
        .output()
        .unwrap();
    assert_eq!(outcome("no log reader", output).wire, "wire\n");
}

fn read_a_line_first() {
    assert_eq!(c::fgets().as_deref(), Some("first\n"));
    let stdio = stdio::take().unwrap();
    assert_eq!(c::fgets(), None, "C's stdin is at its end");
    c::puts(&format!("{}", stdio.leftover.len()));
    let rest = receive(&stdio);
    fd::write_all(stdio.output.as_fd(), &rest).unwrap();
}

#[test]
fn what_stdin_had_buffered_is_left_over() {
    let outcome = run("leftover", b"first\nsecond\n", "");
    assert_eq!((outcome.wire.as_str(), outcome.log.as_str()), ("second\n", "7\n"));
}

/// Longer than stdio's buffer, so that a part is left in the descriptor.
fn many_lines() -> String {
    (0..3_000).fold("first\n".to_owned(), |text, number| text + &format!("line {number}\n"))
}

#[test]
fn leftover_and_descriptor_together_are_the_whole_stream() {
    let text = many_lines();
    let outcome = run("leftover", text.as_bytes(), "");
    assert_eq!(outcome.wire, text["first\n".len()..]);
    let left: usize = outcome.log.trim().parse().unwrap();
    assert!(left > 0 && left < outcome.wire.len(), "{left}");
}

#[test]
fn leftover_and_a_file_together_are_the_whole_file() {
    let text = many_lines();
    let path = std::env::temp_dir().join(format!("fkrpc-stdio-{}", std::process::id()));
    let mut file = std::fs::File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.rewind().unwrap();
    let outcome = outcome("leftover", command("leftover", "").stdin(file).output().unwrap());
    assert_eq!(outcome.wire, text["first\n".len()..]);
}

fn echo() {
    let stdio = stdio::take().unwrap();
    assert!(stdio.leftover.is_empty());
    let all = receive(&stdio);
    c::puts("log");
    fd::write_all(stdio.output.as_fd(), &all).unwrap();
}

#[test]
fn one_socket_can_be_input_and_output() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut command = command("echo", "");
    let copy = || Stdio::from(OwnedFd::from(theirs.try_clone().unwrap()));
    let child = command
        .stdin(copy())
        .stdout(copy())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((command, theirs));
    ours.write_all(b"ping\n").unwrap();
    ours.shutdown(Shutdown::Write).unwrap();
    let mut wire = String::new();
    ours.read_to_string(&mut wire).unwrap();
    let outcome = outcome("echo", child.wait_with_output().unwrap());
    assert_eq!((wire.as_str(), outcome.log.as_str()), ("ping\n", "log\n"));
}

fn serve_without(number: i32) {
    c::close(number);
    let others: Vec<_> = (0..3).map(c::identity).collect();
    let error = stdio::take().unwrap_err();
    assert_eq!(error.errno, libc::EBADF);
    assert_eq!((0..3).map(c::identity).collect::<Vec<_>>(), others);
    c::write(2, &error.message).unwrap();
}

#[test]
fn a_closed_input_is_refused_by_name() {
    assert_eq!(
        run("input closed", b"", "").log,
        "cannot serve over stdio: standard input (descriptor 0) is closed: Bad file descriptor (errno 9); \
         start this program with a pipe, a socket or /dev/null there"
    );
}

#[test]
fn a_closed_output_is_refused_by_name() {
    assert_eq!(
        run("output closed", b"", "").log,
        "cannot serve over stdio: standard output (descriptor 1) is closed: Bad file descriptor (errno 9); \
         start this program with a pipe, a socket or /dev/null there"
    );
}

fn serve_without_a_log() {
    c::close(2);
    c::printf("held");
    let stdio = stdio::take().unwrap();
    let null = c::identity(0).unwrap();
    assert_eq!((c::identity(1), c::identity(2)), (Some(null), Some(null)));
    assert_eq!(null.2, 0, "children inherit it");
    c::puts("puts");
    assert_eq!(c::system("echo shell; echo shell >&2"), 0);
    send(&stdio, "wire\n");
}

#[test]
fn a_closed_log_becomes_the_null_device() {
    let outcome = run("log closed", b"", "");
    assert_eq!((outcome.wire.as_str(), outcome.log.as_str()), ("wire\n", ""));
}

fn run_grandchildren() {
    let stdio = stdio::take().unwrap();
    assert!(stdio.leftover.is_empty(), "nobody has read before");
    assert_eq!(c::system("sh -c 'echo grandchild; cat'"), 0);
    let all = receive(&stdio);
    fd::write_all(stdio.output.as_fd(), &all).unwrap();
}

#[test]
fn grandchildren_neither_read_from_the_wire_nor_write_to_it() {
    let outcome = run("grandchildren", b"for the server\n", "");
    assert_eq!(
        (outcome.wire.as_str(), outcome.log.as_str()),
        ("for the server\n", "grandchild\n")
    );
}

fn run_out_of_descriptors() {
    // Descriptors 3 to 9 are taken, so that the limit hits one step after the other, from the first copy on.
    let null = std::fs::File::open("/dev/null").unwrap();
    while c::dup(null.as_raw_fd()) < 9 {}
    c::close(2);
    let everything = || (0..40).map(c::identity).collect::<Vec<_>>();
    let before = everything();
    let mut failures = Vec::new();
    let stdio = (10..20).find_map(|limit| {
        c::limit_descriptors(limit);
        let taken = stdio::take();
        c::limit_descriptors(256);
        let after_failure = everything();
        taken.map_err(|error| failures.push((error, after_failure))).ok()
    });
    let stdio = stdio.unwrap();
    for (error, after) in &failures {
        assert_eq!(after, &before, "{error}");
        assert!(error.message.contains("ulimit -n"), "{error}");
    }
    let steps: Vec<_> = failures
        .iter()
        .map(|(error, _)| (error.errno, failed_step(&error.message)))
        .collect();
    send(&stdio, &format!("{steps:?}"));
    c::puts("into the null device");
}

fn failed_step(message: &str) -> &str {
    message.split(": ").nth(1).unwrap()
}

#[test]
fn whichever_step_fails_everything_is_as_before_and_a_later_try_succeeds() {
    let outcome = run("few descriptors", b"", "");
    let copy = |errno, stream| format!("({errno}, \"copying standard {stream} failed\")");
    let steps = [
        copy(libc::EINVAL, "input (descriptor 0)"),
        copy(libc::EMFILE, "output (descriptor 1)"),
        format!("({}, \"opening /dev/null failed\")", libc::EMFILE),
    ];
    assert_eq!(outcome.wire, format!("[{}]", steps.join(", ")));
}

fn look_at_the_private_descriptors() {
    let stdio = stdio::take().unwrap();
    for private in [&stdio.input, &stdio.output] {
        let number = private.as_raw_fd();
        assert!(number >= 10);
        assert_eq!(c::identity(number).unwrap().2, libc::FD_CLOEXEC);
        assert_ne!(
            c::system(&format!("test -e /proc/$$/fd/{number}")),
            0,
            "a child sees {number}"
        );
    }
    assert_eq!(c::system("test -e /proc/$$/fd/0"), 0, "the check can see descriptors");
}

#[test]
fn the_private_descriptors_lie_above_nine_and_children_do_not_have_them() {
    assert_eq!(run("private", b"", "").log, "");
}

fn take_twice() {
    let first = stdio::take().unwrap();
    let second = stdio::take().unwrap();
    assert_eq!(receive(&second), b"");
    send(&second, "second\n");
    assert_eq!(receive(&first), b"hello\n");
    send(&first, "first\n");
}

#[test]
fn a_second_switch_gets_the_null_device_and_the_log() {
    let outcome = run("twice", b"hello\n", "");
    assert_eq!((outcome.wire.as_str(), outcome.log.as_str()), ("first\n", "second\n"));
}
