//! The runaway guard's clockwork: which slice of work runs, for how long, and what a tick of the timer means for it.
//!
//! It refuses to know Lua, signals and clocks: the times come with the tick, and the verdict goes back to whoever
//! ticks. It starts and stops a slice without a system call and without reading a clock; that a slice *lasts* is
//! noticed by the ticks alone. So a slice is never cut short, and the limit is overrun by up to two ticks.
//!
//! A *slice* is one stretch of work with a deadline of its own: a handler from its request to its reply, or a coroutine
//! from a resume to the yield. Slices nest, as a handler that waits for a reply may be asked something meanwhile; the
//! outer slice is put aside as a [`Saved`] by the one frame that opened the inner one.
//!
//! # Signal safety
//! [`Watchdog::tick`] runs in a signal handler, on the thread whose slices it watches, at any machine instruction of
//! the other functions. Every field is an atomic that is loaded and stored, never locked; there is no second thread.
//! The order of stores matters to the handler alone: `running` is cleared first and set last, with compiler fences
//! in between, so that a tick that comes amid a change sees no slice at all.

pub mod bursts;

use crate::sys::timer::Tick;
use std::sync::atomic::{compiler_fence, AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};

/// Code that fails and catches it may need long to unwind: Lua 5.4 needs seconds for 100,000 calls of pcall inside each
/// other. So many graces are given to it.
const PATIENCE: u64 = 10;

/// What has to be done after a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Fine,
    /// The slice is past its deadline: make its code fail. Said again at every tick until the slice ends.
    Overdue,
    /// The slice goes on in spite of that, and its grace is over, too.
    Hopeless,
}

/// A slice that was put aside.
#[derive(Clone, Copy, Debug)]
pub struct Saved {
    running: u64,
    limit: u64,
    seen: u64,
    elapsed: u64,
    overdue: bool,
    stuck: u64,
    overrun: u64,
    /// A part of the outer slice rather than one of its own: its time goes on counting for the outer.
    part: bool,
}

/// What is put aside of a slice in time for one with the same limit, see [`Watchdog::suspend`].
#[derive(Clone, Copy, Debug)]
pub struct Suspended {
    running: u64,
    elapsed: u64,
}

/// The state of one thread's slices.
#[derive(Debug, Default)]
pub struct Watchdog {
    /// The number of the running slice; 0 while none runs.
    running: AtomicU64,
    /// The last number given out.
    issued: AtomicU64,
    /// How long the running slice may take.
    limit: AtomicU64,
    /// How long it may go on past that before it is hopeless; 0: for ever.
    grace: AtomicU64,
    /// The limit has passed.
    overdue: AtomicBool,
    /// Changes whenever the thread has waited for the other end.
    waits: AtomicU64,
    // What the ticks remember.
    seen: AtomicU64,
    elapsed: AtomicU64,
    /// CPU time since the code was last seen to fail, and since it should have for the first time.
    stuck: AtomicU64,
    overrun: AtomicU64,
    last_wall: AtomicU64,
    last_cpu: AtomicU64,
    last_waits: AtomicU64,
}

impl Watchdog {
    /// Nothing runs.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            running: AtomicU64::new(0),
            issued: AtomicU64::new(0),
            limit: AtomicU64::new(0),
            grace: AtomicU64::new(0),
            overdue: AtomicBool::new(false),
            waits: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            elapsed: AtomicU64::new(0),
            stuck: AtomicU64::new(0),
            overrun: AtomicU64::new(0),
            last_wall: AtomicU64::new(0),
            last_cpu: AtomicU64::new(0),
            last_waits: AtomicU64::new(0),
        }
    }

    /// How long an overdue slice may go on without failing, in nanoseconds of CPU time, before it is hopeless; 0 for
    /// ever. One that fails again and again and catches it has [`PATIENCE`] times as long.
    pub fn set_grace(&self, nanoseconds: u64) {
        self.grace.store(nanoseconds, Relaxed);
    }

    /// The number of the running slice; 0: none.
    #[inline]
    pub fn running(&self) -> u64 {
        self.running.load(Relaxed)
    }

    /// Whether the running slice is past its deadline.
    #[inline]
    pub fn overdue(&self) -> bool {
        self.overdue.load(Relaxed)
    }

    /// Put the running slice aside, if there is one: nothing runs, until [`begin`](Self::begin) or
    /// [`begin_part`](Self::begin_part).
    #[inline]
    pub fn put_aside(&self) -> Saved {
        let running = self.running.load(Relaxed);
        self.set_running(0);
        Saved {
            running,
            limit: self.limit.load(Relaxed),
            seen: self.seen.load(Relaxed),
            elapsed: self.elapsed.load(Relaxed),
            overdue: self.overdue.load(Relaxed),
            stuck: self.stuck.load(Relaxed),
            overrun: self.overrun.load(Relaxed),
            part: false,
        }
    }

    /// A slice begins. `limit` 0: it has no deadline.
    #[inline]
    pub fn begin(&self, limit: u64) {
        self.set_running(0);
        self.limit.store(limit, Relaxed);
        self.overdue.store(false, Relaxed);
        self.elapsed.store(0, Relaxed);
        let number = self.issued.load(Relaxed).wrapping_add(1).max(1);
        self.issued.store(number, Relaxed);
        self.set_running(number);
    }

    /// A part of the slice just put aside begins that may take `limit` at most, and no longer than the rest of the
    /// whole.
    ///
    /// Whether the part's own limit comes first.
    pub fn begin_part(&self, whole: &mut Saved, limit: u64) -> bool {
        whole.part = true;
        let spent = if whole.seen == whole.running { whole.elapsed } else { 0 };
        let end = spent.saturating_add(limit);
        let first = whole.limit == 0 || end < whole.limit;
        if first {
            self.limit.store(end, Relaxed);
        }
        self.set_running(whole.running);
        first
    }

    /// The slice or part is over: go on with what was put aside for it.
    #[inline]
    pub fn end(&self, saved: &Saved) {
        self.set_running(0);
        self.limit.store(saved.limit, Relaxed);
        self.overdue.store(saved.overdue, Relaxed);
        self.stuck.store(saved.stuck, Relaxed);
        self.overrun.store(saved.overrun, Relaxed);
        if !saved.part {
            self.seen.store(saved.seen, Relaxed);
            self.elapsed.store(saved.elapsed, Relaxed);
        }
        self.set_running(saved.running);
    }

    /// Put the running slice, which is not overdue, aside for one with the same limit and a time of its own: nothing
    /// runs until [`begin_alike`](Self::begin_alike).
    #[inline]
    pub fn suspend(&self) -> Suspended {
        let running = self.running.load(Relaxed);
        self.set_running(0);
        Suspended {
            running,
            elapsed: self.elapsed.load(Relaxed),
        }
    }

    /// Whether the suspended slice's own time is over, which no tick may have seen.
    #[inline]
    #[must_use]
    pub fn is_spent(&self, suspended: &Suspended) -> bool {
        let limit = self.limit.load(Relaxed);
        limit != 0 && suspended.elapsed >= limit
    }

    /// The slice inside a suspended one is over; if it was overdue, a part of its time is the suspended one's: whoever
    /// lets slice after slice run into its limit has [`PATIENCE`] times as long.
    #[inline]
    pub fn charge(&self, suspended: &mut Suspended) {
        if self.overdue.load(Relaxed) {
            let share = self.limit.load(Relaxed) / PATIENCE;
            suspended.elapsed = suspended.elapsed.saturating_add(share).saturating_add(1);
        }
    }

    /// The slice inside a suspended one begins.
    #[inline]
    pub fn begin_alike(&self) {
        self.elapsed.store(0, Relaxed);
        let number = self.issued.load(Relaxed).wrapping_add(1).max(1);
        self.issued.store(number, Relaxed);
        self.set_running(number);
    }

    /// The slice inside is over and [`pause`](Self::pause)d: go on with the suspended one.
    ///
    /// What passed since the last tick is the suspended slice's if that tick saw it, too; else nobody's. If the thread
    /// has slept, the sleep does not belong there either, so CPU time alone counts up to the next tick.
    #[inline]
    pub fn go_on(&self, suspended: Suspended) {
        self.elapsed.store(suspended.elapsed, Relaxed);
        self.waited();
        self.set_running(suspended.running);
    }

    /// The slice's work is done: nothing runs.
    #[inline]
    pub fn pause(&self) {
        self.set_running(0);
        self.overdue.store(false, Relaxed);
    }

    /// The overdue code has failed once more: it is on its way out, or catches every error.
    pub fn failed(&self) {
        self.stuck.store(0, Relaxed);
    }

    /// The thread has waited for the other end: what passed on the wall clock since the last tick does not count.
    #[inline]
    pub fn waited(&self) {
        self.waits.store(self.waits.load(Relaxed).wrapping_add(1), Relaxed);
    }

    #[inline]
    fn set_running(&self, number: u64) {
        compiler_fence(SeqCst);
        self.running.store(number, Relaxed);
        compiler_fence(SeqCst);
    }

    /// A tick: what it means for the running slice, and the nanoseconds that count since the last one.
    pub fn tick(&self, now: Tick) -> (Verdict, u64) {
        let wall = now.wall.saturating_sub(self.last_wall.swap(now.wall, Relaxed));
        let cpu = now.cpu.saturating_sub(self.last_cpu.swap(now.cpu, Relaxed));
        let waits = self.waits.load(Relaxed);
        let waited = self.last_waits.swap(waits, Relaxed) != waits;
        let passed = if waited { cpu.min(wall) } else { wall };

        let running = self.running.load(Relaxed);
        if running == 0 {
            return (Verdict::Fine, cpu);
        }
        if self.seen.swap(running, Relaxed) != running {
            return (Verdict::Fine, cpu);
        }
        let elapsed = self.elapsed.load(Relaxed).saturating_add(passed);
        self.elapsed.store(elapsed, Relaxed);
        if self.overdue.load(Relaxed) {
            // In CPU time: a process that was stopped for a while is not to be killed for it.
            let stuck = self.stuck.load(Relaxed).saturating_add(cpu);
            let overrun = self.overrun.load(Relaxed).saturating_add(cpu);
            self.stuck.store(stuck, Relaxed);
            self.overrun.store(overrun, Relaxed);
            let grace = self.grace.load(Relaxed);
            if grace != 0 && (stuck >= grace || overrun >= grace.saturating_mul(PATIENCE)) {
                return (Verdict::Hopeless, cpu);
            }
            return (Verdict::Overdue, cpu);
        }
        let limit = self.limit.load(Relaxed);
        if limit == 0 || elapsed < limit {
            return (Verdict::Fine, cpu);
        }
        self.stuck.store(0, Relaxed);
        self.overrun.store(0, Relaxed);
        self.overdue.store(true, Relaxed);
        (Verdict::Overdue, cpu)
    }
}

#[cfg(test)]
#[path = "watchdog/tests.rs"]
mod tests;
