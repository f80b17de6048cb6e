//! What the CBOR tests share: hex, scanning to owned values, and an independent check of well-formedness.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

pub mod generate;

use fkrpc::codec::cbor::{scan_item, ScanOptions};
use fkrpc::codec::tape::Node;
use fkrpc::codec::{CodecError, ErrorKind, Tape};

/// A scanned value that owns its parts. Floats are compared by their bits.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(u64),
    Str(Vec<u8>),
    Array(Vec<Value>),
    Map(Vec<(Value, Value)>),
    Tag(u64, Box<Value>),
    Simple(u8),
}

pub fn float(value: f64) -> Value {
    Value::Float(value.to_bits())
}

pub fn string(bytes: impl AsRef<[u8]>) -> Value {
    Value::Str(bytes.as_ref().to_vec())
}

pub fn unhex(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// The value at index `at` of a tape, and the index after it; containers are checked against what they say they hold.
pub fn read(tape: &Tape, source: &[u8], at: usize) -> (Value, usize) {
    let (node, mut next) = tape.node(at);
    let value = match node {
        Node::Null => Value::Null,
        Node::Bool(value) => Value::Bool(value),
        Node::Int(value) => Value::Int(value),
        Node::Uint(value) => Value::Uint(value),
        Node::Float(value) => float(value),
        Node::Str { .. } | Node::Scratch { .. } => string(tape.bytes(node, source).unwrap()),
        Node::Simple(value) => Value::Simple(value),
        Node::Tag(tag) => {
            let (value, after) = read(tape, source, next);
            next = after;
            Value::Tag(tag, Box::new(value))
        }
        Node::Array { count, end } => {
            let items = (0..count).map(|_| step(tape, source, &mut next)).collect();
            assert_eq!(next, end, "an array's end is where its last item ends");
            Value::Array(items)
        }
        Node::Object { count, end } => {
            let pairs = (0..count)
                .map(|_| {
                    let key = step(tape, source, &mut next);
                    (key, step(tape, source, &mut next))
                })
                .collect();
            assert_eq!(next, end, "a map's end is where its last value ends");
            Value::Map(pairs)
        }
    };
    (value, next)
}

fn step(tape: &Tape, source: &[u8], next: &mut usize) -> Value {
    let (value, after) = read(tape, source, *next);
    *next = after;
    value
}

/// Scan the item that `source` starts with; its value and length.
pub fn scan(source: &[u8], options: &ScanOptions) -> Result<(Value, usize), CodecError> {
    let mut tape = Tape::new();
    let end = scan_item(source, 0, &mut tape, options)?;
    let (value, next) = read(&tape, source, 0);
    assert_eq!(next, tape.len(), "an item leaves nothing else on the tape");
    Ok((value, end))
}

/// The value of a whole item in hex, with default options.
pub fn value(hex: &str) -> Value {
    let source = unhex(hex);
    let (value, end) = scan(&source, &ScanOptions::default()).unwrap();
    assert_eq!(end, source.len(), "{hex}");
    value
}

/// What is wrong with an item in hex, and where, with default options.
pub fn error(hex: &str) -> (ErrorKind, usize) {
    let error = scan(&unhex(hex), &ScanOptions::default()).unwrap_err();
    (error.kind, error.offset)
}

/// The pseudocode of RFC 8949, appendix C in Rust: the length of a well-formed item; `None` for all else. It shares
/// nothing with the scanner, recurses, and knows no depth limit.
pub fn well_formed(source: &[u8]) -> Option<usize> {
    let mut rest = source;
    item(&mut rest, false)?;
    Some(source.len() - rest.len())
}

/// The major type of the item (99 if its length is indefinite), `Some(None)` for a break that was allowed, or `None` if
/// the item is not well-formed.
fn item(rest: &mut &[u8], breakable: bool) -> Option<Option<u8>> {
    let initial = take(rest, 1)?[0];
    let (major, info) = (initial >> 5, initial & 0x1f);
    let mut argument = u64::from(info);
    match info {
        24..=27 => {
            let bytes = take(rest, 1 << (info - 24))?;
            argument = bytes.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        }
        28..=30 => return None,
        31 => return indefinite(rest, major, breakable),
        _ => {}
    }
    match major {
        2 | 3 => {
            take(rest, argument)?;
        }
        4 => (0..argument).try_for_each(|_| item(rest, false).map(drop))?,
        5 => (0..argument).try_for_each(|_| {
            item(rest, false)?;
            item(rest, false).map(drop)
        })?,
        6 => drop(item(rest, false)?),
        7 if info == 24 && argument < 32 => return None,
        _ => {}
    }
    Some(Some(major))
}

fn indefinite(rest: &mut &[u8], major: u8, breakable: bool) -> Option<Option<u8>> {
    match major {
        2 | 3 => {
            while let Some(found) = item(rest, true)? {
                if found != major {
                    return None;
                }
            }
        }
        4 => while item(rest, true)?.is_some() {},
        5 => {
            while item(rest, true)?.is_some() {
                item(rest, false)?;
            }
        }
        7 if breakable => return Some(None),
        _ => return None,
    }
    Some(Some(99))
}

fn take<'a>(rest: &mut &'a [u8], count: u64) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(usize::try_from(count).ok()?)?;
    *rest = left;
    Some(taken)
}
