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
//! * An `error` member decides over a `result` beside it. Neither, where a call waits for that id, is a result of
//!   nothing: FreeKill's form leaves nil out, and so do JSON encoders that cannot write it.

mod accept;
mod batch;
pub mod cancel;
mod foreign;
mod last;
mod overlong;
mod problem;
pub mod quick;
mod recover;
mod timing;
mod usual;

pub use foreign::Foreign;
pub use problem::{Garbage, Problem};

use crate::codec::tape::Node;
use crate::codec::{cbor, json, CodecError, ErrorKind};
use crate::envelope::Encoding;
use crate::frame::{Framing, Inbox};
use crate::latency::Latency;
use crate::message::{Id, INTERNAL_ERROR, METHOD_NOT_FOUND};
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
    /// Neither result nor error, which is nil.
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
    /// The reply breaks the rules: its error is none.
    Malformed(&'static str),
    /// Whose reply it is can be read, what it says cannot.
    Undecodable(ErrorKind),
}

/// Counters of a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages received, of whatever kind; a batch counts by its members.
    pub received: u64,
    /// Requests and notifications among them.
    pub requests: u64,
    /// Calls begun.
    pub calls: u64,
    /// Replies among them that somebody waited for.
    pub replies: u64,
    /// Replies nobody waited for, and errors without an id.
    pub strays: u64,
    /// Messages that could not be read or are no valid request.
    pub malformed: u64,
    /// Notifications nobody handled.
    pub unhandled: u64,
    /// What could not be read at all, among `malformed`.
    pub garbage: u64,
    /// Errors among `replies`.
    pub errors_received: u64,
    /// Messages sent; a batch counts once.
    pub sent: u64,
    /// Error replies made.
    pub errors_sent: u64,
    /// Bytes of the messages sent.
    pub bytes_sent: u64,
}

/// A call that waits for its reply.
struct Pending {
    id: i64,
    /// The reply's message, when it came while an inner call was waited for.
    arrived: Option<Vec<u8>>,
    /// Its time is over, and what was there by then has been read.
    late: bool,
    /// When it was begun, where that is wanted and the reply has not come.
    since: Option<i64>,
}

/// Something in the queue before the inbox: one member of a batch, or what was taken out of the inbox to look at it.
struct Queued {
    message: Result<Vec<u8>, CodecError>,
    batch: Option<usize>,
}

/// One end of a conversation.
pub struct Peer {
    /// How messages are written.
    pub encoding: Encoding,
    /// How they are told apart.
    pub framing: Framing,
    scan: Scan,
    /// What becomes of input that is no message.
    pub garbage: Garbage,
    /// There was such input, and it ends the conversation.
    pub hopeless: bool,
    /// Received bytes.
    pub inbox: Inbox,
    queue: VecDeque<Queued>,
    pending: Vec<Pending>,
    slots: Slots,
    batches: Batches,
    last_id: i64,
    /// The method called last, where that is wanted.
    pub last_method: Vec<u8>,
    /// It is wanted.
    pub keeps_method: bool,
    /// The reply to any call that waits is handed out when it comes, not only to the awaited one.
    pub concurrent: bool,
    /// The call whose reply was handed out last.
    pub replied: i64,
    /// How requests are cancelled on this wire, if they are.
    pub manner: Option<cancel::Manner>,
    /// Requests whose cancellation was seen before they were taken in.
    cancelled_ahead: Vec<Id>,
    /// Counters.
    pub stats: Stats,
    /// How long things took, where that is wanted (then there is one): two readings of the clock for each.
    latency: Vec<Latency>,
    /// Why the last message led nowhere, until somebody takes it to log it.
    pub problem: Option<Problem>,
    /// What the other end was seen to speak, where that is not what is spoken here.
    mismatch: Option<Foreign>,
}

/// Ids go from 1 to this and start over, as FreeKill's do: they stay small on the wire.
const LAST_ID: i64 = 10_000_000;

impl Peer {
    /// A new conversation in lines of JSON or a sequence of CBOR items.
    #[must_use]
    pub fn new(encoding: Encoding, scan: Scan) -> Self {
        let framing = match scan {
            Scan::Json(_) => Framing::Line,
            Scan::Cbor(_) => Framing::CborSequence,
        };
        Self::framed(encoding, scan, framing)
    }

    /// A new conversation with messages told apart as `framing` says.
    #[must_use]
    pub fn framed(encoding: Encoding, scan: Scan, framing: Framing) -> Self {
        Self {
            encoding,
            framing,
            scan,
            garbage: Garbage::default(),
            hopeless: false,
            // Deeper than any message may be: that one is too deep is found where its sender can still be told.
            inbox: Inbox::new(framing, recover::DEPTH),
            queue: VecDeque::new(),
            pending: Vec::new(),
            slots: Slots::default(),
            batches: Batches::default(),
            last_id: 0,
            last_method: Vec::new(),
            keeps_method: false,
            concurrent: false,
            replied: 0,
            manner: None,
            cancelled_ahead: Vec::new(),
            stats: Stats::default(),
            latency: Vec::new(),
            problem: None,
            mismatch: None,
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
        if self.pending.len() == self.pending.capacity() {
            self.pending.try_reserve(1).map_err(|_| ErrorKind::OutOfMemory)?;
        }
        loop {
            self.last_id = if self.last_id >= LAST_ID { 1 } else { self.last_id + 1 };
            if self.pending.iter().all(|call| call.id != self.last_id) {
                break;
            }
        }
        let since = self.now();
        self.stats.calls += 1;
        self.pending.push(Pending {
            id: self.last_id,
            arrived: None,
            late: false,
            since,
        });
        Ok(self.last_id)
    }

    /// Nobody waits for this call any more; a late reply counts as a stray.
    pub fn forget(&mut self, id: i64) {
        self.pending.retain(|call| call.id != id);
    }

    /// The time of this call is over: `true` the second time, when nothing more may be read for it. The first time there
    /// may be a reply on the wire that came before.
    pub fn is_late(&mut self, id: i64) -> bool {
        match self.pending.iter_mut().find(|call| call.id == id) {
            Some(call) => std::mem::replace(&mut call.late, true),
            None => true,
        }
    }

    /// Whether there are bytes or messages that were not taken in yet.
    #[inline]
    #[must_use]
    pub fn has_more(&self) -> bool {
        !self.inbox.is_empty() || !self.queue.is_empty()
    }

    /// Whether there is no message for [`Peer::next_message`], nor a part of one.
    #[must_use]
    #[inline]
    pub fn has_nothing(&self, awaited: Option<i64>) -> bool {
        let early = awaited.is_some() && self.pending.iter().any(|call| call.arrived.is_some());
        !early && self.queue.is_empty() && self.inbox.has_nothing()
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
            *message = queued.message?;
            return Ok(Some(queued.batch));
        }
        Ok(self.inbox.next_here(message)?.then_some(None))
    }

    /// There is no handler for a request: the answer to it.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn unknown_method(&mut self, slot: usize, method: &[u8], out: &mut Vec<u8>) -> Result<(), ErrorKind> {
        let slot = self.slots.take(slot);
        let Some(slot) = slot else { return Ok(()) };
        self.stats.errors_sent += 1;
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

    /// A request was taken in and could not be handed to its handler: the answer to it.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn lost(&mut self, slot: usize, out: &mut Vec<u8>) -> Result<(), ErrorKind> {
        let Some(slot) = self.slots.take(slot) else {
            return Ok(());
        };
        self.stats.errors_sent += 1;
        let before = out.len();
        let why = "an error, or the end of its loop, came before the request reached its handler";
        self.encoding
            .error(out, &slot.id, INTERNAL_ERROR.code, INTERNAL_ERROR.message, Some(why))?;
        self.deliver(slot.batch, before, out)
    }

    /// The id of the request behind a slot.
    #[must_use]
    #[inline(always)]
    pub fn id(&self, slot: usize) -> Option<&Id> {
        self.slots.get(slot).map(|slot| &slot.id)
    }

    /// The request behind `slot` is answered: forget it. The batch it came in; `None` if it was answered before.
    #[inline(always)]
    pub fn release(&mut self, slot: usize) -> Option<Option<usize>> {
        let Slot { batch, since, .. } = *self.slots.get(slot)?;
        self.slots.free(slot);
        if let Some(since) = since {
            self.measure_handler(since);
        }
        Some(batch)
    }

    /// A response stands in `out` from `before` on: end it, or keep it until its batch is complete.
    ///
    /// # Errors
    /// `OutOfMemory`.
    #[inline(always)]
    pub fn deliver(&mut self, batch: Option<usize>, before: usize, out: &mut Vec<u8>) -> Result<(), ErrorKind> {
        match batch {
            None => self.framing.seal(out, before),
            Some(batch) => self.deliver_member(batch, before, out),
        }
    }

    #[cold]
    #[inline(never)]
    fn deliver_member(&mut self, batch: usize, before: usize, out: &mut Vec<u8>) -> Result<(), ErrorKind> {
        let complete = self.batches.add(batch, self.encoding, &out[before..])?;
        out.truncate(before);
        match complete {
            Some((responses, count)) => self.encoding.batch(out, &responses, count)?,
            None => return Ok(()),
        }
        self.framing.seal(out, before)
    }
}
