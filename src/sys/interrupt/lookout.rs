//! What the thread that reads children's stderr looks out for besides, for threads that wait in [`super::read`]: a time,
//! and the ends of processes.
//!
//! It refuses to say whose time or process it was: whoever is woken looks for itself. One time is kept, the earliest
//! that somebody has asked for and that is not over; many waits with the same timeout ask once, as each finds that an
//! earlier look is to come.

use super::{wake, END, TIME};
use crate::sys::process::errors;
use crate::sys::{clock, poll};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const NEVER: i64 = i64::MAX;

/// When those are woken who wait for a time, in microseconds of the monotonic clock.
static NEXT: AtomicI64 = AtomicI64::new(NEVER);
/// This is a forked child, and its threads and locks are another's.
static LEFT: AtomicBool = AtomicBool::new(false);
/// How many ends were seen.
static ENDS: AtomicU32 = AtomicU32::new(0);
struct Wanted {
    /// Processes that still run, by descriptors of those who watch them.
    processes: Vec<RawFd>,
    /// How many have asked for times, and may again.
    timed: usize,
}

static WANTED: Mutex<Wanted> = Mutex::new(Wanted {
    processes: Vec::new(),
    timed: 0,
});

fn lock() -> MutexGuard<'static, Wanted> {
    // OK because nothing between lock and unlock leaves a half-written state.
    WANTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether those who wait for a time will be woken at this one or before.
#[inline]
#[must_use]
pub fn is_set(deadline: i64) -> bool {
    NEXT.load(SeqCst) <= deadline
}

/// Somebody who asks for times. With the last of them, what was asked for is forgotten: nothing stays behind.
#[derive(Debug)]
pub struct Timed(());

impl Timed {
    /// One more.
    #[must_use]
    pub fn new() -> Self {
        lock().timed += 1; // OK because each is an object somewhere
        Self(())
    }

    /// Make [`is_set`] so.
    ///
    /// # Errors
    /// `EAGAIN` and `EMFILE` when threads or descriptors have run out.
    pub fn set(&self, deadline: i64) -> io::Result<()> {
        let before = NEXT.fetch_min(deadline, SeqCst);
        if before <= deadline {
            return Ok(());
        }
        errors::wake_up().inspect_err(|_| {
            // OK because whoever has changed it since has seen to the thread.
            let _ = NEXT.compare_exchange(deadline, before, SeqCst, SeqCst);
            wake(TIME); // somebody may have relied on it meanwhile
        })
    }
}

impl Default for Timed {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        if LEFT.load(SeqCst) {
            return;
        }
        let mut wanted = lock();
        wanted.timed = wanted.timed.saturating_sub(1);
        if wanted.timed == 0 {
            NEXT.store(NEVER, SeqCst); // nobody can have set it since
            drop(wanted);
            errors::rest();
        }
    }
}

/// How many ends were seen so far: another number says that a watched process may have ended.
#[inline]
#[must_use]
pub fn ends() -> u32 {
    ENDS.load(SeqCst)
}

/// A process that is watched. Drop it before its descriptor is closed.
#[derive(Debug)]
pub struct Watched(RawFd);

/// Watch what becomes readable when a process ends.
///
/// # Errors
/// As [`Timed::set`], and `OutOfMemory`.
pub fn watch(process: BorrowedFd<'_>) -> io::Result<Watched> {
    let watched = Watched(process.as_raw_fd());
    {
        let processes = &mut lock().processes;
        if processes.try_reserve(1).is_err() {
            std::mem::forget(watched);
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        processes.push(watched.0);
    }
    errors::wake_up()?;
    Ok(watched)
}

impl Drop for Watched {
    fn drop(&mut self) {
        if LEFT.load(SeqCst) {
            return;
        }
        lock().processes.retain(|number| *number != self.0);
        errors::rest();
    }
}

/// No time is looked out for any more; whoever waits for one asks anew.
#[cfg(target_os = "linux")]
pub(in crate::sys) fn forget_times() {
    NEXT.store(NEVER, SeqCst);
    errors::rest();
    wake(TIME);
}

/// After a fork: whether nothing here is touched any more.
#[allow(dead_code)] // where nobody can be woken, nobody asks for anything
pub(super) fn leave(left: bool) {
    LEFT.store(left, SeqCst);
}

/// In a copy of this process: what was to come is the other's.
pub(in crate::sys) fn forget() {
    NEXT.store(NEVER, SeqCst);
    lock().processes.clear();
    ENDS.fetch_add(1, SeqCst); // everybody looks for itself once
}

/// Whether there is nothing to look out for.
pub(in crate::sys) fn is_empty() -> bool {
    NEXT.load(SeqCst) == NEVER && lock().processes.is_empty()
}

/// What is to be polled.
pub(in crate::sys) fn each_fd(f: impl FnMut(RawFd)) {
    lock().processes.iter().copied().for_each(f);
}

/// How long at most.
pub(in crate::sys) fn left() -> Option<Duration> {
    let next = NEXT.load(SeqCst);
    let left = || u64::try_from(next.saturating_sub(clock::monotonic_us())).unwrap_or(0);
    (next != NEVER).then(|| Duration::from_micros(left()))
}

/// After that: wake those whose time is over, and those who wait for ends if one of them has come.
pub(in crate::sys) fn look(ready: impl Fn(RawFd) -> bool) {
    let next = NEXT.load(SeqCst);
    if next <= clock::monotonic_us() && NEXT.compare_exchange(next, NEVER, SeqCst, SeqCst).is_ok() {
        wake(TIME);
    }
    let mut wanted = lock();
    let before = wanted.processes.len();
    // The number may be another process's by now.
    wanted.processes.retain(|&number| !(ready(number) && has_ended(number)));
    if wanted.processes.len() < before {
        drop(wanted);
        ENDS.fetch_add(1, SeqCst);
        wake(END);
    }
}

fn has_ended(number: RawFd) -> bool {
    let mut entries = [libc::pollfd {
        fd: number,
        events: libc::POLLIN,
        revents: 0,
    }];
    poll::wait(&mut entries, Some(Duration::ZERO)).unwrap_or(false)
}
