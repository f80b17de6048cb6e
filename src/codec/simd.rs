//! Byte searches, the only codec code that may be `unsafe`: SSE2 where the target has it, portable loops elsewhere.
//!
//! Every function here is safe to call with any input and reads no byte outside the slices it is given: the last
//! bytes of a slice go through [`padded`], which fills up with zeros. It refuses to know what the bytes mean beyond
//! "this one cannot stand unescaped in a JSON string" (RFC 8259, section 7).
#![allow(unsafe_code)]

use std::collections::TryReserveError;

mod chunk;
mod digits;
mod escape;
mod short;
mod unescape;

pub use digits::append_integer;
pub use escape::append_escaped;
pub use short::append_quoted;
pub use unescape::{append_few, append_unescaped};

#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
use chunk::sse2::{Chunk, LANES, LANE_BITS};
#[cfg(not(all(target_arch = "x86_64", not(feature = "portable"))))]
use chunk::swar::{Chunk, LANES, LANE_BITS};

/// Where a run of plain string bytes ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Offset of the first `"`, `\` or byte below 0x20, or the length of the source.
    pub end: usize,
    /// Not zero if a byte of the run is 0x80 or above; perhaps also if one of the few bytes behind it is.
    pub high: u64,
}

/// The lane of the lowest mark in a mask that has one.
#[inline(always)]
fn first(mask: u64) -> usize {
    (mask.trailing_zeros() / LANE_BITS) as usize // OK because it is at most 64
}

/// The chunk at `pos`, if the source holds all of it.
#[inline(always)]
fn chunk_at(source: &[u8], pos: usize) -> Option<Chunk> {
    if pos < source.len().saturating_sub(LANES - 1) {
        // SAFETY: pos + LANES - 1 < source.len(), so LANES bytes from pos on lie inside the slice.
        Some(unsafe { Chunk::load(source.as_ptr().add(pos)) })
    } else {
        None
    }
}

/// The chunk at `pos`, zeros where the source has ended.
#[inline(always)]
fn chunk_or_padded(source: &[u8], pos: usize) -> Chunk {
    match chunk_at(source, pos) {
        Some(chunk) => chunk,
        None => padded(source.get(pos..).unwrap_or_default()),
    }
}

/// A chunk of fewer than `LANES` bytes, filled up with zeros.
#[inline(always)]
fn padded(rest: &[u8]) -> Chunk {
    match (rest.first_chunk::<8>(), rest.last_chunk::<8>()) {
        (Some(head), Some(tail)) => {
            // Two words that overlap: the second ends with the slice and is shifted into its place.
            let shift = 8 * (16 - rest.len().min(15)) as u32; // OK because it is between 8 and 64
            let tail = u64::from_le_bytes(*tail).checked_shr(shift).unwrap_or(0);
            Chunk::from_words(u64::from_le_bytes(*head), tail)
        }
        _ => Chunk::from_words(short_word(rest), 0),
    }
}

/// Up to seven bytes as a little-endian word, filled up with zeros.
#[inline(always)]
fn short_word(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    if let (Some(head), Some(tail)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let (head, tail) = (u32::from_le_bytes(*head), u32::from_le_bytes(*tail));
        u64::from(head) | u64::from(tail) << (8 * (len - 4))
    } else if let (Some(head), Some(tail)) = (bytes.first(), bytes.last()) {
        let middle = len / 2; // the first, the middle and the last byte: all there are
        u64::from(*head) | u64::from(bytes[middle]) << (8 * middle) | u64::from(*tail) << (8 * (len - 1))
    } else {
        0
    }
}

/// Eight bytes from `pos` on as a little-endian word, if the source holds them.
#[inline(always)]
#[must_use]
pub fn word_at(source: &[u8], pos: usize) -> Option<u64> {
    if pos < source.len().saturating_sub(7) {
        // SAFETY: pos + 7 < source.len(), so eight bytes from pos on lie inside the slice.
        Some(u64::from_le(unsafe {
            source.as_ptr().add(pos).cast::<u64>().read_unaligned()
        }))
    } else {
        None
    }
}

/// The end of the run of plain string bytes that starts at `pos`.
#[inline(always)]
#[must_use]
pub fn string_run(source: &[u8], pos: usize) -> Run {
    if let Some(chunk) = chunk_at(source, pos) {
        let special = chunk.special();
        if special != 0 {
            let end = pos + first(special);
            return Run {
                end,
                high: chunk.high(),
            };
        }
    }
    long_string_run(source, pos)
}

/// [`string_run`] for what does not end within a chunk.
#[inline(never)]
fn long_string_run(source: &[u8], mut pos: usize) -> Run {
    let mut high = 0;
    loop {
        let chunk = chunk_or_padded(source, pos);
        high |= chunk.high();
        let special = chunk.special();
        if special != 0 {
            let end = pos + first(special);
            return Run { end, high };
        }
        pos += LANES;
    }
}

/// How far [`near_line_feed`] looks.
const NEAR: usize = 512;

/// The first line feed from `pos` on, if it is among the next [`NEAR`] bytes and the source goes on for a chunk behind
/// it: a short line, which a search made for long ones takes longer to find.
#[inline(always)]
#[must_use]
pub fn near_line_feed(source: &[u8], pos: usize) -> Option<usize> {
    let end = source.len().saturating_sub(LANES - 1).min(pos.saturating_add(NEAR));
    let mut at = pos;
    while at < end {
        // SAFETY: at + LANES - 1 < source.len(), so LANES bytes from `at` on lie inside the slice.
        let feed = unsafe { Chunk::load(source.as_ptr().add(at)) }.line_feed();
        if feed != 0 {
            return Some(at + first(feed));
        }
        at += LANES;
    }
    None
}

/// Append bytes without aborting.
///
/// # Errors
/// When memory for it cannot be had.
#[inline(always)]
pub fn append(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), TryReserveError> {
    make_room(out, bytes.len())?;
    // SAFETY: there is room for the bytes behind the length, and what is borrowed mutably does not overlap them.
    unsafe {
        let to = out.as_mut_ptr().add(out.len());
        to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        out.set_len(out.len() + bytes.len());
    }
    Ok(())
}

/// The least a vector grows by.
const LEAST: usize = 256;

/// Make room for `more` bytes.
#[inline(always)]
fn make_room(out: &mut Vec<u8>, more: usize) -> Result<(), TryReserveError> {
    if out.capacity() - out.len() < more {
        let (grown, result) = grow(std::mem::take(out), more);
        *out = grown;
        result?;
    }
    Ok(())
}

/// By value, so that a vector that never grows need not have an address.
#[cold]
#[inline(never)]
fn grow(mut out: Vec<u8>, more: usize) -> (Vec<u8>, Result<(), TryReserveError>) {
    let result = out.try_reserve(more.max(LEAST));
    (out, result)
}

/// Append bytes that are mostly too few for the call of a copy function to pay: a number's text, a short string.
///
/// # Errors
/// When memory for it cannot be had.
#[inline(always)]
pub fn append_short(out: &mut Vec<u8>, text: &[u8]) -> Result<(), TryReserveError> {
    make_room(out, text.len().max(8))?;
    // SAFETY: there is room for text.len() bytes behind the length, and for eight. Eight or sixteen bytes are read and
    // written at either end of a text that has that many; the two may overlap. A text of up to seven is one word.
    unsafe {
        let to = out.as_mut_ptr().add(out.len());
        if let (Some(head), Some(tail)) = (text.first_chunk::<16>(), text.last_chunk::<16>()) {
            if text.len() <= 32 {
                to.cast::<[u8; 16]>().write_unaligned(*head);
                to.add(text.len() - 16).cast::<[u8; 16]>().write_unaligned(*tail);
            } else {
                to.copy_from_nonoverlapping(text.as_ptr(), text.len());
            }
        } else if let (Some(head), Some(tail)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
            to.cast::<[u8; 8]>().write_unaligned(*head);
            to.add(text.len() - 8).cast::<[u8; 8]>().write_unaligned(*tail);
        } else {
            to.cast::<u64>().write_unaligned(short_word(text).to_le());
        }
        out.set_len(out.len() + text.len());
    }
    Ok(())
}

/// Append bytes whose number is known when this is compiled: they are stored without a call.
///
/// # Errors
/// When memory for it cannot be had.
#[inline(always)]
pub fn append_known<const N: usize>(out: &mut Vec<u8>, text: &[u8; N]) -> Result<(), TryReserveError> {
    if out.capacity() - out.len() < N {
        return append_grown(out, text);
    }
    // SAFETY: there is room for N bytes behind the length.
    unsafe {
        out.as_mut_ptr().add(out.len()).cast::<[u8; N]>().write_unaligned(*text);
        out.set_len(out.len() + N);
    }
    Ok(())
}

#[cold]
#[inline(never)]
fn append_grown(out: &mut Vec<u8>, text: &[u8]) -> Result<(), TryReserveError> {
    out.try_reserve(text.len().max(LEAST))?;
    out.extend_from_slice(text);
    Ok(())
}

/// The offset of the first byte from `pos` on that is no JSON white space (RFC 8259, section 2), or the length of the
/// source if that is less than or equal to `pos`.
#[inline(never)]
#[must_use]
pub fn skip_space(source: &[u8], mut pos: usize) -> usize {
    loop {
        let other = chunk_or_padded(source, pos).not_space();
        if other != 0 {
            return pos + first(other);
        }
        pos += LANES;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn searches_end_at_the_first_hit_wherever_it_is() {
        for len in 0..50 {
            for hit in 0..=len {
                for byte in [b'"', b'\\', 0, 0x1f] {
                    let mut text = vec![b'x'; len];
                    let mut space = vec![b' '; len];
                    if let Some(place) = text.get_mut(hit) {
                        *place = byte;
                        space[hit] = byte;
                    }
                    for start in 0..=hit {
                        let run = Run { end: hit, high: 0 };
                        assert_eq!(string_run(&text, start), run);
                        assert_eq!(skip_space(&space, start), hit);
                    }
                }
            }
        }
    }

    #[test]
    fn a_high_byte_of_the_run_is_always_seen() {
        for len in 0..40 {
            let mut text = vec![b'x'; len];
            text.push(b'"');
            assert_eq!(string_run(&text, 0).high, 0);
            for at in 0..len {
                text[at] = 0x80;
                assert_ne!(string_run(&text, 0).high, 0);
                text[at] = b'x';
            }
        }
    }

    #[test]
    fn the_first_line_feed_is_found_if_it_is_near_and_not_among_the_last_bytes() {
        for len in 1..600 {
            let mut text = vec![b'x'; len - 1];
            assert_eq!(near_line_feed(&text, 0), None);
            text.push(b'\n');
            let at_end = near_line_feed(&text, 0);
            assert!(at_end.is_none() || at_end == Some(len - 1), "{len}");
            text.extend_from_slice(&[b'\n'; LANES]);
            assert_eq!(near_line_feed(&text, 0), (len <= NEAR).then_some(len - 1), "{len}");
            assert_eq!(near_line_feed(&text, len - 1), Some(len - 1));
        }
        assert_eq!(near_line_feed(b"\n", usize::MAX), None);
    }

    #[test]
    fn bytes_are_appended_whole_with_room_and_without() {
        let text: Vec<u8> = (0..100).collect();
        for room in [0, 50, 103, 200] {
            let mut out = Vec::with_capacity(room);
            out.extend_from_slice(b"old");
            append(&mut out, &text).unwrap();
            append(&mut out, b"").unwrap();
            assert_eq!((&out[..3], &out[3..]), (&b"old"[..], &text[..]));
        }
    }

    #[test]
    fn a_start_beyond_the_end_finds_nothing() {
        let run = Run { end: 99, high: 0 };
        assert_eq!(string_run(b"0123456789abcdefgh", 99), run);
        assert_eq!(skip_space(b"  ", 99), 99);
        assert_eq!((word_at(b"1234567", 0), word_at(b"12345678", 1)), (None, None));
        assert_eq!(word_at(b"x12345678", 1), Some(u64::from_le_bytes(*b"12345678")));
    }

    #[test]
    fn short_texts_are_appended_whole() {
        let text: Vec<u8> = (0..40).collect();
        for len in 0..=text.len() {
            let mut out = vec![7];
            append_short(&mut out, &text[..len]).unwrap();
            assert_eq!(out[1..], text[..len]);
        }
    }

    #[test]
    fn known_texts_are_appended_whole_with_room_and_without() {
        for room in 0..40 {
            let mut out = Vec::with_capacity(room);
            append_known(&mut out, b"{\"jsonrpc\":\"2.0\"").unwrap();
            append_known(&mut out, b"}").unwrap();
            assert_eq!(out, b"{\"jsonrpc\":\"2.0\"}");
        }
    }
}
