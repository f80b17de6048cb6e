//! Bytes that are to be sent and have not been: the rest of a message the system did not take at once, and messages
//! that wait for company.
//!
//! It refuses to decide when they are sent; it keeps their order.

use crate::codec::ErrorKind;
use crate::sys::heap;

/// A buffer above this goes back to the system when it is empty.
const KEEP: usize = 1 << 18;

/// A queue of bytes.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    start: usize,
}

impl Outbox {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
        }
    }

    /// What waits, in order.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// How many bytes wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Whether none wait.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    /// Add bytes at the end.
    ///
    /// # Errors
    /// `OutOfMemory`: nothing was added.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), ErrorKind> {
        if self.start > 0 && self.bytes.capacity() - self.bytes.len() < bytes.len() {
            self.bytes.drain(..self.start); // rather than grow for what was sent
            self.start = 0;
        }
        self.bytes
            .try_reserve(bytes.len())
            .map_err(|_| ErrorKind::OutOfMemory)?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The first `n` bytes were sent.
    pub fn advance(&mut self, n: usize) {
        self.start = (self.start + n).min(self.bytes.len());
        if self.is_empty() {
            self.clear();
        }
    }

    /// Forget everything; memory taken for a giant goes back to the system.
    pub fn clear(&mut self) {
        self.start = 0;
        self.bytes.clear();
        if self.bytes.capacity() > KEEP {
            heap::give_back(&mut self.bytes);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_the_order_they_came_in_pieces_of_any_size() {
        let mut outbox = Outbox::new();
        let (mut given, mut taken): (Vec<u8>, Vec<u8>) = Default::default();
        for round in 0..200usize {
            let piece: Vec<u8> = (0..round % 37).map(|at| (round + at) as u8).collect();
            outbox.push(&piece).unwrap();
            given.extend(piece);
            let n = (round * 7) % 41;
            taken.extend(outbox.bytes().iter().take(n));
            outbox.advance(n);
            assert_eq!(outbox.len(), given.len() - taken.len());
        }
        taken.extend(outbox.bytes());
        assert_eq!(taken, given);
    }

    #[test]
    fn a_giant_leaves_no_memory_behind() {
        let mut outbox = Outbox::new();
        outbox.push(&vec![0; 1 << 20]).unwrap();
        outbox.advance(usize::MAX >> 1);
        assert!(outbox.is_empty());
        assert_eq!(outbox.bytes.capacity(), 0);
    }
}
