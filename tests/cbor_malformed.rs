//! What the CBOR scanner refuses: appendix F, offsets, depth, and lengths that promise more than there is.
#![allow(missing_docs, clippy::unwrap_used)]

mod cbor_support;

use cbor_support::{error, scan, unhex, value};
use fkrpc::codec::cbor::{scan_item, ItemEnd, ScanOptions};
use fkrpc::codec::{CodecError, ErrorKind, Tape};
use serde_json::Value as Json;

const FIXTURE: &str = include_str!("../spec/fixtures/cbor/appendix_f.json");

/// The examples of RFC 8949, appendix F: hex, what is wrong in our words, and at which byte.
fn rows() -> Vec<(String, String, usize)> {
    let fixture: Json = serde_json::from_str(FIXTURE).unwrap();
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    let row = |row: &Json| {
        let offset = usize::try_from(row["offset"].as_u64().unwrap()).unwrap();
        (text(&row["hex"]), text(&row["error"]), offset)
    };
    fixture["rows"].as_array().unwrap().iter().map(row).collect()
}

/// The error of the end finder, in the scanner's words.
fn end_error(source: &[u8]) -> Option<CodecError> {
    match ItemEnd::new(128).feed(source) {
        Ok(None) => Some(CodecError::new(ErrorKind::UnexpectedEnd, source.len())),
        Ok(Some(_)) => None,
        Err(error) => Some(error),
    }
}

#[test]
fn what_appendix_f_calls_malformed_is_refused_at_the_byte_that_is_wrong() {
    let rows = rows();
    assert_eq!(rows.len(), 94);
    for (hex, what, offset) in rows {
        let (kind, at) = error(&hex);
        assert_eq!((kind.to_string(), at), (what, offset), "{hex}");
        assert_eq!(end_error(&unhex(&hex)), Some(CodecError::new(kind, offset)), "{hex}");
    }
    assert_eq!(error(""), (ErrorKind::UnexpectedEnd, 0));
}

#[test]
fn a_break_after_a_tag_is_refused() {
    assert_eq!(error("9fc1ff"), (ErrorKind::UnexpectedBreak, 2));
    assert_eq!(error("bf00c1c2ff"), (ErrorKind::UnexpectedBreak, 4));
    assert_eq!(error("c1ff"), (ErrorKind::UnexpectedBreak, 1));
}

#[test]
fn a_reserved_head_inside_an_indefinite_string_is_refused() {
    assert_eq!(error("5f5cff"), (ErrorKind::InvalidHead, 1));
    assert_eq!(error("7f6100 7eff"), (ErrorKind::InvalidHead, 3));
    assert_eq!(error("7f6100 1cff"), (ErrorKind::InvalidChunk, 3));
}

#[test]
fn offsets_count_from_the_start_of_the_source() {
    let source = unhex("00 00 82 00 1c");
    let error = scan_item(&source, 2, &mut Tape::new(), &ScanOptions::default()).unwrap_err();
    assert_eq!(error, CodecError::new(ErrorKind::InvalidHead, 4));
}

#[test]
fn arrays_maps_and_tags_count_as_depth() {
    let options = ScanOptions {
        max_depth: 3,
        ..ScanOptions::default()
    };
    for (deep, offset) in [
        ("81818180", 3),
        ("9f9f9f9fffffffff", 3),
        ("a100a100a100a0", 6),
        ("c1c1c1c100", 3),
        ("82c1c1008181c1c100", 6),
        ("c181c1a0", 3),
    ] {
        let source = unhex(deep);
        let expected = CodecError::new(ErrorKind::TooDeep, offset);
        assert_eq!(scan(&source, &options), Err(expected), "{deep}");
        assert_eq!(ItemEnd::new(3).feed(&source), Err(expected), "{deep}");
    }
    for fits in ["818180", "c1c1c100", "c1c180", "84c1c100c1c10081808180", "a1c18000"] {
        let source = unhex(fits);
        assert_eq!(scan(&source, &options).map(|(_, end)| end), Ok(source.len()), "{fits}");
        assert_eq!(ItemEnd::new(3).feed(&source), Ok(Some(source.len())), "{fits}");
    }
}

#[test]
fn no_depth_at_all_still_allows_scalars() {
    let options = ScanOptions {
        max_depth: 0,
        ..ScanOptions::default()
    };
    assert!(scan(&[0x00], &options).is_ok());
    assert_eq!(scan(&[0x80], &options), Err(CodecError::new(ErrorKind::TooDeep, 0)));
}

#[test]
fn a_hundred_thousand_open_arrays_are_refused_at_the_limit() {
    for initial in [0x81, 0x9f, 0xa1, 0xbf, 0xc1] {
        let source = vec![initial; 100_000];
        let expected = CodecError::new(ErrorKind::TooDeep, 128);
        assert_eq!(scan(&source, &ScanOptions::default()), Err(expected), "{initial:#x}");
        assert_eq!(ItemEnd::new(128).feed(&source), Err(expected), "{initial:#x}");
    }
}

#[test]
fn a_million_open_arrays_leave_the_machine_stack_alone() {
    let options = ScanOptions {
        max_depth: usize::MAX,
        ..ScanOptions::default()
    };
    let mut source = vec![0x81; 1_000_000];
    source.push(0);
    let mut tape = Tape::new();
    assert_eq!(scan_item(&source, 0, &mut tape, &options), Ok(source.len()));
    assert_eq!(tape.len(), 2_000_001);
    assert_eq!(ItemEnd::new(usize::MAX).feed(&source), Ok(Some(source.len())));
}

#[test]
fn a_count_that_no_input_can_hold_is_not_believed() {
    for head in [
        "9b8000000000000000",
        "9bffffffffffffffff",
        "bb8000000000000000",
        "bb7fffffffffffffff",
    ] {
        let mut source = unhex(head);
        source.extend_from_slice(&[0; 100]);
        let expected = CodecError::new(ErrorKind::UnexpectedEnd, source.len());
        assert_eq!(scan(&source, &ScanOptions::default()), Err(expected), "{head}");
        assert_eq!(ItemEnd::new(128).feed(&source), Ok(None), "{head}");
        source.push(0xff);
        let expected = CodecError::new(ErrorKind::UnexpectedBreak, source.len() - 1);
        assert_eq!(scan(&source, &ScanOptions::default()), Err(expected), "{head}");
        assert_eq!(ItemEnd::new(128).feed(&source), Err(expected), "{head}");
    }
}

#[test]
fn a_string_length_that_no_input_can_hold_takes_no_memory() {
    for head in ["5b8000000000000000", "7bffffffffffffffff", "5bfffffffffffffff7"] {
        let mut tape = Tape::new();
        for source in [
            unhex(head),
            unhex(&format!("5f{head}00")),
            unhex(&format!("8200{head}00")),
        ] {
            let found = scan_item(&source, 0, &mut tape, &ScanOptions::default());
            assert!(found.is_err(), "{head}");
            assert_eq!(tape.scratch_mut().capacity(), 0, "{head}");
        }
        let mut end = ItemEnd::new(128);
        let source = unhex(head);
        assert_eq!(end.feed(&source), Ok(None));
        assert!(end.needed() > isize::MAX as usize, "no buffer is that long");
    }
}

#[test]
fn a_two_byte_simple_value_from_32_on_is_accepted() {
    value("f820");
    value("f8ff");
}
