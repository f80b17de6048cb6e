//! Batches: the members of an array of messages, put before everything else that waits to be read.
//!
//! # References
//! JSON-RPC 2.0 Specification, section 6.

use super::{Peer, Queued, Scan};
use crate::codec::tape::Tape;
use crate::codec::{cbor, json, ErrorKind};

impl Peer {
    /// Put the members of a batch before everything else.
    pub(super) fn open_batch(
        &mut self,
        message: &[u8],
        tape: &Tape,
        mut at: usize,
        end: usize,
        count: usize,
    ) -> Result<(), ErrorKind> {
        self.stats.received -= 1; // its members are counted
        self.queue.try_reserve(count).map_err(|_| ErrorKind::OutOfMemory)?;
        let batch = self.batches.open(count)?;
        let mut spans = MemberSpans::new(&self.scan, message);
        let behind = self.queue.len();
        while at < end {
            at = tape.after(at);
            let span = spans.next()?;
            let mut copy = Vec::new();
            copy.try_reserve_exact(span.len()).map_err(|_| ErrorKind::OutOfMemory)?;
            copy.extend_from_slice(&message[span]);
            self.queue.push_back(Queued {
                message: Ok(copy),
                batch: Some(batch),
            });
        }
        self.queue.rotate_left(behind);
        Ok(())
    }
}

/// Where the members of a batch lie in its text: the tape does not keep that, so each is scanned once more.
struct MemberSpans<'a> {
    scan: &'a Scan,
    message: &'a [u8],
    at: usize,
    tape: Tape,
}

impl<'a> MemberSpans<'a> {
    fn new(scan: &'a Scan, message: &'a [u8]) -> Self {
        let at = match scan {
            Scan::Json(_) => memchr::memchr(b'[', message).map_or(0, |at| at + 1),
            // RFC 8949, section 3: the argument takes 0, 1, 2, 4 or 8 bytes after the initial one.
            Scan::Cbor(_) => match message.first().map_or(0, |initial| initial & 31) {
                24 => 2,
                25 => 3,
                26 => 5,
                27 => 9,
                _ => 1,
            },
        };
        Self {
            scan,
            message,
            at,
            tape: Tape::new(),
        }
    }

    fn next(&mut self) -> Result<std::ops::Range<usize>, ErrorKind> {
        self.tape.reset();
        let start = self.at;
        let end = match self.scan {
            Scan::Json(options) => json::scan_value(self.message, start, &mut self.tape, options),
            Scan::Cbor(options) => cbor::scan_item(self.message, start, &mut self.tape, options),
        }
        .map_err(|error| error.kind)?;
        self.at = match self.scan {
            // A comma or the closing bracket follows: the whole was scanned before.
            Scan::Json(_) => {
                let gap = self.message[end..].iter().position(|b| *b == b',' || *b == b']');
                end + gap.unwrap_or(0) + 1
            }
            Scan::Cbor(_) => end,
        };
        Ok(start..end)
    }
}
