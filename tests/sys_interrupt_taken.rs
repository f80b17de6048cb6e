//! Waits with a deadline where kicks have stopped to arrive since the thread tried one: the deadline holds all the same.
//!
//! One test, as what it does to the signal is the whole process's. A deadline that is missed shows as a test that does
//! not end: nobody writes.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![allow(clippy::unwrap_used, unsafe_code)]

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr;

use fkrpc::frame::{Framing, Inbox};
use fkrpc::sys::{clock, fd, interrupt};
use fkrpc::wire::{Received, Wire};

/// A wire in the middle of a conversation, and the other ends.
fn talking() -> (Wire, Inbox, OwnedFd, OwnedFd) {
    let (input, writer) = fd::pipe().unwrap();
    let (reader, output) = fd::pipe().unwrap();
    let mut wire = Wire::descriptors(input, output).unwrap();
    let mut inbox = Inbox::new(Framing::Line, 128);
    for _ in 0..40 {
        fd::write_all(writer.as_fd(), b"warm\n").unwrap();
        let deadline = clock::monotonic_us() + 60_000_000;
        assert_eq!(wire.receive(&mut inbox, Some(deadline)).unwrap(), Received::Bytes);
    }
    inbox.clear();
    (wire, inbox, writer, reader)
}

fn assert_deadline_holds(wire: &mut Wire, inbox: &mut Inbox) {
    let deadline = clock::monotonic_us() + 200_000;
    assert_eq!(wire.receive(inbox, Some(deadline)).unwrap(), Received::TimedOut);
    assert!(clock::monotonic_us() >= deadline);
}

fn mask(how: libc::c_int) {
    let mut all = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: sigfillset initialises the set.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        assert_eq!(libc::pthread_sigmask(how, all.as_ptr(), ptr::null_mut()), 0);
    }
}

#[test]
fn a_deadline_holds_after_somebody_has_blocked_all_signals_or_taken_that_of_kicks() {
    let (mut wire, mut inbox, _writer, _reader) = talking();
    assert!(interrupt::still_arrive());
    mask(libc::SIG_BLOCK);
    assert!(!interrupt::still_arrive());
    assert_deadline_holds(&mut wire, &mut inbox);
    mask(libc::SIG_UNBLOCK);
    assert!(interrupt::still_arrive() && interrupt::may_work());
    assert_deadline_holds(&mut wire, &mut inbox);
    // SAFETY: all-zero is a valid sigaction, and ignoring runs nobody's code.
    unsafe {
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        action.sa_sigaction = libc::SIG_IGN;
        assert_eq!(libc::sigaction(libc::SIGSTKFLT, &raw const action, ptr::null_mut()), 0);
    }
    assert_deadline_holds(&mut wire, &mut inbox);
    assert!(!interrupt::may_work());
    assert_deadline_holds(&mut wire, &mut inbox);
}
