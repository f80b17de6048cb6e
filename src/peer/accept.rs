//! What a received message is, and what is done about it before any handler.

use super::usual::{self, Usual};
use super::{Incoming, Peer, Problem, Reply, Scan};
use crate::codec::tape::{Node, Tape};
use crate::codec::{cbor, json, CodecError, ErrorKind};
use crate::message::{Envelope, ErrorObject, Id, Standard, INVALID_PARAMS, INVALID_REQUEST};
use crate::slots::Slot;

impl Peer {
    /// Read a message that [`Peer::next_message`] gave. An answer to be sent at once is appended to `out`.
    ///
    /// # Errors
    /// `OutOfMemory` only: everything else about a message is answered or counted.
    #[inline(always)]
    pub fn accept(
        &mut self,
        message: &[u8],
        batch: Option<usize>,
        awaited: Option<i64>,
        tape: &mut Tape,
        out: &mut Vec<u8>,
    ) -> Result<Incoming, ErrorKind> {
        if let Scan::Json(options) = &self.scan {
            let mark = tape.mark();
            match usual::read(message, tape, options) {
                Some(Usual::Call { id, method, params }) if id.is_some() || self.manner.is_none() => {
                    self.stats.received += 1;
                    return self.call(id.map(Id::Int), method, params, batch, out);
                }
                Some(Usual::Result { id, result }) => {
                    self.stats.received += 1;
                    self.leave_empty(batch, out)?;
                    return self.reply(id, message, awaited, Reply::Result(result));
                }
                _ => tape.truncate(mark),
            }
        }
        self.accept_any(message, batch, awaited, tape, out)
    }

    /// The same for every message; the usual ones take longer here.
    #[inline(never)]
    pub(crate) fn accept_any(
        &mut self,
        message: &[u8],
        batch: Option<usize>,
        awaited: Option<i64>,
        tape: &mut Tape,
        out: &mut Vec<u8>,
    ) -> Result<Incoming, ErrorKind> {
        self.stats.received += 1;
        let scanned = match &self.scan {
            Scan::Json(options) => json::scan(message, tape, options),
            Scan::Cbor(options) => cbor::scan_item(message, 0, tape, options).and_then(|end| {
                // In a sequence it cannot be: there the item's end is the message's.
                let whole = end == message.len();
                whole
                    .then_some(())
                    .ok_or(CodecError::new(ErrorKind::TrailingGarbage, end))
            }),
        };
        if let Err(error) = scanned {
            if error.kind == ErrorKind::OutOfMemory {
                return Err(error.kind);
            }
            return self.recover(error, message, batch, awaited, tape, out);
        }
        let Some(envelope) = Envelope::read(tape, message, 0, self.encoding.keys()) else {
            return match tape.node(0) {
                (Node::Array { count, end }, first) if batch.is_none() && count > 0 => {
                    self.open_batch(message, tape, first, end, count)?;
                    Ok(Incoming::Handled)
                }
                _ => match self.foreign_item(message) {
                    Some(foreign) => self.foreign_garbage(foreign, batch, out),
                    None => self.refuse(INVALID_REQUEST, Id::Null, "a message must be an object", batch, out),
                },
            };
        };
        match envelope.method {
            Some(method) => self.request(message, tape, &envelope, method, batch, out),
            None if envelope.result.is_some() || envelope.error.is_some() => {
                self.response(message, tape, &envelope, batch, awaited, out)
            }
            // A result of nothing, left out. Refusing it would send an error under an id that may be one of theirs.
            None if self.is_pending(tape, &envelope) => self.response(message, tape, &envelope, batch, awaited, out),
            None => {
                if let Some(foreign) = self.foreign_item(message) {
                    return self.foreign_garbage(foreign, batch, out);
                }
                let id = read_id(tape, message, envelope.id)?.flatten().unwrap_or(Id::Null);
                self.refuse(
                    INVALID_REQUEST,
                    id,
                    "a message needs a method, a result or an error",
                    batch,
                    out,
                )
            }
        }
    }

    fn refuse(
        &mut self,
        standard: Standard,
        id: Id,
        why: &'static str,
        batch: Option<usize>,
        out: &mut Vec<u8>,
    ) -> Result<Incoming, ErrorKind> {
        self.problem = Some(Problem::Refused(why));
        self.answer(standard, id, why, batch, out)
    }

    /// The answer to a message that no handler will see.
    pub(super) fn answer(
        &mut self,
        standard: Standard,
        id: Id,
        why: &str,
        batch: Option<usize>,
        out: &mut Vec<u8>,
    ) -> Result<Incoming, ErrorKind> {
        self.stats.malformed += 1;
        self.stats.errors_sent += 1;
        let before = out.len();
        self.encoding
            .error(out, &id, standard.code, standard.message, Some(why))?;
        self.deliver(batch, before, out)?;
        Ok(Incoming::Handled)
    }

    fn request(
        &mut self,
        message: &[u8],
        tape: &Tape,
        envelope: &Envelope,
        method: usize,
        batch: Option<usize>,
        out: &mut Vec<u8>,
    ) -> Result<Incoming, ErrorKind> {
        let id = read_id(tape, message, envelope.id)?;
        let versionless = self.encoding.is_freekill() && envelope.version.is_none();
        let (method, _) = tape.node(method);
        let params = envelope.params.filter(|at| tape.node(*at).0 != Node::Null);
        let structured = params.is_none_or(|at| matches!(tape.node(at).0, Node::Array { .. } | Node::Object { .. }));
        let wrong = if id.is_none() {
            Some((INVALID_REQUEST, "an id must be an integer, a string or null"))
        } else if !versionless && !envelope.is_version_2(tape, message) {
            Some((INVALID_REQUEST, "jsonrpc must be \"2.0\""))
        } else if tape.bytes(method, message).is_none() {
            Some((INVALID_REQUEST, "a method must be a string"))
        } else if !structured {
            Some((INVALID_PARAMS, "params must be an array or an object"))
        } else {
            None
        };
        let id = id.flatten();
        if let Some((standard, why)) = wrong {
            return self.refuse(standard, id.unwrap_or(Id::Null), why, batch, out);
        }
        let notification = id.is_none();
        let incoming = self.call(id, method, params, batch, out)?;
        if notification && self.manner.is_some() && self.take_cancel(tape, message, envelope)? {
            return Ok(Incoming::Handled);
        }
        Ok(incoming)
    }

    /// A request or notification in which nothing is wrong.
    #[inline(always)]
    fn call(
        &mut self,
        id: Option<Id>,
        method: Node,
        params: Option<usize>,
        batch: Option<usize>,
        out: &mut Vec<u8>,
    ) -> Result<Incoming, ErrorKind> {
        self.stats.requests += 1;
        let Some(id) = id else {
            self.leave_empty(batch, out)?;
            return Ok(Incoming::Notification { method, params });
        };
        let since = self.now();
        let slot = self.slots.put(Slot { id, batch, since })?;
        if !self.cancelled_ahead.is_empty() {
            self.begin_cancelled(slot)?;
        }
        Ok(Incoming::Request { slot, method, params })
    }

    /// A member of a batch that has no answer leaves its place there empty.
    #[inline]
    fn leave_empty(&mut self, batch: Option<usize>, out: &mut Vec<u8>) -> Result<(), ErrorKind> {
        if batch.is_some() {
            self.deliver(batch, out.len(), out)?;
        }
        Ok(())
    }

    fn is_pending(&self, tape: &Tape, envelope: &Envelope) -> bool {
        let id = envelope.id.map(|at| tape.node(at).0);
        self.pending.iter().any(|call| Some(Node::Int(call.id)) == id)
    }

    fn response(
        &mut self,
        message: &[u8],
        tape: &Tape,
        envelope: &Envelope,
        batch: Option<usize>,
        awaited: Option<i64>,
        out: &mut Vec<u8>,
    ) -> Result<Incoming, ErrorKind> {
        self.leave_empty(batch, out)?;
        match envelope.id.map(|at| tape.node(at).0) {
            Some(Node::Int(id)) => self.reply(id, message, awaited, self.read_reply(message, tape, envelope)),
            _ => Ok(self.stray()),
        }
    }

    /// A response with this id.
    fn reply(&mut self, id: i64, message: &[u8], awaited: Option<i64>, reply: Reply) -> Result<Incoming, ErrorKind> {
        if Some(id) == awaited || self.hands_out(id) {
            self.took(id);
            self.forget(id);
            self.replied = id;
            self.stats.replies += 1;
            self.stats.errors_received += u64::from(!matches!(reply, Reply::Result(_) | Reply::Nothing));
            return Ok(Incoming::Reply(reply));
        }
        self.keep(id, message)
    }

    /// Whether the reply to this call is handed out though another is awaited, or none.
    pub(super) fn hands_out(&self, id: i64) -> bool {
        self.concurrent && self.pending.iter().any(|call| call.id == id)
    }

    /// Nobody waits for this reply.
    pub(super) fn stray(&mut self) -> Incoming {
        self.stats.strays += 1;
        self.problem = Some(Problem::Stray);
        Incoming::Handled
    }

    /// Keep a reply for the outer call that waits for it.
    pub(super) fn keep(&mut self, id: i64, message: &[u8]) -> Result<Incoming, ErrorKind> {
        self.took(id);
        match self.pending.iter_mut().find(|call| call.id == id) {
            Some(call) if call.arrived.is_none() => {
                let mut copy = Vec::new();
                copy.try_reserve_exact(message.len())
                    .map_err(|_| ErrorKind::OutOfMemory)?;
                copy.extend_from_slice(message);
                call.arrived = Some(copy);
                self.stats.received -= 1; // it is counted when its caller reads it
            }
            _ => return Ok(self.stray()),
        }
        Ok(Incoming::Handled)
    }

    fn read_reply(&self, message: &[u8], tape: &Tape, envelope: &Envelope) -> Reply {
        let is_null = |at: usize| tape.node(at).0 == Node::Null;
        if let Some(at) = envelope.error.filter(|at| !(is_null(*at) && envelope.result.is_some())) {
            let Some(error) = ErrorObject::read(tape, message, at, self.encoding.keys()) else {
                return Reply::Malformed("the reply's error is not an object");
            };
            let code = match error.code.map(|at| tape.node(at).0) {
                Some(Node::Int(code)) => code,
                _ => return Reply::Malformed("the reply's error has no integer code"),
            };
            // FreeKill's parent writes -n-1 where CBOR wants n: every negative code arrives as a positive one.
            let code = if self.encoding.is_freekill() && code > 0 {
                -code - 1
            } else {
                code
            };
            let message = error.message.map(|at| tape.node(at).0);
            return Reply::Error {
                code,
                message: message.filter(|node| matches!(node, Node::Str { .. } | Node::Scratch { .. })),
                data: error.data,
            };
        }
        match envelope.result {
            Some(at) => Reply::Result(at),
            None => Reply::Nothing,
        }
    }
}

/// `Some(None)`: no id, a notification. `None`: an id that is none.
///
/// # Errors
/// `OutOfMemory`: a string may be as long as its message.
pub(super) fn read_id(tape: &Tape, message: &[u8], at: Option<usize>) -> Result<Option<Option<Id>>, ErrorKind> {
    let Some(at) = at else { return Ok(Some(None)) };
    let (node, _) = tape.node(at);
    let id = match node {
        Node::Int(n) => Id::Int(n),
        Node::Float(f) => Id::Float(f),
        Node::Null => Id::Null,
        _ => {
            let Some(bytes) = tape.bytes(node, message) else {
                return Ok(None);
            };
            let mut copy = Vec::new();
            copy.try_reserve_exact(bytes.len())
                .map_err(|_| ErrorKind::OutOfMemory)?;
            copy.extend_from_slice(bytes);
            match node {
                Node::Str { offset, len } if cbor::is_text(message, offset, len) => Id::Text(copy),
                _ => Id::Str(copy),
            }
        }
    };
    Ok(Some(Some(id)))
}
