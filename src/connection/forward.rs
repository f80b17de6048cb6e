//! What was written to descriptor 1, as notifications `print` in the order of the other messages.
//!
//! A notification has whole lines, without the last line feed. It refuses to lose text: what cannot be sent goes to
//! stderr.

use super::{Connection, Unsent, Urgency};
use crate::codec::{cbor, ErrorKind};
use crate::envelope::Encoding;
use crate::sys::{capture, clock, stderr};

/// Lines are put together up to this many bytes.
const PIECE: usize = 1 << 16;
/// A line that has not ended is sent all the same from this length on.
const LONGEST_LINE: usize = 1 << 20;

/// Captured output that is not sent yet.
#[derive(Debug, Default)]
pub struct Captured {
    text: Vec<u8>,
    message: Vec<u8>,
}

impl Connection {
    /// From now on what is written to descriptor 1 goes to the other end, before the next message and the next wait.
    pub fn forward_output(&mut self) {
        self.captured = Some(Captured::default());
    }

    /// Send what was written.
    #[inline]
    pub(super) fn forward(&mut self, urgency: Urgency) {
        if self.captured.is_some() {
            self.forward_lines(false, urgency);
        }
    }

    /// Send what was written, the last line even if it has not ended; descriptor 1 is stderr from here on.
    pub(super) fn end_forwarding(&mut self, patience: i64) {
        if self.captured.is_some() {
            capture::stop();
            self.forward_lines(true, Urgency::Until(clock::monotonic_us() + patience));
            self.captured = None;
            capture::release();
        }
    }

    #[cold]
    #[inline(never)]
    fn forward_lines(&mut self, last: bool, urgency: Urgency) {
        // Taken out, so that sending does not come back here.
        let Some(mut captured) = self.captured.take() else {
            return;
        };
        capture::take(&mut captured.text);
        let mut at = 0;
        while let Some(end) = piece(&captured.text[at..], last) {
            let text = &captured.text[at..at + end];
            at += end;
            captured.message.clear();
            let line = text.strip_suffix(b"\n").unwrap_or(text);
            let sent = match self.write_print(line, &mut captured.message) {
                Ok(()) => self.send(&captured.message, urgency) != Err(Unsent::Closed),
                Err(_) => false,
            };
            if !sent {
                stderr::log(text);
            }
        }
        captured.text.drain(..at);
        if captured.text.is_empty() {
            captured = Captured::default();
        }
        self.captured = Some(captured);
    }

    fn write_print(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), ErrorKind> {
        let encoding = self.peer.encoding;
        let put = |out: &mut Vec<u8>, byte| {
            out.try_reserve(1).map_err(|_| ErrorKind::OutOfMemory)?;
            out.push(byte);
            Ok(())
        };
        encoding.begin_call(out, b"print", None, true)?;
        match encoding {
            Encoding::Json { .. } => put(out, b'[')?,
            Encoding::Cbor(_) => cbor::writer::write_array_head(out, 1)?,
        }
        encoding.text(out, text)?;
        if matches!(encoding, Encoding::Json { .. }) {
            put(out, b']')?;
        }
        encoding.end(out)?;
        self.peer.framing.seal(out, 0)
    }
}

/// How much of the text goes out next: as many whole lines as fit, or one that is longer.
fn piece(text: &[u8], last: bool) -> Option<usize> {
    let start = &text[..text.len().min(PIECE)];
    let end = start
        .iter()
        .rposition(|&byte| byte == b'\n')
        .or_else(|| memchr::memchr(b'\n', text));
    match end {
        Some(at) => Some(at + 1),
        None if text.len() >= LONGEST_LINE || (last && !text.is_empty()) => Some(text.len()),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_lines_go_out_together_and_an_unfinished_one_waits() {
        assert_eq!(piece(b"one\ntwo\nthr", false), Some(8));
        assert_eq!(piece(b"thr", false), None);
        assert_eq!(piece(b"thr", true), Some(3));
        assert_eq!(piece(b"", true), None);
    }

    #[test]
    fn a_line_longer_than_a_piece_stays_in_one() {
        let mut text = vec![b'x'; 3 * PIECE];
        assert_eq!(piece(&text, false), None);
        text.extend_from_slice(b"\nmore\n");
        assert_eq!(piece(&text, false), Some(3 * PIECE + 1));
        assert_eq!(piece(&vec![b'x'; LONGEST_LINE], false), Some(LONGEST_LINE));
    }
}
