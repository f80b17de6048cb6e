//! `NaN` and the infinities, which are numbers only for who asks.
#![allow(clippy::unwrap_used)]

use fkrpc::codec::json::{scan, ScanOptions};
use fkrpc::codec::tape::{Node, Tape};
use fkrpc::codec::ErrorKind;

fn scanned(text: &str, nan: bool) -> Result<Node, (ErrorKind, usize)> {
    let options = ScanOptions {
        nan,
        ..ScanOptions::default()
    };
    let mut tape = Tape::new();
    scan(text.as_bytes(), &mut tape, &options).map_err(|error| (error.kind, error.offset))?;
    Ok(tape.node(0).0)
}

#[test]
fn they_are_read_if_they_are_asked_for() {
    assert!(matches!(scanned(" NaN ", true), Ok(Node::Float(value)) if value.is_nan()));
    assert_eq!(scanned("Infinity", true), Ok(Node::Float(f64::INFINITY)));
    assert_eq!(scanned("-Infinity", true), Ok(Node::Float(f64::NEG_INFINITY)));
    assert!(matches!(
        scanned("[NaN,-Infinity]", true),
        Ok(Node::Array { count: 2, .. })
    ));
}

#[test]
fn they_are_refused_otherwise_where_they_begin() {
    assert_eq!(scanned("NaN", false), Err((ErrorKind::UnexpectedCharacter, 0)));
    assert_eq!(scanned("[Infinity]", false), Err((ErrorKind::UnexpectedCharacter, 1)));
    assert_eq!(scanned("-Infinity", false), Err((ErrorKind::InvalidNumber, 1)));
}

#[test]
fn other_words_are_refused_even_then() {
    for (text, kind, offset) in [
        ("nan", ErrorKind::UnexpectedCharacter, 1), // an `n` begins null
        ("Inf", ErrorKind::UnexpectedCharacter, 0),
        ("NaNN", ErrorKind::TrailingGarbage, 3),
        ("-NaN", ErrorKind::InvalidNumber, 1),
        ("-", ErrorKind::InvalidNumber, 1),
        ("+Infinity", ErrorKind::InvalidNumber, 0),
        ("", ErrorKind::UnexpectedEnd, 0),
        ("{NaN:1}", ErrorKind::UnexpectedCharacter, 1),
    ] {
        assert_eq!(scanned(text, true), Err((kind, offset)), "{text}");
    }
}
