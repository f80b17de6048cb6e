//! Sending over a connection: at once, by a deadline, or in company.
//!
//! It refuses to lose the order: what is kept goes before what comes later, and a message of which a part was sent is
//! sent to its end before anything else.

use super::Connection;
use crate::sys::clock;
use crate::sys::error::describe;
use crate::text;
use crate::trace::Direction;
use crate::wire::Patience;

/// How long closing, and whoever has been told by a signal to end, waits for the other end to take what was kept, in
/// microseconds.
pub(super) const FAREWELL: i64 = 1_000_000;

/// How messages are sent.
#[derive(Clone, Copy, Debug)]
pub struct Sending {
    /// Give the other end up when it neither reads nor writes for this long while something is to be sent, in
    /// microseconds.
    pub unmoved: Option<i64>,
    /// Bytes of what arrives that are taken in while something is to be sent.
    pub ahead: usize,
    /// Messages nobody waits for are kept until there are this many bytes of them.
    pub batch: usize,
    /// The same until [`Connection::uncork`], and no more bytes of them than this.
    pub corked: Option<usize>,
}

impl Default for Sending {
    fn default() -> Self {
        Self {
            unmoved: None,
            ahead: 64 << 20,
            batch: 0,
            corked: None,
        }
    }
}

/// When a message has to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Before the call returns: somebody waits for it.
    Now,
    /// As above, but not after this time, in microseconds of the monotonic clock.
    Until(i64),
    /// With those that follow, if messages are collected.
    Later,
}

/// A message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// The connection is closed or broke; the reason is in `broken`.
    Closed,
    /// Its time was over, or a signal came and the other end did not read for a moment longer. It will be sent before
    /// anything else is.
    TimedOut,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close();
    }
}

impl Connection {
    /// Close both directions, after what was kept is sent.
    pub fn close(&mut self) {
        // In a loop others wait meanwhile.
        let farewell = if self.is_joined() { 0 } else { FAREWELL };
        self.end_forwarding(farewell);
        self.hurry = None; // the end has a time of its own
        let _ = self.flush(Urgency::Until(clock::monotonic_us() + farewell)); // OK because there is nothing left to say
        self.outbox.clear();
        self.leave();
        self.wire.close();
        if let Some(trace) = &self.trace {
            trace.flush();
        }
    }

    /// Close the sending direction only, see [`Wire::close_output`](crate::wire::Wire::close_output): at once, or when
    /// what was kept has been sent by the waits to come. Nothing more is taken for sending.
    pub fn close_output(&mut self) {
        self.closing = true;
        if !self.is_joined() {
            let _ = self.flush(Urgency::Until(0)); // OK because the next wait goes on with what is not taken at once
        }
        self.close_when_said();
        self.tell();
    }

    /// Close the sending direction if that was asked for and nothing waits to be sent any more.
    pub(super) fn close_when_said(&mut self) {
        if self.closing && (self.outbox.is_empty() || !self.is_open()) {
            self.wire.close_output();
        }
    }

    /// Send a message; a failure breaks the connection for good.
    ///
    /// # Errors
    /// When the connection is closed or breaks, and when the message's time is over.
    #[inline]
    pub fn send(&mut self, bytes: &[u8], urgency: Urgency) -> Result<(), Unsent> {
        // Half closed by us, it is not broken: what the other end still has to say is read to its end.
        if !self.is_open() || self.closing || self.wire.is_output_closed() {
            return Err(Unsent::Closed);
        }
        self.forward(urgency);
        if bytes.is_empty() {
            return self.flush(urgency); // the answer to a member of a batch that is not complete
        }
        self.peer.stats.sent += 1;
        self.peer.stats.bytes_sent += bytes.len() as u64; // OK because usize is at most 64 bits
        if let Some(trace) = &self.trace {
            trace.record(Direction::Out, self.peer.framing.body(bytes));
        }
        if urgency == Urgency::Later && (self.sending.corked.is_some() || self.sending.batch > 0) {
            return self.collect(bytes);
        }
        if self.is_joined() {
            return self.send_at_once(bytes);
        }
        let patience = self.patience(urgency);
        let sent = self.wire.send(bytes, &mut self.outbox, &mut self.peer.inbox, patience);
        self.sent(sent, patience)
    }

    /// Keep a message for a common `write(2)`; with enough of them they are sent.
    #[inline(never)]
    fn collect(&mut self, bytes: &[u8]) -> Result<(), Unsent> {
        let most = self.sending.corked.unwrap_or(self.sending.batch);
        if self.is_joined() {
            return self.collect_joined(bytes, most);
        }
        if self.outbox.len() + bytes.len() > most {
            self.flush(Urgency::Now)?;
        }
        if bytes.len() > most || self.outbox.push(bytes).is_err() {
            let patience = self.patience(Urgency::Now);
            let sent = self.wire.send(bytes, &mut self.outbox, &mut self.peer.inbox, patience);
            return self.sent(sent, patience);
        }
        Ok(())
    }

    /// Send what was kept.
    ///
    /// # Errors
    /// As [`Connection::send`].
    #[inline]
    pub fn flush(&mut self, urgency: Urgency) -> Result<(), Unsent> {
        if self.outbox.is_empty() {
            return Ok(());
        }
        if !self.is_open() || self.wire.is_output_closed() {
            return Err(Unsent::Closed);
        }
        let patience = self.patience(urgency);
        let sent = self.wire.flush(&mut self.outbox, &mut self.peer.inbox, patience);
        let sent = self.sent(sent, patience);
        self.close_when_said();
        sent
    }

    /// Keep messages nobody waits for, up to `most` bytes of them.
    pub fn cork(&mut self, most: usize) {
        self.sending.corked = Some(most);
    }

    /// Keep them no longer, and send what was kept.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub fn uncork(&mut self) -> Result<(), Unsent> {
        self.sending.corked = None;
        self.flush(Urgency::Now)
    }

    #[inline(always)]
    fn patience(&mut self, urgency: Urgency) -> Patience {
        let mut patience = Patience {
            deadline: match urgency {
                Urgency::Until(deadline) => Some(deadline),
                _ => None,
            },
            unmoved: self.sending.unmoved,
            ahead: self.sending.ahead,
            heed: false,
        };
        if self.signals.is_some() {
            self.heed(&mut patience);
        }
        patience
    }

    /// From a signal on until the next wait there is one moment for all that is sent.
    #[cold]
    fn heed(&mut self, patience: &mut Patience) {
        if self.signal().is_some() {
            self.hurry.get_or_insert(FAREWELL);
        }
        let Some(left) = self.hurry else {
            patience.heed = true;
            return;
        };
        self.hurried = clock::monotonic_us();
        let at = self.hurried.saturating_add(left);
        patience.deadline = Some(patience.deadline.map_or(at, |own| own.min(at)));
    }

    /// A signal has come while a message was sent: it has a moment more.
    #[cold]
    fn hurry_on(&mut self, patience: Patience) -> Result<(), Unsent> {
        let mut patience = Patience {
            heed: false,
            ..patience
        };
        self.heed(&mut patience);
        let sent = self.wire.flush(&mut self.outbox, &mut self.peer.inbox, patience);
        self.sent(sent, patience)
    }

    #[inline(always)]
    pub(super) fn sent(&mut self, result: std::io::Result<bool>, patience: Patience) -> Result<(), Unsent> {
        if matches!(result, Ok(true)) && !self.is_joined() && self.hurry.is_none() {
            return Ok(());
        }
        self.sent_slowly(result, patience)
    }

    #[cold]
    #[inline(never)]
    fn sent_slowly(&mut self, result: std::io::Result<bool>, patience: Patience) -> Result<(), Unsent> {
        if self.is_joined() {
            self.tell();
            if self.peer.has_more() {
                self.at_once(true);
            }
        }
        if let Some(left) = &mut self.hurry {
            *left = left.saturating_sub(clock::monotonic_us() - self.hurried).max(0);
        }
        match result {
            Ok(true) => Ok(()),
            Ok(false) if patience.heed && self.signal().is_some() => self.hurry_on(patience),
            Ok(false) => Err(Unsent::TimedOut),
            Err(error) => {
                self.outbox.clear();
                self.broken = Some(match error.kind() {
                    std::io::ErrorKind::TimedOut => {
                        text::copy("the peer has not read for longer than it may (option send_timeout)")
                    }
                    _ => text::string(format_args!("cannot write to the peer: {}", describe(&error))),
                });
                Err(Unsent::Closed)
            }
        }
    }
}
