//! A conversation in a loop: nothing waits here, neither for bytes nor for room to write.
//!
//! What the system does not take at once is kept and sent when it does. While there is much of that, what arrives is
//! taken in, up to the bound of every connection, but not served: whoever does not read our answers gets no more of
//! them. It refuses to decide whose turn it is.

use super::{Connection, Event, Next, Unsent};
use crate::codec::{ErrorKind, Tape};
use crate::peer::Incoming;
use crate::sys::clock;
use crate::sys::error::describe;
use crate::sys::poller::Interest;
use crate::sys::shared::Shared;
use crate::text;
use crate::wire::{Patience, Received, Wire};
use std::io;
use std::os::fd::AsRawFd;

/// Above this many bytes that are not sent, messages are neither served nor taken for sending.
const FULL: usize = 1 << 20;

/// How a connection is in a loop.
pub struct Joined {
    interest: Shared<Interest>,
    /// When something was last sent or received while something waits to be sent, in microseconds.
    moved: i64,
    /// The end of the process at the other end was seen.
    bereft: bool,
}

/// What a turn is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// There is something to read.
    pub readable: bool,
    /// The process at the other end has ended.
    pub ended: bool,
}

impl Connection {
    /// Join a loop by a place in its set.
    pub fn join(&mut self, interest: Shared<Interest>) {
        self.wire.tell(Some(interest.clone()));
        self.joined = Some(Joined {
            interest,
            moved: 0,
            bereft: false,
        });
        self.tell();
        self.at_once(true); // there may be something already
    }

    /// Leave it.
    pub fn leave(&mut self) {
        self.wire.tell(None);
        if let Some(joined) = self.joined.take() {
            joined.interest.set(None, None);
            joined.interest.set_end(None);
            joined.interest.set_at_once(false);
        }
    }

    /// Whether it is in a loop.
    #[inline]
    #[must_use]
    pub fn is_joined(&self) -> bool {
        self.joined.is_some()
    }

    /// In a loop: there is so much to be sent that no more is taken.
    #[inline]
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.outbox.len() > FULL && self.is_joined() && self.is_open()
    }

    /// In a loop: there is something to do without anything arriving.
    pub fn at_once(&self, at_once: bool) {
        if let Some(joined) = &self.joined {
            joined.interest.set_at_once(at_once);
        }
    }

    /// Tell the loop what is waited for.
    pub(super) fn tell(&mut self) {
        let waits = !self.outbox.is_empty() && self.broken.is_none();
        let reads = !self.ended && (!self.is_full() || self.peer.inbox.len() < self.sending.ahead);
        let Some(joined) = &mut self.joined else { return };
        let input = self.wire.input().filter(|_| reads).map(|fd| fd.as_raw_fd());
        let output = self.wire.output().filter(|_| waits).map(|fd| fd.as_raw_fd());
        if output.is_some() {
            if joined.moved == 0 {
                joined.moved = clock::monotonic_us();
            }
            let until = self.sending.unmoved.map(|limit| joined.moved.saturating_add(limit));
            joined.interest.set_until(until);
        } else {
            joined.moved = 0;
        }
        joined.interest.set(input, output);
        let end = self.wire.end_fd().filter(|_| !joined.bereft);
        joined.interest.set_end(end.map(|fd| fd.as_raw_fd()));
    }

    /// In a loop: write what is taken, and keep the rest.
    pub(super) fn send_at_once(&mut self, bytes: &[u8]) -> Result<(), Unsent> {
        let mut rest = bytes;
        if self.outbox.is_empty() {
            match self.wire.write(bytes) {
                Ok(n) if n == bytes.len() => return Ok(()),
                Ok(n) => rest = &bytes[n..], // OK because no more was sent than there was
                Err(error) => return self.sent(Err(error), Patience::default()),
            }
        }
        let kept = self.outbox.push(rest);
        self.sent(
            kept.map(|()| true).map_err(|_| io::ErrorKind::OutOfMemory.into()),
            Patience::default(),
        )
    }

    /// In a loop: keep a message for company; the next wait of the loop's sends what was kept.
    pub(super) fn collect_joined(&mut self, bytes: &[u8], most: usize) -> Result<(), Unsent> {
        if self.outbox.len() + bytes.len() > most {
            self.send_some()?;
        }
        let kept = self.outbox.push(bytes);
        self.sent(
            kept.map(|()| true).map_err(|_| io::ErrorKind::OutOfMemory.into()),
            Patience::default(),
        )
    }

    /// Write what is taken of what waits.
    fn send_some(&mut self) -> Result<(), Unsent> {
        let Some(joined) = &mut self.joined else { return Ok(()) };
        let sent = match self.wire.write(self.outbox.bytes()) {
            Ok(0) => {
                let now = clock::monotonic_us();
                let limit = self.sending.unmoved.unwrap_or(i64::MAX);
                match now.saturating_sub(joined.moved) >= limit && joined.moved != 0 {
                    true => Err(io::ErrorKind::TimedOut.into()),
                    false => Ok(true),
                }
            }
            Ok(n) => {
                self.outbox.advance(n);
                joined.moved = clock::monotonic_us();
                Ok(true)
            }
            Err(error) => Err(error),
        };
        self.close_when_said();
        self.sent(sent, Patience::default())
    }

    /// A turn of a loop's: write what is taken, read once if there is something, and hand out one message.
    /// [`Event::Dry`]: there is none.
    ///
    /// # Errors
    /// `OutOfMemory`; the connection stays usable.
    pub fn turn(
        &mut self,
        turn: Turn,
        source: &mut Vec<u8>,
        tape: &mut Tape,
        out: &mut Vec<u8>,
    ) -> Result<Next, ErrorKind> {
        if let Some(joined) = self.joined.as_mut().filter(|_| turn.ended) {
            joined.bereft = true;
        }
        // What an ended process has left may take several reads, and its end shows only when they are made.
        let bereft = self.joined.as_ref().is_some_and(|joined| joined.bereft);
        let mut readable = turn.readable || bereft || matches!(self.wire, Wire::Memory { .. });
        if !self.outbox.is_empty() && self.broken.is_none() && !self.wire.is_output_closed() {
            let _ = self.send_some(); // a broken connection is seen below
        }
        self.forward(super::Urgency::Now);
        loop {
            if matches!(self.wire, Wire::Closed) {
                return Ok(Next::Event(Event::Closed));
            }
            if bereft && self.ended {
                self.outbox.clear(); // nobody is left to read it
            }
            let full = self.is_full();
            if !full {
                let buffered = self.buffered(None, source, tape, out);
                if buffered.is_err() {
                    self.at_once(true); // what is there is tried again, though nothing more may arrive
                }
                if let Some(incoming) = buffered? {
                    let over = self.ended || self.broken.is_some();
                    self.at_once(self.peer.has_more() || bereft || over);
                    return Ok(match incoming {
                        Incoming::Handled => Next::Event(Event::Handled),
                        incoming => Next::Message(incoming),
                    });
                }
                if self.ended {
                    let closed = self.broken.is_some();
                    self.tell();
                    return Ok(Next::Event(if closed { Event::Closed } else { Event::Eof }));
                }
            }
            if self.broken.is_some() {
                // What the other end sent before it went away is served, even though it cannot be answered.
                let left = self.wire.receive(&mut self.peer.inbox, Some(0));
                self.ended = !matches!(left, Ok(Received::Bytes));
                continue;
            }
            let room = !full || self.peer.inbox.len() < self.sending.ahead;
            if !std::mem::take(&mut readable) || self.ended || !room {
                if let Some(trace) = &self.trace {
                    trace.flush();
                }
                self.at_once(bereft && !self.ended && room);
                self.tell();
                return Ok(Next::Event(Event::Dry));
            }
            self.read_once(bereft)?;
        }
    }

    fn read_once(&mut self, ended: bool) -> Result<(), ErrorKind> {
        match self.wire.take_in(&mut self.peer.inbox, ended) {
            Ok(Received::Bytes) => {
                if let Some(joined) = self.joined.as_mut().filter(|joined| joined.moved != 0) {
                    joined.moved = clock::monotonic_us();
                }
            }
            Ok(Received::End) => self.ended = true,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::OutOfMemory => return Err(ErrorKind::OutOfMemory),
            Err(error) => {
                let why = describe(&error);
                self.broken = Some(text::string(format_args!("cannot read from the peer: {why}")));
            }
        }
        Ok(())
    }
}
