//! Messages that cannot be decoded: finding out whose they are, so that nobody waits for them in vain.
//!
//! What one end may send the other may refuse: other bytes in strings, larger integers, deeper nesting. Such a message
//! is scanned once more with every limit off; if its envelope shows then, a request is answered -32600 under its own
//! id, and the call that a reply belongs to fails. What shows none is a parse error, -32700 with a null id. It refuses to
//! use anything else of the message.

use super::accept::read_id;
use super::{Garbage, Incoming, Peer, Problem, Reply, Scan};
use crate::codec::tape::{Node, Tape};
use crate::codec::{cbor, json, Big, CodecError, ErrorKind};
use crate::frame::Framing;
use crate::message::{Envelope, Id, INVALID_REQUEST, PARSE_ERROR};
use crate::text;

/// How deep a message may nest to be looked into at all.
pub(super) const DEPTH: usize = 1000;

impl Peer {
    /// A message whose scan failed with `error`.
    pub(super) fn recover(
        &mut self,
        error: CodecError,
        message: &[u8],
        batch: Option<usize>,
        awaited: Option<i64>,
        tape: &mut Tape,
        out: &mut Vec<u8>,
    ) -> Result<Incoming, ErrorKind> {
        if let Some(foreign) = self.foreign(message, false) {
            return self.foreign_garbage(foreign, batch, out);
        }
        self.problem = Some(Problem::Unreadable(error));
        tape.reset();
        if scan_leniently(&self.scan, message, tape).is_ok() {
            if let Some(envelope) = Envelope::read(tape, message, 0, self.encoding.keys()) {
                if envelope.method.is_none() {
                    return self.unreadable_reply(error, message, tape, &envelope, awaited);
                }
                if let Some(id) = read_id(tape, message, envelope.id)?.flatten() {
                    let why = self.reason(error, message);
                    return self.answer(INVALID_REQUEST, id, &why, batch, out);
                }
            }
        }
        let why = self.reason(error, message);
        self.garbage(&why, batch, out)
    }

    /// What came is no message, or none whose sender could be told.
    #[inline(never)]
    pub(super) fn garbage(
        &mut self,
        why: &str,
        batch: Option<usize>,
        out: &mut Vec<u8>,
    ) -> Result<Incoming, ErrorKind> {
        self.stats.garbage += 1;
        let answered = self.garbage == Garbage::Answer && self.mismatch().is_none();
        if answered || batch.is_some() {
            return self.answer(PARSE_ERROR, Id::Null, why, batch, out);
        }
        self.stats.malformed += 1;
        self.hopeless = self.garbage == Garbage::Error;
        Ok(Incoming::Handled)
    }

    /// As [`Peer::accept`], of what is left at the end of the stream. If it cannot be read for want of the rest, that is
    /// the problem, and its length comes along; else 0.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn accept_last(
        &mut self,
        message: &[u8],
        awaited: Option<i64>,
        tape: &mut Tape,
        out: &mut Vec<u8>,
    ) -> Result<(Incoming, usize), ErrorKind> {
        let incoming = match self.inbox.implausible && self.framing == Framing::Length {
            true => {
                let error = CodecError::new(ErrorKind::UnexpectedEnd, message.len());
                self.recover(error, message, None, awaited, tape, out)?
            }
            false => self.accept_any(message, None, awaited, tape, out)?,
        };
        let cut = match self.problem {
            Some(Problem::Unreadable(error))
                if error.kind == ErrorKind::UnexpectedEnd || self.framing != Framing::Line =>
            {
                self.problem = Some(Problem::CutOff(error));
                message.len()
            }
            _ => 0,
        };
        Ok((incoming, cut))
    }

    /// The inbox found the stream itself broken. `message` is what came, as far as it is known.
    ///
    /// # Errors
    /// `OutOfMemory`.
    #[cold]
    #[inline(never)]
    pub fn broken(
        &mut self,
        error: CodecError,
        awaited: Option<i64>,
        message: &mut Vec<u8>,
        tape: &mut Tape,
        out: &mut Vec<u8>,
    ) -> Result<Incoming, ErrorKind> {
        if error.kind == ErrorKind::TooLarge {
            return self.overlong(error.offset, awaited, message, tape, out);
        }
        message.clear(); // the log would show the message before
        if error.kind == ErrorKind::InvalidHeader {
            *message = std::mem::take(&mut self.inbox.overlong);
        }
        if let Some(foreign) = self.foreign(message, true) {
            return self.foreign_garbage(foreign, None, out);
        }
        self.problem = Some(Problem::Unreadable(error));
        let why = self.reason(error, b"");
        self.garbage(&why, None, out)
    }

    /// What the sender is told.
    fn reason(&self, error: CodecError, message: &[u8]) -> String {
        match self.scan {
            Scan::Json(_) => text::string(format_args!(
                "{} at column {}",
                error.kind,
                error.line_column(message).1
            )),
            Scan::Cbor(_) => text::string(format_args!("{error}")),
        }
    }

    /// A reply is never answered; the call it belongs to fails.
    fn unreadable_reply(
        &mut self,
        error: CodecError,
        message: &[u8],
        tape: &Tape,
        envelope: &Envelope,
        awaited: Option<i64>,
    ) -> Result<Incoming, ErrorKind> {
        let Some(Node::Int(id)) = envelope.id.map(|at| tape.node(at).0) else {
            return Ok(self.stray());
        };
        if Some(id) == awaited || self.hands_out(id) {
            self.took(id);
            self.forget(id);
            self.replied = id;
            self.stats.replies += 1;
            self.stats.errors_received += 1;
            return Ok(Incoming::Reply(Reply::Undecodable(error.kind)));
        }
        self.keep(id, message)
    }
}

/// Scan a message with every limit off that can be.
pub(super) fn scan_leniently(scan: &Scan, message: &[u8], tape: &mut Tape) -> Result<(), CodecError> {
    match *scan {
        Scan::Json(options) => {
            let lenient = json::ScanOptions {
                max_depth: DEPTH,
                utf8: false,
                big: Big::Float,
                ..options
            };
            json::scan(message, tape, &lenient)
        }
        Scan::Cbor(options) => {
            let lenient = cbor::ScanOptions {
                max_depth: DEPTH,
                utf8: false,
                big: Big::Float,
                ..options
            };
            cbor::scan_item(message, 0, tape, &lenient).map(|_| ())
        }
    }
}
