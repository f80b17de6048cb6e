//! `NaN`, `Infinity` and `-Infinity`, as JavaScript writes them and other libraries let them stand in JSON.
//!
//! It refuses them unless [`ScanOptions::nan`] is set: RFC 8259, section 6 has no such numbers.

use super::super::error::{CodecError, ErrorKind};
use super::super::tape::Tape;
use super::scanner::unexpected;
use super::ScanOptions;

/// What no value begins with stands at `pos`, unless it is one of the two words; returns the offset after it.
#[cold]
#[inline(never)]
pub(super) fn not_finite(
    source: &[u8],
    pos: usize,
    tape: &mut Tape,
    options: &ScanOptions,
) -> Result<usize, CodecError> {
    if options.nan {
        for (word, value) in [(&b"NaN"[..], f64::NAN), (b"Infinity", f64::INFINITY)] {
            if follows(source, pos, word) {
                tape.float(value)?;
                return Ok(pos + word.len());
            }
        }
    }
    Err(unexpected(source, pos, ErrorKind::UnexpectedCharacter))
}

/// What is no digit stands at `pos` after a `-`, unless it is `Infinity`; returns the offset after it.
#[cold]
#[inline(never)]
pub(super) fn minus_infinity(
    source: &[u8],
    pos: usize,
    tape: &mut Tape,
    options: &ScanOptions,
) -> Result<usize, CodecError> {
    if options.nan && follows(source, pos, b"Infinity") {
        tape.float(f64::NEG_INFINITY)?;
        return Ok(pos + b"Infinity".len());
    }
    Err(CodecError::new(ErrorKind::InvalidNumber, pos))
}

fn follows(source: &[u8], pos: usize, word: &[u8]) -> bool {
    source.get(pos..).is_some_and(|rest| rest.starts_with(word))
}
