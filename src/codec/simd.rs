//! Byte searches, the only codec code that may be `unsafe`: SSE2 where the target has it, portable loops elsewhere.
//!
//! Every function here is safe to call with any input and reads no byte outside the slices it is given: the last
//! bytes of a slice go through [`padded`], which fills up with zeros. It refuses to know what the bytes mean beyond
//! "this one cannot stand unescaped in a JSON string" (RFC 8259, section 7).
#![allow(unsafe_code)]

use std::collections::TryReserveError;

mod chunk;

#[cfg(all(target_arch = "x86_64", not(feature = "portable")))]
use chunk::sse2::{Chunk, LANES, LANE_BITS};
#[cfg(not(all(target_arch = "x86_64", not(feature = "portable"))))]
use chunk::swar::{Chunk, LANES, LANE_BITS};

/// Where a run of plain string bytes ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Offset of the first `"`, `\` or byte below 0x20, or the length of the source.
    pub end: usize,
    /// Whether a byte of the run is 0x80 or above.
    pub high: bool,
}

/// The lane of the lowest mark in a mask that has one.
#[inline(always)]
fn first(mask: u64) -> usize {
    (mask.trailing_zeros() / LANE_BITS) as usize // OK because it is at most 64
}

/// The bits below the lowest mark; all of them if there is none.
#[inline(always)]
fn below_first(mask: u64) -> u64 {
    mask.wrapping_sub(1) & !mask
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
pub fn string_run(source: &[u8], mut pos: usize) -> Run {
    let mut high = 0;
    loop {
        let chunk = chunk_or_padded(source, pos);
        let special = chunk.special();
        if special != 0 {
            high |= chunk.high() & below_first(special);
            let end = pos + first(special);
            return Run { end, high: high != 0 };
        }
        high |= chunk.high();
        pos += LANES;
    }
}

/// [`string_run`] that appends the run to `out`.
///
/// # Errors
/// When memory for it cannot be had.
#[inline(always)]
pub fn append_string_run(source: &[u8], mut pos: usize, out: &mut Vec<u8>) -> Result<Run, TryReserveError> {
    let mut high = 0;
    loop {
        if out.capacity() - out.len() < LANES {
            out.try_reserve(LANES)?;
        }
        let chunk = chunk_or_padded(source, pos);
        let special = chunk.special();
        let take = if special == 0 { LANES } else { first(special) };
        // SAFETY: there is room for LANES bytes behind the length; all of them are written, `take` <= LANES of them
        // are kept.
        unsafe {
            chunk.store(out.as_mut_ptr().add(out.len()));
            out.set_len(out.len() + take);
        }
        pos += take;
        high |= chunk.high() & below_first(special);
        if special != 0 {
            return Ok(Run {
                end: pos,
                high: high != 0,
            });
        }
    }
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

/// Source bytes that [`append_escaped`] reserves memory for at a time.
const PIECE: usize = 4096;

/// What a byte becomes in a JSON string: up to six bytes, two of padding, and how many count. Zero: itself.
const ESCAPES: [([u8; 8], u8); 256] = {
    let mut table = [([0; 8], 0); 256];
    let mut byte = 0;
    while byte < 0x20 {
        let hex = b"0123456789abcdef";
        let low = hex[byte & 15];
        table[byte] = ([b'\\', b'u', b'0', b'0', b'0' + (byte >> 4) as u8, low, 0, 0], 6);
        byte += 1;
    }
    let short = *b"\x08b\x0cf\nn\rr\tt\"\"\\\\";
    let mut at = 0;
    while at < short.len() {
        table[short[at] as usize] = ([b'\\', short[at + 1], 0, 0, 0, 0, 0, 0], 2);
        at += 2;
    }
    table
};

/// Append `bytes`, with `"`, `\` and bytes below 0x20 escaped. Returns whether a byte is 0x80 or above.
///
/// # Errors
/// When memory for it cannot be had.
pub fn append_escaped(out: &mut Vec<u8>, bytes: &[u8]) -> Result<bool, TryReserveError> {
    let mut high = 0;
    for piece in bytes.chunks(PIECE) {
        let room = ESCAPED_MAX * piece.len() + LANES;
        if out.capacity() - out.len() < room {
            out.try_reserve(room)?;
        }
        // SAFETY: there is that much room behind the length.
        high |= unsafe { escape_piece(out, piece) };
    }
    Ok(high != 0)
}

/// The longest escape.
const ESCAPED_MAX: usize = 6;

/// Returns a mask that is not zero if a byte is 0x80 or above.
///
/// # Safety
/// `out` must have room for `ESCAPED_MAX * piece.len() + LANES` more bytes.
#[inline(always)]
unsafe fn escape_piece(out: &mut Vec<u8>, piece: &[u8]) -> u64 {
    let source = piece.as_ptr();
    let mut high = 0;
    let mut pos = 0;
    // SAFETY: for every write through `to`: before it, at most ESCAPED_MAX bytes were kept for each byte of the piece
    // that was passed; a write is LANES bytes, or eight for an escape whose byte is not yet counted as passed
    // (6 + LANES >= 8), so it ends within the room that the caller vouches for. For every read: a chunk is read at pos
    // only when pos + LANES <= piece.len(), and inside a chunk (at most LANES bytes further on) only when
    // pos + 2 * LANES <= piece.len().
    unsafe {
        let mut to = out.as_mut_ptr().add(out.len());
        while pos + LANES <= piece.len() {
            let chunk = Chunk::load(source.add(pos));
            chunk.store(to);
            high |= chunk.high();
            let mut special = chunk.special();
            if special == 0 {
                to = to.add(LANES);
                pos += LANES;
                continue;
            }
            if pos + 2 * LANES > piece.len() {
                break;
            }
            let (base, end) = (pos, pos + LANES);
            while special != 0 {
                let plain = base + first(special) - pos;
                to = to.add(plain);
                pos += plain;
                to = put_escape(to, *source.add(pos));
                pos += 1;
                Chunk::load(source.add(pos)).store(to);
                special &= special - 1;
            }
            to = to.add(end - pos);
            pos = end;
        }
        let rest = piece.get_unchecked(pos..);
        let plain = if rest.len() < LANES {
            let chunk = padded(rest);
            chunk.store(to); // kept as far as it is plain; the zeros behind the end count as special
            high |= chunk.high();
            first(chunk.special())
        } else {
            0
        };
        to = to.add(plain);
        for &byte in rest.get_unchecked(plain..) {
            high |= u64::from(byte & 0x80);
            to = put_escape(to, byte);
        }
        out.set_len(to.offset_from(out.as_ptr()) as usize); // OK because `to` is not before the start
    }
    high
}

/// Write `byte` as it stands in a JSON string; returns the place after it.
///
/// # Safety
/// Eight bytes from `to` on must be writable.
#[inline(always)]
unsafe fn put_escape(to: *mut u8, byte: u8) -> *mut u8 {
    let (text, len) = ESCAPES[usize::from(byte)];
    // SAFETY: the caller vouches for eight bytes.
    unsafe {
        if len == 0 {
            to.write(byte);
            to.add(1)
        } else {
            to.cast::<[u8; 8]>().write_unaligned(text);
            to.add(usize::from(len))
        }
    }
}
