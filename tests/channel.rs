//! Lines, items and bytes on a channel, however they arrive, and what is written before it is flushed.
#![allow(missing_docs, clippy::unwrap_used)]

use fkrpc::channel::{Channel, Failure, Found};
use fkrpc::frame::{Framing, Inbox};
use fkrpc::outbox::Outbox;
use fkrpc::wire::{Patience, Wire};

fn send(wire: &mut Wire, bytes: &[u8]) {
    let mut inbox = Inbox::new(Framing::Line, 128);
    assert!(wire
        .send(bytes, &mut Outbox::new(), &mut inbox, Patience::ENDLESS)
        .unwrap());
}

/// A channel that has read `arrived` and whose other end is closed, and that end.
fn channel(arrived: &[u8]) -> (Channel, Wire) {
    let (ours, mut theirs) = Wire::pair().unwrap();
    send(&mut theirs, arrived);
    theirs.close_output();
    (Channel::new(ours, b"").unwrap(), theirs)
}

#[test]
fn what_was_read_before_comes_first() {
    let (ours, mut theirs) = Wire::pair().unwrap();
    send(&mut theirs, b"ine\nsecond\n");
    let mut channel = Channel::new(ours, b"first l").unwrap();
    let mut line = Vec::new();
    channel.line(&mut line).unwrap();
    assert_eq!(line, b"first line");
    channel.line(&mut line).unwrap();
    assert_eq!(line, b"second");
}

#[test]
fn a_last_line_needs_no_end_and_then_comes_the_end() {
    let (mut channel, _theirs) = channel(b"a\n\nlast");
    let mut line = Vec::new();
    for expected in [&b"a"[..], b"", b"last"] {
        assert_eq!(channel.line(&mut line).unwrap(), Found::Bytes);
        assert_eq!(line, expected);
    }
    assert_eq!(channel.line(&mut line).unwrap(), Found::End);
    assert_eq!(channel.line(&mut line).unwrap(), Found::End);
}

#[test]
fn items_come_one_by_one_and_one_that_is_cut_off_is_dropped() {
    let (mut channel, _theirs) = channel(b"\x82\x01\x02\x43abc\x83\x01");
    let mut item = Vec::new();
    assert_eq!(channel.item(&mut item).unwrap(), Found::Bytes);
    assert_eq!(item, b"\x82\x01\x02");
    assert_eq!(channel.item(&mut item).unwrap(), Found::Bytes);
    assert_eq!(item, b"\x43abc");
    assert_eq!(channel.item(&mut item).unwrap(), Found::End);
}

#[test]
fn what_is_no_item_stays_and_can_be_read_as_bytes() {
    let (mut channel, _theirs) = channel(b"\xf8\x14\x07");
    let mut bytes = Vec::new();
    assert!(matches!(channel.item(&mut bytes), Err(Failure::Broken(_))));
    assert_eq!(channel.bytes(2, &mut bytes).unwrap(), Found::Bytes);
    assert_eq!(bytes, b"\xf8\x14");
    assert_eq!(channel.item(&mut bytes).unwrap(), Found::Bytes);
    assert_eq!(bytes, b"\x07");
}

#[test]
fn bytes_are_exactly_as_many_as_asked_for_and_fewer_only_before_the_end() {
    let (mut channel, _theirs) = channel(b"abcde");
    let mut bytes = Vec::new();
    channel.bytes(0, &mut bytes).unwrap();
    assert_eq!(bytes, b"");
    channel.bytes(3, &mut bytes).unwrap();
    assert_eq!(bytes, b"abc");
    assert_eq!(channel.bytes(3, &mut bytes).unwrap(), Found::Bytes);
    assert_eq!(bytes, b"de");
    assert_eq!(channel.bytes(1, &mut bytes).unwrap(), Found::End);
}

#[test]
fn lines_items_and_bytes_can_be_mixed() {
    let (mut channel, _theirs) = channel(b"line\n\x82\x01\x02xyz\n");
    let mut bytes = Vec::new();
    channel.line(&mut bytes).unwrap();
    channel.item(&mut bytes).unwrap();
    assert_eq!(bytes, b"\x82\x01\x02");
    channel.bytes(1, &mut bytes).unwrap();
    channel.line(&mut bytes).unwrap();
    assert_eq!(bytes, b"yz");
}

#[test]
fn nothing_is_sent_before_it_is_flushed() {
    let (ours, mut theirs) = Wire::pair().unwrap();
    let mut channel = Channel::new(ours, b"").unwrap();
    let mut sent = Vec::new();
    channel.write(b"a pac").unwrap();
    channel.write(b"ket").unwrap();
    theirs.take(&mut sent).unwrap();
    assert!(sent.is_empty());
    channel.flush().unwrap();
    theirs.take(&mut sent).unwrap();
    assert_eq!(sent, b"a packet");
}

#[test]
fn a_failed_flush_says_so_and_keeps_nothing() {
    let (ours, theirs) = Wire::pair().unwrap();
    let mut channel = Channel::new(ours, b"").unwrap();
    drop(theirs);
    channel.write(b"lost").unwrap();
    assert_eq!(channel.flush().unwrap_err().raw_os_error(), Some(libc::EPIPE));
    channel.flush().unwrap();
}
