//! Cancelling: notifications by which the other end says that it does not want a result any more.
//!
//! They mark the request, and whoever serves it asks. It refuses to end a handler, and to change the order of messages:
//! what is read ahead to find a cancellation is queued and taken in when its turn comes.
//!
//! # References
//! Language Server Protocol 3.17, "Cancellation Support" (`$/cancelRequest`, -32800 RequestCancelled) and "Progress
//! Support"; Model Context Protocol 2025-11-25, "Cancellation" (`notifications/cancelled`; a cancelled request SHOULD
//! NOT be answered).

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use super::accept::read_id;
use super::{Peer, Queued, Scan};
use crate::codec::tape::{Node, Tape};
use crate::codec::{cbor, json, ErrorKind};
use crate::message::{Envelope, Id, Standard};

/// What a cancelled request is answered with in LSP's manner, if its handler has nothing else to say.
pub const REQUEST_CANCELLED: Standard = Standard {
    code: -32800,
    message: "Request cancelled",
};

/// Messages are read ahead until this much of them is kept, in bytes. What stands behind takes effect in its turn.
const AHEAD: usize = 8 << 20;

/// Whose words are used for cancelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Language Server Protocol.
    Lsp,
    /// Model Context Protocol.
    Mcp,
}

impl Manner {
    /// The notification's method, and the member of its params with the request's id.
    fn words(self) -> (&'static [u8], &'static [u8]) {
        match self {
            Manner::Lsp => (b"$/cancelRequest", b"id"),
            Manner::Mcp => (b"notifications/cancelled", b"requestId"),
        }
    }
}

impl Peer {
    /// Whether the request behind a slot was cancelled.
    #[must_use]
    pub fn is_cancelled(&self, slot: usize) -> bool {
        self.slots.is_cancelled(slot)
    }

    /// Whether a request that is being served was cancelled; `matches` knows its id. `None` if there is none.
    #[must_use]
    pub fn cancelled(&self, matches: impl Fn(&Id) -> bool) -> Option<bool> {
        self.slots.find(matches).map(|slot| self.slots.is_cancelled(slot))
    }

    /// The answer to a request that was cancelled and has no result: an error in LSP's manner, none in MCP's.
    ///
    /// # Errors
    /// `OutOfMemory`.
    #[cold]
    #[inline(never)]
    pub fn write_cancelled(&self, slot: usize, out: &mut Vec<u8>) -> Result<(), ErrorKind> {
        match self.slots.get(slot) {
            Some(slot) if self.manner == Some(Manner::Lsp) => {
                let Standard { code, message } = REQUEST_CANCELLED;
                self.encoding.error(out, &slot.id, code, message, None)
            }
            _ => Ok(()),
        }
    }

    /// This request begins; its cancellation may have been seen already.
    #[cold]
    #[inline(never)]
    pub(super) fn begin_cancelled(&mut self, slot: usize) -> Result<(), ErrorKind> {
        let Some(request) = self.slots.get(slot) else {
            return Ok(());
        };
        if self.cancelled_ahead.contains(&request.id) {
            self.slots.cancel(slot)?;
        }
        Ok(())
    }

    /// It is a cancellation's turn: mark its request. `false`: it is another notification.
    #[cold]
    #[inline(never)]
    pub(super) fn take_cancel(&mut self, tape: &Tape, message: &[u8], envelope: &Envelope) -> Result<bool, ErrorKind> {
        let Some(id) = self.cancellation(tape, message, envelope)? else {
            return Ok(false);
        };
        let Some(id) = id else { return Ok(true) };
        if let Some(at) = self.cancelled_ahead.iter().position(|ahead| *ahead == id) {
            self.cancelled_ahead.swap_remove(at);
        }
        if let Some(slot) = self.slots.find(|known| *known == id) {
            self.slots.cancel(slot)?;
        }
        Ok(true)
    }

    /// The id that a cancellation names; `Some(None)` if it names none, `None` if it is no cancellation.
    fn cancellation(&self, tape: &Tape, message: &[u8], envelope: &Envelope) -> Result<Option<Option<Id>>, ErrorKind> {
        let (Some(manner), Some(method), None) = (self.manner, envelope.method, envelope.id) else {
            return Ok(None);
        };
        let (word, key) = manner.words();
        if tape.bytes(tape.node(method).0, message) != Some(word) {
            return Ok(None);
        }
        let named = envelope.params.and_then(|params| member(tape, message, params, key));
        Ok(Some(match named {
            Some(at) => read_id(tape, message, Some(at))?.flatten(),
            None => None,
        }))
    }

    /// Take what is in the inbox to the queue, and let the cancellations among it take effect at once. What cannot be
    /// read is left for its turn.
    ///
    /// # Errors
    /// `OutOfMemory`; nothing is lost.
    pub fn look_ahead(&mut self, tape: &mut Tape) -> Result<(), ErrorKind> {
        while self.has_room_ahead() {
            self.queue.try_reserve(1).map_err(|_| ErrorKind::OutOfMemory)?;
            let mut message = Vec::new();
            let message = match self.inbox.next(&mut message) {
                Ok(true) => Ok(message),
                Ok(false) => return Ok(()),
                Err(error) if error.kind == ErrorKind::OutOfMemory => return Err(error.kind),
                Err(error) => Err(error),
            };
            let ids = match &message {
                Ok(message) => self.cancellations(message, tape),
                Err(_) => Ok(Vec::new()),
            };
            self.queue.push_back(Queued { message, batch: None });
            for id in ids? {
                if let Some(slot) = self.slots.find(|known| *known == id) {
                    self.slots.cancel(slot)?;
                } else {
                    self.cancelled_ahead
                        .try_reserve(1)
                        .map_err(|_| ErrorKind::OutOfMemory)?;
                    self.cancelled_ahead.push(id);
                }
            }
        }
        Ok(())
    }

    /// The conversation is at its end: what was read ahead, or came in a batch, is not taken in any more.
    pub fn forget_ahead(&mut self) {
        self.queue.clear();
    }

    /// Whether more may be read ahead.
    #[must_use]
    pub fn has_room_ahead(&self) -> bool {
        let len = |queued: &Queued| queued.message.as_ref().map_or(0, Vec::len);
        self.queue.iter().map(len).sum::<usize>() < AHEAD
    }

    /// The ids cancelled by a message, or by the members of a batch.
    fn cancellations(&self, message: &[u8], tape: &mut Tape) -> Result<Vec<Id>, ErrorKind> {
        let mut ids = Vec::new();
        tape.reset();
        let scanned = match &self.scan {
            Scan::Json(options) => json::scan(message, tape, options),
            Scan::Cbor(options) => cbor::scan_item(message, 0, tape, options).map(|_| ()),
        };
        match scanned {
            Ok(()) => {}
            Err(error) if error.kind == ErrorKind::OutOfMemory => return Err(error.kind),
            Err(_) => return Ok(ids),
        }
        let (mut at, end) = match tape.node(0) {
            (Node::Array { end, .. }, first) => (first, end),
            _ => (0, 1),
        };
        while at < end {
            if let Some(envelope) = Envelope::read(tape, message, at, self.encoding.keys()) {
                if let Some(Some(id)) = self.cancellation(tape, message, &envelope)? {
                    ids.try_reserve(1).map_err(|_| ErrorKind::OutOfMemory)?;
                    ids.push(id);
                }
            }
            at = tape.after(at);
        }
        Ok(ids)
    }
}

/// The value of the member of this name, if `at` is an object that has it.
fn member(tape: &Tape, message: &[u8], at: usize, name: &[u8]) -> Option<usize> {
    let (Node::Object { count, .. }, mut at) = tape.node(at) else {
        return None;
    };
    let mut found = None;
    for _ in 0..count {
        let value = tape.after(at);
        if tape.bytes(tape.node(at).0, message) == Some(name) {
            found = Some(value);
        }
        at = tape.after(value);
    }
    found
}
