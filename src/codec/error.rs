//! The one error type of the codecs: what is wrong and where, in 16 bytes.
//!
//! Line and column are not tracked while scanning; they are computed from the source when somebody asks for the text.

use std::fmt;

/// What is wrong with a document. `Display` is the text a Lua user reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input ended inside a value.
    UnexpectedEnd,
    /// A character that cannot start or continue what is expected here.
    UnexpectedCharacter,
    /// Text follows the value.
    TrailingGarbage,
    /// More nested containers than `max_depth`.
    TooDeep,
    /// A number that JSON's grammar does not allow: `01`, `1.`, `.5`, `+1`, `-`.
    InvalidNumber,
    /// A number too large for a double: `1e400`.
    NumberOutOfRange,
    /// An integer the reader cannot hold exactly, under [`super::Big::Error`].
    IntegerTooLarge,
    /// A backslash followed by something JSON does not know, or a `\u` without four hex digits.
    InvalidEscape,
    /// A `\ud800`-`\udfff` escape without its other half.
    LoneSurrogate,
    /// A raw control character (below 0x20) in a string.
    ControlCharacter,
    /// Bytes that are not UTF-8.
    InvalidUtf8,
    /// Where a header with the length of a message should be is something else.
    InvalidHeader,
    /// The document is longer than the reader's limit.
    TooLarge,
    /// Memory for the tape or the output could not be had.
    OutOfMemory,
    /// CBOR: a reserved head (additional information 28-30, or 31 where it is not allowed).
    InvalidHead,
    /// CBOR: a break where none is open, or in the middle of a map's pair.
    UnexpectedBreak,
    /// CBOR: a chunk of another type inside an indefinite-length string.
    InvalidChunk,
    /// CBOR: a two-byte simple value below 32.
    InvalidSimple,
    /// CBOR: a map key that Lua cannot use as one (NaN).
    InvalidKey,
    /// An encoder met a float that the format cannot express: NaN or infinity.
    NotFinite,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ErrorKind::UnexpectedEnd => "unexpected end of input",
            ErrorKind::UnexpectedCharacter => "unexpected character",
            ErrorKind::TrailingGarbage => "trailing garbage after the value",
            ErrorKind::TooDeep => "nested too deeply",
            ErrorKind::InvalidNumber => "invalid number",
            ErrorKind::NumberOutOfRange => "number out of range",
            ErrorKind::IntegerTooLarge => "integer out of range (set big = \"float\" or \"string\" to accept it)",
            ErrorKind::InvalidEscape => "invalid escape sequence",
            ErrorKind::LoneSurrogate => "lone surrogate in escape sequence",
            ErrorKind::ControlCharacter => "control character in string",
            ErrorKind::InvalidUtf8 => "invalid UTF-8",
            ErrorKind::InvalidHeader => "invalid header (no \"Content-Length: N\" with a number)",
            ErrorKind::TooLarge => "document too large",
            ErrorKind::OutOfMemory => "not enough memory",
            ErrorKind::InvalidHead => "invalid CBOR head",
            ErrorKind::UnexpectedBreak => "unexpected CBOR break",
            ErrorKind::InvalidChunk => "invalid chunk in an indefinite-length CBOR string",
            ErrorKind::InvalidSimple => "invalid CBOR simple value",
            ErrorKind::InvalidKey => "NaN as a map key",
            ErrorKind::NotFinite => "number is NaN or infinite",
        })
    }
}

/// An [`ErrorKind`] and the 0-based byte offset it was found at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodecError {
    /// What is wrong.
    pub kind: ErrorKind,
    /// 0-based byte offset in the source.
    pub offset: usize,
}

impl CodecError {
    /// An error of `kind` at `offset`.
    #[must_use]
    pub const fn new(kind: ErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }

    /// 1-based line and column (in bytes) of the error in `source`.
    #[must_use]
    pub fn line_column(&self, source: &[u8]) -> (usize, usize) {
        let before = &source[..self.offset.min(source.len())];
        // Not with memchr: its searches for these alone are 4 KB, and an error is told once.
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
        (line, column)
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {}", self.kind, self.offset)
    }
}

impl std::error::Error for CodecError {}
