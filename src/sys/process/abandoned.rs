//! Children whose [`super::Process`] was dropped before their end was seen.
//!
//! It refuses to wait for them and to signal them; it only collects those that have ended, so that they do not stay
//! zombies, and it never waits for a child that is not on its list: those belong to the host.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::errors;
use super::system::wait4;

/// A child and, where there is one, what becomes readable at its end.
type Abandoned = (libc::pid_t, Option<OwnedFd>);

static ABANDONED: Mutex<Vec<Abandoned>> = Mutex::new(Vec::new());

fn lock() -> MutexGuard<'static, Vec<Abandoned>> {
    // OK because nothing in here leaves a half-written list behind.
    ABANDONED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Puts `pid` on the list unless it has ended already, and collects the others on it that have.
pub(super) fn add(pid: libc::pid_t, pidfd: Option<OwnedFd>) {
    if gone(pid) {
        reap();
        return;
    }
    let mut list = lock();
    list.retain(|(pid, _)| !gone(*pid));
    // Without memory for a few bytes a zombie is the least worry.
    if list.try_reserve(1).is_ok() {
        list.push((pid, pidfd));
    }
    drop(list);
    errors::wake();
}

/// Collects the abandoned children that have ended, and returns how many still run. One system call for each of them;
/// none when there are none.
pub fn reap() -> usize {
    let mut list = lock();
    list.retain(|(pid, _)| !gone(*pid));
    list.len()
}

/// Whether there is nobody whose end can be polled.
pub(super) fn is_empty() -> bool {
    lock().iter().all(|(_, pidfd)| pidfd.is_none())
}

/// The descriptors that tell of their ends.
pub(super) fn each_fd(mut f: impl FnMut(RawFd)) {
    lock()
        .iter()
        .filter_map(|(_, pidfd)| pidfd.as_ref())
        .for_each(|fd| f(fd.as_raw_fd()));
}

/// `true` when it has ended or is not our child: the list a fork without exec inherits names its parent's children.
fn gone(pid: libc::pid_t) -> bool {
    !matches!(wait4(pid, libc::WNOHANG), Ok(None))
}
