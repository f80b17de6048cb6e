//! Strings (RFC 8259, section 7): a place in the source, or resolved escapes in the tape's scratch buffer.
//!
//! It refuses raw control characters, unknown escapes, surrogates without their other half and, when asked to, bytes
//! that are not UTF-8 (RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF).

use super::super::error::{CodecError, ErrorKind};
use super::super::simd;
use super::super::tape::Tape;
use super::scanner::{byte, unexpected};

/// Scan the string whose opening quote stands before `start`; returns the offset after its closing quote.
#[inline(always)]
pub(super) fn string(source: &[u8], start: usize, tape: &mut Tape, utf8: bool) -> Result<usize, CodecError> {
    let run = simd::string_run(source, start);
    if byte(source, run.end) == b'"' {
        if run.high && utf8 {
            check_utf8(source, start, run.end)?;
        }
        tape.str(start, run.end - start)?;
        return Ok(run.end + 1);
    }
    escaped(source, start, tape, utf8)
}

/// The rest of a string whose first run of plain bytes ended at something else than its quote.
#[inline(never)]
fn escaped(source: &[u8], start: usize, tape: &mut Tape, utf8: bool) -> Result<usize, CodecError> {
    let scratch_start = tape.scratch().len();
    // A local vector, whose length and place stay in registers.
    let mut scratch = std::mem::take(tape.scratch_mut());
    let result = resolve(source, start, &mut scratch);
    *tape.scratch_mut() = scratch;
    match result {
        Ok((end, high)) => {
            if high && utf8 {
                check_utf8(source, start, end)?;
            }
            tape.scratch_str(scratch_start)?;
            Ok(end + 1)
        }
        Err(error) => {
            // The first byte that is wrong is the one to name.
            if utf8 {
                check_utf8(source, start, error.offset)?;
            }
            Err(error)
        }
    }
}

/// Copy the string to `scratch` with its escapes resolved. Returns the offset of its closing quote and whether it has
/// bytes of 0x80 or above in the source.
#[inline(always)]
fn resolve(source: &[u8], start: usize, scratch: &mut Vec<u8>) -> Result<(usize, bool), CodecError> {
    let Ok(run) = simd::append_string_run(source, start, scratch) else {
        return Err(CodecError::new(ErrorKind::OutOfMemory, start));
    };
    let simd::Run { end: mut pos, mut high } = run;
    loop {
        match byte(source, pos) {
            b'\\' => {
                pos = escape(source, pos, scratch)?;
                // Escapes like company: `\r\n`, `\\\"`, `\u5f20\u98de`.
                while byte(source, pos) == b'\\' {
                    pos = escape(source, pos, scratch)?;
                }
                let Ok(run) = simd::append_string_run(source, pos, scratch) else {
                    return Err(CodecError::new(ErrorKind::OutOfMemory, pos));
                };
                pos = run.end;
                high |= run.high;
            }
            b'"' => return Ok((pos, high)),
            _ => return Err(unexpected(source, pos, ErrorKind::ControlCharacter)),
        }
    }
}

/// What the byte after a backslash stands for; zero if nothing, or if it is a `u`.
const ESCAPED: [u8; 256] = {
    let mut table = [0; 256];
    let pairs = *b"\"\"\\\\//b\x08f\x0cn\nr\rt\t";
    let mut at = 0;
    while at < pairs.len() {
        table[pairs[at] as usize] = pairs[at + 1];
        at += 2;
    }
    table
};

/// Resolve the escape whose backslash is at `pos`; returns the offset after it.
#[inline(always)]
fn escape(source: &[u8], pos: usize, scratch: &mut Vec<u8>) -> Result<usize, CodecError> {
    let letter = byte(source, pos + 1);
    let value = ESCAPED[usize::from(letter)];
    if value != 0 {
        append(scratch, [value, 0, 0, 0], 1, pos)?;
        return Ok(pos + 2);
    }
    if letter != b'u' {
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
