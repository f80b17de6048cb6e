//! Passing over a message that is longer than it may be, without keeping it.
//!
//! It refuses to follow a length that no sender means: what text looks like as a CBOR head would swallow all that ever
//! follows.

use super::{Framing, Inbox};

/// A CBOR item that is longer than the limit and claims to be longer than this is not passed over but dropped as far as
/// it is here: it is no item, but something else that was written to the stream.
const PLAUSIBLE: usize = 1 << 30;

/// So many bytes are kept of a message that is too long. No limit is lower.
pub(super) const HEAD: usize = 512;

impl Inbox {
    /// The least length the present message will have.
    pub(super) fn expected(&self) -> usize {
        match self.framing {
            Framing::Line => self.len(),
            Framing::CborSequence => self.item.needed(),
            Framing::ContentLength | Framing::Length => 0, // OK because they have states of their own
        }
    }

    /// Forget what is here and begin anew with what comes next.
    pub(super) fn drop_all(&mut self) {
        self.item.reset();
        self.skipping = false;
        self.start = self.end;
        self.rewind();
    }

    /// The message at the front is too long.
    pub(super) fn pass_over(&mut self) {
        self.keep_head();
        if self.is_implausible() {
            self.implausible = true;
            return self.drop_all();
        }
        self.searched = self.start;
        self.skipping = true;
        self.skip();
    }

    /// Whether what is at the front claims to be an item longer than anybody sends.
    pub(super) fn is_implausible(&self) -> bool {
        self.framing == Framing::CborSequence && self.item.needed() > PLAUSIBLE
    }

    /// Keep the first bytes of the message at the front, which cannot be taken: they may tell whose it is.
    pub(super) fn keep_head(&mut self) {
        let head = &self.bytes[self.start..self.end.min(self.start + HEAD)];
        self.overlong.clear();
        self.implausible = false;
        if self.overlong.try_reserve_exact(head.len()).is_ok() {
            self.overlong.extend_from_slice(head);
        }
    }

    /// Pass over what is here of a message that is too long; whether its end was among it and something follows.
    pub(super) fn skip(&mut self) -> bool {
        let end = match self.framing {
            Framing::Line => memchr::memchr(b'\n', self.bytes()).map(|at| at + 1),
            Framing::CborSequence | Framing::ContentLength | Framing::Length => {
                match self.item.feed(&self.bytes[self.start..self.end]) {
                    Ok(end) => end,
                    Err(_) => {
                        self.drop_all(); // it has been reported
                        return false;
                    }
                }
            }
        };
        let passed = match end {
            Some(end) => {
                self.item.reset();
                self.skipping = false;
                end
            }
            None if self.framing == Framing::Line => self.len(),
            None => self.item.forget(self.len()),
        };
        self.consume(passed);
        end.is_some() && !self.is_empty()
    }
}
