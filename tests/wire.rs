//! What carries a conversation: what a caller may rely on whatever kind of descriptor it was given.
#![allow(clippy::unwrap_used, unsafe_code)]

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::mpsc;
use std::thread;

use fkrpc::frame::{Framing, Inbox};
use fkrpc::sys::{clock, fd};
use fkrpc::wire::{Received, Wire};

/// A wire whose input is non-blocking, as a parent may have left it, and the other ends.
fn non_blocking() -> (Wire, OwnedFd, OwnedFd) {
    let (input, writer) = fd::pipe().unwrap();
    let (reader, output) = fd::pipe().unwrap();
    // SAFETY: the descriptor is open, and no memory is involved.
    let result = unsafe { libc::fcntl(input.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
    assert_eq!(result, 0);
    (Wire::descriptors(input, output).unwrap(), writer, reader)
}

#[test]
fn a_non_blocking_input_is_waited_for_and_nothing_to_read_is_no_failure() {
    let (mut wire, writer, _reader) = non_blocking();
    let mut inbox = Inbox::new(Framing::Line, 128);
    let (about_to_wait, waits) = mpsc::channel();
    let other = thread::spawn(move || {
        waits.recv().unwrap();
        fd::write_all(writer.as_fd(), b"later\n").unwrap();
    });
    about_to_wait.send(()).unwrap();
    assert_eq!(wire.receive(&mut inbox, None).unwrap(), Received::Bytes);
    other.join().unwrap();
    let mut message = Vec::new();
    assert!(inbox.next(&mut message).unwrap());
    assert_eq!(message, b"later");
    assert_eq!(wire.receive(&mut inbox, None).unwrap(), Received::End);
}

#[test]
fn a_deadline_holds_on_a_non_blocking_input() {
    let (mut wire, _writer, _reader) = non_blocking();
    let mut inbox = Inbox::new(Framing::Line, 128);
    for deadline in [0, clock::monotonic_us() + 2_000] {
        assert_eq!(wire.receive(&mut inbox, Some(deadline)).unwrap(), Received::TimedOut);
    }
}
