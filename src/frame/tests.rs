//! Framing, fed in every way.
#![allow(clippy::unwrap_used)]

use super::*;

/// Feed `stream` in pieces of `piece` bytes and collect the messages.
fn collect(framing: Framing, stream: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let mut inbox = Inbox::new(framing, 128);
    let mut messages = Vec::new();
    let mut message = Vec::new();
    for chunk in stream.chunks(piece) {
        inbox.append(chunk).unwrap();
        while inbox.next(&mut message).unwrap() {
            messages.push(message.clone());
        }
    }
    assert!(inbox.is_empty());
    messages
}

#[test]
fn lines_come_out_whole_however_they_are_cut() {
    let stream = b"{\"a\":1}\n\nshort\n".repeat(3);
    let whole = collect(Framing::Line, &stream, stream.len());
    assert_eq!(whole.len(), 9);
    assert_eq!(whole[1], b"");
    for piece in 1..stream.len() {
        assert_eq!(collect(Framing::Line, &stream, piece), whole);
    }
}

#[test]
fn cbor_items_come_out_whole_however_they_are_cut() {
    let stream = b"\xa1\x18\x64\x43abc\x83\x01\x02\x9f\xff\x05\x5f\x41x\xff".repeat(3);
    let whole = collect(Framing::CborSequence, &stream, stream.len());
    assert_eq!(whole.len(), 12);
    for piece in 1..stream.len() {
        assert_eq!(collect(Framing::CborSequence, &stream, piece), whole);
    }
}

#[test]
fn a_broken_cbor_sequence_is_reported_and_what_was_buffered_is_dropped() {
    let mut inbox = Inbox::new(Framing::CborSequence, 128);
    let mut message = Vec::new();
    inbox.append(b"\x01\xfe\x02").unwrap();
    assert!(inbox.next(&mut message).unwrap());
    assert_eq!(inbox.next(&mut message).unwrap_err().kind, ErrorKind::InvalidHead);
    assert!(inbox.is_empty());
    inbox.append(b"\x07").unwrap();
    assert!(inbox.next(&mut message).unwrap());
    assert_eq!(message, b"\x07");
}

#[test]
fn a_last_line_needs_no_line_end() {
    let mut inbox = Inbox::new(Framing::Line, 128);
    let mut message = Vec::new();
    inbox.append(b"last").unwrap();
    assert!(!inbox.next(&mut message).unwrap());
    assert!(inbox.rest(&mut message).unwrap());
    assert_eq!(message, b"last");
}

#[test]
fn a_giant_message_leaves_no_memory_behind() {
    let mut inbox = Inbox::new(Framing::Line, 128);
    let mut message = Vec::new();
    let mut giant = vec![b'x'; 3 << 20];
    giant.push(b'\n');
    inbox.append(&giant).unwrap();
    assert!(inbox.next(&mut message).unwrap());
    assert_eq!(message.len(), 3 << 20);
    assert_eq!(inbox.bytes.capacity(), 0);
}

/// Feed `stream` in pieces to an inbox with a limit of 10 bytes; messages, and `None` where one was too long.
fn limited(framing: Framing, stream: &[u8], piece: usize) -> Vec<Option<Vec<u8>>> {
    let mut inbox = Inbox::new(framing, 128);
    inbox.set_limit(10);
    let mut found = Vec::new();
    let mut message = Vec::new();
    for chunk in stream.chunks(piece) {
        inbox.append(chunk).unwrap();
        loop {
            match inbox.next(&mut message) {
                Ok(true) => found.push(Some(message.clone())),
                Ok(false) => break,
                Err(error) => {
                    assert_eq!(error, CodecError::new(ErrorKind::TooLarge, 10));
                    found.push(None);
                }
            }
        }
        assert!(inbox.len() <= 10 + piece);
    }
    found
}

#[test]
fn a_line_that_is_too_long_is_reported_once_and_passed_over_however_it_is_cut() {
    let stream = b"1234567890\n12345678901\nshort\n123456789012345678901234567890\n\nlast\n";
    let expected: Vec<Option<Vec<u8>>> = vec![
        Some(b"1234567890".to_vec()),
        None,
        Some(b"short".to_vec()),
        None,
        Some(vec![]),
        Some(b"last".to_vec()),
    ];
    for piece in 1..=stream.len() {
        assert_eq!(limited(Framing::Line, stream, piece), expected, "pieces of {piece}");
    }
}

#[test]
fn a_cbor_item_that_is_too_long_is_reported_once_and_passed_over_however_it_is_cut() {
    let long_string = [&b"\x58\x20"[..], &[b'x'; 32]].concat();
    let long_array = [&b"\x8f"[..], &b"\x42ab".repeat(15)].concat();
    let open_map = [&b"\xbf"[..], &b"\x41k\x5f\x42ab\x42cd\xff".repeat(4), b"\xff"].concat();
    let stream = [
        b"\x01",
        &long_string[..],
        b"\x02",
        &long_array,
        b"\x43abc",
        &open_map,
        b"\x04",
    ]
    .concat();
    let expected: Vec<Option<Vec<u8>>> = vec![
        Some(b"\x01".to_vec()),
        None,
        Some(b"\x02".to_vec()),
        None,
        Some(b"\x43abc".to_vec()),
        None,
        Some(b"\x04".to_vec()),
    ];
    for piece in 1..=stream.len() {
        assert_eq!(
            limited(Framing::CborSequence, &stream, piece),
            expected,
            "pieces of {piece}"
        );
    }
}

#[test]
fn text_on_a_cbor_stream_swallows_nothing_that_comes_later() {
    let mut inbox = Inbox::new(Framing::CborSequence, 128);
    inbox.set_limit(1 << 24);
    let mut message = Vec::new();
    inbox.append(b"{\"jsonrpc\":\"2.0\"}\n").unwrap(); // as a head: a string of 2^61 bytes
    assert_eq!(inbox.next(&mut message).unwrap_err().kind, ErrorKind::TooLarge);
    inbox.append(b"\x07").unwrap();
    assert!(inbox.next(&mut message).unwrap());
    assert_eq!(message, b"\x07");
}

#[test]
fn an_endless_line_takes_no_more_memory_than_twice_the_limit() {
    let mut inbox = Inbox::new(Framing::Line, 128);
    inbox.set_limit(1 << 20);
    let mut message = Vec::new();
    let mut reported = 0;
    for _ in 0..1000 {
        inbox.append(&[b'x'; 5000]).unwrap();
        match inbox.next(&mut message) {
            Ok(found) => assert!(!found),
            Err(_) => reported += 1,
        }
        assert!(inbox.bytes.capacity() <= 2 << 20);
    }
    assert_eq!(reported, 1);
    inbox.append(b"\nback\n").unwrap();
    assert!(inbox.next(&mut message).unwrap());
    assert_eq!(message, b"back");
}
