//! The open containers of a scan, on the heap once there are more than a few: input never grows the machine stack.
//!
//! It refuses to know a limit: the scanner checks its depth before it pushes.

use crate::codec::tape::Open;
use crate::codec::{CodecError, ErrorKind};

/// What a frame's items become.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// The one item that was asked for.
    Root,
    /// The items of an array.
    Array(Open),
    /// Keys and values in turn.
    Map(Open),
}

/// The `total` of a container that a break ends. No input is long enough to reach it by counting.
pub(super) const UNTIL_BREAK: u64 = u64::MAX;

/// The items in an array of `count` items: saturated, since no input holds that many.
#[inline]
pub(super) fn array_items(count: u64) -> u64 {
    count.min(UNTIL_BREAK - 1)
}

/// The items (keys and values) in a map of `count` pairs: saturated, since no input holds that many.
#[inline]
pub(super) fn map_items(count: u64) -> u64 {
    count.saturating_mul(2).min(UNTIL_BREAK - 1)
}

/// A container whose items are being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    /// Items when complete (a pair is two), or [`UNTIL_BREAK`].
    pub(super) total: u64,
    /// Items read.
    pub(super) done: u64,
    /// Containers and tags around an item of this one.
    pub(super) depth: usize,
}

const NEAR: usize = 6;

/// The frames around the present one.
pub(super) struct Stack {
    near: [Option<Frame>; NEAR],
    len: usize,
    far: Vec<Frame>,
}

impl Stack {
    #[inline]
    pub(super) const fn new() -> Self {
        Self {
            near: [None; NEAR],
            len: 0,
            far: Vec::new(),
        }
    }

    #[inline]
    pub(super) fn push(&mut self, frame: Frame, at: usize) -> Result<(), CodecError> {
        match self.near.get_mut(self.len) {
            Some(slot) => *slot = Some(frame),
            None => {
                if self.far.try_reserve(1).is_err() {
                    return Err(CodecError::new(ErrorKind::OutOfMemory, at));
                }
                self.far.push(frame);
            }
        }
        self.len += 1;
        Ok(())
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<Frame> {
        self.len = self.len.checked_sub(1)?;
        match self.near.get(self.len) {
            Some(slot) => *slot,
            None => self.far.pop(),
        }
    }
}
