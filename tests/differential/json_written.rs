//! What the JSON scanner took, written by the writers and scanned again: the same values, and then the same bytes.

use super::json::OPTIONS;
use fkrpc::codec::json::{scan, writer, ScanOptions};
use fkrpc::codec::tape::{Node, Tape};
use fkrpc::codec::ErrorKind;

/// Room for what a round trip needs, so that a million of them take no memory of their own.
#[derive(Default)]
pub struct Room {
    tape: Tape,
    again: Tape,
    text: Vec<u8>,
    twice: Vec<u8>,
}

/// Whether `source` was taken, and came back as it should.
///
/// # Panics
/// When the writers' text is refused, has other values, or is not what they write of it again; when serde_json reads
/// something else there.
pub fn comes_back(source: &[u8], room: &mut Room) -> bool {
    let strict = comes_back_under(source, &OPTIONS, room);
    if strict {
        assert!(
            super::json::agree(&room.text, &mut room.tape),
            "{}",
            room.text.escape_ascii()
        );
    }
    // Where strings may be any bytes more is taken, never less.
    let bytes = ScanOptions { utf8: false, ..OPTIONS };
    let lenient = comes_back_under(source, &bytes, room);
    assert!(lenient || !strict, "taken only as UTF-8: {}", source.escape_ascii());
    strict
}

fn comes_back_under(source: &[u8], options: &ScanOptions, room: &mut Room) -> bool {
    let Room {
        tape,
        again,
        text,
        twice,
    } = room;
    tape.reset();
    if scan(source, tape, options).is_err() {
        return false;
    }
    text.clear();
    let end = write(text, tape, source, 0, options.utf8).unwrap();
    assert_eq!(end, tape.len());
    again.reset();
    if let Err(error) = scan(text, again, options) {
        panic!("{error}: {} of {}", text.escape_ascii(), source.escape_ascii());
    }
    same(tape, source, again, text);
    twice.clear();
    write(twice, again, text, 0, options.utf8).unwrap();
    assert!(text == twice, "{} then {}", text.escape_ascii(), twice.escape_ascii());
    true
}

/// Write the value at `at`; the index after it.
fn write(out: &mut Vec<u8>, tape: &Tape, source: &[u8], at: usize, utf8: bool) -> Result<usize, ErrorKind> {
    let (node, mut next) = tape.node(at);
    match node {
        Node::Null => out.extend_from_slice(b"null"),
        Node::Bool(true) => out.extend_from_slice(b"true"),
        Node::Bool(false) => out.extend_from_slice(b"false"),
        Node::Int(value) => writer::write_int(out, value)?,
        Node::Uint(value) => writer::write_uint(out, value)?,
        Node::Float(value) => writer::write_float(out, value)?,
        Node::Str { .. } | Node::Scratch { .. } => writer::write_str(out, tape.bytes(node, source).unwrap(), utf8)?,
        Node::Array { count, .. } => {
            out.push(b'[');
            for item in 0..count {
                if item > 0 {
                    out.push(b',');
                }
                next = write(out, tape, source, next, utf8)?;
            }
            out.push(b']');
        }
        Node::Object { count, .. } => {
            out.push(b'{');
            for pair in 0..count {
                if pair > 0 {
                    out.push(b',');
                }
                next = write(out, tape, source, next, utf8)?;
                out.push(b':');
                next = write(out, tape, source, next, utf8)?;
            }
            out.push(b'}');
        }
        Node::Tag(_) | Node::Simple(_) => panic!("JSON has no {node:?}"),
    }
    Ok(next)
}

/// Asserts that two tapes hold the same values; a value's place and whether its escapes were resolved may differ.
fn same(left: &Tape, source: &[u8], right: &Tape, text: &[u8]) {
    let (mut at, mut other) = (0, 0);
    while at < left.len() {
        let ((ours, next), (theirs, after)) = (left.node(at), right.node(other));
        let fits = match (ours, theirs) {
            (Node::Float(a), Node::Float(b)) => a.to_bits() == b.to_bits(),
            (Node::Array { count: a, .. }, Node::Array { count: b, .. })
            | (Node::Object { count: a, .. }, Node::Object { count: b, .. }) => a == b,
            (Node::Str { .. } | Node::Scratch { .. }, _) => left.bytes(ours, source) == right.bytes(theirs, text),
            (a, b) => a == b,
        };
        assert!(fits, "{ours:?} became {theirs:?} in {}", text.escape_ascii());
        (at, other) = (next, after);
    }
    assert_eq!(other, right.len(), "{}", text.escape_ascii());
}
