//! What a walk writes to, what it is told beforehand, and why it may fail.
//!
//! # What may raise
//! Nothing: no Lua function is called. Writers report what fails.

use crate::codec::ErrorKind;
use std::cmp::Ordering;
use std::ffi::c_int;

/// Writes one value of a format after the other. `open_*` return what `close_*` takes back.
pub trait Format: Copy {
    /// Whether a table key may be any value (CBOR) or must be a string (JSON).
    const ANY_KEY: bool;
    /// Whether strings and numbers are written where they are met, without a call: faster, and larger.
    const HOT: bool = true;
    /// Whether values may bring their own encoded form (`__tocbor`).
    const HOOK: bool;
    /// Whether those hooks are found and called as [`hook::call_with`] does, with the encoder's second argument.
    const OPTIONS: bool;
    /// Whether the walk asks the questions of the next four methods. A format that has no style never pays for them.
    const STYLED: bool = false;
    /// Whether the members of a map come in the order of their keys.
    fn sorted(self) -> bool {
        false
    }
    /// The order of two keys as they were written, with what the format puts around them.
    fn compare(self, one: &[u8], other: &[u8]) -> Ordering {
        one.cmp(other)
    }
    /// What becomes of tables that are neither sequences nor have string keys alone (JSON).
    fn sparse(self) -> Sparse {
        Sparse::Refuse
    }
    /// Stack index of a value that is written as null, by identity; or 0.
    fn null_value(self) -> c_int {
        0
    }
    /// Append null.
    fn null(self, out: &mut Vec<u8>) -> Result<(), ErrorKind>;
    /// Append a boolean.
    fn boolean(self, out: &mut Vec<u8>, value: bool) -> Result<(), ErrorKind>;
    /// Append an integer.
    fn int(self, out: &mut Vec<u8>, value: i64) -> Result<(), ErrorKind>;
    /// Append an integer above `i64::MAX`.
    fn uint(self, out: &mut Vec<u8>, value: u64) -> Result<(), ErrorKind>;
    /// Append a float.
    fn float(self, out: &mut Vec<u8>, value: f64) -> Result<(), ErrorKind>;
    /// Append a string.
    fn string(self, out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), ErrorKind>;
    /// Append a string that a tag wants as bytes (CBOR).
    fn bytes(self, out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), ErrorKind> {
        self.string(out, bytes)
    }
    /// Begin an array.
    fn open_array(self, out: &mut Vec<u8>) -> Result<usize, ErrorKind>;
    /// Before item number `index` (from 0) of an array or pair of a map.
    fn separate(self, out: &mut Vec<u8>, index: usize) -> Result<(), ErrorKind>;
    /// End an array.
    fn close_array(self, out: &mut Vec<u8>, open: usize, count: usize) -> Result<(), ErrorKind>;
    /// Begin a map.
    fn open_map(self, out: &mut Vec<u8>) -> Result<usize, ErrorKind>;
    /// Append a string key.
    fn key(self, out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), ErrorKind>;
    /// End a map.
    fn close_map(self, out: &mut Vec<u8>, open: usize, count: usize) -> Result<(), ErrorKind>;
    /// Append a tag before its value (CBOR).
    fn tag(self, out: &mut Vec<u8>, tag: u64) -> Result<(), ErrorKind>;
    /// Append a simple value (CBOR).
    fn simple(self, out: &mut Vec<u8>, value: u8) -> Result<(), ErrorKind>;
}

/// What becomes of a table with holes, with other number keys, or with both kinds of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sparse {
    /// It cannot be encoded.
    Refuse,
    /// Holes are filled with null, if at most so many places come on each item.
    Fill(u32),
    /// It is an object, and its numbers are strings.
    Object,
}

/// Why a value cannot be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fail {
    /// The format's own reason.
    Codec(ErrorKind),
    /// A value of this Lua type.
    Type(c_int),
    /// String and number keys in one table (JSON).
    Mixed,
    /// Integer keys with holes (JSON), or a marked array with them.
    Sparse,
    /// Number keys that no array has: below 1, or fractions (JSON).
    Numbers,
    /// A number key and a string key that would be the same key (JSON).
    Twins,
    /// Other keys in a marked array.
    NotArray,
    /// A key that is neither a string nor a number (JSON).
    Key(c_int),
    /// A table inside itself.
    Cycle,
    /// A hook raised; its error value is on the Lua stack's top.
    Hook,
    /// A `tag`/`simple` field that does not fit.
    Tagged,
    /// The Lua stack is full.
    Stack,
}

impl From<ErrorKind> for Fail {
    fn from(kind: ErrorKind) -> Self {
        Fail::Codec(kind)
    }
}

/// What an encoder is told once and for all.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Containers may nest this deep.
    pub max_depth: usize,
    /// An unmarked empty table is an array.
    pub empty_array: bool,
    /// The value itself, if it is an unmarked empty table, is an array: the params of a call.
    pub root_array: bool,
    /// A table whose keys are 1..n is an array in whatever order they are stored.
    pub any_order: bool,
}
