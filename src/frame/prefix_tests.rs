//! Messages with a length before them, cut up, broken and too long.
#![allow(clippy::unwrap_used)]

use super::*;

/// Feed `stream` in pieces to an inbox with a limit of 20 bytes; messages, and the errors between them.
fn read(framing: Framing, stream: &[u8], piece: usize) -> Vec<Result<Vec<u8>, ErrorKind>> {
    let mut inbox = Inbox::new(framing, 128);
    inbox.set_limit(20);
    let mut found = Vec::new();
    let mut message = Vec::new();
    for chunk in stream.chunks(piece) {
        inbox.append(chunk).unwrap();
        loop {
            match inbox.next(&mut message) {
                Ok(true) => found.push(Ok(message.clone())),
                Ok(false) => break,
                Err(error) => found.push(Err(error.kind)),
            }
        }
    }
    if inbox.rest(&mut message).unwrap() {
        found.push(Ok(message.clone()));
    }
    assert!(!inbox.rest(&mut message).unwrap());
    found
}

fn assert_read(framing: Framing, stream: &[u8], expected: &[Result<&[u8], ErrorKind>]) {
    let expected: Vec<_> = expected.iter().map(|item| item.map(<[u8]>::to_vec)).collect();
    for piece in 1..=stream.len() {
        assert_eq!(read(framing, stream, piece), expected, "pieces of {piece}");
    }
}

#[test]
fn messages_after_headers_come_out_whole_however_they_are_cut() {
    let stream = b"Content-Length: 7\r\n\r\n{\"a\":1}content-type: x; charset=utf-8\r\nCONTENT-LENGTH:2\r\n\r\n{}\
        Content-Length: 0\r\n\r\n\r\n\nContent-Length: 3\n\n\r\n1";
    assert_read(
        Framing::ContentLength,
        stream,
        &[Ok(b"{\"a\":1}"), Ok(b"{}"), Ok(b""), Ok(b"\r\n1")],
    );
}

#[test]
fn of_two_lengths_in_a_header_the_last_counts() {
    let stream = b"Content-Length: 9\r\nContent-Length: 2\r\n\r\n{}";
    assert_read(Framing::ContentLength, stream, &[Ok(b"{}")]);
}

#[test]
fn after_a_broken_header_reading_goes_on_at_the_next() {
    let broken = Err(ErrorKind::InvalidHeader);
    for garbage in [
        &b"hello\n"[..],
        b"Content-Length: many\r\n\r\n{}",
        b"Content-Type: x\r\n\r\n{\"content-length\":1}",
        b"{\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n",
        b"hello ",
    ] {
        let stream = [garbage, b"Content-Length: 2\r\n\r\n{}Content-Length: 1\r\n\r\n1"].concat();
        assert_read(Framing::ContentLength, &stream, &[broken, Ok(b"{}"), Ok(b"1")]);
    }
}

#[test]
fn a_header_that_does_not_end_is_given_up() {
    let stream = [&b"A: b\r\n".repeat(1000)[..], b"Content-Length: 2\r\n\r\n{}"].concat();
    let expected = [Err(ErrorKind::InvalidHeader), Ok(b"{}".to_vec())];
    assert_eq!(read(Framing::ContentLength, &stream, stream.len()), expected);
    assert_eq!(read(Framing::ContentLength, &stream, 1), expected);
    let endless = b"x".repeat(10_000);
    assert_eq!(
        read(Framing::ContentLength, &endless, 100),
        [Err(ErrorKind::InvalidHeader)]
    );
}

#[test]
fn a_message_that_claims_to_be_too_long_is_reported_once_and_passed_over() {
    let too_large = Err(ErrorKind::TooLarge);
    let stream = [
        &b"Content-Length: 50\r\n\r\n"[..],
        &[b'x'; 50],
        b"Content-Length: 2\r\n\r\n{}",
    ]
    .concat();
    assert_read(Framing::ContentLength, &stream, &[too_large, Ok(b"{}")]);
    let stream = [&b"\0\0\0\x32"[..], &[b'x'; 50], b"\0\0\0\x02{}"].concat();
    assert_read(Framing::Length, &stream, &[too_large, Ok(b"{}")]);
}

#[test]
fn no_memory_is_taken_for_a_length_before_its_bytes_are_here() {
    for (framing, prefix) in [
        (
            Framing::ContentLength,
            &b"Content-Length: 18446744073709551615\r\n\r\n"[..],
        ),
        (Framing::Length, b"\x1f\xff\xff\xff"),
    ] {
        let mut inbox = Inbox::new(framing, 128);
        let mut message = Vec::new();
        inbox.append(prefix).unwrap();
        assert!(!inbox.next(&mut message).unwrap());
        inbox.append(b"{}").unwrap();
        assert!(!inbox.next(&mut message).unwrap());
        assert!(inbox.bytes.capacity() + message.capacity() < 1000);
    }
}

#[test]
fn messages_after_four_bytes_come_out_whole_however_they_are_cut() {
    let stream = b"\0\0\0\x07{\"a\":1}\0\0\0\0\0\0\0\x01\x0a";
    assert_read(Framing::Length, stream, &[Ok(b"{\"a\":1}"), Ok(b""), Ok(b"\n")]);
}

#[test]
fn text_in_the_place_of_four_bytes_swallows_nothing_that_comes_later() {
    let mut inbox = Inbox::new(Framing::Length, 128);
    inbox.set_limit(1 << 24);
    let mut message = Vec::new();
    inbox.append(b"hello\n").unwrap();
    assert_eq!(inbox.next(&mut message).unwrap_err().kind, ErrorKind::TooLarge);
    inbox.append(b"\0\0\0\x01x").unwrap();
    assert!(inbox.next(&mut message).unwrap());
    assert_eq!(message, b"x");
}

#[test]
fn a_message_that_the_stream_ends_in_is_handed_out_once_as_far_as_it_came() {
    assert_read(Framing::ContentLength, b"Content-Length: 9\r\n\r\n{\"a", &[Ok(b"{\"a")]);
    assert_read(Framing::ContentLength, b"Content-Le", &[Ok(b"Content-Le")]);
    assert_read(Framing::ContentLength, b"\r\n\r\n", &[]);
    assert_read(Framing::Length, b"\0\0", &[Ok(b"\0\0")]);
    assert_read(Framing::Length, b"\0\0\0\x05ab", &[Ok(b"ab")]);
}
