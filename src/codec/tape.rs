//! The tape: a scanned document as one flat vector of words.
//!
//! A scanner appends; a reader walks by index. Strings are not copied: a word names their place in the source, or in
//! the tape's own scratch buffer where escapes or chunks had to be resolved. The tape refuses to know what its values
//! are for: it holds no Lua value, no lifetime, and nothing that must be dropped in order.
//!
//! # Layout
//!
//! Bits 60..64 of a word are its kind, the rest its payload; some kinds take a second word.
//!
//! | kind | payload | second word |
//! |---|---|---|
//! | null, false, true | - | - |
//! | small integer | 60-bit two's complement | - |
//! | integer, unsigned, float | - | its 64 bits |
//! | string, scratch string | length (24 bits) << 36 or offset (36 bits) | - |
//! | long string, long scratch string | length | offset |
//! | array, object | number of items or pairs | index of the word after the last item |
//! | tag | - | the tag's number; the tagged item follows |
//! | simple | value (undefined is 23) | - |

mod integral;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use write::{Level, Open};

const KIND_SHIFT: u32 = 60;
const PAYLOAD: u64 = (1 << KIND_SHIFT) - 1;
const OFFSET_BITS: u32 = 36;
const OFFSET_MASK: u64 = (1 << OFFSET_BITS) - 1;
const SHORT_LEN: u64 = 1 << 24;
const SMALL_MAX: i64 = (1 << 59) - 1;
const SMALL_MIN: i64 = -(1 << 59);

const NULL: u64 = 0;
const FALSE: u64 = 1;
const TRUE: u64 = 2;
const SMALL: u64 = 3;
const INT: u64 = 4;
const UINT: u64 = 5;
const FLOAT: u64 = 6;
const STR: u64 = 7;
const LONG_STR: u64 = 8;
const SCRATCH: u64 = 9;
const LONG_SCRATCH: u64 = 10;
const ARRAY: u64 = 11;
const OBJECT: u64 = 12;
const TAG: u64 = 13;
const SIMPLE: u64 = 14;

/// One value on the tape, as a reader sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Node {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer within `i64`.
    Int(i64),
    /// An integer above `i64::MAX` (only under [`super::Big::Cdata`]).
    Uint(u64),
    /// A float.
    Float(f64),
    /// A string: `source[offset..offset + len]`.
    Str {
        /// First byte in the source.
        offset: usize,
        /// Bytes.
        len: usize,
    },
    /// A string whose escapes or chunks were resolved: `tape.scratch()[offset..offset + len]`.
    Scratch {
        /// First byte in the scratch buffer.
        offset: usize,
        /// Bytes.
        len: usize,
    },
    /// An array of `count` items that follow; the word after the last is at `end`.
    Array {
        /// Items.
        count: usize,
        /// Index of the word after the last item.
        end: usize,
    },
    /// An object (map) of `count` pairs, key then value, that follow; the word after the last is at `end`.
    Object {
        /// Pairs.
        count: usize,
        /// Index of the word after the last value.
        end: usize,
    },
    /// A CBOR tag; the tagged item follows.
    Tag(u64),
    /// A CBOR simple value other than false, true and null; 23 is undefined.
    Simple(u8),
}

/// A scanned document, or several one after the other.
#[derive(Debug, Default)]
pub struct Tape {
    words: Vec<u64>,
    scratch: Vec<u8>,
}

/// How much a tape held at some time, to be given back to [`Tape::truncate`].
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    words: usize,
    scratch: usize,
}

/// Vectors above this are given back by [`Tape::reset`] rather than kept for the next document.
const KEEP_BYTES: usize = 1 << 18;

impl Tape {
    /// An empty tape.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            words: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Forget everything; memory taken for a giant document goes back to the system.
    #[inline(always)]
    pub fn reset(&mut self) {
        self.words.clear();
        self.scratch.clear();
        if self.words.capacity() > KEEP_BYTES / 8 || self.scratch.capacity() > KEEP_BYTES {
            self.give_back();
        }
    }

    #[cold]
    fn give_back(&mut self) {
        if self.words.capacity() > KEEP_BYTES / 8 {
            self.words = Vec::new();
        }
        if self.scratch.capacity() > KEEP_BYTES {
            self.scratch = Vec::new();
        }
    }

    /// Index the next value will have.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether nothing was scanned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The present end of the tape.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark {
            words: self.words.len(),
            scratch: self.scratch.len(),
        }
    }

    /// Drop what came after `mark`.
    pub fn truncate(&mut self, mark: Mark) {
        self.words.truncate(mark.words);
        self.scratch.truncate(mark.scratch);
    }
}
