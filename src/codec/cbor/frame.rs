//! Where a data item ends, for a CBOR sequence (RFC 8742) that arrives in pieces.
//!
//! It checks well-formedness alone, with the errors and offsets of [`scan_item`](super::scan_item), and refuses to
//! judge values: an item whose integers or keys the reader cannot hold still has an end, and what follows it can
//! still be read.

use super::head::{self, ARRAY, BYTES, INDEFINITE, MAP, SIMPLE, TAG, TEXT};
use super::stack::{array_items, map_items, UNTIL_BREAK};
use crate::codec::{CodecError, ErrorKind};

/// A container, a tag, or the one item that was asked for.
#[derive(Clone, Copy, Debug)]
struct Level {
    /// Items when complete (a pair is two), or [`UNTIL_BREAK`].
    total: u64,
    /// Items seen.
    done: u64,
    /// Whether items are keys and values in turn.
    pairs: bool,
}

const ROOT: Level = Level {
    total: 1,
    done: 0,
    pairs: false,
};

/// Finds the end of one data item in a buffer that grows.
///
/// What was looked at is not looked at again, however the input is split (but for the first byte of a head that came
/// in pieces), and a string is skipped without being touched.
#[derive(Debug)]
pub struct ItemEnd {
    max_depth: usize,
    /// What is around the present level.
    outer: Vec<Level>,
    level: Level,
    /// The next head, or the end of the item once it is known.
    at: usize,
    /// The buffer length without which nothing more can be said.
    needed: usize,
    /// The major type of the indefinite-length string that is open.
    string: Option<u8>,
}

impl ItemEnd {
    /// A finder for items with at most `max_depth` arrays, maps and tags open at once.
    #[must_use]
    pub const fn new(max_depth: usize) -> Self {
        Self {
            max_depth,
            outer: Vec::new(),
            level: ROOT,
            at: 0,
            needed: 1,
            string: None,
        }
    }

    /// Forget the item and begin with the next: the buffer then starts at that one's first byte.
    pub fn reset(&mut self) {
        self.outer.clear();
        self.level = ROOT;
        self.at = 0;
        self.needed = 1;
        self.string = None;
    }

    /// The least length in bytes the buffer must have before [`ItemEnd::feed`] can say more. A head that claims a
    /// giant string shows here before its bytes arrive; `usize::MAX` if no buffer can hold it.
    #[must_use]
    pub const fn needed(&self) -> usize {
        self.needed
    }

    /// The first of the buffer's `len` bytes are dropped, as many as were looked at; how many these are. From now on the
    /// buffer, and the length that [`ItemEnd::feed`] finds, begin after them.
    pub fn forget(&mut self, len: usize) -> usize {
        let dropped = len.min(self.at);
        self.at -= dropped;
        self.needed -= dropped; // OK because it is never below `at`
        dropped
    }

    /// The item's length in bytes once `buffer`, which starts with the item's first byte, holds all of it.
    ///
    /// Call it again with the same buffer grown after `None`; after a length or an error, [`ItemEnd::reset`] first
    /// (until then the answer stays the same).
    ///
    /// # Errors
    /// Those of [`scan_item`](super::scan_item) for what is not well-formed, with offsets in `buffer`: `TooDeep`,
    /// `InvalidHead`, `UnexpectedBreak`, `InvalidChunk`, `InvalidSimple`; and `OutOfMemory`.
    pub fn feed(&mut self, buffer: &[u8]) -> Result<Option<usize>, CodecError> {
        while buffer.len() >= self.needed {
            if self.level.done == self.level.total {
                return Ok(Some(self.at)); // OK because a complete level stays only if it is the root
            }
            match self.head(buffer) {
                Ok(()) => {}
                Err(error) if error.kind == ErrorKind::UnexpectedEnd => {
                    self.needed = self.at + head_len(buffer, self.at);
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Read the head at `self.at`, which nothing is changed before it proved good.
    fn head(&mut self, buffer: &[u8]) -> Result<(), CodecError> {
        let at = self.at;
        if let Some(major) = self.string {
            return match head::chunk(buffer, at, major)? {
                (Some(len), after) => {
                    self.skip(after, len);
                    Ok(())
                }
                (None, after) => {
                    self.string = None;
                    self.item(after);
                    Ok(())
                }
            };
        }
        let Some(&initial) = buffer.get(at) else {
            return Err(CodecError::new(ErrorKind::UnexpectedEnd, at));
        };
        let (major, info) = head::split(initial);
        if info == INDEFINITE {
            return self.indefinite(at, major);
        }
        let (argument, after) = head::argument(buffer, at, info)?;
        match major {
            BYTES | TEXT => {
                self.level.done += 1;
                self.skip(after, argument);
                self.close();
            }
            ARRAY => self.open(after, at, array_items(argument), false)?,
            MAP => self.open(after, at, map_items(argument), true)?,
            TAG => self.open(after, at, 1, false)?,
            SIMPLE if info == 24 && argument < 32 => return Err(CodecError::new(ErrorKind::InvalidSimple, at)),
            _ => self.item(after),
        }
        Ok(())
    }

    fn indefinite(&mut self, at: usize, major: u8) -> Result<(), CodecError> {
        match major {
            BYTES | TEXT => {
                self.string = Some(major);
                self.next_head(at + 1);
                Ok(())
            }
            ARRAY | MAP => self.open(at + 1, at, UNTIL_BREAK, major == MAP),
            SIMPLE => {
                let level = &mut self.level;
                if level.total != UNTIL_BREAK || (level.pairs && level.done % 2 == 1) {
                    return Err(CodecError::new(ErrorKind::UnexpectedBreak, at));
                }
                level.total = level.done;
                self.next_head(at + 1);
                self.close();
                Ok(())
            }
            _ => Err(CodecError::new(ErrorKind::InvalidHead, at)),
        }
    }

    /// An item without children ended before `after`.
    fn item(&mut self, after: usize) {
        self.level.done += 1;
        self.next_head(after);
        self.close();
    }

    /// The head at `at`, which ends before `after`, begins a level.
    fn open(&mut self, after: usize, at: usize, total: u64, pairs: bool) -> Result<(), CodecError> {
        if self.outer.len() >= self.max_depth {
            return Err(CodecError::new(ErrorKind::TooDeep, at));
        }
        if self.outer.try_reserve(1).is_err() {
            return Err(CodecError::new(ErrorKind::OutOfMemory, at));
        }
        self.outer.push(self.level);
        self.level = Level { total, done: 0, pairs };
        self.next_head(after);
        self.close();
        Ok(())
    }

    /// Leave the levels that are complete.
    fn close(&mut self) {
        while self.level.done == self.level.total {
            let Some(outer) = self.outer.pop() else {
                self.needed = self.at;
                return;
            };
            self.level = outer;
            self.level.done += 1;
        }
    }

    /// Go on at `after`, where a head of at least one byte must be.
    fn next_head(&mut self, after: usize) {
        self.at = after;
        self.needed = after.saturating_add(1);
    }

    /// Go on after the string whose `len` bytes start at `after`.
    fn skip(&mut self, after: usize, len: u64) {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        self.next_head(after.saturating_add(len));
    }
}

/// The bytes of the head at `at`, one if not even its first is there.
fn head_len(buffer: &[u8], at: usize) -> usize {
    match buffer.get(at).map(|&initial| head::split(initial).1) {
        Some(info @ 24..=27) => 1 + (1 << (info - 24)),
        _ => 1,
    }
}
