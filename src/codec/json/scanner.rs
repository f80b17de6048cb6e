//! The structure of a document: containers, commas, colons, literals.
//!
//! It refuses to recurse: the levels around the present one are on the tape ([`Level`]), so that depth costs no stack.

use super::super::error::{CodecError, ErrorKind};
use super::super::simd;
use super::super::tape::{Level, Tape};
use super::{literals, number, string, ScanOptions};

/// The byte at `pos`, or zero, which JSON allows nowhere, where the source has ended.
#[inline(always)]
pub(super) fn byte(source: &[u8], pos: usize) -> u8 {
    source.get(pos).copied().unwrap_or(0)
}

/// The first byte from `pos` on that is no white space, and where it is. Most often that is the first or the second.
#[inline(always)]
fn after_space(source: &[u8], pos: usize) -> (u8, usize) {
    let first = byte(source, pos);
    if first > b' ' {
        return (first, pos);
    }
    let pos = skip_space(source, pos);
    (byte(source, pos), pos)
}

/// Where the first byte from `pos` on is that is no white space.
#[inline(always)]
pub(super) fn skip_space(source: &[u8], pos: usize) -> usize {
    if byte(source, pos) == b' ' && byte(source, pos + 1) > b' ' {
        return pos + 1;
    }
    simd::skip_space(source, pos)
}

/// The error for a byte that cannot stand at `pos`.
#[cold]
#[inline(never)]
pub(super) fn unexpected(source: &[u8], pos: usize, kind: ErrorKind) -> CodecError {
    if pos < source.len() {
        CodecError::new(kind, pos)
    } else {
        CodecError::new(ErrorKind::UnexpectedEnd, source.len())
    }
}

/// `true`, `false` or `null` at `pos`; returns the offset after it.
#[inline(always)]
fn literal<const N: usize>(source: &[u8], pos: usize, text: &[u8; N]) -> Result<usize, CodecError> {
    let rest = source.get(pos..).unwrap_or_default();
    if rest.first_chunk::<N>() == Some(text) {
        return Ok(pos + N);
    }
    let same = rest.iter().zip(text).take_while(|(a, b)| a == b).count();
    Err(unexpected(source, pos + same, ErrorKind::UnexpectedCharacter))
}

/// A key, whose first byte `first` is at `pos`, its colon, and white space; returns its value's first byte and place.
#[inline(always)]
fn key<const CHECK: bool>(
    source: &[u8],
    (first, pos): (u8, usize),
    tape: &mut Tape,
    high: &mut u64,
) -> Result<(u8, usize), CodecError> {
    if first != b'"' {
        return Err(unexpected(source, pos, ErrorKind::UnexpectedCharacter));
    }
    let pos = string::string::<CHECK>(source, pos + 1, tape, high)?;
    let (colon, pos) = after_space(source, pos);
    if colon != b':' {
        return Err(unexpected(source, pos, ErrorKind::UnexpectedCharacter));
    }
    Ok(after_space(source, pos + 1))
}

/// Scan one value; see [`super::scan_value`]. After an error the tape may hold a part of it.
///
/// `CHECK`, not `options.utf8`, says whether strings are looked at for UTF-8. Returns the offset after the value, and
/// whether any string may have bytes of 0x80 or above.
pub(super) fn value<const CHECK: bool>(
    source: &[u8],
    start: usize,
    tape: &mut Tape,
    options: &ScanOptions,
) -> Result<(usize, bool), CodecError> {
    let mut high = 0;
    let mut level = Level::OUTSIDE;
    let mut depth = 0;
    let (mut first, mut pos) = after_space(source, start);
    loop {
        // A value starts at pos with `first`.
        match first {
            b'"' => pos = string::string::<CHECK>(source, pos + 1, tape, &mut high)?,
            b'0'..=b'9' | b'-' => pos = number::number(source, pos, tape, options)?,
            open @ (b'{' | b'[') => {
                if depth >= options.max_depth {
                    return Err(CodecError::new(ErrorKind::TooDeep, pos));
                }
                let object = open == b'{';
                level = tape.descend(level, object)?;
                (first, pos) = after_space(source, pos + 1);
                if first == open + 2 {
                    // The closing bracket comes two after the opening one in ASCII.
                    level = tape.ascend(level);
                    pos += 1;
                } else {
                    depth += 1;
                    if object {
                        (first, pos) = key::<CHECK>(source, (first, pos), tape, &mut high)?;
                    }
                    continue;
                }
            }
            b't' => {
                pos = literal(source, pos, b"true")?;
                tape.bool(true)?;
            }
            b'f' => {
                pos = literal(source, pos, b"false")?;
                tape.bool(false)?;
            }
            b'n' => {
                pos = literal(source, pos, b"null")?;
                tape.null()?;
            }
            b'+' | b'.' => return Err(CodecError::new(ErrorKind::InvalidNumber, pos)),
            _ => pos = literals::not_finite(source, pos, tape, options)?,
        }
        // A value ended before pos.
        loop {
            if depth == 0 {
                return Ok((pos, high != 0));
            }
            level.count += 1;
            (first, pos) = after_space(source, pos);
            if first == b',' {
                (first, pos) = after_space(source, pos + 1);
                if level.object {
                    (first, pos) = key::<CHECK>(source, (first, pos), tape, &mut high)?;
                }
                break;
            }
            if first != if level.object { b'}' } else { b']' } {
                return Err(unexpected(source, pos, ErrorKind::UnexpectedCharacter));
            }
            level = tape.ascend(level);
            depth -= 1;
            pos += 1;
        }
    }
}
