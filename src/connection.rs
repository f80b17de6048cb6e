//! A conversation over a wire: the next thing that happens.
//!
//! Everything that needs no handler is dealt with here; what is left is a request to serve, the awaited reply, or the
//! reason why there is neither.

mod forward;
mod joined;
mod odd;
mod raw;
mod report;
mod send;

use forward::Captured;
use joined::Joined;
pub use joined::Turn;
pub use send::{Sending, Unsent, Urgency};

use crate::codec::{CodecError, ErrorKind, Tape};
use crate::outbox::Outbox;
use crate::peer::quick::{Quick, Scalar};
use crate::peer::{Incoming, Peer};
use crate::sys::clock;
use crate::sys::error::describe;
use crate::sys::signals;
use crate::text;
use crate::trace::{Direction, Trace};
use crate::wire::{Received, Wire};

/// Why [`Connection::next`] has no message for its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The other end closed, and everything it sent was served.
    Eof,
    /// [`Connection::stop`] was called.
    Stopped,
    /// The connection was closed here, or broke.
    Closed,
    /// The deadline passed.
    TimedOut,
    /// One message was dealt with that needs no handler; only with `single`.
    Handled,
    /// A pair in memory has nothing to read: it is the other end's turn.
    Nothing,
    /// A signal that is heard of has come.
    Signal(&'static str),
    /// A signal has interrupted the wait, and its handler has run.
    Interrupted,
    /// There is nothing more without waiting; only with `turn`.
    Dry,
}

/// How long what is to be forwarded may wait while signals are heard of, in microseconds.
const LOOK: i64 = 20_000;

/// What happened next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// A request, notification or reply.
    Message(Incoming),
    /// Something else.
    Event(Event),
}

/// What a wait is for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wait {
    /// Return the reply to this call.
    pub awaited: Option<i64>,
    /// Give up at this time, in microseconds of the monotonic clock.
    pub deadline: Option<i64>,
    /// Return after one message, even if it was dealt with here.
    pub single: bool,
    /// Do not wait: see [`Connection::turn`].
    pub turn: Option<Turn>,
}

/// A conversation over a wire.
pub struct Connection {
    /// The conversation.
    pub peer: Peer,
    /// Its transport.
    pub wire: Wire,
    /// Why the connection broke, if it did.
    pub broken: Option<String>,
    /// What the log calls it, if not "connection".
    pub name: Option<String>,
    /// Messages that lead nowhere are not logged: whoever uses the connection sees the answers himself.
    pub quiet: bool,
    /// Signals that end waits.
    pub signals: Option<signals::Guard>,
    /// How sending is done.
    pub sending: Sending,
    /// What is not sent yet.
    pub outbox: Outbox,
    /// Where the messages of both directions are recorded, if they are.
    pub trace: Option<Trace>,
    captured: Option<Captured>,
    joined: Option<Joined>,
    /// The sending direction closes when what waits has been sent.
    closing: bool,
    /// After a signal: for how long one may still wait in order to send, in microseconds; and since when one does.
    hurry: Option<i64>,
    hurried: i64,
    ended: bool,
    /// So many bytes have come of a message in whose middle the stream ended.
    cut: usize,
    stopping: bool,
    reported: u64,
}

impl Connection {
    /// A conversation over `wire`.
    #[must_use]
    pub fn new(peer: Peer, wire: Wire) -> Self {
        Self {
            peer,
            wire,
            broken: None,
            name: None,
            quiet: false,
            signals: None,
            sending: Sending::default(),
            outbox: Outbox::new(),
            trace: None,
            captured: None,
            joined: None,
            closing: false,
            hurry: None,
            hurried: 0,
            ended: false,
            cut: 0,
            stopping: false,
            reported: 0,
        }
    }

    /// How many bytes have come of the message in whose middle the stream ended, if it did.
    #[must_use]
    pub fn cut_off(&self) -> usize {
        self.cut
    }

    /// Make the next wait that awaits no reply return [`Event::Stopped`].
    pub fn stop(&mut self) {
        self.stopping = true;
    }

    /// A signal that is heard of here, has come, and has not been asked for.
    #[must_use]
    pub fn signal(&self) -> Option<&'static str> {
        self.signals.as_ref().and_then(|_| signals::pending())
    }

    /// Whether messages can still be sent.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.broken.is_none() && !matches!(self.wire, Wire::Closed)
    }

    /// Wait for the reply to `awaited`, the call sent last, as long as nothing else comes than the reply of a FreeKill
    /// server ([`Quick`]); a byte string goes to `text`. `None`: [`Connection::next`] finds what there is instead.
    pub fn quick_reply(&mut self, awaited: i64, text: &mut Vec<u8>) -> Option<Scalar> {
        if !self.peer.can_be_quick() || self.signals.is_some() || self.trace.is_some() || self.joined.is_some() {
            return None;
        }
        loop {
            // An end or an error is found again by whoever reads next.
            let Ok(Received::Bytes) = self.wire.receive(&mut self.peer.inbox, None) else {
                return None;
            };
            match self.peer.quick_reply(awaited, text) {
                Quick::Reply(scalar) => return Some(scalar),
                Quick::Incomplete => self.wire.let_writer_finish(),
                Quick::Other => return None,
            }
        }
    }

    /// Wait for the next message. It is copied to `source` and scanned to `tape`; `out` is scratch space.
    ///
    /// # Errors
    /// `OutOfMemory`; the connection stays usable.
    pub fn next(
        &mut self,
        wait: Wait,
        source: &mut Vec<u8>,
        tape: &mut Tape,
        out: &mut Vec<u8>,
    ) -> Result<Next, ErrorKind> {
        if let Some(turn) = wait.turn {
            return self.turn(turn, source, tape, out);
        }
        loop {
            if matches!(self.wire, Wire::Closed) {
                return Ok(Next::Event(Event::Closed));
            }
            if self.stopping && wait.awaited.is_none() {
                self.stopping = false;
                return Ok(Next::Event(Event::Stopped));
            }
            if let Some(name) = self.signal() {
                self.hurry.get_or_insert(send::FAREWELL);
                return Ok(Next::Event(Event::Signal(name)));
            }
            self.hurry = None;
            let nothing = self.peer.has_nothing(wait.awaited) && !self.ended; // as after every answer
            if let Some(incoming) = match nothing {
                true => None,
                false => self.buffered_here(wait.awaited, source, tape, out)?,
            } {
                if incoming != Incoming::Handled {
                    if let Some(trace) = &self.trace {
                        trace.flush_old();
                    }
                    return Ok(Next::Message(incoming));
                }
                if wait.single {
                    return Ok(Next::Event(Event::Handled));
                }
                continue;
            }
            if self.ended {
                let closed = self.broken.is_some();
                return Ok(Next::Event(if closed { Event::Closed } else { Event::Eof }));
            }
            if self.broken.is_some() {
                // What the other end sent before it went away is served, even though it cannot be answered.
                let left = self.wire.receive(&mut self.peer.inbox, Some(0));
                self.ended = !matches!(left, Ok(Received::Bytes));
                continue;
            }
            if self.is_late(wait) {
                return Ok(Next::Event(Event::TimedOut));
            }
            if !self.outbox.is_empty() {
                // Nothing waits while we wait; and what arrives in the meantime comes first.
                let before = self.peer.inbox.len();
                let urgency = wait.deadline.map_or(Urgency::Now, Urgency::Until);
                let flushed = self.flush(urgency);
                // Whoever waits no longer still takes what is there.
                let late = flushed == Err(Unsent::TimedOut) && self.is_over(wait.deadline);
                if self.peer.inbox.len() > before || flushed.is_err() && !late {
                    continue;
                }
            }
            if !self.peer.inbox.is_empty() {
                self.wire.let_writer_finish();
            }
            self.forward(Urgency::Now);
            if let Some(trace) = &self.trace {
                trace.flush();
            }
            // What is to be forwarded is looked for now and then.
            let heed = self.signals.is_some();
            let look = (heed && self.captured.is_some()).then(|| clock::monotonic_us() + LOOK);
            let until = [wait.deadline, look].into_iter().flatten().min();
            match self.wire.receive_heeding(&mut self.peer.inbox, until, heed) {
                Ok(Received::Bytes) => {}
                Ok(Received::End) => self.ended = true,
                Ok(Received::Signal) => {} // see above
                Ok(Received::TimedOut) if look.is_some() && !self.is_over(wait.deadline) => {}
                Ok(Received::TimedOut) => return Ok(Next::Event(Event::TimedOut)),
                Ok(Received::Nothing) => return Ok(Next::Event(Event::Nothing)),
                Err(error) if error.kind() == std::io::ErrorKind::OutOfMemory => return Err(ErrorKind::OutOfMemory),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {
                    return Ok(Next::Event(Event::Interrupted));
                }
                Err(error) => {
                    self.broken = Some(text::string(format_args!(
                        "cannot read from the peer: {}",
                        describe(&error)
                    )));
                }
            }
        }
    }

    fn is_over(&self, deadline: Option<i64>) -> bool {
        deadline.is_some_and(|at| clock::monotonic_us() >= at)
    }

    /// Whether the awaited call's time is over. Without this a peer that keeps sending requests would keep a call with a
    /// timeout waiting for ever: there would always be something to read.
    fn is_late(&mut self, wait: Wait) -> bool {
        match (wait.awaited, wait.deadline) {
            (Some(id), Some(deadline)) => clock::monotonic_us() >= deadline && self.peer.is_late(id),
            _ => false,
        }
    }

    /// The next message that is already here.
    #[inline(never)]
    fn buffered(
        &mut self,
        awaited: Option<i64>,
        source: &mut Vec<u8>,
        tape: &mut Tape,
        out: &mut Vec<u8>,
    ) -> Result<Option<Incoming>, ErrorKind> {
        self.buffered_here(awaited, source, tape, out)
    }

    /// [`Connection::buffered`] where every message passes.
    #[inline(always)]
    fn buffered_here(
        &mut self,
        awaited: Option<i64>,
        source: &mut Vec<u8>,
        tape: &mut Tape,
        out: &mut Vec<u8>,
    ) -> Result<Option<Incoming>, ErrorKind> {
        out.clear();
        let before = self.peer.inbox.len();
        let next = self.peer.next_message(awaited, source);
        if self.trace.is_some() && self.peer.inbox.len() < before {
            self.record_next(&next, source); // not a member of a batch, nor a reply that was kept
        }
        let incoming = match next {
            Ok(Some(batch)) => {
                tape.reset();
                self.peer.accept(source, batch, awaited, tape, out)?
            }
            // Of the beginning of a message nothing can be said, but where none was understood yet.
            Ok(None) if !self.ended && (self.peer.inbox.is_empty() || !self.peer.may_be_foreign()) => return Ok(None),
            other => match self.odd(other, awaited, source, tape, out)? {
                Some(incoming) => incoming,
                None => return Ok(None),
            },
        };
        if self.peer.hopeless {
            self.give_up();
        }
        if self.peer.problem.is_some() {
            self.report(source);
        }
        if !out.is_empty() {
            let open = self.broken.is_none();
            let sent = self.send(out, Urgency::Now);
            out.clear();
            if sent.is_err() {
                if self.ended && open {
                    self.broken = None; // the other end has closed, and that is how the conversation ends
                }
                return Ok(Some(Incoming::Handled)); // the loop sees that the connection is broken, when all is read
            }
        }
        Ok(Some(incoming))
    }

    fn record(&self, direction: Direction, bytes: &[u8]) {
        if let Some(trace) = &self.trace {
            trace.record(direction, bytes);
        }
    }

    #[cold]
    fn record_next(&self, next: &Result<Option<Option<usize>>, CodecError>, message: &[u8]) {
        match next {
            Ok(Some(_)) => self.record(Direction::In, message),
            Ok(None) => {}
            Err(error) => self.record(
                Direction::Remark,
                text::string(format_args!("dropped: {error}")).as_bytes(),
            ),
        }
    }
}
