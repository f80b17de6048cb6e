//! How long each of the lately seen coroutines has run, as far as ticks can tell: a soft hook is due once a second.
//!
//! It refuses to be exact: it remembers a handful of coroutines by their addresses, forgets whoever was not seen the
//! longest, and takes a coroutine at a reused address for the old one. The worst of it is a hook that comes early or
//! late, and a soft hook promises "about once a second".
//!
//! # Signal safety
//! Touched by the tick alone, in atomics as its owner is a static.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// How many coroutines are remembered. A runaway needs one place; the rest is for those it takes turns with.
const PLACES: usize = 16;

/// Nanoseconds of running between two calls of a soft hook.
pub const PERIOD: u64 = 1_000_000_000;

#[derive(Debug)]
struct Place {
    coroutine: AtomicUsize,
    ran: AtomicU64,
    seen: AtomicU64,
}

/// The coroutines seen lately.
#[derive(Debug)]
pub struct Bursts {
    places: [Place; PLACES],
    ticks: AtomicU64,
}

impl Default for Bursts {
    fn default() -> Self {
        Self::new()
    }
}

impl Bursts {
    /// Nothing was seen yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            places: [const {
                Place {
                    coroutine: AtomicUsize::new(0),
                    ran: AtomicU64::new(0),
                    seen: AtomicU64::new(0),
                }
            }; PLACES],
            ticks: AtomicU64::new(0),
        }
    }

    /// The coroutine at this address has run for so many nanoseconds more: whether its hook is due. It stays due until
    /// [`called`](Self::called).
    pub fn ran(&self, coroutine: usize, nanoseconds: u64) -> bool {
        let tick = self.ticks.load(Relaxed).wrapping_add(1);
        self.ticks.store(tick, Relaxed);
        let mut oldest = &self.places[0]; // OK because there are sixteen
        for place in &self.places {
            if place.coroutine.load(Relaxed) == coroutine {
                let ran = place.ran.load(Relaxed).saturating_add(nanoseconds);
                place.ran.store(ran, Relaxed);
                place.seen.store(tick, Relaxed);
                return ran >= PERIOD;
            }
            if place.seen.load(Relaxed) < oldest.seen.load(Relaxed) {
                oldest = place;
            }
        }
        oldest.coroutine.store(coroutine, Relaxed);
        oldest.ran.store(nanoseconds, Relaxed);
        oldest.seen.store(tick, Relaxed);
        nanoseconds >= PERIOD
    }

    /// The hook is on its way: count from nothing again.
    pub fn called(&self, coroutine: usize) {
        for place in &self.places {
            if place.coroutine.load(Relaxed) == coroutine {
                place.ran.store(0, Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: u64 = PERIOD / 20;

    #[test]
    fn a_hook_is_due_after_a_second_of_running_and_every_second_from_then_on() {
        let bursts = Bursts::new();
        for _ in 0..3 {
            for tick in 1..=19 {
                assert!(!bursts.ran(7, TICK), "tick {tick}");
            }
            assert!(bursts.ran(7, TICK));
            bursts.called(7);
        }
    }

    #[test]
    fn coroutines_that_take_turns_are_counted_apart() {
        let bursts = Bursts::new();
        for _ in 1..=19 {
            assert!(!bursts.ran(1, TICK));
            assert!(!bursts.ran(2, TICK / 2));
        }
        assert!(bursts.ran(1, TICK));
        assert!(!bursts.ran(2, TICK / 2));
    }

    #[test]
    fn of_more_coroutines_than_places_the_one_not_seen_the_longest_is_forgotten() {
        let bursts = Bursts::new();
        for _ in 1..=19 {
            bursts.ran(1, TICK);
        }
        for other in 2..=17 {
            bursts.ran(other, TICK);
            if other % 4 == 0 {
                assert!(!bursts.ran(1, 0)); // seen again, so it stays
            }
        }
        assert!(bursts.ran(1, TICK));
        assert!(!bursts.ran(2, PERIOD - 1)); // had been forgotten: 19 twentieths and one would be due
    }
}
