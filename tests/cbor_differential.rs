//! The scanner against two independent readers: the pseudocode of RFC 8949, appendix C (is it well-formed, where does
//! it end) and ciborium (what is its value), on random items, damaged ones and random bytes.
//!
//! Where ciborium differs by its own design the comparison says so: see [`from_ciborium`] and [`comparable`].
#![allow(missing_docs, clippy::unwrap_used)]

mod cbor_support;

use cbor_support::{float, generate, read, scan, string, well_formed, Value};
use ciborium::value::Value as Theirs;
use fkrpc::codec::cbor::{scan_item, writer, ItemEnd, ScanOptions};
use fkrpc::codec::{Big, ErrorKind, Tape};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Nothing well-formed is refused for depth, and integers beyond `i64` are readable.
const LENIENT: ScanOptions = ScanOptions {
    max_depth: usize::MAX,
    big: Big::String,
    integers: fkrpc::codec::Integers::I64,
    integral_floats: false,
    utf8: false,
};
const STRICT: ScanOptions = ScanOptions { utf8: true, ..LENIENT };

/// Their value in our terms. They have one kind of undefined and null, and we have one kind of string.
fn from_ciborium(theirs: Theirs) -> Value {
    match theirs {
        Theirs::Integer(n) => {
            let n = i128::from(n);
            i64::try_from(n).map_or_else(|_| string(n.to_string()), Value::Int)
        }
        Theirs::Bytes(bytes) => Value::Str(bytes),
        Theirs::Text(text) => Value::Str(text.into_bytes()),
        Theirs::Float(value) => float(value),
        Theirs::Bool(value) => Value::Bool(value),
        Theirs::Null => Value::Null,
        Theirs::Tag(tag, value) => Value::Tag(tag, Box::new(from_ciborium(*value))),
        Theirs::Array(items) => Value::Array(items.into_iter().map(from_ciborium).collect()),
        Theirs::Map(pairs) => Value::Map(
            pairs
                .into_iter()
                .map(|(key, value)| (from_ciborium(key), from_ciborium(value)))
                .collect(),
        ),
        _ => panic!("ciborium has a new kind of value"),
    }
}

/// Our value as they would say it, or `None` if it holds what they refuse or rewrite: a simple value without a
/// meaning, or a bignum (tags 2 and 3, which they resolve). All NaN become one.
fn comparable(ours: Value) -> Option<Value> {
    Some(match ours {
        Value::Simple(23) => Value::Null,
        Value::Simple(_) | Value::Tag(2 | 3, _) => return None,
        Value::Tag(tag, value) => Value::Tag(tag, Box::new(comparable(*value)?)),
        Value::Array(items) => Value::Array(items.into_iter().map(comparable).collect::<Option<_>>()?),
        Value::Map(pairs) => Value::Map(
            pairs
                .into_iter()
                .map(|(key, value)| Some((comparable(key)?, comparable(value)?)))
                .collect::<Option<_>>()?,
        ),
        Value::Float(bits) if f64::from_bits(bits).is_nan() => float(f64::NAN),
        other => other,
    })
}

/// Whether we agree with appendix C on `source`, all ways of asking; whether it is well-formed.
fn agrees_on_form(source: &[u8]) -> bool {
    let expected = well_formed(source);
    let mut tape = Tape::new();
    match (scan_item(source, 0, &mut tape, &LENIENT), expected) {
        (Ok(end), Some(length)) => {
            assert_eq!(end, length, "{source:02x?}");
            assert_eq!(read(&tape, source, 0).1, tape.len(), "{source:02x?}");
        }
        (Err(error), None) => {
            assert!(error.offset <= source.len(), "{source:02x?}");
            assert!(tape.is_empty(), "an error leaves the tape as it was: {source:02x?}");
            assert_eq!(
                error.kind == ErrorKind::UnexpectedEnd,
                error.offset == source.len(),
                "{source:02x?}"
            );
        }
        (Err(error), Some(_)) => assert_eq!(error.kind, ErrorKind::InvalidKey, "{source:02x?}"),
        (Ok(_), None) => panic!("appendix C refuses {source:02x?}"),
    }
    let found = ItemEnd::new(usize::MAX).feed(source);
    assert_eq!(found.ok().flatten(), expected, "{source:02x?}");
    expected.is_some()
}

/// Whether our value of `source` was compared with ciborium's, or text that is no UTF-8 with its refusal.
fn agrees_on_value(source: &[u8]) -> bool {
    let theirs: Result<Theirs, _> = ciborium::de::from_reader_with_recursion_limit(source, 1000);
    let ours = match scan(source, &STRICT) {
        Ok((ours, _)) => ours,
        Err(error) if error.kind == ErrorKind::InvalidUtf8 => {
            assert!(theirs.is_err(), "{source:02x?}");
            return true;
        }
        Err(_) => return false, // ciborium takes some of it, `f814` as false; appendix C is the judge
    };
    let Some(ours) = comparable(ours) else {
        return false;
    };
    match theirs {
        Ok(theirs) => assert_eq!(comparable(from_ciborium(theirs)), Some(ours), "{source:02x?}"),
        Err(error) => panic!("{error}: {source:02x?}"),
    }
    true
}

fn generated(rng: &mut StdRng) -> Vec<u8> {
    let mut source = Vec::new();
    let depth = rng.random_range(0..6);
    generate::item(rng, &mut source, depth, false);
    source
}

#[test]
fn random_items_are_accepted_with_ciboriums_values() {
    let mut rng = StdRng::seed_from_u64(8949);
    let mut compared = 0;
    for _ in 0..100_000 {
        let source = generated(&mut rng);
        assert!(agrees_on_form(&source), "{source:02x?}");
        compared += usize::from(agrees_on_value(&source));
    }
    assert!(compared > 50_000, "{compared}");
}

#[test]
fn damaged_items_are_judged_as_appendix_c_judges_them() {
    let mut rng = StdRng::seed_from_u64(7049);
    let (mut good, mut bad, mut compared) = (0, 0, 0);
    for _ in 0..200_000 {
        let mut source = generated(&mut rng);
        generate::damage(&mut rng, &mut source);
        *(if agrees_on_form(&source) { &mut good } else { &mut bad }) += 1;
        compared += usize::from(agrees_on_value(&source));
    }
    assert!(
        good > 30_000 && bad > 30_000 && compared > 15_000,
        "{good} {bad} {compared}"
    );
}

#[test]
fn random_bytes_are_judged_as_appendix_c_judges_them() {
    let mut rng = StdRng::seed_from_u64(1);
    let (mut good, mut bad) = (0, 0);
    for _ in 0..300_000 {
        let mut source = vec![0; rng.random_range(0..24)];
        rng.fill(&mut source[..]);
        *(if agrees_on_form(&source) { &mut good } else { &mut bad }) += 1;
        agrees_on_value(&source);
    }
    assert!(good > 50_000 && bad > 50_000, "{good} {bad}");
}

#[test]
fn every_pair_of_bytes_and_every_head_is_judged_as_appendix_c_judges_it() {
    for first in 0..=u8::MAX {
        for second in 0..=u8::MAX {
            agrees_on_form(&[first, second]);
            agrees_on_form(&[0x5f, first, second, 0xff]);
            agrees_on_form(&[0x9f, first, second, 0xff]);
            agrees_on_form(&[0xbf, first, second, 0xff, 0xff]);
            agrees_on_form(&[0xa1, first, 0, second, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        }
    }
}

#[test]
fn numbers_are_written_as_ciborium_writes_them() {
    let mut rng = StdRng::seed_from_u64(754);
    for _ in 0..200_000 {
        let integer = rng.random::<i64>() >> rng.random_range(0..64);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        writer::write_int(&mut ours, integer).unwrap();
        ciborium::into_writer(&integer, &mut theirs).unwrap();
        assert_eq!(ours, theirs, "{integer}");

        let single = f32::from_bits(rng.random::<u32>() & !0 << rng.random_range(0..24));
        let double = f64::from_bits(rng.random::<u64>() & !0 << rng.random_range(0..53));
        for value in [f64::from(single), f64::from(single) * 1e-38, double] {
            if !value.is_nan() {
                let (mut ours, mut theirs) = (Vec::new(), Vec::new());
                writer::write_float(&mut ours, value, true).unwrap();
                ciborium::into_writer(&value, &mut theirs).unwrap();
                assert_eq!(ours, theirs, "{value:e}");
            }
        }
    }
}
