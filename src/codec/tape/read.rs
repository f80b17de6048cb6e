//! Reading a tape by index: values, the way past them, the bytes of strings.
//!
//! Reading never fails: an index that did not come from here (or is 0 on an empty tape) is a caller's mistake.

use super::*;

impl Node {
    /// The value whose head begins with `word`, and how many words the head has; `second` gives the next one, and is
    /// asked only where the kind has two.
    #[inline(always)]
    #[must_use]
    pub fn read(word: u64, second: impl FnOnce() -> u64) -> (Self, usize) {
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
            kind => return (Self::wide(kind, payload, second()), 2),
        };
        (node, 1)
    }

    /// Offset and length of the string in the source whose head is the one word `word`: what most strings are.
    #[inline(always)]
    #[must_use]
    pub fn short_str(word: u64) -> Option<(usize, usize)> {
        let payload = word & PAYLOAD;
        // OK because both were a usize when pushed
        (word >> KIND_SHIFT == STR).then_some(((payload & OFFSET_MASK) as usize, (payload >> OFFSET_BITS) as usize))
    }

    /// The integer that is the one word `word`: what most integers are.
    #[inline(always)]
    #[must_use]
    pub fn small_int(word: u64) -> Option<i64> {
        (word >> KIND_SHIFT == SMALL).then_some(((word << 4) as i64) >> 4) // OK because this undoes what int() did
    }

    /// Whether `word` is the head of a float, whose bits are the second word.
    #[inline(always)]
    #[must_use]
    pub fn is_float(word: u64) -> bool {
        word >> KIND_SHIFT == FLOAT
    }

    #[inline(always)]
    fn wide(kind: u64, payload: u64, second: u64) -> Self {
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
}

impl Tape {
    /// The resolved strings.
    #[inline]
    #[must_use]
    pub fn scratch(&self) -> &[u8] {
        &self.scratch
    }

    /// The words, for a reader that walks them with [`Node::read`].
    #[inline]
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// The value at index `at`, and the index of the word after its head: the first child of a container or the
    /// tagged item, otherwise the next value.
    // One copy for all who look at envelopes: what is hot reads words by itself, with [`Node::read`].
    #[inline(never)]
    #[must_use]
    pub fn node(&self, at: usize) -> (Node, usize) {
        let (node, words) = Node::read(self.words[at], || self.words[at + 1]);
        (node, at + words)
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
