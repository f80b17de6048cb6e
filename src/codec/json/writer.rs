//! Writers for single values; commas, colons and brackets are the caller's.
//!
//! They refuse NaN and infinity, which JSON cannot express, and strings that are not UTF-8 if told so. After an error
//! the output may hold a part of the value; the caller truncates it.

use super::super::error::ErrorKind;
use super::super::simd;

/// Longest text of a 64-bit integer: `-9223372036854775808`, `18446744073709551615`.
const INTEGER_MAX: usize = 20;

/// Append `text`.
#[inline(always)]
fn append(out: &mut Vec<u8>, text: &[u8], room: usize) -> Result<(), ErrorKind> {
    if out.capacity() - out.len() < room {
        out.try_reserve(room).map_err(|_| ErrorKind::OutOfMemory)?;
    }
    out.extend_from_slice(text);
    Ok(())
}

/// Append an integer.
///
/// # Errors
/// `OutOfMemory`.
#[inline]
pub fn write_int(out: &mut Vec<u8>, value: i64) -> Result<(), ErrorKind> {
    if let Some(digit) = u8::try_from(value).ok().filter(|digit| *digit < 10) {
        return append(out, &[b'0' + digit], 1);
    }
    append(out, itoa::Buffer::new().format(value).as_bytes(), INTEGER_MAX)
}

/// Append an unsigned integer.
///
/// # Errors
/// `OutOfMemory`.
#[inline]
pub fn write_uint(out: &mut Vec<u8>, value: u64) -> Result<(), ErrorKind> {
    append(out, itoa::Buffer::new().format(value).as_bytes(), INTEGER_MAX)
}

/// Append a float: the shortest text that reads back as the same double, and as a float: `1.0`, `-0.0`, `1e300`.
///
/// # Errors
/// `NotFinite` for NaN and the infinities, `OutOfMemory`.
#[inline]
pub fn write_float(out: &mut Vec<u8>, value: f64) -> Result<(), ErrorKind> {
    if !value.is_finite() {
        return Err(ErrorKind::NotFinite);
    }
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(value).as_bytes();
    append(out, text, text.len())
}

/// Append a string with its quotes. `"`, `\` and bytes below 0x20 are escaped (the short way where there is one, else
/// `\u00xx`), all others stand as they are.
///
/// # Errors
/// `InvalidUtf8` if `utf8` and `bytes` is not UTF-8 (RFC 3629), `OutOfMemory`.
#[inline]
pub fn write_str(out: &mut Vec<u8>, bytes: &[u8], utf8: bool) -> Result<(), ErrorKind> {
    append(out, b"\"", 1)?;
    let high = simd::append_escaped(out, bytes).map_err(|_| ErrorKind::OutOfMemory)?;
    if high && utf8 && simdutf8::basic::from_utf8(bytes).is_err() {
        return Err(ErrorKind::InvalidUtf8);
    }
    append(out, b"\"", 1)
}
