//! Strings: escapes, surrogates, control characters, UTF-8, and where an error is.
#![allow(clippy::unwrap_used)]

use fkrpc::codec::json::{scan, ScanOptions};
use fkrpc::codec::tape::{Node, Tape};
use fkrpc::codec::{CodecError, ErrorKind};
use ErrorKind::*;

const RAW: ScanOptions = ScanOptions {
    max_depth: 128,
    utf8: false,
    big: fkrpc::codec::Big::Error,
    integers: fkrpc::codec::Integers::I64,
    nan: false,
};

/// The bytes of the string that is the whole document.
fn text(source: &[u8], options: &ScanOptions) -> Result<Vec<u8>, CodecError> {
    let mut tape = Tape::new();
    scan(source, &mut tape, options)?;
    Ok(tape.bytes(tape.node(0).0, source).unwrap().to_vec())
}

/// Asserts that a document is refused with an error of `kind` at `offset`.
#[track_caller]
fn refused(source: impl AsRef<[u8]>, kind: ErrorKind, offset: usize) {
    let source = source.as_ref();
    let shown = String::from_utf8_lossy(source);
    let error = text(source, &ScanOptions::default()).expect_err(&shown);
    assert_eq!(error, CodecError::new(kind, offset), "{shown}");
}

#[test]
fn strings_without_escapes_stay_in_the_source() {
    for len in 0..70 {
        let inside: String = "ab\u{e9}\u{7f}".chars().cycle().take(len).collect();
        let source = format!(" \"{inside}\"");
        let mut tape = Tape::new();
        scan(source.as_bytes(), &mut tape, &ScanOptions::default()).unwrap();
        let expected = Node::Str {
            offset: 2,
            len: inside.len(),
        };
        assert_eq!(tape.node(0).0, expected);
    }
}

#[test]
fn escapes_are_resolved_wherever_they_stand() {
    let plain = ScanOptions::default();
    assert_eq!(
        text(br#""\"\\\/\b\f\n\r\t""#, &plain),
        Ok(b"\"\\/\x08\x0c\n\r\t".to_vec())
    );
    assert_eq!(
        text(br#""\u0041\u00e9\u5F20\u0000""#, &plain),
        Ok("A\u{e9}\u{5f20}\0".into())
    );
    assert_eq!(
        text(br#""\ud83d\ude00\uDBFF\uDFFF""#, &plain),
        Ok("\u{1f600}\u{10ffff}".into())
    );
    for before in 0..40 {
        for after in 0..40 {
            let (before, after) = ("x".repeat(before), "\u{e9}".repeat(after));
            let source = format!("\"{before}\\n{after}\"");
            assert_eq!(text(source.as_bytes(), &plain), Ok(format!("{before}\n{after}").into()));
        }
    }
}

#[test]
fn unknown_escapes_are_refused() {
    refused(r#""a\x41""#, InvalidEscape, 3);
    refused(r#""\'""#, InvalidEscape, 2);
    refused(r#""\U0041""#, InvalidEscape, 2);
    refused(r#""\u00g1""#, InvalidEscape, 5);
    refused(r#""\u 041""#, InvalidEscape, 3);
    refused(r#""\u41""#, InvalidEscape, 5);
    refused(r#""\ud83d\u00""#, InvalidEscape, 11);
    refused("\"\\\n\"", InvalidEscape, 2);
}

#[test]
fn a_lone_surrogate_is_refused() {
    for source in [
        r#""ab\ud800""#,
        r#""ab\udfff""#,
        r#""ab\ud800x""#,
        r#""ab\ud800\n""#,
        r#""ab\ud800\u0041""#,
        r#""ab\ud800\ud800""#,
        r#""ab\ude00\ud83d""#,
    ] {
        refused(source, LoneSurrogate, 3);
        let error = Err(CodecError::new(LoneSurrogate, 3));
        assert_eq!(text(source.as_bytes(), &RAW), error);
    }
}

#[test]
fn every_raw_control_character_is_refused_and_del_is_not() {
    for control in 0..0x20u8 {
        for before in [0, 1, 7, 15, 16, 33] {
            let mut source = vec![b'"'];
            source.resize(1 + before, b'x');
            source.extend([control, b'"']);
            refused(&source, ControlCharacter, 1 + before);
            source.splice(1..1, *b"\\n");
            refused(&source, ControlCharacter, 3 + before);
        }
    }
    assert_eq!(text(b"\"\x7f\"", &ScanOptions::default()), Ok(vec![0x7f]));
}

#[test]
fn bytes_that_are_not_utf8_are_refused_at_the_first_of_them() {
    for bad in [
        &b"\x80"[..],
        b"\xff",
        b"\xc0\xaf",
        b"\xe4\xb8",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xe0\x80\xaf",
    ] {
        for before in [0, 3, 15, 16, 40, 100] {
            for after in [&b""[..], b"z", b"\\n", b"\\x", b"\x01"] {
                let mut inside = vec![b'a'; before];
                inside.extend(bad);
                inside.extend(after);
                let source = [b"\"", &inside[..], b"\""].concat();
                refused(&source, InvalidUtf8, 1 + before);
                if after.len() < 2 && after != b"\x01" {
                    assert_eq!(text(&source, &RAW), Ok(inside));
                }
            }
        }
    }
    refused(b"{\"\xff\":1}", InvalidUtf8, 2);
    refused(b"[\"\xe4\xb8", UnexpectedEnd, 4);
    refused(b"[\"\xe4\xb8\\", InvalidUtf8, 2);
}

#[test]
fn without_utf8_bytes_pass_and_escapes_still_become_utf8() {
    assert_eq!(text(b"\"\xff\\u00e9\xfe\"", &RAW), Ok(b"\xff\xc3\xa9\xfe".to_vec()));
    assert_eq!(text(b"\"\xb9\xfa\"", &RAW), Ok(b"\xb9\xfa".to_vec()));
    assert_eq!(text(b"\"\xb9\x02\"", &RAW), Err(CodecError::new(ControlCharacter, 2)));
    assert_eq!(text(b"\xb9", &RAW), Err(CodecError::new(UnexpectedCharacter, 0)));
}
