//! Many descriptors in one poll(2), for the loop: who waits for what changes seldom, so the set is kept between waits.
//!
//! It refuses to own a descriptor, and to read or write one: it says which place is ready. A place that is taken away
//! is not reported any more, though the system may have said so a moment before.
#![allow(unsafe_code)]

mod interest;

pub use interest::Interest;
use interest::Slot;

use super::ends::{End, Ends};
use super::shared::Shared;
use super::{clock, signals};
use std::cell::Cell;
use std::collections::TryReserveError;
use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

/// No descriptor: poll(2) passes over negative numbers.
const NONE: RawFd = -1;
/// How often one place may be asked for in a round: who floods keeps nobody waiting.
const SHARE: u32 = 16;

/// A place that can do something without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Its number.
    pub place: usize,
    /// Bytes, an end or an error can be read.
    pub input: bool,
    /// Bytes are taken, or never will be; or the place's time is over.
    pub output: bool,
    /// The process at the other end has ended.
    pub end: bool,
    /// The descriptor is not open.
    pub invalid: bool,
}

impl Ready {
    fn nothing(place: usize) -> Self {
        Self {
            place,
            input: false,
            output: false,
            end: false,
            invalid: false,
        }
    }
}

/// What an entry of the set is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Input,
    Output,
    End,
    /// The ends of all processes together.
    Ends,
    Signals,
}

struct Reported {
    ready: Ready,
    generation: u64,
}

/// The set.
pub struct Poller {
    slots: Vec<Option<Slot>>,
    generation: u64,
    entries: Vec<libc::pollfd>,
    /// The place of each entry, and what it is for.
    places: Vec<(usize, Kind)>,
    changed: Shared<Cell<bool>>,
    /// Places that have something to do at once, or a time for their output: looked through only then.
    special: bool,
    reported: Vec<Reported>,
    next: usize,
    /// The place whose turn it is, and how often it may still be asked for in this round.
    current: Option<usize>,
    share: u32,
    /// When whoever waits has something else to do, in microseconds of the monotonic clock.
    pub alarm: Option<i64>,
    /// Signals that the set itself wants to hear of.
    pub guard: Option<signals::Guard>,
    /// Why the last wait failed, for whoever raises it.
    pub failure: String,
    hears: bool,
    ends: Ends,
}

impl Poller {
    /// An empty set.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn try_new() -> Result<Self, TryReserveError> {
        Ok(Self {
            slots: Vec::new(),
            generation: 0,
            entries: Vec::new(),
            places: Vec::new(),
            changed: Shared::try_new(Cell::new(false))?,
            special: false,
            reported: Vec::new(),
            next: 0,
            current: None,
            share: 0,
            alarm: None,
            guard: None,
            failure: String::new(),
            hears: false,
            ends: Ends::default(),
        })
    }

    /// A new place, which waits for nothing yet.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn add(&mut self) -> Result<(usize, Shared<Interest>), TryReserveError> {
        let interest = Shared::try_new(Interest {
            input: Cell::new(NONE),
            output: Cell::new(NONE),
            end: Cell::new(NONE),
            at_once: Cell::new(false),
            until: Cell::new(i64::MAX),
            changed: self.changed.clone(),
        })?;
        let place = match self.slots.iter().position(Option::is_none) {
            Some(place) => place,
            None => {
                self.slots.try_reserve(1)?;
                self.slots.push(None);
                self.slots.len() - 1 // OK because one was pushed
            }
        };
        self.generation += 1;
        self.slots[place] = Some(Slot {
            interest: interest.clone(),
            generation: self.generation,
        });
        Ok((place, interest))
    }

    /// What a place waits for.
    #[must_use]
    pub fn interest(&self, place: usize) -> Option<&Interest> {
        self.slots.get(place)?.as_ref().map(|slot| &*slot.interest)
    }

    /// The same, for whoever joins there.
    #[must_use]
    pub fn shared(&self, place: usize) -> Option<Shared<Interest>> {
        self.slots.get(place)?.as_ref().map(|slot| slot.interest.clone())
    }

    /// Take a place away.
    pub fn remove(&mut self, place: usize) {
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = None;
            self.changed.set(true);
            if self.current == Some(place) {
                self.current = None;
            }
        }
    }

    /// Whether a signal ends a wait.
    pub fn hear(&mut self, hears: bool) {
        self.hears = hears;
        self.changed.set(true);
    }

    /// The time of the alarm has come.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.alarm.is_some_and(|at| at <= clock::monotonic_us())
    }

    /// A signal that is heard of here is there.
    #[must_use]
    #[inline]
    pub fn has_signal(&self) -> bool {
        self.hears && signals::pending().is_some()
    }

    /// The place is about to be asked: until [`Poller::took`] is told, it stays its turn, and no wait is long. What is to
    /// be told then.
    #[inline]
    pub fn hold(&mut self, place: usize) -> u64 {
        self.current = Some(place);
        self.generation_of(place)
    }

    fn generation_of(&self, place: usize) -> u64 {
        self.slots
            .get(place)
            .and_then(Option::as_ref)
            .map_or(0, |slot| slot.generation)
    }

    /// Whose turn it is: the place that has more to do, or else the next that was found ready and still is one.
    #[inline]
    pub fn next_ready(&mut self) -> Option<Ready> {
        if let Some(place) = self.current {
            return Some(Ready::nothing(place));
        }
        loop {
            let reported = self.reported.get(self.next)?;
            self.next += 1;
            let slot = self.slots.get(reported.ready.place).and_then(Option::as_ref);
            if slot.is_some_and(|slot| slot.generation == reported.generation) {
                self.share = SHARE;
                return Some(reported.ready);
            }
        }
    }

    /// The place whose turn it was has more to do, or not: it stays its turn for its share of a round. Whether this round
    /// goes on; `None`: the place was taken away meanwhile.
    #[inline]
    pub fn took(&mut self, place: usize, held: u64, more: bool) -> Option<bool> {
        if self.generation_of(place) != held {
            return None;
        }
        self.share = self.share.saturating_sub(1);
        self.current = (more && self.share > 0).then_some(place);
        Some(self.current.is_some() || self.next < self.reported.len())
    }

    /// Wait until a place is ready, or a signal there, or until `deadline`, in microseconds of the monotonic clock;
    /// `None`: for ever. What was found before and not asked for is found again. In steps of a millisecond, rounded up.
    ///
    /// # Errors
    /// `EINTR`; `OutOfMemory`; else what poll(2) says.
    pub fn wait(&mut self, deadline: Option<i64>) -> io::Result<()> {
        self.reported.clear();
        self.next = 0;
        if self.changed.get() {
            self.rebuild().map_err(|_| io::ErrorKind::OutOfMemory)?;
        }
        let mut deadline = deadline;
        if self.special {
            let soonest = |at: Option<i64>, slot: &Slot| at.into_iter().chain(slot.soonest()).min();
            deadline = self.slots.iter().flatten().fold(deadline, soonest);
        }
        let timeout = match deadline {
            _ if self.current.is_some() || self.has_signal() => 0,
            Some(at) => milliseconds(at),
            None => -1,
        };
        let number = self.entries.len() as libc::nfds_t; // OK because there are not that many descriptors
                                                         // SAFETY: `entries` are that many pollfds, alive for the call.
        let count = unsafe { libc::poll(self.entries.as_mut_ptr(), number, timeout) };
        if count < 0 {
            return Err(io::Error::last_os_error());
        }
        self.report(count);
        Ok(())
    }

    fn report(&mut self, mut left: libc::c_int) {
        for (entry, &(place, kind)) in self.entries.iter().zip(&self.places) {
            if left == 0 {
                break;
            }
            if entry.revents == 0 {
                continue;
            }
            left -= 1;
            if kind == Kind::Signals {
                if signals::pending().is_none() {
                    signals::drain(); // a byte whose signal was taken in the meantime
                }
                continue;
            }
            if kind == Kind::Ends {
                let (reported, slots) = (&mut self.reported, &self.slots);
                self.ends.each_ended(|place| {
                    let known = reported.iter_mut().find(|reported| reported.ready.place == place);
                    match known {
                        Some(known) => known.ready.end = true,
                        None => push(
                            reported,
                            slots,
                            Ready {
                                end: true,
                                ..Ready::nothing(place)
                            },
                        ),
                    }
                });
                continue;
            }
            // What belongs to a place is next to each other.
            if self.reported.last().is_none_or(|last| last.ready.place != place) {
                push(&mut self.reported, &self.slots, Ready::nothing(place));
            }
            if let Some(Reported { ready, .. }) = self.reported.last_mut() {
                match kind {
                    Kind::Output => ready.output = true,
                    Kind::End => ready.end = true,
                    _ => ready.input = true,
                }
                ready.invalid |= entry.revents & libc::POLLNVAL != 0;
            }
        }
        if !self.special {
            return;
        }
        let now = clock::monotonic_us();
        for (place, slot) in self.slots.iter().enumerate() {
            let Some(interest) = slot.as_ref().map(|slot| &slot.interest) else {
                continue;
            };
            let late = interest.output.get() != NONE && interest.until.get() <= now;
            let known = self.reported.iter().any(|reported| reported.ready.place == place);
            if (interest.at_once.get() || late) && !known {
                let ready = Ready {
                    output: late,
                    ..Ready::nothing(place)
                };
                push(&mut self.reported, &self.slots, ready);
            }
        }
    }

    #[cold]
    fn rebuild(&mut self) -> Result<(), TryReserveError> {
        self.entries.clear();
        self.places.clear();
        let most = 3 * self.slots.len() + 2; // OK because each slot takes more memory than a few bytes
        self.entries.try_reserve(most)?;
        self.places.try_reserve(most)?;
        self.reported.try_reserve(self.slots.len())?;
        self.special = false;
        let ends = self.slots.iter().enumerate().filter_map(|(place, slot)| {
            let Slot { interest, generation } = slot.as_ref()?;
            let (fd, generation) = (interest.end.get(), *generation);
            (fd != NONE).then_some(End { fd, place, generation })
        });
        let ends = self.ends.watch(ends);
        let mut add = |place, fd, kind| {
            if fd != NONE {
                let events = if kind == Kind::Output {
                    libc::POLLOUT
                } else {
                    libc::POLLIN
                };
                self.places.push((place, kind));
                let revents = 0;
                self.entries.push(libc::pollfd { fd, events, revents });
            }
        };
        for (place, slot) in self.slots.iter().enumerate() {
            let Some(Slot { interest, .. }) = slot else { continue };
            add(place, interest.input.get(), Kind::Input);
            add(place, interest.output.get(), Kind::Output);
            if ends.is_none() {
                add(place, interest.end.get(), Kind::End);
            }
            let timed = interest.output.get() != NONE && interest.until.get() != i64::MAX;
            self.special |= interest.at_once.get() || timed;
        }
        add(usize::MAX, ends.unwrap_or(NONE), Kind::Ends); // after all places: they may be reported already
        if self.hears {
            add(usize::MAX, signals::reader(), Kind::Signals);
        }
        self.changed.set(false);
        Ok(())
    }
}

/// There is room for every place, see [`Poller::rebuild`].
fn push(reported: &mut Vec<Reported>, slots: &[Option<Slot>], ready: Ready) {
    let generation = slots[ready.place].as_ref().map_or(0, |slot| slot.generation); // OK because it is one of theirs
    if reported.len() < reported.capacity() {
        reported.push(Reported { ready, generation });
    }
}

/// From now to `at` as poll(2) takes it; longer times are waited for in parts.
fn milliseconds(at: i64) -> libc::c_int {
    if at <= 0 {
        return 0;
    }
    let left = at.saturating_sub(clock::monotonic_us()).max(0);
    let left = Duration::from_micros(left.unsigned_abs());
    libc::c_int::try_from(left.as_micros().div_ceil(1000)).unwrap_or(libc::c_int::MAX)
}
