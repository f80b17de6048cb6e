//! The CBOR writers: shortest heads, floats, strings, containers whose size is known late.
#![allow(missing_docs, clippy::unwrap_used)]

mod cbor_support;

use cbor_support::{float, scan, string, unhex, Value};
use fkrpc::codec::cbor::writer::*;
use fkrpc::codec::cbor::ScanOptions;
use fkrpc::codec::ErrorKind;

/// What `write` appends to a vector that is not empty.
fn written(write: impl FnOnce(&mut Vec<u8>) -> Result<(), ErrorKind>) -> Vec<u8> {
    let mut out = vec![0xee];
    write(&mut out).unwrap();
    assert_eq!(out.remove(0), 0xee);
    out
}

#[test]
fn integers_take_the_shortest_head() {
    for (value, hex) in [
        (0, "00"),
        (23, "17"),
        (24, "1818"),
        (255, "18ff"),
        (256, "190100"),
        (65535, "19ffff"),
        (65536, "1a00010000"),
        (0xffff_ffff, "1affffffff"),
        (0x1_0000_0000, "1b0000000100000000"),
        (i64::MAX, "1b7fffffffffffffff"),
        (-1, "20"),
        (-24, "37"),
        (-25, "3818"),
        (-256, "38ff"),
        (-257, "390100"),
        (-65537, "3a00010000"),
        (-0x1_0000_0000, "3affffffff"),
        (-0x1_0000_0001, "3b0000000100000000"),
        (i64::MIN, "3b7fffffffffffffff"),
    ] {
        assert_eq!(written(|out| write_int(out, value)), unhex(hex), "{value}");
        if let Ok(value) = u64::try_from(value) {
            assert_eq!(written(|out| write_uint(out, value)), unhex(hex), "{value}");
        }
    }
    assert_eq!(written(|out| write_uint(out, u64::MAX)), unhex("1bffffffffffffffff"));
}

#[test]
fn a_float_takes_nine_bytes_unless_the_shortest_is_asked_for() {
    for (value, hex) in [
        (1.0, "fb3ff0000000000000"),
        (-0.0, "fb8000000000000000"),
        (f64::INFINITY, "fb7ff0000000000000"),
        (f64::from_bits(0xfff8_0000_0000_0123), "fbfff8000000000123"),
    ] {
        assert_eq!(written(|out| write_float(out, value, false)), unhex(hex), "{value}");
    }
}

#[test]
fn the_shortest_float_is_the_smallest_that_is_exact() {
    for (value, hex) in [
        (0.0, "f90000"),
        (-0.0, "f98000"),
        (1.5, "f93e00"),
        (65504.0, "f97bff"),
        (-f64::INFINITY, "f9fc00"),
        (f64::from_bits(0xfff8_0000_0000_0123), "f97e00"),
        (2f64.powi(-24), "f90001"),
        (2f64.powi(-14), "f90400"),
        (2f64.powi(-25), "fa33000000"),
        (65505.0, "fa477fe100"),
        (65536.0, "fa47800000"),
        (f64::from(f32::from_bits(1)), "fa00000001"),
        (f64::from(f32::MAX), "fa7f7fffff"),
        (2f64.powi(-150), "fb3690000000000000"),
        (2f64.powi(128), "fb47f0000000000000"),
        (0.1, "fb3fb999999999999a"),
        (f64::from_bits(1), "fb0000000000000001"),
    ] {
        assert_eq!(written(|out| write_float(out, value, true)), unhex(hex), "{value:e}");
    }
}

#[test]
fn strings_follow_their_length() {
    for (len, head) in [
        (0, "0"),
        (23, "17"),
        (24, "1818"),
        (255, "18ff"),
        (256, "190100"),
        (65536, "1a00010000"),
    ] {
        let bytes = vec![b'x'; len];
        let head = unhex(&format!("{head:0>2}"));
        let mut expected = head.clone();
        expected[0] |= 2 << 5;
        expected.extend_from_slice(&bytes);
        assert_eq!(written(|out| write_bytes(out, &bytes)), expected);
        expected[0] |= 3 << 5;
        assert_eq!(written(|out| write_text(out, &bytes)), expected);
    }
}

#[test]
fn constants_and_tags_are_one_head() {
    assert_eq!(written(write_null), [0xf6]);
    assert_eq!(written(write_undefined), [0xf7]);
    assert_eq!(written(|out| write_bool(out, false)), [0xf4]);
    assert_eq!(written(|out| write_bool(out, true)), [0xf5]);
    assert_eq!(written(|out| write_tag(out, 1)), [0xc1]);
    assert_eq!(written(|out| write_tag(out, u64::MAX)), unhex("dbffffffffffffffff"));
    assert_eq!(written(|out| write_array_head(out, 25)), [0x98, 25]);
    assert_eq!(written(|out| write_map_head(out, 3)), [0xa3]);
}

#[test]
fn a_simple_value_that_is_reserved_is_refused() {
    for value in 0..=u8::MAX {
        let mut out = Vec::new();
        let result = write_simple(&mut out, value);
        if (24..32).contains(&value) {
            assert_eq!((result, out.len()), (Err(ErrorKind::InvalidSimple), 0), "{value}");
        } else {
            assert_eq!(result, Ok(()));
            assert!(scan(&out, &ScanOptions::default()).is_ok(), "{value}");
        }
    }
}

#[test]
fn a_container_of_any_size_closed_late_equals_one_with_its_head_first() {
    for count in [0, 1, 23, 24, 25, 255, 256, 300, 65535, 65536] {
        let (mut late, mut first) = (vec![0xee], vec![0xee]);
        let open = open_array(&mut late).unwrap();
        write_array_head(&mut first, count).unwrap();
        for n in 0..count {
            write_int(&mut late, n as i64).unwrap();
            write_int(&mut first, n as i64).unwrap();
        }
        close_array(&mut late, open, count).unwrap();
        assert!(late == first, "an array of {count}");

        let (mut late, mut first) = (vec![0xee], vec![0xee]);
        let open = open_map(&mut late).unwrap();
        write_map_head(&mut first, count).unwrap();
        for n in 0..count {
            for out in [&mut late, &mut first] {
                write_int(out, n as i64).unwrap();
                write_bool(out, true).unwrap();
            }
        }
        close_map(&mut late, open, count).unwrap();
        assert!(late == first, "a map of {count}");
    }
}

#[test]
fn containers_closed_late_may_be_nested() {
    let mut out = Vec::new();
    let outer = open_map(&mut out).unwrap();
    for n in 0..30 {
        write_int(&mut out, n).unwrap();
        let inner = open_array(&mut out).unwrap();
        for _ in 0..n {
            write_bytes(&mut out, b"ab").unwrap();
        }
        close_array(&mut out, inner, usize::try_from(n).unwrap()).unwrap();
    }
    close_map(&mut out, outer, 30).unwrap();
    write_float(&mut out, 0.5, true).unwrap();

    let (value, end) = scan(&out, &ScanOptions::default()).unwrap();
    let items = |n: i64| Value::Array((0..n).map(|_| string("ab")).collect());
    assert_eq!(value, Value::Map((0..30).map(|n| (Value::Int(n), items(n))).collect()));
    assert_eq!(scan(&out[end..], &ScanOptions::default()), Ok((float(0.5), 3)));
}
