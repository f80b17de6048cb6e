//! Writing a tape: one method for each kind of value, and containers whose count is known at their end.
//!
//! Every method that appends can fail with `OutOfMemory`, and none aborts: there is one place that grows the vector.

use super::*;
use crate::codec::error::{CodecError, ErrorKind};

/// Where an open container started, to be given back to [`Tape::close`].
#[derive(Clone, Copy, Debug)]
pub struct Open(usize);

/// The container a scanner is in. The levels around it are kept on the tape itself, in the words that hold a closed
/// container's count and end: nesting takes no memory of its own and no recursion.
#[derive(Clone, Copy, Debug)]
pub struct Level {
    pub(super) head: usize,
    /// Items or pairs so far; the scanner counts.
    pub count: usize,
    /// Whether it is an object.
    pub object: bool,
}

impl Level {
    /// Outside of any container.
    pub const OUTSIDE: Level = Level {
        head: usize::MAX,
        count: 0,
        object: false,
    };
}

impl Tape {
    /// Append one word; the only place that grows the vector, and it never aborts.
    #[inline(always)]
    fn push(&mut self, word: u64) -> Result<(), CodecError> {
        if self.words.len() == self.words.capacity() {
            self.grow()?;
        }
        self.words.push(word);
        Ok(())
    }

    #[inline(always)]
    fn push2(&mut self, word: u64, second: u64) -> Result<(), CodecError> {
        if self.words.capacity() - self.words.len() < 2 {
            self.grow()?;
        }
        self.words.push(word);
        self.words.push(second);
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) -> Result<(), CodecError> {
        let more = self.words.len().max(64);
        self.words
            .try_reserve(more)
            .map_err(|_| CodecError::new(ErrorKind::OutOfMemory, 0))
    }

    /// Append null.
    ///
    /// # Errors
    /// `OutOfMemory`, as for every method below that appends.
    #[inline]
    pub fn null(&mut self) -> Result<(), CodecError> {
        self.push(NULL << KIND_SHIFT)
    }

    /// Append a boolean.
    ///
    /// # Errors
    /// `OutOfMemory`.
    #[inline]
    pub fn bool(&mut self, value: bool) -> Result<(), CodecError> {
        self.push((FALSE + u64::from(value)) << KIND_SHIFT)
    }

    /// Append an integer.
    ///
    /// # Errors
    /// `OutOfMemory`.
    #[inline(always)]
    pub fn int(&mut self, value: i64) -> Result<(), CodecError> {
        if (SMALL_MIN..=SMALL_MAX).contains(&value) {
            self.push((SMALL << KIND_SHIFT) | (value as u64 & PAYLOAD)) // OK because the payload is read sign-extended
        } else {
            self.push2(INT << KIND_SHIFT, value as u64) // OK because int() reads the same bits back
        }
    }

    /// Append an integer of 32 bits: one word without a question.
    ///
    /// # Errors
    /// `OutOfMemory`.
    #[inline(always)]
    pub fn small(&mut self, value: i32) -> Result<(), CodecError> {
        self.push((SMALL << KIND_SHIFT) | (i64::from(value) as u64 & PAYLOAD)) // OK because int() does the same
    }

    /// Append an integer above `i64::MAX`.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn uint(&mut self, value: u64) -> Result<(), CodecError> {
        self.push2(UINT << KIND_SHIFT, value)
    }

    /// Append a float.
    ///
    /// # Errors
    /// `OutOfMemory`.
    #[inline]
    pub fn float(&mut self, value: f64) -> Result<(), CodecError> {
        self.push2(FLOAT << KIND_SHIFT, value.to_bits())
    }

    /// Append the string `source[offset..offset + len]`.
    ///
    /// # Errors
    /// `OutOfMemory`.
    #[inline(always)]
    pub fn str(&mut self, offset: usize, len: usize) -> Result<(), CodecError> {
        self.string(STR, offset, len)
    }

    /// Append the string that starts at `start` in the scratch buffer and ends where the buffer ends now.
    ///
    /// # Errors
    /// `OutOfMemory`.
    #[inline]
    pub fn scratch_str(&mut self, start: usize) -> Result<(), CodecError> {
        let len = self.scratch.len() - start;
        self.string(SCRATCH, start, len)
    }

    #[inline(always)]
    fn string(&mut self, kind: u64, offset: usize, len: usize) -> Result<(), CodecError> {
        let (offset, len) = (offset as u64, len as u64); // OK because usize is at most 64 bits
        if len < SHORT_LEN && offset <= OFFSET_MASK {
            self.push((kind << KIND_SHIFT) | (len << OFFSET_BITS) | offset)
        } else {
            // OK because the long kind is the short one plus one, and no slice is longer than 2^60
            self.push2(((kind + 1) << KIND_SHIFT) | len, offset)
        }
    }

    /// Append a tag; the tagged item must follow.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn tag(&mut self, tag: u64) -> Result<(), CodecError> {
        self.push2(TAG << KIND_SHIFT, tag)
    }

    /// Append a CBOR simple value.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn simple(&mut self, value: u8) -> Result<(), CodecError> {
        self.push((SIMPLE << KIND_SHIFT) | u64::from(value))
    }

    /// Open an array; its items follow, then [`Tape::close`].
    ///
    /// # Errors
    /// `OutOfMemory`.
    #[inline]
    pub fn open_array(&mut self) -> Result<Open, CodecError> {
        let at = self.words.len();
        self.push2(ARRAY << KIND_SHIFT, 0)?;
        Ok(Open(at))
    }

    /// Open an object; its keys and values follow, then [`Tape::close`].
    ///
    /// # Errors
    /// `OutOfMemory`.
    #[inline]
    pub fn open_object(&mut self) -> Result<Open, CodecError> {
        let at = self.words.len();
        self.push2(OBJECT << KIND_SHIFT, 0)?;
        Ok(Open(at))
    }

    /// Close what `open` opened, now that it has `count` items or pairs.
    #[inline]
    pub fn close(&mut self, open: Open, count: usize) {
        let end = self.words.len() as u64; // OK because usize is at most 64 bits
        self.words[open.0] |= count as u64 & PAYLOAD; // OK because open.0 was returned by push2 on this tape
        self.words[open.0 + 1] = end;
    }

    /// Open a container inside `outer`; its items follow, then [`Tape::ascend`].
    ///
    /// # Errors
    /// `OutOfMemory`.
    #[inline(always)]
    pub fn descend(&mut self, outer: Level, object: bool) -> Result<Level, CodecError> {
        let head = self.words.len();
        let kind = if object { OBJECT } else { ARRAY };
        self.push2(kind << KIND_SHIFT, outer.head as u64)?; // OK because usize is at most 64 bits
        if let Some(word) = self.words.get_mut(outer.head) {
            *word |= outer.count as u64 & PAYLOAD; // OK because no tape has 2^60 words
        }
        Ok(Level { head, count: 0, object })
    }

    /// Close the container `inner`; returns the one around it as it was given to [`Tape::descend`].
    #[inline(always)]
    pub fn ascend(&mut self, inner: Level) -> Level {
        let end = self.words.len() as u64; // OK because usize is at most 64 bits
        let Some([head, second]) = self
            .words
            .get_mut(inner.head..)
            .and_then(|words| words.first_chunk_mut())
        else {
            return Level::OUTSIDE;
        };
        *head |= inner.count as u64 & PAYLOAD; // OK because no tape has 2^60 words
        let outer = *second as usize; // OK because it was a usize when pushed
        *second = end;
        let Some(word) = self.words.get_mut(outer) else {
            return Level::OUTSIDE;
        };
        let level = Level {
            head: outer,
            count: (*word & PAYLOAD) as usize, // OK because it was a usize when written
            object: *word >> KIND_SHIFT == OBJECT,
        };
        *word &= !PAYLOAD; // the count is or-ed in again when this level descends or closes
        level
    }

    /// The buffer for strings that are not in the source as they are. Note its length, append, then call
    /// [`Tape::scratch_str`] with that length. Reserve before appending: `push` and `extend` abort on out-of-memory.
    #[inline]
    pub fn scratch_mut(&mut self) -> &mut Vec<u8> {
        &mut self.scratch
    }
}
