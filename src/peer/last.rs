//! The last reply of a process that is about to end inside a handler.
//!
//! It refuses to grow its buffer: it is written from a signal handler, where nothing may be allocated.

use super::Peer;
use crate::codec::ErrorKind;
use crate::message::{Id, INTERNAL_ERROR};

/// The longest string id that is repeated, in bytes, and the room for an error with such an id, however it is escaped.
const LONGEST_ID: usize = 1_000;
const ROOM: usize = 8_192;

impl Peer {
    /// Write the error response of the request behind `slot`, with `text` as data; if it came in a batch, after the
    /// responses which that has so far, as far as there is room. The other members of the batch stay unanswered.
    ///
    /// False if there is nothing to write: no such request, one with an id longer than 1000 bytes, or an `out` with a
    /// capacity of less than 8192 bytes.
    pub fn last_reply(&self, slot: usize, text: &str, out: &mut Vec<u8>) -> bool {
        out.clear();
        let Some(slot) = self.slots.get(slot) else { return false };
        if out.capacity() < ROOM || matches!(&slot.id, Id::Str(id) | Id::Text(id) if id.len() > LONGEST_ID) {
            return false;
        }
        let batch = slot.batch.and_then(|number| self.batches.so_far(number));
        self.write_last(&slot.id, batch, text, out).is_ok()
    }

    fn write_last(
        &self,
        id: &Id,
        batch: Option<(&[u8], usize)>,
        text: &str,
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorKind> {
        let encoding = self.encoding;
        if let Some((responses, count)) = batch {
            let fits = count > 0 && responses.len() <= out.capacity().saturating_sub(ROOM);
            encoding.begin_batch(out, if fits { count.saturating_add(1) } else { 1 })?;
            if fits {
                out.extend_from_slice(responses);
                out.extend_from_slice(encoding.batch_separator());
            }
        }
        encoding.error(out, id, INTERNAL_ERROR.code, INTERNAL_ERROR.message, Some(text))?;
        if batch.is_some() {
            encoding.end_batch(out)?;
        }
        self.framing.seal(out, 0)
    }
}
