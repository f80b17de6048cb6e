//! Strings (RFC 8259, section 7): a place in the source, or resolved escapes in the tape's scratch buffer.
//!
//! It refuses raw control characters, unknown escapes, surrogates without their other half and, when asked to, bytes
//! that are not UTF-8 (RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF).

use super::super::error::{CodecError, ErrorKind};
use super::super::simd;
use super::super::tape::Tape;
use super::scanner::{byte, unexpected};

/// Scan the string whose opening quote stands before `start`; returns the offset after its closing quote. `CHECK`:
/// refuse what is not UTF-8. `high` becomes other than zero if a byte of it is 0x80 or above (and perhaps otherwise).
#[inline(always)]
pub(super) fn string<const CHECK: bool>(
    source: &[u8],
    start: usize,
    tape: &mut Tape,
    high: &mut u64,
) -> Result<usize, CodecError> {
    let run = simd::string_run(source, start);
    *high |= run.high;
    if byte(source, run.end) == b'"' {
        if CHECK && run.high != 0 {
            check_utf8(source, start, run.end)?;
        }
        tape.str(start, run.end - start)?;
        return Ok(run.end + 1);
    }
    let (end, seen) = escaped::<CHECK>(source, start, tape)?;
    *high |= seen;
    Ok(end)
}

/// A string whose first run of plain bytes ended at something else than its quote.
#[inline(never)]
fn escaped<const CHECK: bool>(source: &[u8], start: usize, tape: &mut Tape) -> Result<(usize, u64), CodecError> {
    let scratch_start = tape.scratch().len();
    // A local vector, whose length and place stay in registers.
    let mut scratch = std::mem::take(tape.scratch_mut());
    let result = resolve(source, start, &mut scratch);
    *tape.scratch_mut() = scratch;
    match result {
        Ok((end, high)) => {
            if CHECK && high != 0 {
                check_utf8(source, start, end)?;
            }
            tape.scratch_str(scratch_start)?;
            Ok((end + 1, high))
        }
        Err(error) => {
            // The first byte that is wrong is the one to name.
            if CHECK {
                check_utf8(source, start, error.offset)?;
            }
            Err(error)
        }
    }
}

/// Copy the string to `scratch` with its escapes resolved. Returns the offset of its closing quote and a mask that is
/// not zero if it has bytes of 0x80 or above in the source.
#[inline(always)]
fn resolve(source: &[u8], start: usize, scratch: &mut Vec<u8>) -> Result<(usize, u64), CodecError> {
    let (mut pos, mut high) = (start, 0);
    loop {
        let Ok(run) = simd::append_unescaped(source, pos, scratch) else {
            return Err(CodecError::new(ErrorKind::OutOfMemory, pos));
        };
        pos = run.end;
        high |= run.high;
        match byte(source, pos) {
            // Escapes like company: `\u5f20\u98de`.
            b'\\' => loop {
                pos = unicode_escape(source, pos, scratch)?;
                if byte(source, pos) != b'\\' || byte(source, pos + 1) != b'u' {
                    break;
                }
            },
            b'"' => return Ok((pos, high)),
            _ => return Err(unexpected(source, pos, ErrorKind::ControlCharacter)),
        }
    }
}

/// Resolve the `\u` escape whose backslash is at `pos`; returns the offset after it.
#[inline(always)]
fn unicode_escape(source: &[u8], pos: usize, scratch: &mut Vec<u8>) -> Result<usize, CodecError> {
    if byte(source, pos + 1) != b'u' {
        return Err(unexpected(source, pos + 1, ErrorKind::InvalidEscape));
    }
    let (scalar, end) = code_point(source, pos)?;
    let mut bytes = [0; 4];
    let len = scalar.encode_utf8(&mut bytes).len();
    append(scratch, bytes, len, pos)?;
    Ok(end)
}

/// Append the first `len` of `bytes`.
#[inline(always)]
fn append(scratch: &mut Vec<u8>, bytes: [u8; 4], len: usize, pos: usize) -> Result<(), CodecError> {
    simd::append_few(scratch, bytes, len).map_err(|_| CodecError::new(ErrorKind::OutOfMemory, pos))
}

/// The character of the `\u` escape at `pos`, or of the two that make a surrogate pair, and the offset after it.
#[inline(always)]
fn code_point(source: &[u8], pos: usize) -> Result<(char, usize), CodecError> {
    let lone = CodecError::new(ErrorKind::LoneSurrogate, pos);
    let first = hex4(source, pos + 2)?;
    if !(0xd800..0xdc00).contains(&first) {
        return Ok((char::try_from(first).map_err(|_| lone)?, pos + 6));
    }
    for (at, expected) in [(pos + 6, b'\\'), (pos + 7, b'u')] {
        if byte(source, at) != expected {
            return Err(match unexpected(source, at, ErrorKind::LoneSurrogate).kind {
                ErrorKind::LoneSurrogate => lone,
                end => CodecError::new(end, source.len()),
            });
        }
    }
    let second = hex4(source, pos + 8)?;
    if !(0xdc00..0xe000).contains(&second) {
        return Err(lone);
    }
    let scalar = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    Ok((char::try_from(scalar).map_err(|_| lone)?, pos + 12))
}

/// The value of a hexadecimal digit, or 0xff.
const HEX: [u8; 256] = {
    let mut table = [0xff; 256];
    let mut digit = 0;
    while digit < 16 {
        table[b"0123456789abcdef"[digit] as usize] = digit as u8;
        table[b"0123456789ABCDEF"[digit] as usize] = digit as u8;
        digit += 1;
    }
    table
};

/// Four hexadecimal digits at `pos`.
#[inline(always)]
fn hex4(source: &[u8], pos: usize) -> Result<u32, CodecError> {
    let mut value = 0;
    for at in pos..pos + 4 {
        let digit = HEX[usize::from(byte(source, at))];
        if digit == 0xff {
            return Err(unexpected(source, at, ErrorKind::InvalidEscape));
        }
        value = value << 4 | u32::from(digit);
    }
    Ok(value)
}

/// Whether a value, and with it each of its strings, is UTF-8.
pub(super) fn is_utf8(source: &[u8], start: usize, end: usize) -> bool {
    source
        .get(start..end)
        .is_some_and(|value| simdutf8::basic::from_utf8(value).is_ok())
}

/// Check that `source[start..end]` is UTF-8. Bytes missing at the end of the source are not its fault.
#[inline(always)]
fn check_utf8(source: &[u8], start: usize, end: usize) -> Result<(), CodecError> {
    let bytes = &source[start..end]; // OK because both are offsets of a string in the source
    if simdutf8::basic::from_utf8(bytes).is_ok() {
        return Ok(());
    }
    utf8_error(source, start, end)
}

/// The same, with the offset of what is wrong.
#[cold]
#[inline(never)]
fn utf8_error(source: &[u8], start: usize, end: usize) -> Result<(), CodecError> {
    let Err(error) = std::str::from_utf8(&source[start..end]) else {
        return Ok(());
    };
    if error.error_len().is_none() && end == source.len() {
        return Ok(());
    }
    Err(CodecError::new(ErrorKind::InvalidUtf8, start + error.valid_up_to()))
}
