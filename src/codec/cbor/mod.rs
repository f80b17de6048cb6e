//! CBOR (RFC 8949): one data item to a [`Tape`](super::Tape), values to bytes, and where an item ends in a stream.
//!
//! Well-formedness is that of RFC 8949, appendix C. Validity (what a tag may hold, duplicate keys, UTF-8 unless it is
//! asked for) is left to whoever reads the tape, and nothing here writes an indefinite length.

use super::{Big, Integers};

mod float;
pub mod frame;
mod head;
mod scalar;
pub mod scanner;
mod stack;
pub mod writer;

pub use frame::ItemEnd;
pub use head::is_text;
pub use scanner::scan_item;

/// How [`scan_item`] reads an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanOptions {
    /// How many arrays, maps and tags may be open at once; 128 by default.
    pub max_depth: usize,
    /// What becomes of an integer outside `integers`; an error by default. A tag's number outside them is an error as
    /// well, or stays exact on the tape.
    pub big: Big,
    /// The integers the reader of the tape can hold; all of `i64` by default.
    pub integers: Integers,
    /// Whether a float with an integral value within `integers` becomes an integer (so that -0.0 becomes 0);
    /// not by default.
    pub integral_floats: bool,
    /// Whether a text string must be UTF-8 (RFC 8949, section 3.1, in each chunk of its own); not by default.
    pub utf8: bool,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self {
            max_depth: 128,
            big: Big::Error,
            integers: Integers::I64,
            integral_floats: false,
            utf8: false,
        }
    }
}
