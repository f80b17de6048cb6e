//! Codecs: bytes to a [`tape::Tape`], values to bytes.
//!
//! Everything here is plain Rust that knows nothing of Lua and does no I/O. Decoding has two phases:
//! a scanner checks the bytes and writes a flat tape; somebody else (the Lua builder, the message reader)
//! walks that tape. Encoding is a set of small writers that append one value each to a byte vector.

pub mod cbor;
pub mod error;
mod excerpt;
pub mod json;
pub mod simd;
pub mod tape;

pub use error::{CodecError, ErrorKind};
pub use excerpt::Excerpt;
pub use tape::Tape;

/// What a scanner does with an integer that the reader's number type cannot hold exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Big {
    /// Refuse it: [`ErrorKind::IntegerTooLarge`].
    #[default]
    Error,
    /// The nearest float.
    Float,
    /// Its decimal digits as a string.
    String,
    /// CBOR only: modulo 2^64, as FreeKill's cbor module does.
    Wrap,
    /// 64-bit integers and unsigned 64-bit integers stay on the tape ([`tape::Node::Int`], [`tape::Node::Uint`]) for a
    /// builder that can make cdata of them (LuaJIT); beyond 64 bits refuse.
    Cdata,
}

/// The integers that the reader of the tape can hold exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Integers {
    /// All of `i64` (Lua 5.3 and later).
    #[default]
    I64,
    /// |n| <= 2^53 (Lua 5.1, 5.2 and LuaJIT, whose numbers are doubles).
    Double,
}

impl Integers {
    /// Whether `n` can be held exactly.
    #[inline]
    #[must_use]
    pub fn holds(self, n: i64) -> bool {
        const LIMIT: i64 = 1 << 53;
        match self {
            Integers::I64 => true,
            Integers::Double => (-LIMIT..=LIMIT).contains(&n),
        }
    }
}
