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

use super::error::{CodecError, ErrorKind};

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

/// Where an open container started, to be given back to [`Tape::close`].
#[derive(Clone, Copy, Debug)]
pub struct Open(usize);

/// The container a scanner is in. The levels around it are kept on the tape itself, in the words that hold a closed
/// container's count and end: nesting takes no memory of its own and no recursion.
#[derive(Clone, Copy, Debug)]
pub struct Level {
    head: usize,
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
    pub fn reset(&mut self) {
        self.words.clear();
        self.scratch.clear();
        if self.words.capacity() * 8 > KEEP_BYTES {
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

    // ---- writing ------------------------------------------------------------------------------------------------

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
            self.push(SMALL << KIND_SHIFT | (value as u64 & PAYLOAD)) // OK because the payload is read sign-extended
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
        self.push(SMALL << KIND_SHIFT | (i64::from(value) as u64 & PAYLOAD)) // OK because int() does the same
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
            self.push(kind << KIND_SHIFT | len << OFFSET_BITS | offset)
        } else {
            // OK because the long kind is the short one plus one, and no slice is longer than 2^60
            self.push2((kind + 1) << KIND_SHIFT | len, offset)
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
        self.push(SIMPLE << KIND_SHIFT | u64::from(value))
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
    #[inline]
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
    #[inline]
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

    // ---- reading ------------------------------------------------------------------------------------------------

    /// The resolved strings.
    #[inline]
    #[must_use]
    pub fn scratch(&self) -> &[u8] {
        &self.scratch
    }

    /// The value at index `at`, and the index of the word after its head: the first child of a container or the
    /// tagged item, otherwise the next value.
    #[inline]
    #[must_use]
    pub fn node(&self, at: usize) -> (Node, usize) {
        let word = self.words[at];
        let payload = word & PAYLOAD;
        let node = match word >> KIND_SHIFT {
            NULL => Node::Null,
            FALSE => Node::Bool(false),
            TRUE => Node::Bool(true),
            SMALL => Node::Int(((payload << 4) as i64) >> 4), // OK because this undoes the truncation in int()
            STR => Node::Str {
                offset: (payload & OFFSET_MASK) as usize, // OK because it was a usize when pushed
                len: (payload >> OFFSET_BITS) as usize,
            },
            SCRATCH => Node::Scratch {
                offset: (payload & OFFSET_MASK) as usize, // OK because it was a usize when pushed
                len: (payload >> OFFSET_BITS) as usize,
            },
            SIMPLE => Node::Simple(payload as u8), // OK because simple() put a u8 there
            kind => return (self.wide(kind, payload, self.words[at + 1]), at + 2),
        };
        (node, at + 1)
    }

    #[inline]
    fn wide(&self, kind: u64, payload: u64, second: u64) -> Node {
        match kind {
            INT => Node::Int(second as i64), // OK because int() pushed these bits
            UINT => Node::Uint(second),
            FLOAT => Node::Float(f64::from_bits(second)),
            LONG_STR => Node::Str {
                offset: second as usize, // OK because it was a usize when pushed
                len: payload as usize,
            },
            LONG_SCRATCH => Node::Scratch {
                offset: second as usize, // OK because it was a usize when pushed
                len: payload as usize,
            },
            ARRAY => Node::Array {
                count: payload as usize, // OK because it was a usize when pushed
                end: second as usize,
            },
            OBJECT => Node::Object {
                count: payload as usize, // OK because it was a usize when pushed
                end: second as usize,
            },
            _ => Node::Tag(second),
        }
    }

    /// Index of the value after the one at `at`, its children skipped.
    #[inline]
    #[must_use]
    pub fn after(&self, mut at: usize) -> usize {
        loop {
            match self.node(at) {
                (Node::Array { end, .. } | Node::Object { end, .. }, _) => return end,
                (Node::Tag(_), next) => at = next,
                (_, next) => return next,
            }
        }
    }

    /// The bytes of a string node, or `None` if `node` is no string. `source` must be what was scanned.
    #[inline]
    #[must_use]
    pub fn bytes<'a>(&'a self, node: Node, source: &'a [u8]) -> Option<&'a [u8]> {
        match node {
            Node::Str { offset, len } => Some(&source[offset..offset + len]),
            Node::Scratch { offset, len } => Some(&self.scratch[offset..offset + len]),
            _ => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_value_reads_back_as_it_was_written() {
        let mut tape = Tape::new();
        let long = 1usize << 24;
        tape.null().unwrap();
        tape.bool(true).unwrap();
        tape.bool(false).unwrap();
        for n in [0, -1, SMALL_MAX, SMALL_MIN, SMALL_MAX + 1, i64::MAX, i64::MIN] {
            tape.int(n).unwrap();
        }
        tape.uint(u64::MAX).unwrap();
        tape.float(-0.0).unwrap();
        tape.str(7, 3).unwrap();
        tape.str(1 << 40, long).unwrap();
        tape.scratch_mut().extend_from_slice(b"abc");
        tape.scratch_str(1).unwrap();
        tape.tag(42).unwrap();
        tape.simple(23).unwrap();

        let mut at = 0;
        let mut seen = Vec::new();
        while at < tape.len() {
            let (node, next) = tape.node(at);
            seen.push(node);
            at = next;
        }
        assert_eq!(seen[..3], [Node::Null, Node::Bool(true), Node::Bool(false)]);
        let ints: Vec<Node> = [0, -1, SMALL_MAX, SMALL_MIN, SMALL_MAX + 1, i64::MAX, i64::MIN]
            .map(Node::Int)
            .to_vec();
        assert_eq!(seen[3..10], ints[..]);
        assert_eq!(seen[10], Node::Uint(u64::MAX));
        assert!(matches!(seen[11], Node::Float(f) if f.to_bits() == (-0.0f64).to_bits()));
        assert_eq!(seen[12], Node::Str { offset: 7, len: 3 });
        assert_eq!(
            seen[13],
            Node::Str {
                offset: 1 << 40,
                len: long
            }
        );
        assert_eq!(seen[14], Node::Scratch { offset: 1, len: 2 });
        assert_eq!(tape.bytes(seen[14], b""), Some(&b"bc"[..]));
        assert_eq!(seen[15..], [Node::Tag(42), Node::Simple(23)]);
    }

    #[test]
    fn after_skips_containers_and_tagged_items_whole() {
        let mut tape = Tape::new();
        tape.tag(1).unwrap();
        let outer = tape.open_array().unwrap();
        let inner = tape.open_object().unwrap();
        tape.str(0, 1).unwrap();
        tape.int(5).unwrap();
        tape.close(inner, 1);
        tape.close(outer, 1);
        tape.null().unwrap();
        assert_eq!(tape.after(0), tape.len() - 1);
        assert_eq!(
            tape.node(2).0,
            Node::Array {
                count: 1,
                end: tape.len() - 1
            }
        );
        assert_eq!(
            tape.node(4).0,
            Node::Object {
                count: 1,
                end: tape.len() - 1
            }
        );
    }

    #[test]
    fn levels_come_back_as_they_were_left() {
        let mut tape = Tape::new();
        let mut outer = tape.descend(Level::OUTSIDE, true).unwrap();
        outer.count = 3;
        let inner = tape.descend(outer, false).unwrap();
        let back = tape.ascend(inner);
        assert_eq!((back.head, back.count, back.object), (outer.head, 3, true));
        let inner = tape.descend(Level { count: 4, ..back }, false).unwrap();
        let back = tape.ascend(inner);
        assert_eq!(back.count, 4);
        assert_eq!(tape.ascend(Level { count: 5, ..back }).head, Level::OUTSIDE.head);
        assert_eq!(tape.node(0).0, Node::Object { count: 5, end: 6 });
        assert_eq!(tape.node(2).0, Node::Array { count: 0, end: 4 });
        assert_eq!(tape.node(4).0, Node::Array { count: 0, end: 6 });
    }

    #[test]
    fn a_giant_document_leaves_no_memory_behind() {
        let mut tape = Tape::new();
        for n in 0..100_000 {
            tape.int(n).unwrap();
        }
        tape.reset();
        assert!(tape.is_empty());
        assert_eq!(tape.words.capacity(), 0);
    }
}
