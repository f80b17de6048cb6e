//! Integers and floats to the tape, under the options that say what the reader's numbers can hold.
//!
//! It refuses to round an integer in silence: that takes `Big::Float`, or `Big::Wrap` for a reader of doubles.

use super::ScanOptions;
use crate::codec::{Big, CodecError, ErrorKind, Tape};

/// The integer `argument`, or -1 - `argument` if `negative`, whose head is at `at`.
#[inline(always)]
pub(super) fn integer(
    tape: &mut Tape,
    options: &ScanOptions,
    negative: bool,
    argument: u64,
    at: usize,
) -> Result<(), CodecError> {
    // -1 - n is !n in two's complement
    let sign = -i64::from(negative);
    if argument < 1 << 53 {
        return tape.int(argument as i64 ^ sign); // OK because it has at most 53 bits, which every reader holds
    }
    match i64::try_from(argument) {
        Ok(n) if options.integers.holds(n ^ sign) => tape.int(n ^ sign),
        _ => big_integer(tape, options, negative, argument, at),
    }
}

/// Whether the reader can be given this tag: under [`Big::Error`], only one that its integers can hold. A tag that was
/// rounded is another tag.
#[inline]
pub(super) fn tag_fits(options: &ScanOptions, tag: u64) -> bool {
    options.big != Big::Error || i64::try_from(tag).is_ok_and(|tag| options.integers.holds(tag))
}

/// The integer modulo 2^64, as a number of 64 bits in two's complement.
#[inline]
fn wrapped(negative: bool, argument: u64) -> i64 {
    let bits = if negative { !argument } else { argument };
    bits as i64 // OK because wrapping is what is asked for
}

#[cold]
#[inline(never)]
fn big_integer(
    tape: &mut Tape,
    options: &ScanOptions,
    negative: bool,
    argument: u64,
    at: usize,
) -> Result<(), CodecError> {
    let value = if negative {
        -1 - i128::from(argument)
    } else {
        i128::from(argument)
    };
    match options.big {
        Big::Error => Err(CodecError::new(ErrorKind::IntegerTooLarge, at)),
        Big::Float => tape.float(value as f64), // OK because the nearest float is what is asked for
        Big::String => {
            let mut digits = itoa::Buffer::new();
            let digits = digits.format(value).as_bytes();
            let start = tape.scratch().len();
            append(tape.scratch_mut(), digits, at)?;
            tape.scratch_str(start)
        }
        Big::Wrap => {
            let value = wrapped(negative, argument);
            if options.integers.holds(value) {
                tape.int(value)
            } else {
                tape.float(value as f64) // OK because a reader of doubles makes it one anyway
            }
        }
        Big::Cdata => {
            if let Ok(value) = i64::try_from(value) {
                tape.int(value)
            } else if !negative {
                tape.uint(argument)
            } else {
                Err(CodecError::new(ErrorKind::IntegerTooLarge, at))
            }
        }
    }
}

/// Append to the scratch buffer without aborting when memory is out.
pub(super) fn append(scratch: &mut Vec<u8>, bytes: &[u8], at: usize) -> Result<(), CodecError> {
    if scratch.try_reserve(bytes.len()).is_err() {
        return Err(CodecError::new(ErrorKind::OutOfMemory, at));
    }
    scratch.extend_from_slice(bytes);
    Ok(())
}

/// A float; NaN is refused as a key, since Lua has no such key.
#[inline]
pub(super) fn float(
    tape: &mut Tape,
    options: &ScanOptions,
    value: f64,
    is_key: bool,
    at: usize,
) -> Result<(), CodecError> {
    if is_key && value.is_nan() {
        return Err(CodecError::new(ErrorKind::InvalidKey, at));
    }
    if options.integral_floats {
        if let Some(integer) = integral(value) {
            if options.integers.holds(integer) {
                return tape.int(integer);
            }
        }
    }
    tape.float(value)
}

/// The integer that `value` is, if it is one within `i64`.
fn integral(value: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0; // 2^63
    let integer = value as i64; // OK because a cast that saturated or rounded shows when it is undone
                                // Above, the saturated i64::MAX would come back as 2^63 and pass for it.
    if value < LIMIT && integer as f64 == value {
        Some(integer)
    } else {
        None
    }
}
