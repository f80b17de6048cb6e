//! A stream of messages cut in pieces: the same messages however it is cut, and the same made of each.

use super::random::Random;
use fkrpc::codec::{cbor, json, ErrorKind, Integers, Tape};
use fkrpc::envelope::Encoding;
use fkrpc::frame::{Framing, Inbox};
use fkrpc::message::{Envelope, ErrorObject, Keys};
use fkrpc::peer::quick::{Quick, Scalar};
use fkrpc::peer::{Incoming, Peer, Reply, Scan};

const DEPTH: usize = 128;

/// A message, and what the conversation makes of it: what it is, and what is answered at once.
type Seen = (Vec<u8>, String, Vec<u8>);

/// What `stream`, cut at places that follow from `cuts`, means.
///
/// # Panics
/// When a cut changes a message or what is made of it, when lines are not what stands between line ends, or items not
/// what appendix C finds.
pub fn is_the_same_however_cut(stream: &[u8], cuts: u64) {
    for encoding in [
        Encoding::Json { utf8: true },
        Encoding::Cbor(Keys::Names),
        Encoding::Cbor(Keys::FreeKill),
    ] {
        let (whole, broken) = conversation(encoding, &[stream]);
        let (pieces, broken_too) = conversation(encoding, &cut(stream, cuts));
        assert_eq!(broken, broken_too, "{encoding:?} {}", stream.escape_ascii());
        assert_eq!(whole, pieces, "{encoding:?} {}", stream.escape_ascii());
    }
    lines(stream);
    items(stream);
    too_long_ones_are_passed_over(stream, cuts);
    for integers in [Integers::I64, Integers::Double] {
        quick_or_not_it_is_the_same_reply(stream, integers);
    }
    members(stream);
}

/// Pieces of `stream`, empty ones among them.
fn cut(stream: &[u8], cuts: u64) -> Vec<&[u8]> {
    let mut random = Random::new(cuts);
    let most = [2, 4, 16, 300][random.below(4)];
    let (mut pieces, mut rest) = (Vec::new(), stream);
    while !rest.is_empty() {
        let (piece, left) = rest.split_at(random.below(most).min(rest.len()));
        pieces.push(piece);
        rest = left;
    }
    pieces
}

/// Everything that a peer makes of a stream up to the first item that is broken, and whether there was one.
fn conversation(encoding: Encoding, pieces: &[&[u8]]) -> (Vec<Seen>, bool) {
    let scan = match encoding {
        Encoding::Json { .. } => Scan::Json(json::ScanOptions::default()),
        Encoding::Cbor(_) => Scan::Cbor(cbor::ScanOptions::default()),
    };
    let mut peer = Peer::new(encoding, scan);
    for _ in 0..3 {
        peer.begin_call().unwrap();
    }
    let (mut seen, mut message, mut tape) = (Vec::new(), Vec::new(), Tape::new());
    for piece in pieces {
        peer.inbox.append(piece).unwrap();
        loop {
            let batch = match peer.next_message(None, &mut message) {
                Ok(Some(batch)) => batch,
                Ok(None) => break,
                Err(_) => return (seen, true),
            };
            tape.reset();
            let mut out = Vec::new();
            let incoming = peer.accept(&message, batch, Some(2), &mut tape, &mut out).unwrap();
            seen.push((message.clone(), format!("{incoming:?}"), out));
        }
    }
    (seen, false)
}

/// Lines are what stands between line ends; what follows the last is the rest.
fn lines(stream: &[u8]) {
    let mut inbox = Inbox::new(Framing::Line, DEPTH);
    inbox.append(stream).unwrap();
    let mut message = Vec::new();
    let mut expected: Vec<&[u8]> = stream.split(|&byte| byte == b'\n').collect();
    let last = expected.pop().unwrap_or_default();
    for line in expected {
        assert!(inbox.next(&mut message).unwrap());
        assert_eq!(message, line);
    }
    assert!(!inbox.next(&mut message).unwrap());
    assert_eq!(inbox.rest(&mut message).unwrap(), !last.is_empty());
    assert!(last.is_empty() || message == last);
}

/// Items are those of appendix C, one after the other, up to one that is broken or not whole.
fn items(stream: &[u8]) {
    let mut inbox = Inbox::new(Framing::CborSequence, usize::MAX);
    inbox.append(stream).unwrap();
    let (mut message, mut rest) = (Vec::new(), stream);
    while let Some(length) = crate::cbor_support::well_formed(rest) {
        assert_eq!(inbox.next(&mut message), Ok(true), "{stream:02x?}");
        assert_eq!(message, rest[..length], "{stream:02x?}");
        rest = &rest[length..];
    }
    assert!(matches!(inbox.next(&mut message), Ok(false) | Err(_)), "{stream:02x?}");
}

/// With a limit each longer message is reported once, and the others are there as ever. Of items only whole sequences
/// are looked at: in one that is too long it is not known what comes first, that it is or that it is broken. One that
/// claims to be 64 times too long is not passed over, and left out here as well.
fn too_long_ones_are_passed_over(stream: &[u8], cuts: u64) {
    let limit = 1 + (cuts >> 32) as usize % 40;
    let judge = |message: &[u8]| (message.len() <= limit).then(|| message.to_vec());

    let mut expected: Vec<_> = stream.split(|&byte| byte == b'\n').map(judge).collect();
    // The last is no line yet, and no message, but it can be too long already.
    if let Some(Some(_)) = expected.last() {
        expected.pop();
    }
    assert_eq!(
        within(Framing::Line, limit, &cut(stream, cuts)),
        expected,
        "{}",
        stream.escape_ascii()
    );

    let (mut expected, mut rest) = (Vec::new(), stream);
    while let Some(length) = crate::cbor_support::well_formed(rest) {
        expected.push(judge(&rest[..length]));
        rest = &rest[length..];
    }
    if rest.is_empty() && stream.len() <= 64 * limit {
        assert_eq!(
            within(Framing::CborSequence, limit, &cut(stream, cuts)),
            expected,
            "{stream:02x?}"
        );
    }
}

/// The messages of a stream in pieces, and nothing in place of those that are too long.
fn within(framing: Framing, limit: usize, pieces: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
    let mut inbox = Inbox::new(framing, usize::MAX);
    inbox.set_limit(limit);
    let (mut seen, mut message) = (Vec::new(), Vec::new());
    for piece in pieces {
        inbox.append(piece).unwrap();
        loop {
            match inbox.next(&mut message) {
                Ok(true) => seen.push(Some(message.clone())),
                Ok(false) => break,
                Err(error) => {
                    assert_eq!(error.kind, ErrorKind::TooLarge);
                    seen.push(None);
                }
            }
        }
    }
    seen
}

/// A reply that is read without a tape is the reply that would be read with one.
fn quick_or_not_it_is_the_same_reply(stream: &[u8], integers: Integers) {
    let options = cbor::ScanOptions {
        integers,
        ..cbor::ScanOptions::default()
    };
    let new = || {
        let mut peer = Peer::new(Encoding::Cbor(Keys::FreeKill), Scan::Cbor(options));
        let awaited = peer.begin_call().unwrap();
        peer.inbox.append(stream).unwrap();
        (peer, awaited)
    };
    let (mut peer, awaited) = new();
    let (mut text, mut message, mut tape) = (Vec::new(), Vec::new(), Tape::new());
    let before = peer.inbox.len();
    let scalar = match peer.quick_reply(awaited, &mut text) {
        Quick::Reply(scalar) => scalar,
        Quick::Incomplete | Quick::Other => return assert_eq!(peer.inbox.len(), before),
    };
    let (mut long, awaited) = new();
    assert_eq!(long.next_message(None, &mut message), Ok(Some(None)), "{stream:02x?}");
    let incoming = long.accept(&message, None, Some(awaited), &mut tape, &mut Vec::new());
    let Ok(Incoming::Reply(Reply::Result(at))) = incoming else {
        panic!("{scalar:?} is {incoming:?} the long way: {stream:02x?}");
    };
    let node = tape.node(at).0;
    let fits = match scalar {
        Scalar::Int(value) => node == fkrpc::codec::tape::Node::Int(value),
        Scalar::Bool(value) => node == fkrpc::codec::tape::Node::Bool(value),
        Scalar::Bytes => tape.bytes(node, &message) == Some(&text[..]),
    };
    assert!(fits, "{scalar:?} is {node:?} the long way: {stream:02x?}");
    assert_eq!(peer.inbox.bytes(), long.inbox.bytes(), "{stream:02x?}");
    assert_eq!(peer.stats, long.stats, "{stream:02x?}");
    assert_eq!((peer.waiting(), long.waiting()), (0, 0), "{stream:02x?}");
}

/// The members of an envelope are those that serde_json finds under these names: of equal ones the last.
fn members(stream: &[u8]) {
    let mut tape = Tape::new();
    if json::scan(stream, &mut tape, &super::json::OPTIONS).is_err() {
        return;
    }
    let theirs: serde_json::Value = serde_json::from_slice(stream).unwrap();
    let ours = Envelope::read(&tape, stream, 0, Keys::Names);
    assert_eq!(ours.is_some(), theirs.is_object(), "{}", stream.escape_ascii());
    let Some(ours) = ours else { return };
    for (name, place) in [
        ("jsonrpc", ours.version),
        ("method", ours.method),
        ("params", ours.params),
        ("error", ours.error),
        ("id", ours.id),
        ("result", ours.result),
    ] {
        let theirs = theirs.get(name);
        assert_eq!(place.is_some(), theirs.is_some(), "{name}: {}", stream.escape_ascii());
        if let (Some(at), Some(text)) = (place, theirs.and_then(|value| value.as_str())) {
            assert_eq!(tape.bytes(tape.node(at).0, stream), Some(text.as_bytes()));
        }
    }
    let version = theirs.get("jsonrpc").and_then(|value| value.as_str());
    assert_eq!(ours.is_version_2(&tape, stream), version == Some("2.0"));
    let error = ErrorObject::read(&tape, stream, 0, Keys::Names).unwrap();
    assert_eq!(
        (error.code.is_some(), error.message.is_some(), error.data.is_some()),
        (
            theirs.get("code").is_some(),
            theirs.get("message").is_some(),
            theirs.get("data").is_some()
        )
    );
}
