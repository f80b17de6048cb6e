//! What a trace file holds, and what becomes of it when it is large, or cannot be written.
#![allow(clippy::unwrap_used)]

use fkrpc::codec::tape::Node;
use fkrpc::codec::{cbor, Tape};
use fkrpc::frame::Framing;
use fkrpc::trace::{About, Direction, Trace, LEAST_SIZE};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const ABOUT: About = About {
    codec: b"json",
    framing: Framing::Line,
    keys: b"string",
    name: b"test",
};

/// A folder that is gone after the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("fkrpc-trace-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn create(path: &Path, size: u64) -> Trace {
    Trace::create(path.to_str().unwrap().as_bytes(), size, ABOUT).unwrap()
}

/// Time, direction, bytes and, where they are cut, the whole length.
type Record = (i64, i64, Vec<u8>, Option<i64>);

/// The records after the first item, which must be a map.
fn records(path: &Path) -> Vec<Record> {
    let source = fs::read(path).unwrap();
    let (mut at, mut found, mut first) = (0, Vec::new(), true);
    while at < source.len() {
        let mut tape = Tape::new();
        at = cbor::scan_item(&source, at, &mut tape, &cbor::ScanOptions::default()).unwrap();
        if std::mem::take(&mut first) {
            assert!(matches!(tape.node(0).0, Node::Object { count: 8, .. }));
            continue;
        }
        let (Node::Array { count, .. }, mut next) = tape.node(0) else {
            panic!("no array")
        };
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(tape.node(next).0);
            next = tape.node(next).1;
        }
        let int = |node: Node| match node {
            Node::Int(n) => n,
            other => panic!("no integer: {other:?}"),
        };
        let bytes = tape.bytes(items[2], &source).unwrap().to_vec();
        found.push((int(items[0]), int(items[1]), bytes, items.get(3).map(|node| int(*node))));
    }
    found
}

#[test]
fn messages_come_back_in_order_with_their_directions_and_times() {
    let folder = Folder::new("order");
    let path = folder.file("trace");
    let trace = create(&path, 1 << 20);
    trace.record(Direction::In, b"one");
    trace.record(Direction::Out, b"");
    trace.record(Direction::Remark, "dropped: \u{4e8c}".as_bytes());
    drop(trace);
    let found = records(&path);
    let what: Vec<_> = found
        .iter()
        .map(|(_, way, bytes, whole)| (*way, &bytes[..], *whole))
        .collect();
    assert_eq!(
        what,
        [
            (0, &b"one"[..], None),
            (1, b"", None),
            (2, "dropped: \u{4e8c}".as_bytes(), None)
        ]
    );
    assert!(found.windows(2).all(|pair| pair[0].0 <= pair[1].0));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn nothing_is_written_before_it_is_flushed_and_all_of_it_then() {
    let folder = Folder::new("flush");
    let path = folder.file("trace");
    let trace = create(&path, 1 << 20);
    trace.record(Direction::In, b"x");
    assert_eq!(records(&path), []);
    trace.flush();
    assert_eq!(records(&path).len(), 1);
}

#[test]
fn a_trace_keeps_the_newest_messages_and_never_more_bytes_than_its_size() {
    let folder = Folder::new("rotate");
    let (path, older) = (folder.file("trace"), folder.file("trace.1"));
    let trace = create(&path, LEAST_SIZE);
    for n in 0..5_000u32 {
        trace.record(Direction::Out, &[n.to_be_bytes().as_slice(), &[0; 60]].concat());
        if n % 100 == 0 {
            trace.flush();
            let size = |path: &Path| fs::metadata(path).map_or(0, |stat| stat.len());
            assert!(size(&path) + size(&older) <= LEAST_SIZE);
        }
    }
    drop(trace);
    let found: Vec<u32> = [older, path]
        .iter()
        .flat_map(|path| records(path))
        .map(|(_, _, bytes, _)| u32::from_be_bytes(bytes[..4].try_into().unwrap()))
        .collect();
    assert!(found.len() > 400);
    let first = 5_000 - u32::try_from(found.len()).unwrap();
    assert!(found.iter().copied().eq(first..5_000));
}

#[test]
fn a_giant_is_cut_short_and_says_how_long_it_was() {
    let folder = Folder::new("giant");
    let path = folder.file("trace");
    let trace = create(&path, LEAST_SIZE);
    let giant: Vec<u8> = (0..1_000_000u32).map(|n| n as u8).collect();
    trace.record(Direction::In, b"before");
    trace.record(Direction::In, &giant);
    trace.record(Direction::In, b"after");
    drop(trace);
    let found = records(&path);
    assert_eq!(found.len(), 3);
    assert_eq!(found[1].3, Some(1_000_000));
    assert_eq!(found[1].2, giant[..found[1].2.len()]);
    assert_eq!(found[2].2, b"after");
}

#[test]
fn a_message_longer_than_the_buffer_is_whole_where_the_size_allows_it() {
    let folder = Folder::new("long");
    let path = folder.file("trace");
    let trace = create(&path, 64 << 20);
    let long = vec![7; 3_000_000];
    trace.record(Direction::Out, &long);
    drop(trace);
    assert_eq!(records(&path)[0].2, long);
}

#[test]
fn the_name_may_have_the_process_in_it() {
    let folder = Folder::new("pid");
    drop(create(&folder.file("trace.%p"), 1 << 20));
    assert!(folder.file(&format!("trace.{}", std::process::id())).exists());
}

#[test]
fn a_file_that_cannot_be_made_is_an_error_with_its_errno() {
    let error = Trace::create(b"/nowhere/trace", 1 << 20, ABOUT).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_at_the_beginning() {
    let error = Trace::create(b"/dev/full", 1 << 20, ABOUT).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
}

#[test]
fn a_trace_that_cannot_be_begun_anew_ends_and_nothing_else_does() {
    let folder = Folder::new("gone");
    let path = folder.file("trace");
    let trace = create(&path, LEAST_SIZE);
    trace.record(Direction::In, b"x");
    trace.flush();
    fs::remove_dir_all(&folder.0).unwrap();
    for _ in 0..2_000 {
        trace.record(Direction::In, &[0; 100]);
    }
    drop(trace);
    assert!(!path.exists());
}
