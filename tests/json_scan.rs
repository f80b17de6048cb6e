//! What the JSON scanner takes and refuses, and where it says so.
#![allow(clippy::unwrap_used)]

use fkrpc::codec::json::{scan, scan_value, ScanOptions};
use fkrpc::codec::tape::{Node, Tape};
use fkrpc::codec::{CodecError, ErrorKind};
use ErrorKind::*;

/// Every node of a document in the order of the tape, or the error.
fn nodes(source: &[u8], options: &ScanOptions) -> Result<Vec<Node>, CodecError> {
    let mut tape = Tape::new();
    scan(source, &mut tape, options)?;
    let (mut at, mut nodes) = (0, Vec::new());
    while at < tape.len() {
        let (node, next) = tape.node(at);
        nodes.push(node);
        at = next;
    }
    Ok(nodes)
}

/// Asserts that a document is refused with an error of `kind` at `offset`.
#[track_caller]
fn refused(source: impl AsRef<[u8]>, kind: ErrorKind, offset: usize) {
    let source = source.as_ref();
    let shown = String::from_utf8_lossy(source);
    let error = nodes(source, &ScanOptions::default()).expect_err(&shown);
    assert_eq!(error, CodecError::new(kind, offset), "{shown}");
}

#[test]
fn a_document_is_one_value_with_white_space_around_it() {
    let plain = ScanOptions::default();
    assert_eq!(nodes(b" \t\r\nnull\n", &plain), Ok(vec![Node::Null]));
    assert_eq!(nodes(b"true", &plain), Ok(vec![Node::Bool(true)]));
    assert_eq!(nodes(b"false", &plain), Ok(vec![Node::Bool(false)]));
    let wide = format!("{0}[{0}1{0},{0}2{0}]{0}", " \n\t\r".repeat(9));
    assert_eq!(
        nodes(wide.as_bytes(), &plain).unwrap()[1..],
        [Node::Int(1), Node::Int(2)]
    );
}

#[test]
fn containers_know_their_count_and_their_end() {
    let tape = nodes(br#"{"a":[1,{},[]],"b":null,"a":2}"#, &ScanOptions::default()).unwrap();
    assert_eq!(
        tape,
        [
            Node::Object { count: 3, end: 14 },
            Node::Str { offset: 2, len: 1 },
            Node::Array { count: 3, end: 10 },
            Node::Int(1),
            Node::Object { count: 0, end: 8 },
            Node::Array { count: 0, end: 10 },
            Node::Str { offset: 16, len: 1 },
            Node::Null,
            Node::Str { offset: 25, len: 1 },
            Node::Int(2),
        ]
    );
}

#[test]
fn scan_value_stops_after_the_value_and_leaves_the_rest_alone() {
    let mut tape = Tape::new();
    let source = b"  [1] {\"a\":2}x";
    let options = ScanOptions::default();
    assert_eq!(scan_value(source, 0, &mut tape, &options), Ok(5));
    assert_eq!(scan_value(source, 5, &mut tape, &options), Ok(13));
    assert_eq!(
        scan_value(source, 13, &mut tape, &options),
        Err(CodecError::new(UnexpectedCharacter, 13))
    );
    assert_eq!(
        scan_value(source, 99, &mut tape, &options),
        Err(CodecError::new(UnexpectedEnd, 14))
    );
    assert_eq!(tape.node(3).0, Node::Object { count: 1, end: 7 });
}

#[test]
fn a_refused_document_leaves_the_tape_as_it_was() {
    let mut tape = Tape::new();
    let options = ScanOptions::default();
    scan(b"[\"\\n\"]", &mut tape, &options).unwrap();
    let (words, scratch) = (tape.len(), tape.scratch().to_vec());
    for bad in [&b"[1,[\"\\t\",{\"a\":2}"[..], b"[\"\\t\"] x"] {
        assert!(scan(bad, &mut tape, &options).is_err());
        assert_eq!((tape.len(), tape.scratch()), (words, &scratch[..]));
    }
}

#[test]
fn an_input_that_ends_inside_a_value_is_refused_at_its_end() {
    let whole = "{\"a\":[true,false,null,\"\\u00e9\\ud83d\\ude00 \u{5f20}\",-1.5e+3 , {}]}";
    for cut in 0..whole.len() {
        let part = &whole.as_bytes()[..cut];
        let error = nodes(part, &ScanOptions::default()).expect_err(whole);
        let number = matches!(part.last(), Some(b'-' | b'+' | b'e' | b'.')) && !part.ends_with(b"true");
        let number = number && part.contains(&b'-');
        assert_eq!(
            error,
            CodecError::new(if number { InvalidNumber } else { UnexpectedEnd }, cut)
        );
    }
    assert!(nodes(whole.as_bytes(), &ScanOptions::default()).is_ok());
}

#[test]
fn what_follows_the_value_is_trailing_garbage() {
    refused("1 2", TrailingGarbage, 2);
    refused("{} }", TrailingGarbage, 3);
    refused("nullx", TrailingGarbage, 4);
    refused("1a", TrailingGarbage, 1);
    refused("[]\0", TrailingGarbage, 2);
    refused("1 // note", TrailingGarbage, 2);
}

#[test]
fn misplaced_characters_are_refused_where_they_stand() {
    for (source, offset) in [
        ("\u{feff}1", 0),
        ("[1,]", 3),
        ("[,1]", 1),
        ("[1 2]", 3),
        ("[1}", 2),
        ("{1:2}", 1),
        ("{\"a\" 1}", 5),
        ("{\"a\":1,}", 7),
        ("{\"a\":1]", 6),
        ("{\"a\",1}", 4),
        ("{\"a\":}", 5),
        ("{,}", 1),
        ("]", 0),
        ("'a'", 0),
        ("NaN", 0),
        ("Infinity", 0),
        ("trye", 2),
        ("nul1", 3),
        ("False", 0),
        ("[/**/1]", 1),
        ("[\0]", 1),
        ("\u{a0}1", 0),
        ("\x0b1", 0),
    ] {
        refused(source, UnexpectedCharacter, offset);
    }
    refused("", UnexpectedEnd, 0);
    refused(" \n ", UnexpectedEnd, 3);
}

#[test]
fn numbers_that_the_grammar_does_not_know_are_refused() {
    for (source, offset) in [
        ("01", 1),
        ("-01", 2),
        ("00", 1),
        ("[012]", 2),
        ("1.", 2),
        ("[1.]", 3),
        ("1.e5", 2),
        (".5", 0),
        ("+1", 0),
        ("-", 1),
        ("-x", 1),
        ("-Infinity", 1),
        ("-.5", 1),
        ("1e", 2),
        ("1e+", 3),
        ("1e-x", 3),
        ("1E.5", 2),
    ] {
        refused(source, InvalidNumber, offset);
    }
    refused("0x10", TrailingGarbage, 1);
    refused("1.5.5", TrailingGarbage, 3);
}

#[test]
fn nesting_is_taken_to_the_limit_and_not_beyond() {
    for (limit, open, close) in [(3, "[", "]"), (128, "[", "]"), (2, "{\"a\":", "}")] {
        let options = ScanOptions {
            max_depth: limit,
            ..ScanOptions::default()
        };
        let inside = format!("{}1{}", open.repeat(limit), close.repeat(limit));
        assert!(nodes(inside.as_bytes(), &options).is_ok());
        let outside = format!("{}1{}", open.repeat(limit + 1), close.repeat(limit + 1));
        let error = CodecError::new(TooDeep, open.len() * limit);
        assert_eq!(nodes(outside.as_bytes(), &options), Err(error));
    }
    let flat = ScanOptions {
        max_depth: 0,
        ..ScanOptions::default()
    };
    assert_eq!(nodes(b"[]", &flat), Err(CodecError::new(TooDeep, 0)));
    assert_eq!(nodes(b"7", &flat), Ok(vec![Node::Int(7)]));
}

#[test]
fn siblings_do_not_count_as_depth() {
    let options = ScanOptions {
        max_depth: 2,
        ..ScanOptions::default()
    };
    let many = format!("[{}[]]", "[1],{},".repeat(500));
    assert_eq!(
        nodes(many.as_bytes(), &options).unwrap()[0],
        Node::Array { count: 1001, end: 2504 }
    );
}

#[test]
fn a_hundred_thousand_brackets_need_no_stack() {
    refused("[".repeat(100_000), TooDeep, 128);
    refused("{\"\":".repeat(100_000), TooDeep, 512);
    let deep = ScanOptions {
        max_depth: usize::MAX,
        ..ScanOptions::default()
    };
    let source = "[".repeat(100_000) + &"]".repeat(100_000);
    assert_eq!(nodes(source.as_bytes(), &deep).unwrap().len(), 100_000);
    assert_eq!(
        nodes("[".repeat(100_000).as_bytes(), &deep),
        Err(CodecError::new(UnexpectedEnd, 100_000))
    );
}
