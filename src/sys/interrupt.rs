//! One read(2) that other causes than bytes can end: a signal that is heard of, a time that is over, a process that has
//! ended. It costs no second system call, as polling for them would.
//!
//! Who waits holds a slot; whoever has a cause for it kicks those that wait for it ([`wake`]), with a signal that the
//! thread gets inside the wait and nowhere else. Its handler makes a read that has not read yet return
//! (`slots/stub.rs`), so that neither a byte nor a kick is lost. It refuses to interrupt anybody else's system calls: a
//! wait that is left while a kick is on its way takes that first. And it refuses to guess: where a kick does not arrive when that is tried,
//! which every thread does before its first wait, reads are [`Reading::Unavailable`], and callers poll.

pub mod lookout;
#[cfg(all(
    target_os = "linux",
    any(target_env = "gnu", target_env = "musl"),
    any(all(target_arch = "x86_64", target_pointer_width = "64"), target_arch = "aarch64")
))]
mod slots;

/// A signal has come that somebody wants to hear of.
pub const SIGNAL: u64 = 1 << 8;
/// A process has ended, see [`lookout`].
pub const END: u64 = 1 << 9;
/// A time is over, see [`lookout`].
pub const TIME: u64 = 1 << 10;

/// What a read ended with.
#[derive(Debug)]
pub enum Reading {
    /// As read(2) says: so many bytes, or an error, `EINTR` included.
    Done(std::io::Result<usize>),
    /// There may be a cause, and nothing was read.
    Woken,
    /// Not here: poll(2) is to be used.
    Unavailable,
}

#[cfg(not(all(
    target_os = "linux",
    any(target_env = "gnu", target_env = "musl"),
    any(all(target_arch = "x86_64", target_pointer_width = "64"), target_arch = "aarch64")
)))]
mod slots {
    use super::Reading;
    use std::os::fd::BorrowedFd;

    pub fn read(_: BorrowedFd<'_>, _: &mut [u8], _: u64, _: impl FnOnce() -> bool) -> Reading {
        Reading::Unavailable
    }

    pub fn wake(_: u64) {}

    pub fn may_work() -> bool {
        false
    }

    pub fn still_arrive() -> bool {
        false
    }

    pub const KICKS: [libc::c_int; 0] = [];

    #[cfg(target_os = "linux")]
    pub fn in_copy() {}
}

/// One read(2) that a [`wake`] for one of `causes` ends. `is_due` says whether there is a cause already; whoever has one
/// must make that true before it wakes, so that none is missed. It must not panic.
#[inline]
pub fn read(fd: std::os::fd::BorrowedFd<'_>, buffer: &mut [u8], causes: u64, is_due: impl FnOnce() -> bool) -> Reading {
    slots::read(fd, buffer, causes, is_due)
}

/// Whether [`read`] may work here; where not, nobody need look out for anything.
#[inline]
#[must_use]
pub fn may_work() -> bool {
    slots::may_work()
}

/// Whether kicks still come to this thread, as far as the system can be asked: somebody may have taken or blocked their
/// signal since the thread tried one. Two system calls, so not for every wait.
#[must_use]
pub fn still_arrive() -> bool {
    slots::still_arrive()
}

/// Signals that the handler of one who wakes holds back: the kick for its own thread had to be sent again otherwise.
pub(super) const KICKS: &[libc::c_int] = &slots::KICKS;

/// Ends the reads that wait for one of `causes`.
///
/// # Signal safety
/// Atomics and tgkill(2).
pub fn wake(causes: u64) {
    slots::wake(causes);
}

/// In a copy of this process that has one thread, before it waits: everything begins anew.
#[cfg(target_os = "linux")]
pub(super) fn in_copy() {
    slots::in_copy();
}
