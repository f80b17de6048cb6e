//! The scanner beside serde_json: the same documents taken, the same values read.
//!
//! Known and legitimate differences, kept out of the comparison or allowed for in it:
//! * serde_json has its own depth limit, so the documents here are shallow;
//! * it keeps integers up to `u64` and makes floats of larger ones; here all beyond `i64` become floats;
//! * of equal keys it keeps the last; the tape keeps all, and building a map from it does the same.
#![allow(clippy::unwrap_used)]

use fkrpc::codec::json::{scan, writer, ScanOptions};
use fkrpc::codec::tape::{Node, Tape};
use fkrpc::codec::Big;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Number, Value};

const OPTIONS: ScanOptions = ScanOptions {
    max_depth: 100,
    utf8: true,
    big: Big::Float,
    integers: fkrpc::codec::Integers::I64,
    nan: false,
};

/// The value at `at` as serde_json would have it, and the index after it.
fn value(tape: &Tape, source: &[u8], at: usize) -> (Value, usize) {
    let (node, mut next) = tape.node(at);
    let text = || String::from_utf8(tape.bytes(node, source).unwrap().to_vec()).unwrap();
    let value = match node {
        Node::Null => Value::Null,
        Node::Bool(value) => Value::Bool(value),
        Node::Int(value) => value.into(),
        Node::Float(value) => Number::from_f64(value).unwrap().into(),
        Node::Str { .. } | Node::Scratch { .. } => Value::String(text()),
        Node::Array { count, end } => {
            let mut items = Vec::new();
            for _ in 0..count {
                let (item, after) = self::value(tape, source, next);
                items.push(item);
                next = after;
            }
            assert_eq!(next, end);
            Value::Array(items)
        }
        Node::Object { count, end } => {
            let mut items = Map::new();
            for _ in 0..count {
                let key = String::from_utf8(tape.bytes(tape.node(next).0, source).unwrap().to_vec()).unwrap();
                let (item, after) = self::value(tape, source, tape.after(next));
                items.insert(key, item);
                next = after;
            }
            assert_eq!(next, end);
            Value::Object(items)
        }
        Node::Uint(_) | Node::Tag(_) | Node::Simple(_) => panic!("JSON has no {node:?}"),
    };
    (value, next)
}

/// serde_json's value with integers above `i64::MAX` as floats.
fn floated(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_u64() && !number.is_i64() => {
            Number::from_f64(number.as_f64().unwrap()).unwrap().into()
        }
        Value::Array(items) => items.into_iter().map(floated).collect(),
        Value::Object(items) => items.into_iter().map(|(key, item)| (key, floated(item))).collect(),
        other => other,
    }
}

/// Asserts that both take `source` for the same value, or that both refuse it. Returns whether they took it.
fn agree(source: &[u8], tape: &mut Tape) -> bool {
    tape.reset();
    let ours = scan(source, tape, &OPTIONS);
    let theirs = serde_json::from_slice::<Value>(source);
    match (ours, theirs) {
        (Ok(()), Ok(theirs)) => {
            let (ours, end) = value(tape, source, 0);
            assert_eq!(end, tape.len());
            // The text tells -0.0 from 0.0 and compares floats by their shortest digits, which tell all doubles apart.
            assert_eq!(
                ours.to_string(),
                floated(theirs).to_string(),
                "{}",
                source.escape_ascii()
            );
            true
        }
        (Err(error), Err(_)) => {
            assert!(error.offset <= source.len());
            false
        }
        (ours, theirs) => panic!("{}: {ours:?} but {theirs:?}", source.escape_ascii()),
    }
}

const SPACES: [&str; 8] = ["", "", "", "", " ", "\n", "\t\r\n", "                    "];
const STRINGS: [&str; 20] = [
    "",
    "a",
    "id",
    "method",
    "\u{5f20}\u{98de}",
    "\u{1f600}",
    "\\n",
    "\\\"",
    "\\\\",
    "\\u00e9",
    "\\ud83d\\ude00",
    "\\/",
    "\\u0000",
    "0123456789abcdef",
    "\u{7f}",
    "\\ud800",
    "\\udc00",
    "x y",
    "\u{e9}\u{e8}\u{ea}",
    "\\u5F20\\b\\f\\r\\t",
];
const NUMBERS: &str = "
    0 -0 1 -1 42 9007199254740993 9223372036854775807 9223372036854775808 -9223372036854775808
    -9223372036854775809 18446744073709551615 18446744073709551616 1.5 -2.5e-3 1E+5 0.1 1e400 1e-400
    3.141592653589793238462643383279 123456789012345678901234567890 0.0 1e22";

fn pick<'a>(random: &mut StdRng, from: &[&'a str]) -> &'a str {
    from[random.random_range(0..from.len())]
}

fn number(random: &mut StdRng) -> &'static str {
    let numbers: Vec<&str> = NUMBERS.split_whitespace().collect();
    pick(random, &numbers)
}

fn string(random: &mut StdRng, out: &mut String) {
    out.push('"');
    for _ in 0..random.random_range(0..4) {
        // Lone surrogates are among them, but seldom: most documents shall be taken.
        let part = pick(random, &STRINGS);
        if !part.starts_with("\\ud") || part.len() > 6 || random.random_bool(0.01) {
            out.push_str(part);
        }
    }
    out.push('"');
}

fn document(random: &mut StdRng, depth: u32, out: &mut String) {
    out.push_str(pick(random, &SPACES));
    match random.random_range(0..if depth > 4 { 6 } else { 10 }) {
        0 => out.push_str(pick(random, &["null", "true", "false"])),
        1 => out.push_str(&random.random::<i64>().to_string()),
        2 => out.push_str(&format!("{:e}", f64::from_bits(random.random::<u64>() >> 2))),
        3 => out.push_str(number(random).replace("1e400", "1e40").as_str()),
        4 | 5 => string(random, out),
        kind => {
            let object = kind % 2 == 0;
            out.push(if object { '{' } else { '[' });
            for at in 0..random.random_range(0..5) {
                if at > 0 {
                    out.push(',');
                }
                if object {
                    out.push_str(pick(random, &SPACES));
                    string(random, out);
                    out.push_str(pick(random, &SPACES));
                    out.push(':');
                }
                document(random, depth + 1, out);
            }
            out.push_str(pick(random, &SPACES));
            out.push(if object { '}' } else { ']' });
        }
    }
    out.push_str(pick(random, &SPACES));
}

/// A byte changed, dropped, doubled or put in; a piece cut out; or a number put in.
fn mutate(random: &mut StdRng, bytes: &mut Vec<u8>) {
    let at = random.random_range(0..bytes.len() + 1);
    let likely = *b"\"\\{}[],:0123456789-+.eEu/ntf \n\x00\x1f\x80\xe4\xff";
    let byte = if random.random() {
        random.random()
    } else {
        likely[random.random_range(0..likely.len())]
    };
    match random.random_range(0..6) {
        0 if at < bytes.len() => bytes[at] = byte,
        1 if at < bytes.len() => drop(bytes.remove(at)),
        2 if at < bytes.len() => bytes.insert(at, bytes[at]),
        3 => bytes.truncate(at),
        4 => drop(bytes.splice(at..at, number(random).bytes())),
        _ => bytes.insert(at, byte),
    }
}

#[test]
fn random_documents_mean_the_same_to_both() {
    let mut random = StdRng::seed_from_u64(5);
    let mut tape = Tape::new();
    let (mut taken, mut text) = (0, String::new());
    for _ in 0..50_000 {
        text.clear();
        document(&mut random, 0, &mut text);
        taken += u32::from(agree(text.as_bytes(), &mut tape));
    }
    assert!(taken > 45_000, "only {taken} documents were valid");
}

#[test]
fn mutated_documents_are_taken_or_refused_by_both() {
    let mut random = StdRng::seed_from_u64(6);
    let mut tape = Tape::new();
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..25_000 {
        let mut text = String::new();
        document(&mut random, 0, &mut text);
        for _ in 0..6 {
            let mut bytes = text.clone().into_bytes();
            for _ in 0..random.random_range(1..4) {
                mutate(&mut random, &mut bytes);
            }
            match agree(&bytes, &mut tape) {
                true => taken += 1,
                false => refused += 1,
            }
        }
    }
    assert!(taken > 15_000 && refused > 50_000, "{taken} taken, {refused} refused");
}

#[test]
fn both_writers_quote_strings_alike() {
    let mut random = StdRng::seed_from_u64(7);
    for _ in 0..20_000 {
        let text: String = (0..random.random_range(0..60))
            .map(|_| match random.random_range(0..4) {
                0 => char::from(random.random_range(0..0x30u8)),
                1 => random.random(),
                _ => char::from(random.random_range(0x20..0x7fu8)),
            })
            .collect();
        let mut out = Vec::new();
        writer::write_str(&mut out, text.as_bytes(), true).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string(&text).unwrap());
    }
}
