//! Framing, the other way: a message becomes a frame in the buffer it was written to, so that one write sends it whole.
//!
//! It refuses to know what the message is, and to have a buffer of its own: a prefix, whose length is known only when
//! the message is written, moves it up in its buffer, which costs less than a second write.

use super::Framing;
use crate::codec::simd::append_known;
use crate::codec::ErrorKind;

/// `Content-Length: 18446744073709551615\r\n\r\n` at most.
const LONGEST_HEADER: usize = 40;

impl Framing {
    /// The most bytes that [`Framing::seal`] adds.
    pub const MOST_ADDED: usize = LONGEST_HEADER;

    /// The message that stands in `out` from `start` to the end becomes a frame.
    ///
    /// # Errors
    /// `OutOfMemory`; `TooLarge` for a message whose length has no room in its prefix. `out` is unchanged then.
    #[inline(always)]
    pub fn seal(self, out: &mut Vec<u8>, start: usize) -> Result<(), ErrorKind> {
        match self {
            Framing::CborSequence => Ok(()),
            Framing::Line => append_known(out, b"\n").map_err(|_| ErrorKind::OutOfMemory),
            Framing::Length | Framing::ContentLength => self.put_prefix(out, start),
        }
    }

    /// The message in a frame; what is no frame of this kind, all of it.
    #[must_use]
    pub fn body(self, frame: &[u8]) -> &[u8] {
        let body = match self {
            Framing::CborSequence => None,
            Framing::Line => frame.strip_suffix(b"\n"),
            Framing::Length => frame
                .split_at_checked(4)
                .filter(|(prefix, body)| prefix.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)) == body.len())
                .map(|(_, body)| body),
            // The header is short.
            Framing::ContentLength => frame
                .windows(4)
                .position(|end| end == b"\r\n\r\n")
                .map(|at| &frame[at + 4..]),
        };
        body.unwrap_or(frame)
    }

    /// What the option `framing` calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Framing::CborSequence => "sequence",
            Framing::Line => "line",
            Framing::Length => "length",
            Framing::ContentLength => "content-length",
        }
    }

    /// Out of line, as every way of sending has a copy of the above.
    #[inline(never)]
    fn put_prefix(self, out: &mut Vec<u8>, start: usize) -> Result<(), ErrorKind> {
        match self {
            Framing::Length => {
                let length = u32::try_from(out.len() - start).map_err(|_| ErrorKind::TooLarge)?;
                put_before(out, start, &length.to_be_bytes())
            }
            _ => {
                let mut header = [0; LONGEST_HEADER];
                let used = write_header(&mut header, out.len() - start);
                put_before(out, start, &header[..used])
            }
        }
    }
}

/// Write the header of a body of `length` bytes to the front of `header`; how long it is.
fn write_header(header: &mut [u8; LONGEST_HEADER], length: usize) -> usize {
    use std::io::Write;
    let mut rest = header.as_mut_slice();
    // OK because the longest header fits: a usize has at most 20 digits.
    let _ = write!(rest, "Content-Length: {length}\r\n\r\n");
    let left = rest.len();
    LONGEST_HEADER - left
}

/// Put `prefix` into `out` at `start`.
fn put_before(out: &mut Vec<u8>, start: usize, prefix: &[u8]) -> Result<(), ErrorKind> {
    let end = out.len();
    out.try_reserve(prefix.len()).map_err(|_| ErrorKind::OutOfMemory)?;
    out.extend_from_slice(prefix); // for the length
    out.copy_within(start..end, start + prefix.len());
    out[start..start + prefix.len()].copy_from_slice(prefix);
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sealed(framing: Framing, message: &[u8]) -> Vec<u8> {
        let mut out = [b"before", message].concat();
        framing.seal(&mut out, 6).unwrap();
        assert!(out.len() <= 6 + message.len() + Framing::MOST_ADDED);
        out
    }

    #[test]
    fn what_stands_before_a_message_stays_where_it_is() {
        assert_eq!(sealed(Framing::Line, b"{}"), b"before{}\n");
        assert_eq!(sealed(Framing::CborSequence, b"\x01"), b"before\x01");
        assert_eq!(sealed(Framing::Length, b"{}"), b"before\0\0\0\x02{}");
        assert_eq!(
            sealed(Framing::ContentLength, b"{}"),
            b"beforeContent-Length: 2\r\n\r\n{}"
        );
    }

    #[test]
    fn the_longest_header_has_room() {
        let mut header = [0; LONGEST_HEADER];
        let used = write_header(&mut header, usize::MAX);
        assert!(header[..used].starts_with(b"Content-Length: "));
        assert!(header[..used].ends_with(b"\r\n\r\n"));
    }

    #[test]
    fn a_length_is_four_bytes_with_the_highest_first() {
        let out = sealed(Framing::Length, &[b'x'; 0x01_02_03]);
        assert_eq!(out[6..10], [0, 1, 2, 3]);
        assert_eq!(out.len(), 6 + 4 + 0x01_02_03);
    }
}
