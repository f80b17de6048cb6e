//! The JSON scanner beside serde_json: the same texts taken, the same values read, and errors that point at something.

use fkrpc::codec::json::{scan, ScanOptions};
use fkrpc::codec::tape::{Node, Tape};
use fkrpc::codec::{Big, ErrorKind, Integers};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// What both are told; see the rules in [`super`].
pub const OPTIONS: ScanOptions = ScanOptions {
    max_depth: 127,
    utf8: true,
    big: Big::Float,
    integers: Integers::I64,
    nan: false,
};

/// Whether both take `source`, and for the same value.
///
/// # Panics
/// When one takes what the other refuses, or they read different values; when an error is not within the text, or not
/// at its first mistake; when a refusal leaves something on the tape.
pub fn agree(source: &[u8], tape: &mut Tape) -> bool {
    tape.reset();
    match scan(source, tape, &OPTIONS) {
        Ok(()) => {
            let mut along = Along::with(tape, source);
            let theirs = read(source, &mut along);
            if let Err(error) = theirs {
                panic!(
                    "serde_json, beside what the scanner took: {error}: {}",
                    source.escape_ascii()
                );
            }
            assert_eq!(
                along.at,
                tape.len(),
                "more was read than serde_json knows: {}",
                source.escape_ascii()
            );
            true
        }
        Err(error) => {
            assert!(
                tape.is_empty(),
                "a refusal leaves the tape as it was: {}",
                source.escape_ascii()
            );
            let theirs = read(source, &mut Along::alone());
            assert!(
                theirs.is_err(),
                "serde_json takes it: {error}: {}",
                source.escape_ascii()
            );
            assert!(error.offset <= source.len(), "{error}: {}", source.escape_ascii());
            if error.offset == source.len() {
                // A number can be wrong at the end of the text, too: `-`, `1.`, `1e+`.
                assert!(matches!(
                    error.kind,
                    ErrorKind::UnexpectedEnd | ErrorKind::InvalidNumber
                ));
            } else {
                assert_ne!(error.kind, ErrorKind::UnexpectedEnd, "{}", source.escape_ascii());
            }
            first_mistake(&source[..error.offset], error.kind, tape);
            false
        }
    }
}

/// What stands before a mistake has none: it is a document, or the beginning of one.
fn first_mistake(before: &[u8], kind: ErrorKind, tape: &mut Tape) {
    match scan(before, tape, &OPTIONS) {
        Ok(()) => {}
        Err(error) => assert_eq!(
            error.offset,
            before.len(),
            "{kind} is found there, but already before it there is: {error}: {}",
            before.escape_ascii()
        ),
    }
}

fn read(source: &[u8], along: &mut Along) -> Result<(), serde_json::Error> {
    let mut theirs = serde_json::Deserializer::from_slice(source);
    along.deserialize(&mut theirs)?;
    theirs.end()
}

/// Reads the tape step by step while serde_json reads the text; without a tape it takes whatever comes.
struct Along<'a> {
    ours: Option<(&'a Tape, &'a [u8])>,
    at: usize,
}

impl<'a> Along<'a> {
    fn with(tape: &'a Tape, source: &'a [u8]) -> Self {
        Self {
            ours: Some((tape, source)),
            at: 0,
        }
    }

    fn alone() -> Self {
        Self { ours: None, at: 0 }
    }

    /// The next value on the tape, if there is a tape.
    fn next<E: Error>(&mut self) -> Result<Option<Node>, E> {
        let Some((tape, _)) = self.ours else { return Ok(None) };
        if self.at >= tape.len() {
            return Err(E::custom("the tape has ended"));
        }
        let (node, next) = tape.node(self.at);
        self.at = next;
        Ok(Some(node))
    }

    fn same<E: Error>(&mut self, fits: impl FnOnce(Node) -> bool, theirs: impl fmt::Debug) -> Result<(), E> {
        match self.next()? {
            Some(node) if !fits(node) => Err(E::custom(format_args!("{theirs:?} is {node:?}"))),
            _ => Ok(()),
        }
    }

    /// A container ended: `head` is what the tape says of it.
    fn ended<E: Error>(&self, head: Option<Node>, seen: usize, object: bool) -> Result<(), E> {
        match head {
            None => Ok(()),
            Some(Node::Array { count, end }) if !object && count == seen && end == self.at => Ok(()),
            Some(Node::Object { count, end }) if object && count == seen && end == self.at => Ok(()),
            Some(head) => Err(E::custom(format_args!("{seen} items end at {}: {head:?}", self.at))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for &mut Along<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, theirs: D) -> Result<(), D::Error> {
        theirs.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Along<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("what is on the tape")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.same(|node| node == Node::Null, ())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.same(|node| node == Node::Bool(value), value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.same(|node| node == Node::Int(value), value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => self.visit_f64(value as f64),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.same(
            |node| matches!(node, Node::Float(ours) if ours.to_bits() == value.to_bits()),
            value,
        )
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        let ours = self.ours;
        self.same(
            |node| ours.is_some_and(|(tape, source)| tape.bytes(node, source) == Some(value.as_bytes())),
            value,
        )
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let head = self.next()?;
        let mut seen = 0;
        while items.next_element_seed(&mut *self)?.is_some() {
            seen += 1;
        }
        self.ended(head, seen, false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<(), A::Error> {
        let head = self.next()?;
        let mut seen = 0;
        while pairs.next_key_seed(&mut *self)?.is_some() {
            pairs.next_value_seed(&mut *self)?;
            seen += 1;
        }
        self.ended(head, seen, true)
    }
}
