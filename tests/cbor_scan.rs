//! The CBOR scanner: appendix A, what is not well-formed (appendix F), options, limits, error offsets.
#![allow(missing_docs, clippy::unwrap_used)]

mod cbor_support;

use cbor_support::{error, float, scan, string, unhex, value, Value};
use fkrpc::codec::cbor::{scan_item, ScanOptions};
use fkrpc::codec::tape::Node;
use fkrpc::codec::{Big, CodecError, ErrorKind, Integers, Tape};

fn with(options: ScanOptions, hex: &str) -> Result<Value, ErrorKind> {
    scan(&unhex(hex), &options)
        .map(|(value, _)| value)
        .map_err(|error| error.kind)
}

fn with_big(big: Big, integers: Integers, hex: &str) -> Result<Value, ErrorKind> {
    let options = ScanOptions {
        big,
        integers,
        ..ScanOptions::default()
    };
    with(options, hex)
}

#[test]
fn byte_and_text_strings_in_one_piece_stay_in_the_source() {
    let source = unhex("83 43 010203 62 6869 40");
    let mut tape = Tape::new();
    assert_eq!(
        scan_item(&source, 0, &mut tape, &ScanOptions::default()),
        Ok(source.len())
    );
    assert_eq!(tape.node(2).0, Node::Str { offset: 2, len: 3 });
    assert_eq!(tape.node(3).0, Node::Str { offset: 6, len: 2 });
    assert_eq!(tape.node(4).0, Node::Str { offset: 9, len: 0 });
}

#[test]
fn chunks_are_joined_in_scratch() {
    assert_eq!(value("5f 42 0102 40 41 03 ff"), string([1, 2, 3]));
    assert_eq!(value("7f 61 61 78 01 62 ff"), string("ab"));
    assert_eq!(value("5f ff"), string(""));
    assert_eq!(
        value("82 5f 41 01 ff 5f 41 02 ff"),
        Value::Array(vec![string([1]), string([2])])
    );
}

#[test]
fn items_of_a_sequence_are_scanned_one_after_the_other() {
    let source = unhex("01 6161 8102 ff");
    let mut tape = Tape::new();
    let options = ScanOptions::default();
    assert_eq!(scan_item(&source, 0, &mut tape, &options), Ok(1));
    assert_eq!(scan_item(&source, 1, &mut tape, &options), Ok(3));
    assert_eq!(scan_item(&source, 3, &mut tape, &options), Ok(5));
    let before = tape.len();
    assert_eq!(
        scan_item(&source, 5, &mut tape, &options),
        Err(CodecError::new(ErrorKind::UnexpectedBreak, 5))
    );
    assert_eq!(tape.len(), before);
    assert_eq!(tape.node(1).0, Node::Str { offset: 2, len: 1 });
    assert_eq!(
        scan_item(&source, 6, &mut tape, &options),
        Err(CodecError::new(ErrorKind::UnexpectedEnd, 6))
    );
}

#[test]
fn a_packet_with_every_head_width_is_read() {
    // {100: '2.0', 101: 'm', 102: [1, -1, true], 104: 258}, its keys in all widths
    let packet = "a4 1864 43322e30 190065 416d 1a00000066 83 01 20 f5 1b0000000000000068 190102";
    let pairs = vec![
        (Value::Int(100), string("2.0")),
        (Value::Int(101), string("m")),
        (
            Value::Int(102),
            Value::Array(vec![Value::Int(1), Value::Int(-1), Value::Bool(true)]),
        ),
        (Value::Int(104), Value::Int(258)),
    ];
    assert_eq!(value(packet), Value::Map(pairs));
}

#[test]
fn map_keys_may_be_any_item() {
    assert_eq!(
        value("a5 80 01 a0 02 f6 03 c1 00 04 f7 05"),
        Value::Map(vec![
            (Value::Array(vec![]), Value::Int(1)),
            (Value::Map(vec![]), Value::Int(2)),
            (Value::Null, Value::Int(3)),
            (Value::Tag(1, Box::new(Value::Int(0))), Value::Int(4)),
            (Value::Simple(23), Value::Int(5)),
        ])
    );
}

#[test]
fn nan_is_no_key_but_may_be_a_value_or_inside_a_key() {
    for nan in ["f97e00", "fa7fc00000", "fb7ff8000000000000"] {
        assert_eq!(error(&format!("a1 {nan} 00")), (ErrorKind::InvalidKey, 1));
        assert_eq!(error(&format!("bf 0000 {nan} 00 ff")), (ErrorKind::InvalidKey, 3));
        assert_eq!(error(&format!("a1 c1 c2 {nan} 00")), (ErrorKind::InvalidKey, 3));
        value(&format!("a1 00 {nan}"));
        value(&format!("a1 81 {nan} 00"));
        value(nan);
    }
}

#[test]
fn floats_of_all_widths_become_doubles() {
    assert_eq!(value("f93c00"), float(1.0));
    assert_eq!(value("f98000"), float(-0.0));
    assert_eq!(value("f90001"), float(5.960464477539063e-8));
    assert_eq!(value("fa47c35000"), float(100_000.0));
    assert_eq!(value("fbfff0000000000000"), float(f64::NEG_INFINITY));
    assert_eq!(value("fbfff8000000000123"), Value::Float(0xfff8_0000_0000_0123));
}

#[test]
fn integral_floats_become_integers_if_asked_and_if_they_fit() {
    let options = |integers| ScanOptions {
        integral_floats: true,
        integers,
        ..ScanOptions::default()
    };
    for integers in [Integers::I64, Integers::Double] {
        let read = |hex| with(options(integers), hex).unwrap();
        assert_eq!(read("f93c00"), Value::Int(1));
        assert_eq!(read("f98000"), Value::Int(0));
        assert_eq!(read("fbc008000000000000"), Value::Int(-3));
        assert_eq!(read("f93e00"), float(1.5));
        assert_eq!(read("f97c00"), float(f64::INFINITY));
        assert_eq!(read("fb4340000000000000"), Value::Int(1 << 53));
        assert_eq!(read("fb43e0000000000000"), float(9_223_372_036_854_775_808.0));
        assert!(matches!(read("f97e00"), Value::Float(bits) if f64::from_bits(bits).is_nan()));
    }
    assert_eq!(
        with(options(Integers::I64), "fbc3e0000000000000"),
        Ok(Value::Int(i64::MIN))
    );
    assert_eq!(
        with(options(Integers::Double), "fb4350000000000000"),
        Ok(float(18_014_398_509_481_984.0))
    );
    assert_eq!(value("f93c00"), float(1.0));
}

#[test]
fn an_integer_beyond_64_bits_follows_the_option_big() {
    let read = |big, hex| with_big(big, Integers::I64, hex);
    let (above, most) = ("1b8000000000000000", "1bffffffffffffffff");
    let (below, least) = ("3b8000000000000000", "3bffffffffffffffff");
    for hex in [above, most, below, least] {
        assert_eq!(read(Big::Error, hex), Err(ErrorKind::IntegerTooLarge));
    }
    assert_eq!(error("82 00 1bffffffffffffffff"), (ErrorKind::IntegerTooLarge, 2));
    assert_eq!(read(Big::Float, above), Ok(float(9_223_372_036_854_775_808.0)));
    assert_eq!(read(Big::Float, least), Ok(float(-18_446_744_073_709_551_616.0)));
    assert_eq!(read(Big::String, most), Ok(string("18446744073709551615")));
    assert_eq!(read(Big::String, below), Ok(string("-9223372036854775809")));
    assert_eq!(read(Big::String, least), Ok(string("-18446744073709551616")));
    assert_eq!(read(Big::Wrap, most), Ok(Value::Int(-1)));
    assert_eq!(read(Big::Wrap, above), Ok(Value::Int(i64::MIN)));
    assert_eq!(read(Big::Wrap, least), Ok(Value::Int(0)));
    assert_eq!(read(Big::Wrap, "3bffffffffffff80a6"), Ok(Value::Int(32601)));
    assert_eq!(read(Big::Cdata, above), Ok(Value::Uint(1 << 63)));
    assert_eq!(read(Big::Cdata, most), Ok(Value::Uint(u64::MAX)));
    assert_eq!(read(Big::Cdata, below), Err(ErrorKind::IntegerTooLarge));
}

#[test]
fn the_ends_of_64_bits_are_integers_whatever_big_says() {
    for big in [Big::Error, Big::Float, Big::String, Big::Wrap, Big::Cdata] {
        let read = |hex| with_big(big, Integers::I64, hex);
        assert_eq!(read("1b7fffffffffffffff"), Ok(Value::Int(i64::MAX)));
        assert_eq!(read("3b7fffffffffffffff"), Ok(Value::Int(i64::MIN)));
    }
}

#[test]
fn an_integer_beyond_a_double_follows_the_option_big() {
    let read = |big, hex| with_big(big, Integers::Double, hex);
    let (within, beyond) = ("1b0020000000000000", "1b0020000000000001");
    let (low, below) = ("3b001fffffffffffff", "3b0020000000000000");
    for big in [Big::Error, Big::Float, Big::String, Big::Wrap, Big::Cdata] {
        assert_eq!(read(big, within), Ok(Value::Int(1 << 53)));
        assert_eq!(read(big, low), Ok(Value::Int(-(1 << 53))));
    }
    assert_eq!(read(Big::Error, beyond), Err(ErrorKind::IntegerTooLarge));
    assert_eq!(read(Big::Error, below), Err(ErrorKind::IntegerTooLarge));
    assert_eq!(read(Big::Float, beyond), Ok(float(9_007_199_254_740_992.0)));
    assert_eq!(read(Big::String, beyond), Ok(string("9007199254740993")));
    assert_eq!(read(Big::Cdata, beyond), Ok(Value::Int((1 << 53) + 1)));
    assert_eq!(read(Big::Cdata, below), Ok(Value::Int(-(1 << 53) - 1)));
    assert_eq!(read(Big::Cdata, "1bffffffffffffffff"), Ok(Value::Uint(u64::MAX)));
    assert_eq!(read(Big::Wrap, "3bffffffffffff80a6"), Ok(Value::Int(32601)));
    assert_eq!(read(Big::Wrap, "1bffffffffffffffff"), Ok(Value::Int(-1)));
    assert_eq!(
        read(Big::Wrap, "1b8000000000000000"),
        Ok(float(-9_223_372_036_854_775_808.0))
    );
    assert_eq!(read(Big::Wrap, beyond), Ok(float(9_007_199_254_740_992.0)));
}

#[test]
fn a_tag_that_the_reader_cannot_hold_is_refused_and_not_rounded() {
    let beyond_i64 = "db 8000000000000000 00";
    let beyond_double = "db 0020000000000001 00";
    for integers in [Integers::I64, Integers::Double] {
        let refused = Err(ErrorKind::IntegerTooLarge);
        assert_eq!(with_big(Big::Error, integers, beyond_i64), refused);
        let expected = if integers == Integers::I64 {
            Ok(Value::Tag((1 << 53) + 1, Box::new(Value::Int(0))))
        } else {
            refused
        };
        assert_eq!(with_big(Big::Error, integers, beyond_double), expected);
        // Asked for, it goes on the tape as it is.
        for big in [Big::Float, Big::String, Big::Wrap, Big::Cdata] {
            let value = with_big(big, integers, beyond_i64);
            assert_eq!(value, Ok(Value::Tag(1 << 63, Box::new(Value::Int(0)))));
        }
    }
    assert_eq!(
        scan(&unhex("81 db ffffffffffffffff 00"), &ScanOptions::default()),
        Err(CodecError::new(ErrorKind::IntegerTooLarge, 1))
    );
}

#[test]
fn text_is_checked_for_utf8_only_if_asked_and_chunk_by_chunk() {
    let strict = ScanOptions {
        utf8: true,
        ..ScanOptions::default()
    };
    for (bad, offset) in [("61ff", 0), ("8262c3bc62c328", 4), ("7f61c361bcff", 1)] {
        value(bad);
        let error = scan(&unhex(bad), &strict).unwrap_err();
        assert_eq!((error.kind, error.offset), (ErrorKind::InvalidUtf8, offset), "{bad}");
    }
    assert_eq!(with(strict, "41ff"), Ok(string([0xff])));
    assert_eq!(with(strict, "5f41c3ff"), Ok(string([0xc3])));
    assert_eq!(with(strict, "7f62c3bcff"), Ok(string("ü")));
}
