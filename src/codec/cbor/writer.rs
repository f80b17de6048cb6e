//! CBOR writers: each appends one value, or the head of one, to a byte vector.
//!
//! They refuse to keep track of what is open: who writes a head of n items writes n items. Every head is the shortest
//! (RFC 8949, section 4.2.1); no length is indefinite. After an error nothing was appended.

use super::float::to_half;
use super::head::{ARRAY, BYTES, DIRECT_MAX, MAP, NEGATIVE, SIMPLE, TAG, TEXT, UNSIGNED};
use crate::codec::{simd, ErrorKind};

/// The longest head: an initial byte and eight of argument.
const HEAD_MAX: usize = 9;

#[inline(always)]
fn reserve(out: &mut Vec<u8>, more: usize) -> Result<(), ErrorKind> {
    if out.capacity() - out.len() < more {
        return grow(out, more);
    }
    Ok(())
}

#[cold]
#[inline(never)]
fn grow(out: &mut Vec<u8>, more: usize) -> Result<(), ErrorKind> {
    out.try_reserve(more).map_err(|_| ErrorKind::OutOfMemory)
}

/// Append the shortest head; at least [`HEAD_MAX`] bytes are reserved.
#[inline(always)] // a call costs the encoder 2 %
fn push_head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let major = major << 5;
    if argument <= u64::from(DIRECT_MAX) {
        out.push(major | argument as u8); // OK because it is at most 23
    } else if let Ok(argument) = u8::try_from(argument) {
        out.extend_from_slice(&[major | 24, argument]);
    } else {
        push_wide_head(out, major, argument);
    }
}

#[inline(never)]
fn push_wide_head(out: &mut Vec<u8>, major: u8, argument: u64) {
    if let Ok(argument) = u16::try_from(argument) {
        let [a, b] = argument.to_be_bytes();
        out.extend_from_slice(&[major | 25, a, b]);
    } else if let Ok(argument) = u32::try_from(argument) {
        let [a, b, c, d] = argument.to_be_bytes();
        out.extend_from_slice(&[major | 26, a, b, c, d]);
    } else {
        let [a, b, c, d, e, f, g, h] = argument.to_be_bytes();
        out.extend_from_slice(&[major | 27, a, b, c, d, e, f, g, h]);
    }
}

#[inline(always)]
fn write_head(out: &mut Vec<u8>, major: u8, argument: u64) -> Result<(), ErrorKind> {
    reserve(out, HEAD_MAX)?;
    push_head(out, major, argument);
    Ok(())
}

#[inline(always)]
fn write_string(out: &mut Vec<u8>, major: u8, bytes: &[u8]) -> Result<(), ErrorKind> {
    reserve(out, HEAD_MAX.saturating_add(bytes.len()))?;
    push_head(out, major, bytes.len() as u64); // OK because usize is at most 64 bits
    simd::append_short(out, bytes).map_err(|_| ErrorKind::OutOfMemory)
}

#[inline]
fn write_byte(out: &mut Vec<u8>, byte: u8) -> Result<(), ErrorKind> {
    reserve(out, 1)?;
    out.push(byte);
    Ok(())
}

/// Append an integer.
///
/// # Errors
/// `OutOfMemory`, as for everything in this module.
#[inline(always)]
pub fn write_int(out: &mut Vec<u8>, value: i64) -> Result<(), ErrorKind> {
    match u64::try_from(value) {
        Ok(value) => write_head(out, UNSIGNED, value),
        Err(_) => write_head(out, NEGATIVE, !value as u64), // OK because -1 - value is not negative
    }
}

/// Append an integer that may be above `i64::MAX`.
///
/// # Errors
/// `OutOfMemory`.
#[inline]
pub fn write_uint(out: &mut Vec<u8>, value: u64) -> Result<(), ErrorKind> {
    write_head(out, UNSIGNED, value)
}

/// Append a float. If `shortest`, as the shortest of half, single and double that is exact, and any NaN as `f97e00`
/// (RFC 8949, section 4.2.2); otherwise always as a double, a NaN with its own bits.
///
/// # Errors
/// `OutOfMemory`.
#[inline]
pub fn write_float(out: &mut Vec<u8>, value: f64, shortest: bool) -> Result<(), ErrorKind> {
    reserve(out, HEAD_MAX)?;
    if shortest {
        if value.is_nan() {
            out.extend_from_slice(&[0xf9, 0x7e, 0x00]);
            return Ok(());
        }
        let single = value as f32; // OK because it is compared with the double next
        if f64::from(single) == value {
            if let Some(half) = to_half(single) {
                let [a, b] = half.to_be_bytes();
                out.extend_from_slice(&[0xf9, a, b]);
            } else {
                let [a, b, c, d] = single.to_be_bytes();
                out.extend_from_slice(&[0xfa, a, b, c, d]);
            }
            return Ok(());
        }
    }
    let [a, b, c, d, e, f, g, h] = value.to_be_bytes();
    out.extend_from_slice(&[0xfb, a, b, c, d, e, f, g, h]);
    Ok(())
}

/// Append a byte string.
///
/// # Errors
/// `OutOfMemory`.
#[inline(always)]
pub fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), ErrorKind> {
    write_string(out, BYTES, bytes)
}

/// Append a text string; that it is UTF-8, as RFC 8949, section 3.1 requires, is the caller's word.
///
/// # Errors
/// `OutOfMemory`.
#[inline(always)]
pub fn write_text(out: &mut Vec<u8>, text: &[u8]) -> Result<(), ErrorKind> {
    write_string(out, TEXT, text)
}

/// Append null.
///
/// # Errors
/// `OutOfMemory`.
#[inline]
pub fn write_null(out: &mut Vec<u8>) -> Result<(), ErrorKind> {
    write_byte(out, 0xf6)
}

/// Append undefined.
///
/// # Errors
/// `OutOfMemory`.
#[inline]
pub fn write_undefined(out: &mut Vec<u8>) -> Result<(), ErrorKind> {
    write_byte(out, 0xf7)
}

/// Append a boolean.
///
/// # Errors
/// `OutOfMemory`.
#[inline]
pub fn write_bool(out: &mut Vec<u8>, value: bool) -> Result<(), ErrorKind> {
    write_byte(out, 0xf4 + u8::from(value))
}

/// Append a simple value; 20 to 23 are false, true, null and undefined.
///
/// # Errors
/// `InvalidSimple` for 24 to 31, which RFC 8949, section 3.3 reserves; `OutOfMemory`.
#[inline]
pub fn write_simple(out: &mut Vec<u8>, value: u8) -> Result<(), ErrorKind> {
    if (24..32).contains(&value) {
        return Err(ErrorKind::InvalidSimple);
    }
    write_head(out, SIMPLE, u64::from(value))
}

/// Append a tag; the tagged item follows.
///
/// # Errors
/// `OutOfMemory`.
#[inline]
pub fn write_tag(out: &mut Vec<u8>, tag: u64) -> Result<(), ErrorKind> {
    write_head(out, TAG, tag)
}

/// Append the head of an array; `n` items follow.
///
/// # Errors
/// `OutOfMemory`.
#[inline]
pub fn write_array_head(out: &mut Vec<u8>, n: usize) -> Result<(), ErrorKind> {
    write_head(out, ARRAY, n as u64) // OK because usize is at most 64 bits
}

/// Append the head of a map; `n` keys, each with its value, follow.
///
/// # Errors
/// `OutOfMemory`.
#[inline]
pub fn write_map_head(out: &mut Vec<u8>, n: usize) -> Result<(), ErrorKind> {
    write_head(out, MAP, n as u64) // OK because usize is at most 64 bits
}

/// Begin an array whose length is not known yet; the place to give to [`close_array`] after its items.
///
/// # Errors
/// `OutOfMemory`.
#[inline]
pub fn open_array(out: &mut Vec<u8>) -> Result<usize, ErrorKind> {
    open(out, ARRAY)
}

/// End the array that began at `open` on this vector and has `items` items. What lies between is moved if the head
/// needs more than one byte (24 items and up); containers inside must be closed already.
///
/// # Errors
/// `OutOfMemory`.
#[inline]
pub fn close_array(out: &mut Vec<u8>, open: usize, items: usize) -> Result<(), ErrorKind> {
    close(out, ARRAY, open, items)
}

/// Begin a map whose length is not known yet; the place to give to [`close_map`] after its pairs.
///
/// # Errors
/// `OutOfMemory`.
#[inline]
pub fn open_map(out: &mut Vec<u8>) -> Result<usize, ErrorKind> {
    open(out, MAP)
}

/// End the map that began at `open` on this vector and has `pairs` pairs. What lies between is moved if the head needs
/// more than one byte (24 pairs and up); containers inside must be closed already.
///
/// # Errors
/// `OutOfMemory`.
#[inline]
pub fn close_map(out: &mut Vec<u8>, open: usize, pairs: usize) -> Result<(), ErrorKind> {
    close(out, MAP, open, pairs)
}

#[inline]
fn open(out: &mut Vec<u8>, major: u8) -> Result<usize, ErrorKind> {
    let at = out.len();
    write_byte(out, major << 5)?;
    Ok(at)
}

#[inline]
fn close(out: &mut Vec<u8>, major: u8, open: usize, count: usize) -> Result<(), ErrorKind> {
    if count <= usize::from(DIRECT_MAX) {
        out[open] = major << 5 | count as u8; // OK because `open` is where open() pushed a byte, and count at most 23
        Ok(())
    } else {
        close_wide(out, major, open, count)
    }
}

#[cold]
fn close_wide(out: &mut Vec<u8>, major: u8, open: usize, count: usize) -> Result<(), ErrorKind> {
    reserve(out, HEAD_MAX)?;
    let end = out.len();
    push_head(out, major, count as u64); // OK because usize is at most 64 bits
    let mut head = [0; HEAD_MAX];
    let len = out.len() - end;
    head[..len].copy_from_slice(&out[end..]); // OK because a head has at most HEAD_MAX bytes
    out.copy_within(open + 1..end, open + len); // OK because `open` is where open() pushed a byte
    out[open..open + len].copy_from_slice(&head[..len]);
    out.pop(); // the byte that open() pushed is now part of the head
    Ok(())
}
