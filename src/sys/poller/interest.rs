//! What one place of the loop's set waits for.
//!
//! It refuses to wait: it is what whoever has joined changes, and the set reads.

use super::NONE;
use crate::sys::shared::Shared;
use std::cell::Cell;
use std::os::fd::RawFd;

/// What a place waits for; whoever has joined changes it.
pub struct Interest {
    pub(super) input: Cell<RawFd>,
    pub(super) output: Cell<RawFd>,
    /// What can be read when the process at the other end has ended.
    pub(super) end: Cell<RawFd>,
    /// There is something to do whatever the descriptors say.
    pub(super) at_once: Cell<bool>,
    /// The place is reported as ready for output at this time, in microseconds of the monotonic clock.
    pub(super) until: Cell<i64>,
    pub(super) changed: Shared<Cell<bool>>,
}

impl Interest {
    /// Wait until `input` can be read, `output` written to; `None`: not for that.
    #[inline]
    pub fn set(&self, input: Option<RawFd>, output: Option<RawFd>) {
        let (input, output) = (input.unwrap_or(NONE), output.unwrap_or(NONE));
        if self.input.get() != input || self.output.get() != output {
            self.input.set(input);
            self.output.set(output);
            self.changed.set(true);
        }
    }

    /// Wait until `end` can be read, too, which is told apart from the input.
    #[inline]
    pub fn set_end(&self, end: Option<RawFd>) {
        let end = end.unwrap_or(NONE);
        if self.end.replace(end) != end {
            self.changed.set(true);
        }
    }

    /// Whether there is something to do whatever the descriptors say.
    #[inline]
    pub fn set_at_once(&self, at_once: bool) {
        if self.at_once.replace(at_once) != at_once {
            self.changed.set(true);
        }
    }

    /// Report the place at this time at the latest, while it waits for its output.
    pub fn set_until(&self, until: Option<i64>) {
        self.until.set(until.unwrap_or(i64::MAX));
    }
}

/// A place of the set, with what it waits for.
pub(super) struct Slot {
    pub(super) interest: Shared<Interest>,
    pub(super) generation: u64,
}

impl Slot {
    /// When it is to be reported though its descriptors are not ready.
    pub(super) fn soonest(&self) -> Option<i64> {
        match (self.interest.at_once.get(), self.interest.output.get()) {
            (true, _) => Some(0),
            (_, NONE) => None,
            _ => Some(self.interest.until.get()).filter(|at| *at != i64::MAX),
        }
    }
}
