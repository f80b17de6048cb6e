//! Integers are exact, floats correctly rounded, and what does not fit follows the options.
#![allow(clippy::unwrap_used)]

use fkrpc::codec::json::{scan, ScanOptions};
use fkrpc::codec::tape::{Node, Tape};
use fkrpc::codec::{Big, CodecError, ErrorKind, Integers};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

fn number(source: &str, integers: Integers, big: Big) -> Result<Node, ErrorKind> {
    let options = ScanOptions {
        integers,
        big,
        ..ScanOptions::default()
    };
    let mut tape = Tape::new();
    let padded = format!(" {source} ");
    match scan(padded.as_bytes(), &mut tape, &options) {
        Ok(()) => Ok(tape.node(0).0),
        Err(CodecError { kind, offset }) => {
            assert_eq!(offset, 1, "{source}");
            Err(kind)
        }
    }
}

/// The scanner's double, bit for bit that of the standard library.
#[track_caller]
fn exact(source: &str) {
    let expected: f64 = source.parse().unwrap();
    match number(source, Integers::I64, Big::Error) {
        Ok(Node::Float(value)) => assert_eq!(value.to_bits(), expected.to_bits(), "{source}: {value:e}"),
        other => assert_eq!(
            (other, expected.is_finite()),
            (Err(ErrorKind::NumberOutOfRange), false),
            "{source}"
        ),
    }
}

#[test]
fn integers_of_64_bits_are_exact() {
    for value in [
        0,
        1,
        -1,
        9,
        10,
        -10,
        1 << 53,
        (1 << 53) + 1,
        -(1 << 53) - 1,
        i64::MAX,
        i64::MIN,
        i64::MAX - 1,
    ] {
        assert_eq!(
            number(&value.to_string(), Integers::I64, Big::Error),
            Ok(Node::Int(value))
        );
    }
    let mut ten = 1i64;
    for _ in 0..18 {
        for value in [ten, ten - 1, ten + 1, -ten, 1 - ten, ten * 7] {
            assert_eq!(
                number(&format!("{value}.0"), Integers::I64, Big::Error),
                Ok(Node::Float(value as f64))
            );
            if value != 0 {
                assert_eq!(
                    number(&value.to_string(), Integers::I64, Big::Error),
                    Ok(Node::Int(value))
                );
            }
        }
        ten *= 10;
    }
}

#[test]
fn minus_zero_is_the_float_that_keeps_its_sign() {
    for source in ["-0", "-0.0", "-0e5", "-0.00E-9"] {
        let node = number(source, Integers::I64, Big::Error).unwrap();
        assert!(
            matches!(node, Node::Float(value) if value == 0.0 && value.is_sign_negative()),
            "{source}"
        );
    }
    assert_eq!(number("0", Integers::I64, Big::Error), Ok(Node::Int(0)));
}

#[test]
fn integers_beyond_i64_follow_big() {
    for source in [
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
    ] {
        let float: f64 = source.parse().unwrap();
        let string = Node::Str {
            offset: 1,
            len: source.len(),
        };
        assert_eq!(
            number(source, Integers::I64, Big::Error),
            Err(ErrorKind::IntegerTooLarge)
        );
        assert_eq!(
            number(source, Integers::I64, Big::Wrap),
            Err(ErrorKind::IntegerTooLarge)
        );
        assert_eq!(number(source, Integers::I64, Big::Float), Ok(Node::Float(float)));
        assert_eq!(number(source, Integers::I64, Big::String), Ok(string));
    }
    let cdata = |source| number(source, Integers::Double, Big::Cdata);
    assert_eq!(cdata("9223372036854775808"), Ok(Node::Uint(1 << 63)));
    assert_eq!(cdata("18446744073709551615"), Ok(Node::Uint(u64::MAX)));
    assert_eq!(cdata("18446744073709551616"), Err(ErrorKind::IntegerTooLarge));
    assert_eq!(cdata("-9223372036854775809"), Err(ErrorKind::IntegerTooLarge));
    assert_eq!(cdata("-9223372036854775808"), Ok(Node::Int(i64::MIN)));
    assert_eq!(cdata("9007199254740993"), Ok(Node::Int((1 << 53) + 1)));
}

#[test]
fn integers_beyond_two_to_the_53_do_not_fit_a_double() {
    for (value, holds) in [
        (1i64 << 53, true),
        ((1 << 53) - 1, true),
        ((1 << 53) + 1, false),
        (1 << 60, false),
    ] {
        for value in [value, -value] {
            let source = value.to_string();
            let expected = if holds {
                Ok(Node::Int(value))
            } else {
                Err(ErrorKind::IntegerTooLarge)
            };
            assert_eq!(number(&source, Integers::Double, Big::Error), expected);
            if !holds {
                let float = Ok(Node::Float(value as f64));
                assert_eq!(number(&source, Integers::Double, Big::Float), float);
                let string = Node::Str {
                    offset: 1,
                    len: source.len(),
                };
                assert_eq!(number(&source, Integers::Double, Big::String), Ok(string));
            }
        }
    }
}

#[test]
fn long_digit_strings_are_integers_still() {
    let long = "7".repeat(300);
    assert_eq!(
        number(&long, Integers::I64, Big::Error),
        Err(ErrorKind::IntegerTooLarge)
    );
    assert_eq!(
        number(&long, Integers::I64, Big::Float),
        Ok(Node::Float(long.parse().unwrap()))
    );
    assert_eq!(
        number(&"7".repeat(400), Integers::I64, Big::Float),
        Err(ErrorKind::NumberOutOfRange)
    );
    assert_eq!(
        number(&"7".repeat(100_000), Integers::I64, Big::String),
        Ok(Node::Str {
            offset: 1,
            len: 100_000
        })
    );
}

#[test]
fn the_hard_floats_are_rounded_correctly() {
    let sources = "
        1.0 0.1 0.30000000000000004 1e22 1e23 1e-22 1e-23 123456789012345678e-1 9007199254740993.0
        9007199254740992.5 9007199254740993e0 18446744073709551615.0 9223372036854775807.5
        1.7976931348623157e308 1.7976931348623158e308 1.7976931348623159e308 2.2250738585072014e-308
        2.2250738585072011e-308 4.9406564584124654e-324 2e-324 3e-324 1e400 1e-400 0e400
        0.0e-99999999999999999999 0e99999999999999999999 1e99999999999999999999 1e-99999999999999999999
        1E+0000000000000000000005 8.5e-55 8.5e55 1e56 1e-56 0.000000000000000000000000000000000000000000000001
        5e-1 1e55 1e-55 9999999999999999999e55 1e0 6.02214076e23";
    for source in sources.split_whitespace() {
        exact(source);
        exact(&format!("-{source}"));
    }
    exact(&format!("0.{}1", "0".repeat(400)));
    exact(&format!("{}.5", "9".repeat(309)));
    exact(&format!("{}e-1000", "123".repeat(400)));
    exact(&format!("1.{}1e0", "0".repeat(1000)));
}

#[test]
fn random_floats_are_rounded_correctly() {
    let mut random = StdRng::seed_from_u64(1);
    for _ in 0..60_000 {
        let digits = random.random::<u64>() >> random.random_range(0..64);
        exact(&format!("{digits}e{}", random.random_range(-330..310)));
        exact(&format!("{digits}e{}", random.random_range(-60..60)));
        let value = f64::from_bits(random.random());
        if value.is_finite() {
            exact(&format!("{value:e}"));
            exact(&format!("{value:.*e}", random.random_range(14..22)));
        }
    }
}

#[test]
fn floats_half_way_between_two_doubles_go_to_the_even_one() {
    let mut random = StdRng::seed_from_u64(2);
    for _ in 0..20_000 {
        // An odd number of 54 bits is half way; shifted right it has a fraction that ends in 5.
        let odd = (1u64 << 53 | random.random::<u64>() >> 11) | 1;
        let shift = random.random_range(0..10u32);
        let (whole, part) = (odd >> shift, odd & ((1 << shift) - 1));
        let fraction = (u128::from(part) * 10u128.pow(shift)) >> shift;
        let width = shift as usize;
        let source = if shift == 0 {
            format!("{whole}.0")
        } else {
            format!("{whole}.{fraction:0width$}")
        };
        exact(&source);
        exact(&format!("{source}000000000000000000000000000001"));
        exact(&format!("{odd}e0"));
        exact(&format!("{}e0", u128::from(odd) << 10));
    }
}
