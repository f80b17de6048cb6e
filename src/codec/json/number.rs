//! Numbers (RFC 8259, section 6): integers exact, floats correctly rounded.
//!
//! It refuses what the grammar refuses (`01`, `1.`, `.5`, `+1`), floats beyond the largest double, and integers that the
//! reader cannot hold unless [`Big`] says what to do with them.

use super::super::error::{CodecError, ErrorKind};
use super::super::simd;
use super::super::tape::Tape;
use super::super::Big;
use super::scanner::byte;
use super::{decimal, literals, ScanOptions};

/// Most digits that always fit into 64 bits.
const DIGITS: usize = 19;

/// The magnitude of `i64::MIN`.
const I64_MIN: u64 = 1 << 63;

/// Scan the number that starts at `start` with a digit or `-`; returns the offset after it.
#[inline(always)]
pub(super) fn number(source: &[u8], start: usize, tape: &mut Tape, options: &ScanOptions) -> Result<usize, CodecError> {
    let negative = byte(source, start) == b'-';
    let first = start + usize::from(negative);
    let (value, pos) = match simd::word_at(source, first) {
        Some(word) => {
            let (value, count) = first_digits(word);
            if count < 8 {
                // Most numbers: up to seven digits, and nothing after them that belongs to them.
                let leading_zero = word as u8 == b'0' && (count > 1 || negative); // OK because the first byte is meant
                let next = (word >> (8 * count)) as u8; // OK because the byte after the digits is meant
                if count > 0 && !leading_zero && !matches!(next, b'.' | b'e' | b'E') {
                    let value = value as i32; // OK because it is below 10^7
                    tape.small(if negative { -value } else { value })?;
                    return Ok(first + count);
                }
                (value, first + count)
            } else {
                digits(source, first + 8, value)
            }
        }
        None => digits_one_by_one(source, first, 0),
    };
    if pos == first {
        return literals::minus_infinity(source, first, tape, options);
    }
    if pos - first > 1 && byte(source, first) == b'0' {
        return Err(CodecError::new(ErrorKind::InvalidNumber, first + 1));
    }
    if matches!(byte(source, pos), b'.' | b'e' | b'E') {
        return float(source, start, first, pos, value, tape);
    }
    integer(source, start, pos, value, tape, options)
}

/// An integer of any length and sign, whose digits end at `pos` and are worth `value` (modulo 2^64).
#[inline(never)]
fn integer(
    source: &[u8],
    start: usize,
    pos: usize,
    value: u64,
    tape: &mut Tape,
    options: &ScanOptions,
) -> Result<usize, CodecError> {
    let negative = byte(source, start) == b'-';
    let first = start + usize::from(negative);
    if pos - first <= DIGITS && value <= I64_MIN - u64::from(!negative) {
        if negative && value == 0 {
            tape.float(-0.0)?;
            return Ok(pos);
        }
        let value = value as i64; // OK because it is below 2^63, or 2^63 and wraps to what its negation is, too
        let value = if negative { value.wrapping_neg() } else { value };
        if options.integers.holds(value) {
            tape.int(value)?;
            return Ok(pos);
        }
    }
    large_integer(source, start, pos, tape, options)?;
    Ok(pos)
}

/// How many of eight bytes are digits before one is not, and what they are worth: very often a single one.
#[inline(always)]
fn first_digits(word: u64) -> (u64, usize) {
    let digit = |at: u32| ((word >> (8 * at)) as u8).wrapping_sub(b'0'); // OK because one byte is meant
    if digit(0) <= 9 && digit(1) > 9 {
        return (u64::from(digit(0)), 1);
    }
    leading_digits(word)
}

/// Go on with `value` (modulo 2^64) over the digits that start at `pos`; returns the offset after them, too.
///
/// Eight bytes are taken at a time and the digits among them counted, not branched upon: numbers have no length that a
/// branch predictor could learn.
#[inline(always)]
fn digits(source: &[u8], mut pos: usize, mut value: u64) -> (u64, usize) {
    while let Some(word) = simd::word_at(source, pos) {
        let (digits, count) = leading_digits(word);
        value = value.wrapping_mul(TENS[count]).wrapping_add(digits);
        pos += count;
        if count < 8 {
            return (value, pos);
        }
    }
    digits_one_by_one(source, pos, value)
}

/// The same for the end of the source, and for digits that are expected to be few.
#[inline(always)]
fn digits_one_by_one(source: &[u8], mut pos: usize, mut value: u64) -> (u64, usize) {
    loop {
        let digit = byte(source, pos).wrapping_sub(b'0');
        if digit > 9 {
            return (value, pos);
        }
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        pos += 1;
    }
}

/// 10^0 to 10^8.
const TENS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// How many of eight bytes, the first one lowest, are digits before one is not, and what they are worth.
#[inline(always)]
fn leading_digits(word: u64) -> (u64, usize) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // A digit is a byte below 10 now. Adding 118 to its lower seven bits sets the eighth from 10 on; no carry leaves it.
    let offsets = word ^ (ONES * 0x30);
    let others = (((offsets & (ONES * 0x7f)) + ONES * 118) | offsets) & (ONES * 0x80);
    let count = (others.trailing_zeros() / 8) as usize; // OK because it is at most 8
    if count == 0 {
        return (0, 0);
    }
    // The digits move to the upper end, zeros stand before them.
    let ones = offsets << (64 - 8 * count);
    // Neighbours are joined: 8 numbers below 10, then 4 below 100, 2 below 10^4, 1 below 10^8.
    let pairs = (ones * 10 + (ones >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    ((fours * 10_000 + (fours >> 32)) & 0xffff_ffff, count)
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
        (value, pos) = digits(source, fraction, value);
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
        let (written, end) = digits_one_by_one(source, pos, 0);
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
    let magnitude = match fast {
        Some(magnitude) => magnitude,
        None => exact(source, first, pos).map_err(|kind| CodecError::new(kind, start))?,
    };
    let sign = u64::from(first > start) << 63;
    let result = f64::from_bits(magnitude.to_bits() | sign);
    tape.float(result)?;
    Ok(pos)
}

/// The nearest double to the number at `start..end`, however long it is.
#[cold]
#[inline(never)]
fn exact(source: &[u8], start: usize, end: usize) -> Result<f64, ErrorKind> {
    let text = source.get(start..end).and_then(|bytes| std::str::from_utf8(bytes).ok());
    match text.and_then(|text| text.parse::<f64>().ok()) {
        Some(value) if value.is_finite() => Ok(value),
        Some(_) => Err(ErrorKind::NumberOutOfRange),
        None => Err(ErrorKind::InvalidNumber),
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
        Big::Float => tape.float(exact(source, start, end).map_err(|kind| CodecError::new(kind, start))?),
        Big::String => tape.str(start, end - start),
        Big::Cdata => match (signed, text.parse::<u64>()) {
            (Some(value), _) => tape.int(value),
            (None, Ok(value)) => tape.uint(value),
            (None, Err(_)) => Err(too_large),
        },
    }
}
