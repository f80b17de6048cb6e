#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn every_value_reads_back_as_it_was_written() {
    let mut tape = Tape::new();
    let long = 1usize << 24;
    tape.null().unwrap();
    tape.bool(true).unwrap();
    tape.bool(false).unwrap();
    for n in [0, -1, SMALL_MAX, SMALL_MIN, SMALL_MAX + 1, i64::MAX, i64::MIN] {
        tape.int(n).unwrap();
    }
    tape.uint(u64::MAX).unwrap();
    tape.float(-0.0).unwrap();
    tape.str(7, 3).unwrap();
    tape.str(1 << 40, long).unwrap();
    tape.scratch_mut().extend_from_slice(b"abc");
    tape.scratch_str(1).unwrap();
    tape.tag(42).unwrap();
    tape.simple(23).unwrap();

    let mut at = 0;
    let mut seen = Vec::new();
    while at < tape.len() {
        let (node, next) = tape.node(at);
        seen.push(node);
        at = next;
    }
    assert_eq!(seen[..3], [Node::Null, Node::Bool(true), Node::Bool(false)]);
    let ints: Vec<Node> = [0, -1, SMALL_MAX, SMALL_MIN, SMALL_MAX + 1, i64::MAX, i64::MIN]
        .map(Node::Int)
        .to_vec();
    assert_eq!(seen[3..10], ints[..]);
    assert_eq!(seen[10], Node::Uint(u64::MAX));
    assert!(matches!(seen[11], Node::Float(f) if f.to_bits() == (-0.0f64).to_bits()));
    assert_eq!(seen[12], Node::Str { offset: 7, len: 3 });
    assert_eq!(
        seen[13],
        Node::Str {
            offset: 1 << 40,
            len: long
        }
    );
    assert_eq!(seen[14], Node::Scratch { offset: 1, len: 2 });
    assert_eq!(tape.bytes(seen[14], b""), Some(&b"bc"[..]));
    assert_eq!(seen[15..], [Node::Tag(42), Node::Simple(23)]);
}

#[test]
fn after_skips_containers_and_tagged_items_whole() {
    let mut tape = Tape::new();
    tape.tag(1).unwrap();
    let outer = tape.open_array().unwrap();
    let inner = tape.open_object().unwrap();
    tape.str(0, 1).unwrap();
    tape.int(5).unwrap();
    tape.close(inner, 1);
    tape.close(outer, 1);
    tape.null().unwrap();
    assert_eq!(tape.after(0), tape.len() - 1);
    assert_eq!(
        tape.node(2).0,
        Node::Array {
            count: 1,
            end: tape.len() - 1
        }
    );
    assert_eq!(
        tape.node(4).0,
        Node::Object {
            count: 1,
            end: tape.len() - 1
        }
    );
}

#[test]
fn levels_come_back_as_they_were_left() {
    let mut tape = Tape::new();
    let mut outer = tape.descend(Level::OUTSIDE, true).unwrap();
    outer.count = 3;
    let inner = tape.descend(outer, false).unwrap();
    let back = tape.ascend(inner);
    assert_eq!((back.head, back.count, back.object), (outer.head, 3, true));
    let inner = tape.descend(Level { count: 4, ..back }, false).unwrap();
    let back = tape.ascend(inner);
    assert_eq!(back.count, 4);
    assert_eq!(tape.ascend(Level { count: 5, ..back }).head, Level::OUTSIDE.head);
    assert_eq!(tape.node(0).0, Node::Object { count: 5, end: 6 });
    assert_eq!(tape.node(2).0, Node::Array { count: 0, end: 4 });
    assert_eq!(tape.node(4).0, Node::Array { count: 0, end: 6 });
}

#[test]
fn a_giant_document_leaves_no_memory_behind() {
    let mut tape = Tape::new();
    for n in 0..100_000 {
        tape.int(n).unwrap();
    }
    tape.reset();
    assert!(tape.is_empty());
    assert_eq!(tape.words.capacity(), 0);
}
