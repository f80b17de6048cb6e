//! A copy that this process waits for itself: signalled by descriptor, never by a number that may be another's.
//!
//! It refuses systems without pidfds (Linux before 5.3).
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::sys::fd;

/// A child of this process.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) pid: libc::pid_t,
    pub(super) end: OwnedFd,
}

/// A descriptor of the process (pidfd_open(2)), which becomes readable at its end.
pub(super) fn open(pid: libc::pid_t) -> io::Result<OwnedFd> {
    // SAFETY: two ints; the kernel has just made what comes back, and nobody else knows of it.
    unsafe {
        let number = fd::check_long(libc::syscall(libc::SYS_pidfd_open, pid, 0))?;
        Ok(OwnedFd::from_raw_fd(number as i32)) // OK because descriptors are ints
    }
}

impl Worker {
    /// Sends it a signal; nothing happens when it has ended.
    pub(super) fn signal(&self, signal: i32) {
        let none = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: a null siginfo means what kill(2) would send (pidfd_send_signal(2)).
        unsafe { libc::syscall(libc::SYS_pidfd_send_signal, self.end.as_raw_fd(), signal, none, 0) };
    }

    /// Collects it, which has ended: its status as wait(2) has it, that of a lost one where somebody else was faster.
    pub(super) fn collect(&self) -> Option<i32> {
        let mut status = 0;
        // SAFETY: `status` is writable for the call.
        match unsafe { libc::waitpid(self.pid, &raw mut status, libc::WNOHANG) } {
            0 => None,
            -1 => Some(super::standin::LOST << 8),
            _ => Some(status),
        }
    }
}
