//! JSON (RFC 8259): a strict scanner onto a [`Tape`], and writers for single values.
//!
//! The scanner takes what the grammar of RFC 8259 allows and nothing else: it refuses comments, trailing commas, NaN
//! (unless it is asked to take it), a byte order mark, bytes that are not UTF-8, and to merge or drop equal keys, which
//! all stay on the tape.
//!
//! # Numbers
//!
//! A number without fraction and exponent is an integer ([`Node::Int`](super::tape::Node::Int)) and exact; what cannot
//! be held exactly follows [`ScanOptions::big`]. Any other number is a float, correctly rounded. `-0` is the float
//! -0.0, as no integer keeps its sign; [`write_float`](writer::write_float) gives `-0.0` back.
//!
//! # Where an error is
//!
//! At the byte that cannot stand where it stands; at the end of the source for `UnexpectedEnd`; at the first byte of a
//! number that is too large; at the backslash of a surrogate without its other half.

mod decimal;
pub mod indent;
mod literals;
mod number;
pub mod order;
mod scanner;
mod string;
pub mod writer;

use super::error::{CodecError, ErrorKind};
use super::tape::Tape;
use super::{Big, Integers};

/// What a scan accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanOptions {
    /// Containers that may be nested in one another.
    pub max_depth: usize,
    /// Whether strings must be UTF-8. If not, bytes of 0x80 and above pass as they are; `\u` escapes become UTF-8 and
    /// lone surrogates are refused all the same.
    pub utf8: bool,
    /// What becomes of an integer that `integers` cannot hold. [`Big::Wrap`] is not for JSON: it refuses like
    /// [`Big::Error`].
    pub big: Big,
    /// The integers that the reader can hold.
    pub integers: Integers,
    /// Whether `NaN`, `Infinity` and `-Infinity` are numbers, which they are not in JSON.
    pub nan: bool,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self {
            max_depth: 128,
            utf8: true,
            big: Big::default(),
            integers: Integers::default(),
            nan: false,
        }
    }
}

/// Scan a whole document: one value, white space around it, nothing else.
///
/// # Errors
/// Whatever makes the document refused. The tape is then as it was before.
#[inline(always)]
pub fn scan(source: &[u8], tape: &mut Tape, options: &ScanOptions) -> Result<(), CodecError> {
    let mark = tape.mark();
    let mut end = scan_value(source, 0, tape, options)?;
    if end < source.len() {
        end = scanner::skip_space(source, end);
    }
    if end < source.len() {
        tape.truncate(mark);
        return Err(CodecError::new(ErrorKind::TrailingGarbage, end));
    }
    Ok(())
}

/// Scan one value that starts at `start` or, after white space, behind it. Returns the offset of the byte after it,
/// which is not looked at unless it could continue a number.
///
/// # Errors
/// Whatever makes the value refused. The tape is then as it was before.
pub fn scan_value(source: &[u8], start: usize, tape: &mut Tape, options: &ScanOptions) -> Result<usize, CodecError> {
    let mark = tape.mark();
    let result = scanner::value::<false>(source, start, tape, options);
    match result {
        Ok((end, high)) if !(high && options.utf8) || string::is_utf8(source, start, end) => return Ok(end),
        Err(error) if !options.utf8 => {
            tape.truncate(mark);
            return Err(error);
        }
        _ => tape.truncate(mark),
    }
    scan_strictly(source, start, tape, options)
}

/// Looking at all strings at once is cheaper. Only here they are looked at one by one, to find which comes first: a byte
/// that is no UTF-8 or another error.
#[cold]
#[inline(never)]
fn scan_strictly(source: &[u8], start: usize, tape: &mut Tape, options: &ScanOptions) -> Result<usize, CodecError> {
    let mark = tape.mark();
    let result = scanner::value::<true>(source, start, tape, options);
    if result.is_err() {
        tape.truncate(mark);
    }
    result.map(|(end, _)| end)
}
