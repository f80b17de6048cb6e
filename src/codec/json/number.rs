//! Numbers (RFC 8259, section 6): integers exact, floats correctly rounded.
//!
//! It refuses what the grammar refuses (`01`, `1.`, `.5`, `+1`), floats beyond the largest double, and integers that the
//! reader cannot hold unless [`Big`] says what to do with them.

use super::super::error::{CodecError, ErrorKind};
use super::super::simd;
use super::super::tape::Tape;
use super::super::Big;
use super::scanner::byte;
use super::{decimal, ScanOptions};

/// Most digits that always fit into 64 bits.
const DIGITS: usize = 19;

/// Scan the number that starts at `start` with a digit or `-`; returns the offset after it.
#[inline(always)]
pub(super) fn number(source: &[u8], start: usize, tape: &mut Tape, options: &ScanOptions) -> Result<usize, CodecError> {
    let negative = byte(source, start) == b'-';
    let first = start + usize::from(negative);
    let (value, pos) = digits(source, first, 0);
    if pos == first {
        return Err(CodecError::new(ErrorKind::InvalidNumber, first));
    }
    if pos - first > 1 && byte(source, first) == b'0' {
        return Err(CodecError::new(ErrorKind::InvalidNumber, first + 1));
    }
    if matches!(byte(source, pos), b'.' | b'e' | b'E') {
        return float(source, start, first, pos, value, tape);
    }
    if pos - first < DIGITS {
        let value = value as i64; // OK because 18 digits are below 2^63
        let value = if negative { -value } else { value };
        if negative && value == 0 {
            tape.float(-0.0)?;
            return Ok(pos);
        }
        if options.integers.holds(value) {
            tape.int(value)?;
            return Ok(pos);
        }
    }
    large_integer(source, start, pos, tape, options)?;
    Ok(pos)
}

/// Go on with `value` (modulo 2^64) over the digits that start at `pos`; returns the offset after them, too.
#[inline(always)]
fn digits(source: &[u8], mut pos: usize, mut value: u64) -> (u64, usize) {
    loop {
        let digit = byte(source, pos).wrapping_sub(b'0');
        if digit > 9 {
            return (value, pos);
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        pos += 1;
    }
}

/// The same for digits that are expected to be many: eight at a time while there are eight.
#[inline(always)]
fn many_digits(source: &[u8], mut pos: usize, mut value: u64) -> (u64, usize) {
    while let Some(eight) = simd::word_at(source, pos).and_then(eight_digits) {
        value = value.wrapping_mul(100_000_000).wrapping_add(eight);
        pos += 8;
    }
    digits(source, pos, value)
}

/// The value of eight ASCII digits, the first one in the lowest byte, if they are digits.
#[inline(always)]
fn eight_digits(word: u64) -> Option<u64> {
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    // A digit's upper half is 3, and stays 3 when 6 is added; no other byte's is and does. The additions of bytes whose
    // upper half is not 3 may carry, but then the first test has failed already.
    if word & 0xf0f0_f0f0_f0f0_f0f0 != ZEROS || (word + 0x0606_0606_0606_0606) & 0xf0f0_f0f0_f0f0_f0f0 != ZEROS {
        return None;
    }
    // Neighbours are joined: 8 numbers below 10, then 4 below 100, 2 below 10^4, 1 below 10^8.
    let ones = word - ZEROS;
    let pairs = (ones * 10 + (ones >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
}

/// A number with a fraction or an exponent at `point`. `integer` is what its digits from `first` to there are worth.
#[inline(always)]
fn float(
    source: &[u8],
    start: usize,
    first: usize,
    point: usize,
    integer: u64,
    tape: &mut Tape,
) -> Result<usize, CodecError> {
    let (mut value, mut pos) = (integer, point);
    let mut count = point - first;
    let mut exponent = 0i64;
    if byte(source, pos) == b'.' {
        let fraction = pos + 1;
        (value, pos) = many_digits(source, fraction, value);
        if pos == fraction {
            return Err(CodecError::new(ErrorKind::InvalidNumber, pos));
        }
        count += pos - fraction;
        exponent = -((pos - fraction) as i64); // OK because no slice is longer than i64::MAX
    }
    if matches!(byte(source, pos), b'e' | b'E') {
        pos += 1;
        let negative = byte(source, pos) == b'-';
        if negative || byte(source, pos) == b'+' {
            pos += 1;
        }
        let (written, end) = digits(source, pos, 0);
        if end == pos {
            return Err(CodecError::new(ErrorKind::InvalidNumber, pos));
        }
        // Ten digits or more may have wrapped and are far beyond any table: i64::MAX / 2 sends them to the exact parse.
        let written = if end - pos < 10 { written as i64 } else { i64::MAX / 2 };
        exponent += if negative { -written } else { written };
        pos = end;
    }
    let fast = if count <= DIGITS {
        decimal::nearest(value, exponent)
    } else {
        None
    };
    let result = match fast {
        Some(magnitude) if byte(source, start) == b'-' => -magnitude,
        Some(magnitude) => magnitude,
        None => exact(source, start, pos)?,
    };
    tape.float(result)?;
    Ok(pos)
}

/// The nearest double to the number at `start..end`, however long it is.
#[cold]
#[inline(never)]
fn exact(source: &[u8], start: usize, end: usize) -> Result<f64, CodecError> {
    let text = source.get(start..end).and_then(|bytes| std::str::from_utf8(bytes).ok());
    match text.and_then(|text| text.parse::<f64>().ok()) {
        Some(value) if value.is_finite() => Ok(value),
        Some(_) => Err(CodecError::new(ErrorKind::NumberOutOfRange, start)),
        None => Err(CodecError::new(ErrorKind::InvalidNumber, start)),
    }
}

/// An integer at `start..end` that has many digits, or more than the reader's integers.
#[cold]
#[inline(never)]
fn large_integer(
    source: &[u8],
    start: usize,
    end: usize,
    tape: &mut Tape,
    options: &ScanOptions,
) -> Result<(), CodecError> {
    let text = source.get(start..end).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let text = text.unwrap_or_default(); // OK because `start..end` are digits
    let signed = text.parse::<i64>().ok();
    if let Some(value) = signed.filter(|value| options.integers.holds(*value)) {
        return tape.int(value);
    }
    let too_large = CodecError::new(ErrorKind::IntegerTooLarge, start);
    match options.big {
        Big::Error | Big::Wrap => Err(too_large),
        Big::Float => tape.float(exact(source, start, end)?),
        Big::String => tape.str(start, end - start),
        Big::Cdata => match (signed, text.parse::<u64>()) {
            (Some(value), _) => tape.int(value),
            (None, Ok(value)) => tape.uint(value),
            (None, Err(_)) => Err(too_large),
        },
    }
}
