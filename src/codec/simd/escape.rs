//! The inside of a JSON string, copied and escaped chunk by chunk.
//!
//! A whole chunk is stored before anybody looks at what is in it; memory for the worst case is reserved beforehand, a
//! piece at a time, so that the loop checks nothing. It refuses to check for UTF-8: it says whether that is needed.
#![allow(unsafe_code)]

use std::collections::TryReserveError;

use super::{first, make_room, padded, Chunk, LANES};

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
        make_room(out, ESCAPED_MAX * piece.len() + LANES)?;
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
