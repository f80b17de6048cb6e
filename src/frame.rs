//! Framing: a byte stream that arrives in pieces becomes whole messages.
//!
//! It accepts any split, byte by byte included, looks at every byte once however often it is asked, and refuses to
//! guess where a broken CBOR sequence goes on, and to keep what is longer than a message may be: that is reported once
//! and passed over to its end.

mod header;
mod prefix;
#[cfg(test)]
mod prefix_tests;
mod seal;
mod skip;
#[cfg(test)]
mod tests;

use crate::codec::cbor::ItemEnd;
use crate::codec::{simd, CodecError, ErrorKind};
use crate::sys::heap;

/// How messages are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One message a line, ended by `\n`.
    Line,
    /// CBOR data items one after the other (RFC 8742).
    CborSequence,
    /// Each message after a header that tells its length, as LSP and DAP have it.
    ContentLength,
    /// Each message after its length in four bytes, the highest first.
    Length,
}

impl Framing {
    /// Whether a length stands before each message.
    #[must_use]
    pub fn has_prefix(self) -> bool {
        matches!(self, Framing::ContentLength | Framing::Length)
    }
}

/// What the buffer starts with.
const CHUNK: usize = 1 << 16;
/// Room offered to each read at least.
const LEAST: usize = CHUNK / 4;
/// A buffer above this is given back when it is empty.
const KEEP: usize = 1 << 18;

/// Received bytes that are not yet taken as messages.
pub struct Inbox {
    framing: Framing,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes that were ever put here.
    total: u64,
    /// Line framing: no line end before this.
    searched: usize,
    item: ItemEnd,
    /// The longest message.
    limit: usize,
    /// What comes next is the rest of a message that was too long.
    skipping: bool,
    /// Framings with a prefix: what comes next.
    next: prefix::Next,
    /// The first bytes of the message that was refused last for its length, or its header.
    pub(crate) overlong: Vec<u8>,
    /// That was no message, but text or another protocol, or a part of a length.
    pub(crate) implausible: bool,
}

impl Inbox {
    /// An empty inbox; CBOR items may nest `max_depth` deep.
    #[must_use]
    pub fn new(framing: Framing, max_depth: usize) -> Self {
        Self {
            framing,
            bytes: Vec::new(),
            start: 0,
            end: 0,
            total: 0,
            searched: 0,
            item: ItemEnd::new(max_depth),
            limit: usize::MAX,
            skipping: false,
            next: prefix::Next::default(),
            overlong: Vec::new(),
            implausible: false,
        }
    }

    /// The longest message from now on, in bytes and without its line end.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Forget everything that is here.
    pub fn clear(&mut self) {
        self.drop_all();
    }

    /// Whether more bytes are here than a message may have.
    #[must_use]
    pub fn is_over_limit(&self) -> bool {
        self.len() > self.limit
    }

    /// Whether the bytes that are here are the beginning of a message, with whatever belongs before it.
    #[must_use]
    pub fn is_at_start(&self) -> bool {
        !self.skipping && self.next == prefix::Next::Prefix
    }

    /// Bytes received and not taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Bytes received since the beginning.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether nothing is left over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Whether [`Inbox::next`] has nothing to look at.
    #[must_use]
    #[inline]
    pub fn has_nothing(&self) -> bool {
        self.start == self.end && self.next != prefix::Next::Message(0)
    }

    /// Room to read into; tell [`Inbox::filled`] how much of it was used.
    ///
    /// # Errors
    /// `OutOfMemory` when the buffer cannot grow.
    #[inline(always)]
    pub fn room(&mut self) -> Result<&mut [u8], CodecError> {
        if self.is_empty() && self.bytes.len().wrapping_sub(LEAST) <= KEEP - LEAST {
            (self.start, self.end, self.searched) = (0, 0, 0); // as `rewind`
            return Ok(&mut self.bytes);
        }
        self.room_for(LEAST, CHUNK)
    }

    /// Room for `least` bytes; the buffer grows by at least `chunk`, which is no less.
    fn room_for(&mut self, least: usize, chunk: usize) -> Result<&mut [u8], CodecError> {
        if self.start == self.end {
            self.rewind();
        } else if self.bytes.len() - self.end < least && self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.searched -= self.start;
            self.end -= self.start;
            self.start = 0;
        }
        if self.bytes.len() - self.end < least {
            // Double, so that a giant message is not moved again and again; but not far beyond what may be kept.
            let kept = self.limit.saturating_add(2 * CHUNK).saturating_sub(self.bytes.len());
            let more = chunk.max(self.bytes.len()).min(kept).max(least);
            self.bytes
                .try_reserve_exact(more)
                .map_err(|_| CodecError::new(ErrorKind::OutOfMemory, self.end))?;
            self.bytes.resize(self.bytes.len() + more, 0); // OK because the memory was reserved
        }
        Ok(&mut self.bytes[self.end..])
    }

    /// `n` bytes of the room were filled.
    pub fn filled(&mut self, n: usize) {
        self.end = (self.end + n).min(self.bytes.len());
        self.total += n as u64; // OK because usize is at most 64 bits
    }

    /// Append bytes that came from elsewhere than a read. The buffer is no larger than they need: a test may make
    /// thousands of pairs in memory, whose buffers Lua's collector knows nothing of.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), CodecError> {
        let room = self.room_for(bytes.len(), bytes.len())?;
        room[..bytes.len()].copy_from_slice(bytes);
        self.filled(bytes.len());
        Ok(())
    }

    /// The next whole message, copied into `message` without its line end; `false` if more bytes are needed.
    ///
    /// # Errors
    /// A CBOR sequence that is broken: what was received is dropped, since nothing tells where the next item starts.
    /// `TooLarge`: a message longer than the limit, as soon as that is known; it is passed over.
    /// `OutOfMemory`: the message stays.
    #[inline(never)]
    pub fn next(&mut self, message: &mut Vec<u8>) -> Result<bool, CodecError> {
        self.next_here(message)
    }

    /// [`Inbox::next`] where every message passes.
    #[inline(always)]
    pub(crate) fn next_here(&mut self, message: &mut Vec<u8>) -> Result<bool, CodecError> {
        if self.framing == Framing::Line && !self.skipping {
            if let Some(end) = simd::near_line_feed(&self.bytes, self.searched.max(self.start)) {
                if end < self.end && end - self.start <= self.limit && end <= KEEP {
                    message.clear();
                    simd::append(message, &self.bytes[self.start..end])
                        .map_err(|_| CodecError::new(ErrorKind::OutOfMemory, 0))?;
                    self.taken(end + 1);
                    return Ok(true);
                }
            }
        }
        self.next_slowly(message)
    }

    /// The same for every message; near lines take longer here.
    #[inline(never)]
    fn next_slowly(&mut self, message: &mut Vec<u8>) -> Result<bool, CodecError> {
        if self.has_nothing() || (self.skipping && !self.skip()) {
            return Ok(false);
        }
        let found = match self.framing {
            Framing::Line => {
                let from = self.searched.max(self.start);
                let end = memchr::memchr(b'\n', &self.bytes[from..self.end]);
                self.searched = self.end;
                end.map(|at| (from + at - self.start, 1))
            }
            Framing::CborSequence => match self.item.feed(&self.bytes[self.start..self.end]) {
                Ok(len) => len.map(|len| (len, 0)),
                Err(error) => {
                    self.drop_all();
                    return Err(error);
                }
            },
            Framing::ContentLength | Framing::Length => return self.next_prefixed(message),
        };
        match found {
            Some((len, skip)) if len <= self.limit => self.take(len, skip, message).map(|()| true),
            None if self.expected() <= self.limit => Ok(false),
            _ => {
                self.pass_over();
                Err(CodecError::new(ErrorKind::TooLarge, self.limit))
            }
        }
    }

    /// The length of the CBOR item at the front once all of it is here; unlike [`Inbox::next`] it takes nothing, and
    /// drops nothing when the item is broken.
    ///
    /// # Errors
    /// As [`Inbox::next`].
    pub fn measure(&mut self) -> Result<Option<usize>, CodecError> {
        let measured = self.item.feed(&self.bytes[self.start..self.end]);
        if measured.is_err() {
            self.item.reset();
        }
        measured
    }

    /// The next `n` bytes, or as many as there are, whatever they mean; they replace what is in `bytes`.
    ///
    /// # Errors
    /// `OutOfMemory`: the bytes stay.
    pub fn split_off(&mut self, n: usize, bytes: &mut Vec<u8>) -> Result<(), CodecError> {
        self.take(n.min(self.len()), 0, bytes)
    }

    /// At the end of the stream: what is left, if it can be a message. A last line needs no line end; of any other
    /// message it is a part, which its reader will find broken.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn rest(&mut self, message: &mut Vec<u8>) -> Result<bool, CodecError> {
        if self.framing.has_prefix() {
            return self.prefixed_rest(message);
        }
        if self.is_empty() || self.skipping {
            return Ok(false);
        }
        self.take(self.len(), 0, message).map(|()| true)
    }

    /// What was received and not taken. [`Inbox::next`] must not have looked at it, if [`Inbox::consume`] is to follow.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Take `len` bytes that somebody else has read as whole messages.
    pub fn consume(&mut self, len: usize) {
        self.start = (self.start + len).min(self.end);
        self.searched = self.start;
        if self.start == self.end {
            self.rewind();
        }
    }

    fn take(&mut self, len: usize, skip: usize, message: &mut Vec<u8>) -> Result<(), CodecError> {
        if len > KEEP && self.start == 0 && len + skip == self.end {
            // Nothing else is here: the giant's buffer goes along instead of being copied.
            self.bytes.truncate(len);
            *message = std::mem::take(&mut self.bytes);
            self.item.reset();
            self.end = 0; // as the buffer is
            self.rewind();
            return Ok(());
        }
        message.clear();
        message
            .try_reserve(len)
            .map_err(|_| CodecError::new(ErrorKind::OutOfMemory, 0))?;
        message.extend_from_slice(&self.bytes[self.start..self.start + len]);
        self.taken(self.start + len + skip);
        Ok(())
    }

    /// What lies before `start` was taken.
    #[inline(always)]
    fn taken(&mut self, start: usize) {
        self.item.reset();
        self.start = start;
        self.searched = start;
        if start == self.end {
            self.rewind();
        }
    }

    /// Start over at the front of the empty buffer, and give a giant one back.
    #[inline(always)]
    fn rewind(&mut self) {
        self.start = 0;
        self.end = 0;
        self.searched = 0;
        if self.bytes.len() > KEEP {
            self.give_back();
        }
    }

    #[cold]
    #[inline(never)]
    fn give_back(&mut self) {
        heap::give_back(&mut self.bytes);
    }
}
