//! The CBOR scanner beside two independent readers: the pseudocode of RFC 8949, appendix C (is it well-formed, where
//! does it end) and ciborium (what is its value); and its values after a round trip through the writers.

use crate::cbor_support::{float, read, string, well_formed, Value};
use ciborium::value::Value as Theirs;
use fkrpc::codec::cbor::{scan_item, writer, ItemEnd, ScanOptions};
use fkrpc::codec::{Big, ErrorKind, Integers, Tape};

/// Nothing well-formed is refused for depth, and integers beyond `i64` are readable.
pub const LENIENT: ScanOptions = ScanOptions {
    max_depth: usize::MAX,
    big: Big::String,
    integers: Integers::I64,
    integral_floats: false,
    utf8: false,
};
const STRICT: ScanOptions = ScanOptions { utf8: true, ..LENIENT };
const EXACT: ScanOptions = ScanOptions {
    big: Big::Cdata,
    ..LENIENT
};

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
///
/// # Panics
/// When we do not, or when an error is not within the source or leaves something on the tape.
pub fn agrees_on_form(source: &[u8]) -> bool {
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
///
/// # Panics
/// When they differ, or when ciborium refuses what it should take.
pub fn agrees_on_value(source: &[u8]) -> bool {
    // Their limit, and no machine stack is deep enough for more.
    if source.len() > 4096 {
        return false;
    }
    let theirs: Result<Theirs, _> = ciborium::de::from_reader_with_recursion_limit(source, 5000);
    let ours = match scan(source, &STRICT) {
        Ok(ours) => ours,
        Err(ErrorKind::InvalidUtf8) => {
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

/// Whether the item that `source` starts with was taken, and came back as it should.
///
/// # Panics
/// When what the writers write of it is refused, is not well-formed, has other values, or is longer than the source:
/// each head is the shortest.
pub fn comes_back(source: &[u8]) -> bool {
    let mut tape = Tape::new();
    let Ok(end) = scan_item(source, 0, &mut tape, &EXACT) else {
        return false;
    };
    let (value, _) = read(&tape, source, 0);
    for shortest in [true, false] {
        let mut written = Vec::new();
        write(&mut written, &value, shortest).unwrap();
        assert!(!shortest || written.len() <= end, "{written:02x?} of {source:02x?}");
        assert_eq!(well_formed(&written), Some(written.len()), "{written:02x?}");
        let again = scan(&written, &EXACT).unwrap_or_else(|kind| panic!("{kind}: {written:02x?} of {source:02x?}"));
        if shortest {
            // The shortest NaN has lost its payload.
            assert_eq!(
                one_nan(again),
                one_nan(value.clone()),
                "{written:02x?} of {source:02x?}"
            );
        } else {
            assert_eq!(again, value, "{written:02x?} of {source:02x?}");
        }
    }
    true
}

fn scan(source: &[u8], options: &ScanOptions) -> Result<Value, ErrorKind> {
    crate::cbor_support::scan(source, options)
        .map(|(value, _)| value)
        .map_err(|error| error.kind)
}

fn one_nan(value: Value) -> Value {
    match value {
        Value::Float(bits) if f64::from_bits(bits).is_nan() => float(f64::NAN),
        Value::Tag(tag, value) => Value::Tag(tag, Box::new(one_nan(*value))),
        Value::Array(items) => Value::Array(items.into_iter().map(one_nan).collect()),
        Value::Map(pairs) => Value::Map(
            pairs
                .into_iter()
                .map(|(key, value)| (one_nan(key), one_nan(value)))
                .collect(),
        ),
        other => other,
    }
}

/// Write `value`; containers are begun without their length and closed with it, as the encoder of Lua tables does it.
fn write(out: &mut Vec<u8>, value: &Value, shortest: bool) -> Result<(), ErrorKind> {
    match value {
        Value::Null => writer::write_null(out),
        Value::Bool(value) => writer::write_bool(out, *value),
        Value::Int(value) => writer::write_int(out, *value),
        Value::Uint(value) => writer::write_uint(out, *value),
        Value::Float(bits) => writer::write_float(out, f64::from_bits(*bits), shortest),
        Value::Str(bytes) => writer::write_bytes(out, bytes),
        Value::Simple(value) => writer::write_simple(out, *value),
        Value::Tag(tag, value) => {
            writer::write_tag(out, *tag)?;
            write(out, value, shortest)
        }
        Value::Array(items) => {
            let open = writer::open_array(out)?;
            items.iter().try_for_each(|item| write(out, item, shortest))?;
            writer::close_array(out, open, items.len())
        }
        Value::Map(pairs) => {
            let open = writer::open_map(out)?;
            pairs.iter().try_for_each(|(key, value)| {
                write(out, key, shortest)?;
                write(out, value, shortest)
            })?;
            writer::close_map(out, open, pairs.len())
        }
    }
}
