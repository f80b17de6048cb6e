//! Children whose [`super::Process`] was dropped before their end was seen.
//!
//! It refuses to wait for them and to signal them; it only collects those that have ended, so that they do not stay
//! zombies, and it never waits for a child that is not on its list: those belong to the host.

use std::sync::{Mutex, PoisonError};

use super::system::wait4;

static ABANDONED: Mutex<Vec<libc::pid_t>> = Mutex::new(Vec::new());

/// Puts `pid` on the list unless it has ended already, and collects the others on it that have.
pub(super) fn add(pid: libc::pid_t) {
    if gone(pid) {
        reap();
        return;
    }
    let mut list = ABANDONED.lock().unwrap_or_else(PoisonError::into_inner);
    list.retain(|&pid| !gone(pid));
    // Without memory for four bytes a zombie is the least worry.
    if list.try_reserve(1).is_ok() {
        list.push(pid);
    }
}

/// Collects the abandoned children that have ended, and returns how many still run. One system call for each of them;
/// none when there are none.
pub fn reap() -> usize {
    // OK because nothing in here leaves a half-written list behind.
    let mut list = ABANDONED.lock().unwrap_or_else(PoisonError::into_inner);
    list.retain(|&pid| !gone(pid));
    list.len()
}

/// `true` when it has ended or is not our child: the list a fork without exec inherits names its parent's children.
fn gone(pid: libc::pid_t) -> bool {
    !matches!(wait4(pid, libc::WNOHANG), Ok(None))
}
