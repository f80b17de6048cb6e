//! Framing: a byte stream that arrives in pieces becomes whole messages.
//!
//! It accepts any split, byte by byte included, looks at every byte once however often it is asked, and refuses to
//! guess where a broken CBOR sequence goes on.

use crate::codec::cbor::ItemEnd;
use crate::codec::{CodecError, ErrorKind};

/// How messages are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One message a line, ended by `\n`.
    Line,
    /// CBOR data items one after the other (RFC 8742).
    CborSequence,
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
    /// Line framing: no line end before this.
    searched: usize,
    item: ItemEnd,
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
            searched: 0,
            item: ItemEnd::new(max_depth),
        }
    }

    /// Bytes received and not taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether nothing is left over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Room to read into; tell [`Inbox::filled`] how much of it was used.
    ///
    /// # Errors
    /// `OutOfMemory` when the buffer cannot grow.
    pub fn room(&mut self) -> Result<&mut [u8], CodecError> {
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
            // Double, so that a giant message is not moved again and again.
            let more = chunk.max(self.bytes.len());
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
    /// `OutOfMemory`: the message stays.
    pub fn next(&mut self, message: &mut Vec<u8>) -> Result<bool, CodecError> {
        if self.start == self.end {
            return Ok(false);
        }
        let (len, skip) = match self.framing {
            Framing::Line => {
                let from = self.searched.max(self.start);
                match memchr::memchr(b'\n', &self.bytes[from..self.end]) {
                    Some(at) => (from + at - self.start, 1),
                    None => {
                        self.searched = self.end;
                        return Ok(false);
                    }
                }
            }
            Framing::CborSequence => match self.item.feed(&self.bytes[self.start..self.end]) {
                Ok(Some(len)) => (len, 0),
                Ok(None) => return Ok(false),
                Err(error) => {
                    self.item.reset();
                    self.start = self.end;
                    self.rewind();
                    return Err(error);
                }
            },
        };
        self.take(len, skip, message).map(|()| true)
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

    /// At the end of the stream: what is left, if it can be a message. A last line needs no line end.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn rest(&mut self, message: &mut Vec<u8>) -> Result<bool, CodecError> {
        if self.framing != Framing::Line || self.is_empty() {
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
        message.clear();
        message
            .try_reserve(len)
            .map_err(|_| CodecError::new(ErrorKind::OutOfMemory, 0))?;
        message.extend_from_slice(&self.bytes[self.start..self.start + len]);
        self.item.reset();
        self.start += len + skip;
        self.searched = self.start;
        if self.start == self.end {
            self.rewind();
        }
        Ok(())
    }

    /// Start over at the front of the empty buffer, and give a giant one back.
    fn rewind(&mut self) {
        self.start = 0;
        self.end = 0;
        self.searched = 0;
        if self.bytes.len() > KEEP {
            self.bytes = Vec::new();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Feed `stream` in pieces of `piece` bytes and collect the messages.
    fn collect(framing: Framing, stream: &[u8], piece: usize) -> Vec<Vec<u8>> {
        let mut inbox = Inbox::new(framing, 128);
        let mut messages = Vec::new();
        let mut message = Vec::new();
        for chunk in stream.chunks(piece) {
            inbox.append(chunk).unwrap();
            while inbox.next(&mut message).unwrap() {
                messages.push(message.clone());
            }
        }
        assert!(inbox.is_empty());
        messages
    }

    #[test]
    fn lines_come_out_whole_however_they_are_cut() {
        let stream = b"{\"a\":1}\n\nshort\n".repeat(3);
        let whole = collect(Framing::Line, &stream, stream.len());
        assert_eq!(whole.len(), 9);
        assert_eq!(whole[1], b"");
        for piece in 1..stream.len() {
            assert_eq!(collect(Framing::Line, &stream, piece), whole);
        }
    }

    #[test]
    fn cbor_items_come_out_whole_however_they_are_cut() {
        let stream = b"\xa1\x18\x64\x43abc\x83\x01\x02\x9f\xff\x05\x5f\x41x\xff".repeat(3);
        let whole = collect(Framing::CborSequence, &stream, stream.len());
        assert_eq!(whole.len(), 12);
        for piece in 1..stream.len() {
            assert_eq!(collect(Framing::CborSequence, &stream, piece), whole);
        }
    }

    #[test]
    fn a_broken_cbor_sequence_is_reported_and_what_was_buffered_is_dropped() {
        let mut inbox = Inbox::new(Framing::CborSequence, 128);
        let mut message = Vec::new();
        inbox.append(b"\x01\xfe\x02").unwrap();
        assert!(inbox.next(&mut message).unwrap());
        assert_eq!(inbox.next(&mut message).unwrap_err().kind, ErrorKind::InvalidHead);
        assert!(inbox.is_empty());
        inbox.append(b"\x07").unwrap();
        assert!(inbox.next(&mut message).unwrap());
        assert_eq!(message, b"\x07");
    }

    #[test]
    fn a_last_line_needs_no_line_end() {
        let mut inbox = Inbox::new(Framing::Line, 128);
        let mut message = Vec::new();
        inbox.append(b"last").unwrap();
        assert!(!inbox.next(&mut message).unwrap());
        assert!(inbox.rest(&mut message).unwrap());
        assert_eq!(message, b"last");
    }

    #[test]
    fn a_giant_message_leaves_no_memory_behind() {
        let mut inbox = Inbox::new(Framing::Line, 128);
        let mut message = Vec::new();
        let mut giant = vec![b'x'; 3 << 20];
        giant.push(b'\n');
        inbox.append(&giant).unwrap();
        assert!(inbox.next(&mut message).unwrap());
        assert_eq!(message.len(), 3 << 20);
        assert_eq!(inbox.bytes.capacity(), 0);
    }
}
