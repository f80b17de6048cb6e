//! Waiting for bytes from a descriptor: one read(2), whatever else may end the wait.
//!
//! It refuses to ask the system twice for a message where it need not: only a conversation's first waits poll, as what
//! spares that costs more than a few polls to set up, and so does the end of a long wait.

use super::{left, out_of_memory, End, Received};
use crate::frame::Inbox;
use crate::sys::interrupt::lookout::{self, Timed};
use crate::sys::interrupt::{self, Reading};
use crate::sys::{clock, fd, poll, signals};
use std::io;
use std::os::fd::BorrowedFd;

/// So many waits are polled for.
const FIRST: u8 = 16;
/// What is left of a wait is polled for, in microseconds: nobody is asked to look out for less.
const SHORT: i64 = 100_000;

/// A conversation's waits so far.
#[derive(Debug, Default)]
pub struct Waits {
    /// Up to [`FIRST`].
    count: u8,
    /// From the first deadline on that somebody looks out for.
    timed: Option<Timed>,
}

/// As [`super::Wire::receive_heeding`].
pub(super) fn receive(
    input: BorrowedFd<'_>,
    mut end: Option<&mut End>,
    waits: &mut Waits,
    inbox: &mut Inbox,
    deadline: Option<i64>,
    heed: bool,
) -> io::Result<Received> {
    if waits.count < FIRST {
        waits.count += 1;
    }
    // Without all three somebody has tried to read, and there was nothing.
    let mut polls = waits.count < FIRST || end.is_none() && deadline.is_none() && !heed;
    let mut ready = false;
    loop {
        if let Some(end) = &mut end {
            if let Some(received) = end.rest(input, inbox)? {
                return Ok(received);
            }
        }
        if heed && signals::pending().is_some() {
            return Ok(Received::Signal);
        }
        let room = inbox.room().map_err(out_of_memory)?;
        let reading = if ready {
            Reading::Done(fd::read_once(input, room))
        } else if polls || !interrupt::may_work() || !looked_out_for(end.as_deref_mut(), deadline, waits) {
            Reading::Unavailable
        } else {
            let end = end.as_deref();
            let causes = if heed { interrupt::SIGNAL } else { 0 }
                | if end.is_some() { interrupt::END } else { 0 }
                | if deadline.is_some() { interrupt::TIME } else { 0 };
            interrupt::read(input, room, causes, || {
                heed && signals::pending().is_some()
                    || end.is_some_and(End::may_have_come)
                    || deadline.is_some_and(|at| !lookout::is_set(at))
            })
        };
        match reading {
            // As in `Wire::receive_heeding`.
            Reading::Done(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                polls = true;
                ready = false;
            }
            Reading::Done(read) => {
                let count = read?;
                inbox.filled(count);
                return Ok(if count == 0 { Received::End } else { Received::Bytes });
            }
            Reading::Woken => {
                if let Some(end) = &mut end {
                    end.look(input)?;
                }
                if deadline.is_some_and(|at| at <= clock::monotonic_us()) {
                    polls = true; // there may be bytes all the same
                }
            }
            Reading::Unavailable => {
                polls = true;
                let wake = signals::waker().filter(|_| heed);
                let found = match &mut end {
                    Some(end) => end.wait(Some(input), None, wake, left(deadline))?,
                    None => poll::first_of(Some(input), None, None, wake, left(deadline))?,
                };
                ready = found.input;
                if let (true, Some(end)) = (found.end, &mut end) {
                    end.come(input);
                } else if found.woken {
                    if signals::pending().is_none() {
                        signals::drain(); // a byte whose signal was taken in the meantime
                    }
                } else if !found.input {
                    return Ok(Received::TimedOut);
                }
            }
        }
    }
}

/// Whether somebody looks out for all that may end the wait, but for signals.
#[inline]
fn looked_out_for(end: Option<&mut End>, deadline: Option<i64>, waits: &mut Waits) -> bool {
    if cfg!(not(feature = "parent")) {
        return end.is_none() && deadline.is_none(); // the thread that does is for those who have children
    }
    deadline.is_none_or(|at| waits.timed.is_some() && lookout::is_set(at) || waits.ask_for(at))
        && end.is_none_or(End::is_watched)
}

impl Waits {
    #[cold]
    fn ask_for(&mut self, deadline: i64) -> bool {
        deadline.saturating_sub(clock::monotonic_us()) >= SHORT
            && interrupt::still_arrive()
            && self.timed.get_or_insert_with(Timed::new).set(deadline).is_ok()
    }
}
