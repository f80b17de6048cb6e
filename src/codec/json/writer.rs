//! Writers for single values; commas, colons and brackets are the caller's.
//!
//! They refuse NaN and infinity, which JSON cannot express, and strings that are not UTF-8 if told so. After an error
//! the output may hold a part of the value; the caller truncates it.

use super::super::error::ErrorKind;
use super::super::simd;

/// Append one byte.
#[inline(always)]
fn append_byte(out: &mut Vec<u8>, byte: u8) -> Result<(), ErrorKind> {
    if out.len() == out.capacity() {
        out.try_reserve(1).map_err(|_| ErrorKind::OutOfMemory)?;
    }
    out.push(byte);
    Ok(())
}

/// Append the text of a number.
#[inline(always)]
fn append_number(out: &mut Vec<u8>, text: &[u8]) -> Result<(), ErrorKind> {
    simd::append_short(out, text).map_err(|_| ErrorKind::OutOfMemory)
}

/// Append an integer.
///
/// # Errors
/// `OutOfMemory`.
#[inline(always)]
pub fn write_int(out: &mut Vec<u8>, value: i64) -> Result<(), ErrorKind> {
    simd::append_integer(out, value < 0, value.unsigned_abs()).map_err(|_| ErrorKind::OutOfMemory)
}

/// Append an unsigned integer.
///
/// # Errors
/// `OutOfMemory`.
#[inline]
pub fn write_uint(out: &mut Vec<u8>, value: u64) -> Result<(), ErrorKind> {
    simd::append_integer(out, false, value).map_err(|_| ErrorKind::OutOfMemory)
}

/// Append a float: the shortest text that reads back as the same double, and as a float: `1.0`, `-0.0`, `1e300`.
///
/// # Errors
/// `NotFinite` for NaN and the infinities, `OutOfMemory`.
#[inline(always)]
pub fn write_float(out: &mut Vec<u8>, value: f64) -> Result<(), ErrorKind> {
    if !value.is_finite() {
        return Err(ErrorKind::NotFinite);
    }
    let mut buffer = zmij::Buffer::new();
    append_number(out, buffer.format_finite(value).as_bytes())
}

/// Append a string that is most often short and plain, as names are.
///
/// # Errors
/// As [`write_str`].
#[inline]
pub fn write_name(out: &mut Vec<u8>, name: &[u8], utf8: bool) -> Result<(), ErrorKind> {
    if simd::append_quoted::<false>(out, name) {
        return Ok(());
    }
    write_str(out, name, utf8)
}

/// Append a string with its quotes. `"`, `\` and bytes below 0x20 are escaped (the short way where there is one, else
/// `\u00xx`), all others stand as they are.
///
/// # Errors
/// `InvalidUtf8` if `utf8` and `bytes` is not UTF-8 (RFC 3629), `OutOfMemory`.
#[inline]
pub fn write_str(out: &mut Vec<u8>, bytes: &[u8], utf8: bool) -> Result<(), ErrorKind> {
    append_byte(out, b'"')?;
    let high = simd::append_escaped(out, bytes).map_err(|_| ErrorKind::OutOfMemory)?;
    if high && utf8 && simdutf8::basic::from_utf8(bytes).is_err() {
        return Err(ErrorKind::InvalidUtf8);
    }
    append_byte(out, b'"')
}
