//! Messages that follow their length: after a header ([`Framing::ContentLength`]) or after four bytes, the highest
//! first ([`Framing::Length`]).
//!
//! It refuses to believe a length: one above the limit is reported and passed over, and for any other no memory is
//! taken before the bytes are there. After a broken header it goes on at what looks like the next.

use super::header::{self, Line};
use super::skip::HEAD;
use super::{Framing, Inbox};
use crate::codec::{CodecError, ErrorKind};

/// A header longer than this is none.
const LONGEST_HEADER: usize = 4096;

/// Text in the place of a length (`hell`) is one of at least this many bytes, since its first byte is a space or above.
const TEXT: usize = 0x2000_0000;

/// What is next on the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Next {
    /// A prefix.
    #[default]
    Prefix,
    /// The lines of a header that has begun; how long the message is, if one of them has said so.
    Header(Option<usize>),
    /// A message of this length.
    Message(usize),
    /// A message of this length, which is too long; its first bytes are waited for.
    TooLong(usize),
    /// So many bytes of one that is too long.
    Rest(usize),
    /// After a broken header, whatever comes before the next one.
    Anything,
}

impl Inbox {
    /// [`Inbox::next`] for messages with a prefix.
    #[inline(never)]
    pub(super) fn next_prefixed(&mut self, message: &mut Vec<u8>) -> Result<bool, CodecError> {
        loop {
            match self.next {
                Next::Message(length) if length > self.len() => return Ok(false),
                Next::Message(length) => {
                    self.take(length, 0, message)?;
                    self.next = Next::Prefix;
                    return Ok(true);
                }
                Next::TooLong(length) if self.len() < HEAD.min(length) => return Ok(false),
                Next::TooLong(length) => {
                    self.keep_head();
                    self.next = Next::Rest(length);
                    return Err(CodecError::new(ErrorKind::TooLarge, self.limit));
                }
                Next::Rest(length) => {
                    let here = length.min(self.len());
                    self.consume(here);
                    if here < length {
                        self.next = Next::Rest(length - here);
                        return Ok(false);
                    }
                    self.next = Next::Prefix;
                }
                Next::Anything => match header::find(self.bytes()) {
                    Some(at) => {
                        self.consume(at);
                        self.next = Next::Prefix;
                    }
                    None => {
                        self.consume(self.len().saturating_sub(header::UNDECIDED));
                        return Ok(false);
                    }
                },
                Next::Prefix | Next::Header(_) => {
                    let found = match self.framing {
                        Framing::Length => self.length_prefix(),
                        _ => self.header_line(),
                    };
                    if !found? {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// At the end of the stream: the message that is here in part, which its reader will find broken.
    pub(super) fn prefixed_rest(&mut self, message: &mut Vec<u8>) -> Result<bool, CodecError> {
        let in_message = matches!(self.next, Next::Message(_) | Next::TooLong(_) | Next::Header(_));
        let left = match self.framing {
            Framing::Length => self.bytes(),
            _ => self.bytes().trim_ascii(), // empty lines may come before a header
        };
        if !in_message && (self.next != Next::Prefix || left.is_empty()) {
            return Ok(false);
        }
        self.implausible = self.framing == Framing::Length && self.next == Next::Prefix;
        self.next = Next::Anything; // the rest of what will never be whole
        self.take(self.len(), 0, message).map(|()| true)
    }

    /// Take the four bytes of a length; `false` if they are not all here.
    fn length_prefix(&mut self) -> Result<bool, CodecError> {
        let Some(prefix) = self.bytes().first_chunk::<4>() else {
            return Ok(false);
        };
        // OK because a length that does not fit is above any limit.
        let length = usize::try_from(u32::from_be_bytes(*prefix)).unwrap_or(usize::MAX);
        if length > self.limit && length >= TEXT {
            self.keep_head();
            self.implausible = true;
            self.next = Next::Prefix;
            self.consume(self.len());
            return Err(CodecError::new(ErrorKind::TooLarge, self.limit));
        }
        self.consume(4);
        self.begin(length);
        Ok(true)
    }

    /// Take a line of a header; `false` if it is not all here.
    fn header_line(&mut self) -> Result<bool, CodecError> {
        let from = self.searched.max(self.start);
        let Some(at) = memchr::memchr(b'\n', &self.bytes[from..self.end]) else {
            if self.len() > LONGEST_HEADER {
                return Err(self.broken_header());
            }
            return Ok(false);
        };
        let line = header::read(&self.bytes[from..from + at]);
        self.searched = from + at + 1;
        if self.searched - self.start > LONGEST_HEADER {
            return Err(self.broken_header());
        }
        let known = match self.next {
            Next::Header(known) => known,
            _ => None,
        };
        self.next = match (line, self.next) {
            (Line::Length(length), _) => Next::Header(Some(length)),
            (Line::Other, _) => Next::Header(known),
            (Line::Empty, Next::Header(Some(length))) => {
                self.consume(self.searched - self.start);
                self.begin(length);
                return Ok(true);
            }
            (Line::Empty, Next::Header(None)) | (Line::Broken, _) => return Err(self.broken_header()),
            (Line::Empty, next) => {
                self.consume(self.searched - self.start);
                next
            }
        };
        Ok(true)
    }

    /// A message of this length follows, if that is no more than it may be.
    fn begin(&mut self, length: usize) {
        self.next = match length <= self.limit {
            true => Next::Message(length),
            false => Next::TooLong(length),
        };
    }

    /// Go on with whatever may be the next header, which can lie in what was taken for this one.
    fn broken_header(&mut self) -> CodecError {
        self.keep_head();
        self.consume(1);
        self.next = Next::Anything;
        CodecError::new(ErrorKind::InvalidHeader, 0)
    }
}
