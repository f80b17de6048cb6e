//! The examples of RFC 8949, appendix A: every row is read as its value, and written again where it says so.
#![allow(missing_docs, clippy::unwrap_used)]

mod cbor_support;

use cbor_support::{float, scan, string, unhex, Value};
use fkrpc::codec::cbor::{writer, ScanOptions};
use fkrpc::codec::{Big, ErrorKind};
use serde_json::Value as Json;

const FIXTURE: &str = include_str!("../spec/fixtures/cbor/appendix_a.json");

struct Row {
    hex: String,
    decoded: Option<Json>,
    diagnostic: Option<String>,
    roundtrip: bool,
}

fn rows() -> Vec<Row> {
    let fixture: Json = serde_json::from_str(FIXTURE).unwrap();
    let row = |row: &Json| Row {
        hex: row["hex"].as_str().unwrap().to_owned(),
        decoded: row.get("decoded").cloned(),
        diagnostic: row.get("diagnostic").map(|text| text.as_str().unwrap().to_owned()),
        roundtrip: row["roundtrip"].as_bool().unwrap(),
    };
    fixture["rows"].as_array().unwrap().iter().map(row).collect()
}

/// Integers beyond `i64` stay exact, so that they can be named and written.
fn read(hex: &str) -> Value {
    let options = ScanOptions {
        big: Big::Cdata,
        ..ScanOptions::default()
    };
    let source = unhex(hex);
    match scan(&source, &options) {
        Ok((value, end)) => {
            assert_eq!(end, source.len(), "{hex}");
            value
        }
        Err(error) => panic!("{error}: {hex}"),
    }
}

fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => number
            .as_i64()
            .map_or_else(|| float(number.as_f64().unwrap()), Value::Int),
        Json::String(text) => string(text),
        Json::Array(items) => Value::Array(items.iter().map(from_json).collect()),
        Json::Object(pairs) => Value::Map(
            pairs
                .iter()
                .map(|(key, value)| (string(key), from_json(value)))
                .collect(),
        ),
    }
}

/// Diagnostic notation (RFC 8949, section 8) of what the rows without JSON hold; strings as text or as bytes.
fn diagnostic(value: &Value, text: bool) -> String {
    match value {
        Value::Int(value) => value.to_string(),
        Value::Uint(value) => value.to_string(),
        Value::Float(bits) => match f64::from_bits(*bits) {
            value if value.is_nan() => "NaN".to_owned(),
            value if value.is_infinite() && value > 0.0 => "Infinity".to_owned(),
            value if value.is_infinite() => "-Infinity".to_owned(),
            value => format!("{value:?}"),
        },
        Value::Str(bytes) if text => format!("{:?}", String::from_utf8_lossy(bytes)),
        Value::Str(bytes) => format!("h'{}'", bytes.iter().map(|b| format!("{b:02x}")).collect::<String>()),
        Value::Tag(tag, value) => format!("{tag}({})", diagnostic(value, text)),
        Value::Simple(23) => "undefined".to_owned(),
        Value::Simple(value) => format!("simple({value})"),
        Value::Map(pairs) => {
            let pairs: Vec<String> = pairs
                .iter()
                .map(|(key, value)| format!("{}: {}", diagnostic(key, text), diagnostic(value, text)))
                .collect();
            format!("{{{}}}", pairs.join(", "))
        }
        other => format!("{other:?}"),
    }
}

fn write(out: &mut Vec<u8>, value: &Value, text: bool) -> Result<(), ErrorKind> {
    match value {
        Value::Null => writer::write_null(out),
        Value::Bool(value) => writer::write_bool(out, *value),
        Value::Int(value) => writer::write_int(out, *value),
        Value::Uint(value) => writer::write_uint(out, *value),
        Value::Float(bits) => writer::write_float(out, f64::from_bits(*bits), true),
        Value::Str(bytes) if text => writer::write_text(out, bytes),
        Value::Str(bytes) => writer::write_bytes(out, bytes),
        Value::Simple(23) => writer::write_undefined(out),
        Value::Simple(value) => writer::write_simple(out, *value),
        Value::Tag(tag, value) => {
            writer::write_tag(out, *tag)?;
            write(out, value, text)
        }
        Value::Array(items) => {
            writer::write_array_head(out, items.len())?;
            items.iter().try_for_each(|item| write(out, item, text))
        }
        Value::Map(pairs) => {
            writer::write_map_head(out, pairs.len())?;
            pairs.iter().try_for_each(|(key, value)| {
                write(out, key, text)?;
                write(out, value, text)
            })
        }
    }
}

/// JSON objects come in no order; the maps of the rows have text keys then.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        Value::Map(pairs) => {
            let mut pairs: Vec<_> = pairs.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            pairs.sort_by_key(|(key, _)| format!("{key:?}"));
            Value::Map(pairs)
        }
        other => other,
    }
}

/// The one row whose integer no 64-bit number holds: -2^64.
const BEYOND: &str = "3bffffffffffffffff";

#[test]
fn every_example_is_read_as_its_value() {
    let rows = rows();
    assert_eq!(rows.len(), 81);
    for row in rows.iter().filter(|row| row.hex != BEYOND) {
        let value = read(&row.hex);
        match (&row.decoded, &row.diagnostic) {
            (Some(json), None) => assert_eq!(sorted(value), sorted(from_json(json)), "{}", row.hex),
            (None, Some(notation)) => {
                assert_eq!(&diagnostic(&value, notation.contains('"')), notation, "{}", row.hex);
            }
            _ => panic!("a row has a decoded value or a diagnostic: {}", row.hex),
        }
    }
}

#[test]
fn the_example_below_64_bits_is_read_as_its_digits() {
    let row = rows().into_iter().find(|row| row.hex == BEYOND).unwrap();
    let options = ScanOptions {
        big: Big::String,
        ..ScanOptions::default()
    };
    let (value, _) = scan(&unhex(BEYOND), &options).unwrap();
    assert_eq!(value, string(row.diagnostic.unwrap()));
}

#[test]
fn an_example_is_written_as_the_same_bytes_where_it_says_so() {
    let mut written = 0;
    for row in rows().iter().filter(|row| row.hex != BEYOND) {
        let text = row.diagnostic.as_ref().is_none_or(|notation| notation.contains('"'));
        let mut out = Vec::new();
        write(&mut out, &read(&row.hex), text).unwrap();
        assert_eq!(out == unhex(&row.hex), row.roundtrip, "{}", row.hex);
        written += usize::from(row.roundtrip);
    }
    assert_eq!(written, 63);
}
