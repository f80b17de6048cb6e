//! What the JSON writers append, and what they refuse.
#![allow(clippy::unwrap_used)]

use fkrpc::codec::json::writer::{write_float, write_int, write_str, write_uint};
use fkrpc::codec::json::{scan, ScanOptions};
use fkrpc::codec::tape::{Node, Tape};
use fkrpc::codec::ErrorKind;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

fn written(write: impl FnOnce(&mut Vec<u8>) -> Result<(), ErrorKind>) -> String {
    let mut out = b"before ".to_vec();
    write(&mut out).unwrap();
    String::from_utf8(out)
        .unwrap()
        .strip_prefix("before ")
        .unwrap()
        .to_owned()
}

#[test]
fn integers_are_written_whole() {
    for value in [0, 1, 9, 10, -1, -9, -10, 255, 256, i64::MAX, i64::MIN] {
        assert_eq!(written(|out| write_int(out, value)), value.to_string());
    }
    for value in [0, 7, 1 << 63, u64::MAX] {
        assert_eq!(written(|out| write_uint(out, value)), value.to_string());
    }
}

#[test]
fn floats_are_written_short_and_recognisable() {
    for (value, expected) in [
        (1.0, "1.0"),
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (0.1, "0.1"),
        (0.1 + 0.2, "0.30000000000000004"),
        (-2.5, "-2.5"),
        (1e300, "1e+300"),
        (9007199254740993.0, "9007199254740992.0"),
    ] {
        assert_eq!(
            written(|out| write_float(out, value)).replace("e+", "e"),
            expected.replace("e+", "e")
        );
    }
}

#[test]
fn every_float_reads_back_as_the_same_float() {
    let mut random = StdRng::seed_from_u64(3);
    let mut values = vec![
        f64::MAX,
        f64::MIN_POSITIVE,
        5e-324,
        1e16,
        1e15,
        123456789012345680.0,
        1e-5,
        1e-7,
    ];
    values.extend(
        (0..30_000)
            .map(|_| f64::from_bits(random.random()))
            .filter(|value| value.is_finite()),
    );
    values.extend((0..2_000).map(|n| f64::from(n) * 1e3));
    let mut tape = Tape::new();
    for value in values {
        let text = written(|out| write_float(out, value));
        tape.reset();
        scan(text.as_bytes(), &mut tape, &ScanOptions::default()).unwrap();
        assert!(
            matches!(tape.node(0).0, Node::Float(back) if back.to_bits() == value.to_bits()),
            "{text}"
        );
    }
}

#[test]
fn nan_and_the_infinities_are_refused() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(write_float(&mut Vec::new(), value), Err(ErrorKind::NotFinite));
    }
}

#[test]
fn quotes_backslashes_and_control_characters_are_escaped_and_nothing_else() {
    for byte in 0..=0x7fu8 {
        let expected = match byte {
            b'"' => "\\\"".to_owned(),
            b'\\' => "\\\\".to_owned(),
            0x08 => "\\b".to_owned(),
            0x0c => "\\f".to_owned(),
            b'\n' => "\\n".to_owned(),
            b'\r' => "\\r".to_owned(),
            b'\t' => "\\t".to_owned(),
            0..=0x1f => format!("\\u{byte:04x}"),
            _ => char::from(byte).to_string(),
        };
        // The byte in every place of the first chunks, among plain bytes and among its like.
        for (before, after) in (0..36).flat_map(|before| [0, 1, 9, 40].map(|after| (before, after))) {
            let (left, right) = ("x".repeat(before), "\u{e9}".repeat(after));
            let text = format!("{left}{}{right}", char::from(byte));
            let result = written(|out| write_str(out, text.as_bytes(), true));
            assert_eq!(result, format!("\"{left}{expected}{right}\""));
        }
        for count in 0..70 {
            let result = written(|out| write_str(out, &vec![byte; count], true));
            assert_eq!(result, format!("\"{}\"", expected.repeat(count)));
        }
    }
}

#[test]
fn long_strings_are_written_piece_by_piece_without_a_seam() {
    for len in [4095, 4096, 4097, 8192, 100_000] {
        let text: String = "ab\"\u{5f20}\n\\c".chars().cycle().take(len).collect();
        let result = written(|out| write_str(out, text.as_bytes(), true));
        assert_eq!(serde_json::from_str::<String>(&result).unwrap(), text);
        let controls = "\u{1}".repeat(len);
        assert_eq!(
            written(|out| write_str(out, controls.as_bytes(), true)).len(),
            6 * len + 2
        );
    }
}

#[test]
fn random_strings_read_back_as_they_were() {
    let mut random = StdRng::seed_from_u64(4);
    let mut tape = Tape::new();
    for _ in 0..20_000 {
        let special = random.random_range(0.0..0.4);
        let bytes: Vec<u8> = (0..random.random_range(0..90))
            .map(|_| match random.random_bool(special) {
                true => *b"\"\\\n\x01\x1f\xff/\x7f".get(random.random_range(0..8usize)).unwrap(),
                false => random.random(),
            })
            .collect();
        let mut out = Vec::new();
        write_str(&mut out, &bytes, false).unwrap();
        tape.reset();
        let options = ScanOptions {
            utf8: false,
            ..ScanOptions::default()
        };
        scan(&out, &mut tape, &options).unwrap();
        assert_eq!(tape.bytes(tape.node(0).0, &out), Some(&bytes[..]));
        let checked = write_str(&mut Vec::new(), &bytes, true);
        assert_eq!(checked.is_ok(), std::str::from_utf8(&bytes).is_ok());
    }
}

#[test]
fn bytes_that_are_not_utf8_are_refused_or_pass_as_they_are() {
    for bad in [
        &b"\xff"[..],
        b"abc\xe4\xb8",
        b"\xed\xa0\x80",
        b"0123456789abcdef0123456789\x80",
    ] {
        assert_eq!(write_str(&mut Vec::new(), bad, true), Err(ErrorKind::InvalidUtf8));
        let mut out = Vec::new();
        write_str(&mut out, bad, false).unwrap();
        assert_eq!(out, [b"\"", bad, b"\""].concat());
    }
}
