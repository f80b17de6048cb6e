//! What is read ahead keeps its order, and only cancellations take effect before their turn.

use super::*;
use crate::codec::json::ScanOptions;
use crate::envelope::Encoding;
use crate::peer::Incoming;

fn peer() -> Peer {
    let mut peer = Peer::new(Encoding::Json { utf8: true }, Scan::Json(ScanOptions::default()));
    peer.manner = Some(Manner::Lsp);
    peer
}

/// Take in the next message: the method of a request or notification, its slot, and whether it is cancelled.
fn next(peer: &mut Peer) -> Option<(String, usize, bool)> {
    let (mut message, mut tape, mut out) = (Vec::new(), Tape::new(), Vec::new());
    loop {
        let batch = peer.next_message(None, &mut message).unwrap()?;
        tape.reset();
        let (slot, method) = match peer.accept(&message, batch, None, &mut tape, &mut out).unwrap() {
            Incoming::Request { slot, method, .. } => (slot, method),
            Incoming::Notification { method, .. } => (0, method),
            _ => continue,
        };
        let method = String::from_utf8(tape.bytes(method, &message).unwrap().to_vec()).unwrap();
        return Some((method, slot, peer.is_cancelled(slot)));
    }
}

#[test]
fn a_cancellation_counts_though_other_messages_stand_before_it_and_these_keep_their_order() {
    let mut peer = peer();
    let lines = concat!(
        r#"{"jsonrpc":"2.0","id":1,"method":"a"}"#,
        "\n",
        r#"{"jsonrpc":"2.0","method":"b"}"#,
        "\n",
        r#"[{"jsonrpc":"2.0","id":2,"method":"c"},{"jsonrpc":"2.0","method":"d"}]"#,
        "\n",
        r#"{"jsonrpc":"2.0","id":"x","method":"e"}"#,
        "\n",
        r#"[{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}]"#,
        "\n",
        r#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":"x"}}"#,
        "\n",
        r#"{"jsonrpc":"2.0","id":"x","method":"f"}"#,
        "\n{\"jsonrpc\"",
    );
    peer.inbox.append(lines.as_bytes()).unwrap();
    let (_, slot, cancelled) = next(&mut peer).unwrap();
    assert!(!cancelled);
    peer.look_ahead(&mut Tape::new()).unwrap();
    assert!(peer.is_cancelled(slot));
    assert_eq!(peer.inbox.len(), 10);
    let order: Vec<_> = std::iter::from_fn(|| next(&mut peer))
        .map(|(method, _, cancelled)| (method, cancelled))
        .collect();
    let expected = [("b", false), ("c", false), ("d", false), ("e", true), ("f", false)];
    assert_eq!(
        order,
        expected.map(|(method, cancelled)| (method.to_string(), cancelled))
    );
    assert!(peer.cancelled_ahead.is_empty());
}

#[test]
fn a_slot_that_is_used_again_is_not_cancelled() {
    let mut peer = peer();
    for round in 0..3 {
        let request = r#"{"jsonrpc":"2.0","id":7,"method":"a"}"#;
        let cancel = r#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":7}}"#;
        peer.inbox.append(format!("{request}\n{cancel}\n").as_bytes()).unwrap();
        let (_, slot, cancelled) = next(&mut peer).unwrap();
        assert!(!cancelled, "{round}");
        assert!(next(&mut peer).is_none());
        assert!(peer.is_cancelled(slot));
        assert!(peer.release(slot).is_some());
        assert!(!peer.is_cancelled(slot));
    }
}

#[test]
fn what_is_broken_is_found_in_its_turn() {
    let mut peer = Peer::new(
        Encoding::Cbor(crate::message::Keys::Names),
        Scan::Cbor(cbor::ScanOptions::default()),
    );
    peer.manner = Some(Manner::Mcp);
    peer.inbox.append(b"\x01\xfe").unwrap();
    peer.look_ahead(&mut Tape::new()).unwrap();
    let mut message = Vec::new();
    assert_eq!(peer.next_message(None, &mut message), Ok(Some(None)));
    assert_eq!(message, b"\x01");
    assert!(peer.next_message(None, &mut message).is_err());
    assert_eq!(peer.next_message(None, &mut message), Ok(None));
}

#[test]
fn no_more_is_read_ahead_than_is_allowed() {
    let mut peer = peer();
    let mut line = vec![b' '; 3 << 20];
    line.push(b'\n');
    for _ in 0..5 {
        peer.inbox.append(&line).unwrap();
    }
    peer.look_ahead(&mut Tape::new()).unwrap();
    assert!(!peer.has_room_ahead());
    assert_eq!(peer.queue.len(), 3);
    assert_eq!(peer.inbox.len(), 2 * line.len());
}
