//! The head of a CBOR item: major type and argument (RFC 8949, section 3).
//!
//! It refuses the reserved additional information 28 to 30; what 31 means is for the caller, since it depends on the
//! major type.

use crate::codec::{CodecError, ErrorKind};

/// Unsigned integer.
pub(super) const UNSIGNED: u8 = 0;
/// Negative integer, -1 - argument.
pub(super) const NEGATIVE: u8 = 1;
/// Byte string.
pub(super) const BYTES: u8 = 2;
/// Text string.
pub(super) const TEXT: u8 = 3;
/// Array.
pub(super) const ARRAY: u8 = 4;
/// Map.
pub(super) const MAP: u8 = 5;
/// Tag.
pub(super) const TAG: u8 = 6;
/// Simple value or float.
pub(super) const SIMPLE: u8 = 7;

/// The additional information of an indefinite length and of a break.
pub(super) const INDEFINITE: u8 = 31;
/// The byte that ends what an indefinite length began.
pub(super) const BREAK: u8 = 0xff;

/// The largest additional information that is the argument itself.
pub(super) const DIRECT_MAX: u8 = 23;

/// Major type and additional information of an initial byte.
#[inline(always)]
pub(super) const fn split(initial: u8) -> (u8, u8) {
    (initial >> 5, initial & 31)
}

/// The argument of the head at `at`, whose additional information is `info`, and the offset after the head.
///
/// # Errors
/// `UnexpectedEnd` (at the end of `source`) if the head is not all there; `InvalidHead` for 28 to 31.
#[inline(always)]
pub(super) fn argument(source: &[u8], at: usize, info: u8) -> Result<(u64, usize), CodecError> {
    if info <= DIRECT_MAX {
        return Ok((u64::from(info), at + 1));
    }
    match source.get(at + 1) {
        Some(&argument) if info == 24 => Ok((u64::from(argument), at + 2)),
        _ => rare_argument(source, at, info),
    }
}

#[inline(never)]
fn rare_argument(source: &[u8], at: usize, info: u8) -> Result<(u64, usize), CodecError> {
    wide_argument(source, at, info)
}

/// [`argument`] for 24 and up, without a shortcut and not worth one.
#[inline(always)]
pub(super) fn wide_argument(source: &[u8], at: usize, info: u8) -> Result<(u64, usize), CodecError> {
    let rest = source.get(at + 1..).unwrap_or_default();
    let (argument, width) = match info {
        24 => (rest.first().map(|&byte| u64::from(byte)), 1),
        25 => (rest.first_chunk().map(|b| u64::from(u16::from_be_bytes(*b))), 2),
        26 => (rest.first_chunk().map(|b| u64::from(u32::from_be_bytes(*b))), 4),
        27 => (rest.first_chunk().map(|b| u64::from_be_bytes(*b)), 8),
        _ => return Err(CodecError::new(ErrorKind::InvalidHead, at)),
    };
    match argument {
        Some(argument) => Ok((argument, at + 1 + width)),
        None => Err(CodecError::new(ErrorKind::UnexpectedEnd, source.len())),
    }
}

/// Where the string whose `len` bytes start at `at` ends.
///
/// # Errors
/// `UnexpectedEnd` if the source is shorter; nothing is reserved before this was asked.
#[inline(always)]
pub(super) fn string_end(source: &[u8], at: usize, len: u64) -> Result<usize, CodecError> {
    let left = source.len() - at; // OK because a head ends within its source
    match usize::try_from(len) {
        Ok(len) if len <= left => Ok(at + len),
        _ => Err(CodecError::new(ErrorKind::UnexpectedEnd, source.len())),
    }
}

/// Whether the `len` bytes at `offset`, which a scan has found to be a string in one piece, are a text string. The head
/// before them tells, read backwards: no two of its widths can end there with the same length.
#[must_use]
pub fn is_text(source: &[u8], offset: usize, len: usize) -> bool {
    [0, 1, 2, 4, 8].into_iter().any(|width| {
        let Some(at) = offset.checked_sub(1 + width) else {
            return false;
        };
        let (major, info) = split(source.get(at).copied().unwrap_or_default());
        major == TEXT && argument(source, at, info) == Ok((len as u64, offset)) // OK because usize is at most 64 bits
    })
}

/// The length of the chunk whose head is at `at` in an indefinite-length string of type `major`, and the offset after
/// that head; `None` and the offset after it for the break.
///
/// # Errors
/// `InvalidChunk` for an item of another type or of indefinite length (RFC 8949, section 3.2.3), `InvalidHead`,
/// `UnexpectedEnd`.
pub(super) fn chunk(source: &[u8], at: usize, major: u8) -> Result<(Option<u64>, usize), CodecError> {
    let Some(&initial) = source.get(at) else {
        return Err(CodecError::new(ErrorKind::UnexpectedEnd, source.len()));
    };
    if initial == BREAK {
        return Ok((None, at + 1));
    }
    let (found, info) = split(initial);
    if found != major || info == INDEFINITE {
        return Err(CodecError::new(ErrorKind::InvalidChunk, at));
    }
    let (len, after) = argument(source, at, info)?;
    Ok((Some(len), after))
}
