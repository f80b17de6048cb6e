//! The conversation: what to do with each message, which calls wait for answers, which requests wait for replies.
//!
//! Sans-I/O: bytes come in through [`Inbox`], messages and answers go out through vectors the caller sends. It refuses
//! to call handlers: a request is handed out with a slot number, and the reply comes back with it.
//!
//! # Rules
//! * A message with a method is a request or notification; one with `result` or `error` and no method is a response;
//!   what is neither is an invalid request and answered -32600 (JSON-RPC 2.0, section 5.1).
//! * A response is never answered, however malformed: two peers would answer each other for ever.
//! * A reply goes to the call with its id, in whatever order replies come. One that nobody waits for is counted.
//! * An error with `"id": null` belongs to no call: it ends none.
//! * An `error` member decides over a `result` beside it; neither is an error of the caller's own (-32603).

use crate::codec::tape::{Node, Tape};
use crate::codec::{cbor, json, CodecError, ErrorKind};
use crate::envelope::Encoding;
use crate::frame::{Framing, Inbox};
use crate::message::{
    Envelope, ErrorObject, Id, Standard, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR,
};
use crate::slots::{Batches, Slot, Slots};
use std::collections::VecDeque;

/// How a scanner is told to read messages.
#[derive(Clone, Copy, Debug)]
pub enum Scan {
    /// JSON.
    Json(json::ScanOptions),
    /// CBOR.
    Cbor(cbor::ScanOptions),
}

/// What a message turned out to be. Tape indices are into the tape it was scanned to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Incoming {
    /// Call the method and reply with this slot.
    Request {
        /// For the reply.
        slot: usize,
        /// The method's name.
        method: Node,
        /// Its params, if there are any.
        params: Option<usize>,
    },
    /// Call the method; there is nobody to reply to.
    Notification {
        /// The method's name.
        method: Node,
        /// Its params, if there are any.
        params: Option<usize>,
    },
    /// The reply the caller waits for.
    Reply(Reply),
    /// Dealt with here; `out` may hold an answer to send.
    Handled,
}

/// A reply to one of our calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reply {
    /// Its result.
    Result(usize),
    /// FreeKill's form: no result, which is nil.
    Nothing,
    /// Its error object.
    Error {
        /// The remote code (FreeKill's parent's wrapped ones set right).
        code: i64,
        /// The message's string node.
        message: Option<Node>,
        /// The data.
        data: Option<usize>,
    },
    /// The reply breaks the rules: neither result nor a usable error.
    Malformed(&'static str),
}

/// Counters of a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages received, of whatever kind; a batch counts by its members.
    pub received: u64,
    /// Requests and notifications among them.
    pub requests: u64,
    /// Replies among them that somebody waited for.
    pub replies: u64,
    /// Replies nobody waited for, and errors without an id.
    pub strays: u64,
    /// Messages that could not be read or are no valid request.
    pub malformed: u64,
}

/// A call that waits for its reply.
struct Pending {
    id: i64,
    /// The reply's message, when it came while an inner call was waited for.
    arrived: Option<Vec<u8>>,
}

/// A message in the queue before the inbox: one member of a batch.
struct Queued {
    message: Vec<u8>,
    batch: usize,
}

/// One end of a conversation.
pub struct Peer {
    /// How messages are written.
    pub encoding: Encoding,
    scan: Scan,
    /// Received bytes.
    pub inbox: Inbox,
    queue: VecDeque<Queued>,
    pending: Vec<Pending>,
    slots: Slots,
    batches: Batches,
    last_id: i64,
    /// Counters.
    pub stats: Stats,
}

/// Ids go from 1 to this and start over, as FreeKill's do: they stay small on the wire.
const LAST_ID: i64 = 10_000_000;

impl Peer {
    /// A new conversation.
    #[must_use]
    pub fn new(encoding: Encoding, scan: Scan) -> Self {
        let (framing, depth) = match scan {
            Scan::Json(options) => (Framing::Line, options.max_depth),
            Scan::Cbor(options) => (Framing::CborSequence, options.max_depth),
        };
        Self {
            encoding,
            scan,
            inbox: Inbox::new(framing, depth),
            queue: VecDeque::new(),
            pending: Vec::new(),
            slots: Slots::default(),
            batches: Batches::default(),
            last_id: 0,
            stats: Stats::default(),
        }
    }

    /// Calls that wait for a reply.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// Begin a call: its id, which waits until [`Peer::forget`] or the reply.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn begin_call(&mut self) -> Result<i64, ErrorKind> {
        self.pending.try_reserve(1).map_err(|_| ErrorKind::OutOfMemory)?;
        loop {
            self.last_id = if self.last_id >= LAST_ID { 1 } else { self.last_id + 1 };
            if self.pending.iter().all(|call| call.id != self.last_id) {
                break;
            }
        }
        self.pending.push(Pending {
            id: self.last_id,
            arrived: None,
        });
        Ok(self.last_id)
    }

    /// Nobody waits for this call any more; a late reply counts as a stray.
    pub fn forget(&mut self, id: i64) {
        self.pending.retain(|call| call.id != id);
    }

    /// The next message, copied into `message`, and the batch it belongs to; `None` if more bytes are needed.
    /// With `awaited`, a reply to that call which came early is the next message.
    ///
    /// # Errors
    /// As [`Inbox::next`].
    pub fn next_message(
        &mut self,
        awaited: Option<i64>,
        message: &mut Vec<u8>,
    ) -> Result<Option<Option<usize>>, CodecError> {
        if let Some(call) = self.pending.iter_mut().find(|call| Some(call.id) == awaited) {
            if let Some(arrived) = call.arrived.take() {
                *message = arrived;
                return Ok(Some(None));
            }
        }
        if let Some(queued) = self.queue.pop_front() {
            *message = queued.message;
            return Ok(Some(Some(queued.batch)));
        }
        Ok(self.inbox.next(message)?.then_some(None))
    }

    /// Read a message that [`Peer::next_message`] gave. An answer to be sent at once is appended to `out`.
    ///
    /// # Errors
    /// `OutOfMemory` only: everything else about a message is answered or counted.
    pub fn accept(
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
            Scan::Cbor(options) => cbor::scan_item(message, 0, tape, options).map(|_| ()),
        };
        if let Err(error) = scanned {
            if error.kind == ErrorKind::OutOfMemory {
                return Err(error.kind);
            }
            return self.unreadable(error, message, batch, out);
        }
        let Some(envelope) = Envelope::read(tape, message, 0, self.encoding.keys()) else {
            return match tape.node(0) {
                (Node::Array { count, end }, first) if batch.is_none() && count > 0 => {
                    self.open_batch(message, tape, first, end, count)?;
                    Ok(Incoming::Handled)
                }
                _ => self.refuse(INVALID_REQUEST, Id::Null, "a message must be an object", batch, out),
            };
        };
        match envelope.method {
            Some(method) => self.request(message, tape, &envelope, method, batch, out),
            None if envelope.result.is_some() || envelope.error.is_some() => {
                self.response(message, tape, &envelope, batch, awaited, out)
            }
            // FreeKill's form leaves a result of nothing out altogether.
            None if self.encoding.is_freekill() && self.is_pending(tape, &envelope) => {
                self.response(message, tape, &envelope, batch, awaited, out)
            }
            None => {
                let id = read_id(tape, message, envelope.id).flatten().unwrap_or(Id::Null);
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

    /// The inbox found the stream itself broken.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn broken(&mut self, error: CodecError, out: &mut Vec<u8>) -> Result<Incoming, ErrorKind> {
        self.unreadable(error, b"", None, out)
    }

    /// There is no handler for a request: the answer to it.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn unknown_method(&mut self, slot: usize, method: &[u8], out: &mut Vec<u8>) -> Result<(), ErrorKind> {
        let slot = self.slots.take(slot);
        let Some(slot) = slot else { return Ok(()) };
        let before = out.len();
        self.encoding.begin_error(
            out,
            &slot.id,
            METHOD_NOT_FOUND.code,
            METHOD_NOT_FOUND.message.as_bytes(),
            true,
        )?;
        self.encoding.text(out, method)?;
        self.encoding.end_error(out)?;
        self.deliver(slot.batch, before, out)
    }

    /// The id of the request behind a slot.
    #[must_use]
    pub fn id(&self, slot: usize) -> Option<&Id> {
        self.slots.get(slot).map(|slot| &slot.id)
    }

    /// Whether the request behind a slot came in a batch, so that its reply has to wait for others.
    #[must_use]
    pub fn in_batch(&self, slot: usize) -> bool {
        self.slots.get(slot).is_some_and(|slot| slot.batch.is_some())
    }

    /// The request behind `slot` is answered: forget it.
    pub fn release(&mut self, slot: usize) -> Option<Slot> {
        self.slots.take(slot)
    }

    /// A response stands in `out` from `before` on: end it, or keep it until its batch is complete.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn deliver(&mut self, batch: Option<usize>, before: usize, out: &mut Vec<u8>) -> Result<(), ErrorKind> {
        if let Some(batch) = batch {
            let complete = self.batches.add(batch, self.encoding, &out[before..])?;
            out.truncate(before);
            match complete {
                Some((responses, count)) => self.encoding.batch(out, &responses, count)?,
                None => return Ok(()),
            }
        }
        let terminator = self.encoding.terminator();
        out.try_reserve(terminator.len()).map_err(|_| ErrorKind::OutOfMemory)?;
        out.extend_from_slice(terminator);
        Ok(())
    }

    // ---- the kinds of messages ----------------------------------------------------------------------------------

    fn unreadable(
        &mut self,
        error: CodecError,
        message: &[u8],
        batch: Option<usize>,
        out: &mut Vec<u8>,
    ) -> Result<Incoming, ErrorKind> {
        let text = match self.scan {
            Scan::Json(_) => format!("{} at column {}", error.kind, error.line_column(message).1),
            Scan::Cbor(_) => error.to_string(),
        };
        self.refuse(PARSE_ERROR, Id::Null, &text, batch, out)
    }

    fn refuse(
        &mut self,
        standard: Standard,
        id: Id,
        why: &str,
        batch: Option<usize>,
        out: &mut Vec<u8>,
    ) -> Result<Incoming, ErrorKind> {
        self.stats.malformed += 1;
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
        let id = match read_id(tape, message, envelope.id) {
            Some(id) => id,
            None => {
                return self.refuse(
                    INVALID_REQUEST,
                    Id::Null,
                    "an id must be an integer, a string or null",
                    batch,
                    out,
                )
            }
        };
        let answer_to = || id.clone().unwrap_or(Id::Null);
        let versionless = self.encoding.is_freekill() && envelope.version.is_none();
        if !versionless && !envelope.is_version_2(tape, message) {
            return self.refuse(INVALID_REQUEST, answer_to(), "jsonrpc must be \"2.0\"", batch, out);
        }
        let (method, _) = tape.node(method);
        if tape.bytes(method, message).is_none() {
            return self.refuse(INVALID_REQUEST, answer_to(), "a method must be a string", batch, out);
        }
        let params = envelope.params.filter(|at| tape.node(*at).0 != Node::Null);
        let structured = params.is_none_or(|at| matches!(tape.node(at).0, Node::Array { .. } | Node::Object { .. }));
        if !structured {
            return self.refuse(
                INVALID_PARAMS,
                answer_to(),
                "params must be an array or an object",
                batch,
                out,
            );
        }
        self.stats.requests += 1;
        match id {
            Some(id) => {
                let slot = self.slots.put(Slot { id, batch })?;
                Ok(Incoming::Request { slot, method, params })
            }
            None => {
                if batch.is_some() {
                    self.deliver(batch, out.len(), out)?; // its place in the batch stays empty
                }
                Ok(Incoming::Notification { method, params })
            }
        }
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
        if batch.is_some() {
            self.deliver(batch, out.len(), out)?; // a response has no answer, in a batch neither
        }
        let id = match envelope.id.map(|at| tape.node(at).0) {
            Some(Node::Int(id)) => id,
            _ => {
                self.stats.strays += 1;
                return Ok(Incoming::Handled);
            }
        };
        if Some(id) == awaited {
            self.forget(id);
            self.stats.replies += 1;
            return Ok(Incoming::Reply(self.read_reply(message, tape, envelope)));
        }
        match self.pending.iter_mut().find(|call| call.id == id) {
            Some(call) if call.arrived.is_none() => {
                let mut copy = Vec::new();
                copy.try_reserve_exact(message.len())
                    .map_err(|_| ErrorKind::OutOfMemory)?;
                copy.extend_from_slice(message);
                call.arrived = Some(copy);
                self.stats.received -= 1; // it is counted when its caller reads it
            }
            _ => self.stats.strays += 1,
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

    /// Put the members of a batch before everything else.
    fn open_batch(
        &mut self,
        message: &[u8],
        tape: &Tape,
        mut at: usize,
        end: usize,
        count: usize,
    ) -> Result<(), ErrorKind> {
        self.stats.received -= 1; // its members are counted
        self.queue.try_reserve(count).map_err(|_| ErrorKind::OutOfMemory)?;
        let batch = self.batches.open(count)?;
        let mut spans = MemberSpans::new(&self.scan, message);
        while at < end {
            at = tape.after(at);
            let span = spans.next()?;
            let mut copy = Vec::new();
            copy.try_reserve_exact(span.len()).map_err(|_| ErrorKind::OutOfMemory)?;
            copy.extend_from_slice(&message[span]);
            self.queue.push_back(Queued { message: copy, batch });
        }
        Ok(())
    }
}

/// `Some(None)`: no id, a notification. `None`: an id that is none.
fn read_id(tape: &Tape, message: &[u8], at: Option<usize>) -> Option<Option<Id>> {
    let Some(at) = at else { return Some(None) };
    let (node, _) = tape.node(at);
    let id = match node {
        Node::Int(n) => Id::Int(n),
        Node::Float(f) => Id::Float(f),
        Node::Null => Id::Null,
        _ => Id::Str(tape.bytes(node, message)?.into()),
    };
    Some(Some(id))
}

/// Where the members of a batch lie in its text: the tape does not keep that, so each is scanned once more.
struct MemberSpans<'a> {
    scan: &'a Scan,
    message: &'a [u8],
    at: usize,
    tape: Tape,
}

impl<'a> MemberSpans<'a> {
    fn new(scan: &'a Scan, message: &'a [u8]) -> Self {
        let at = match scan {
            Scan::Json(_) => memchr::memchr(b'[', message).map_or(0, |at| at + 1),
            // RFC 8949, section 3: the argument takes 0, 1, 2, 4 or 8 bytes after the initial one.
            Scan::Cbor(_) => match message.first().map_or(0, |initial| initial & 31) {
                24 => 2,
                25 => 3,
                26 => 5,
                27 => 9,
                _ => 1,
            },
        };
        Self {
            scan,
            message,
            at,
            tape: Tape::new(),
        }
    }

    fn next(&mut self) -> Result<std::ops::Range<usize>, ErrorKind> {
        self.tape.reset();
        let start = self.at;
        let end = match self.scan {
            Scan::Json(options) => json::scan_value(self.message, start, &mut self.tape, options),
            Scan::Cbor(options) => cbor::scan_item(self.message, start, &mut self.tape, options),
        }
        .map_err(|error| error.kind)?;
        self.at = match self.scan {
            // A comma or the closing bracket follows: the whole was scanned before.
            Scan::Json(_) => {
                let gap = self.message[end..].iter().position(|b| *b == b',' || *b == b']');
                end + gap.unwrap_or(0) + 1
            }
            Scan::Cbor(_) => end,
        };
        Ok(start..end)
    }
}
