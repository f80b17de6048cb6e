//! Byte searches at the edges of readable memory: text that ends where a page ends, or begins where one begins, with
//! memory beside it that nobody may read. Reading one byte too many ends the test process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, unsafe_code)]

use std::ptr;

use fkrpc::codec::{json, simd, Tape};

const PAGE: usize = 4096;

/// A page between two that cannot be read.
struct Guarded(*mut u8);

impl Guarded {
    fn new() -> Self {
        // SAFETY: a new mapping of three pages, of which the middle one is made accessible.
        unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let start = libc::mmap(ptr::null_mut(), 3 * PAGE, libc::PROT_NONE, flags, -1, 0);
            assert_ne!(start, libc::MAP_FAILED);
            let middle = start.cast::<u8>().add(PAGE);
            let access = libc::PROT_READ | libc::PROT_WRITE;
            assert_eq!(libc::mprotect(middle.cast(), PAGE, access), 0);
            Self(middle)
        }
    }

    /// `text` at the page's beginning (`false`) or end.
    fn hold(&mut self, text: &[u8], at_end: bool) -> &[u8] {
        assert!(text.len() <= PAGE);
        let offset = if at_end { PAGE - text.len() } else { 0 };
        // SAFETY: the page has room for it, and it is borrowed from now on.
        unsafe {
            let place = self.0.add(offset);
            ptr::copy_nonoverlapping(text.as_ptr(), place, text.len());
            std::slice::from_raw_parts(place, text.len())
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody refers to it any more.
        unsafe { libc::munmap(self.0.sub(PAGE).cast(), 3 * PAGE) };
    }
}

/// Every search from every place of `text`; what comes out is what comes out of a copy with plenty of room behind.
fn search_everywhere(page: &mut Guarded, text: &[u8]) {
    for at_end in [false, true] {
        let held = page.hold(text, at_end);
        for from in 0..=text.len() + 1 {
            let tail = held.get(from..).unwrap_or_default();
            let run = simd::string_run(held, from);
            let plain = tail.iter().position(|byte| *byte < 0x20 || b"\"\\".contains(byte));
            assert_eq!(run.end.min(held.len().max(from)), from + plain.unwrap_or(tail.len()));
            let space = tail.iter().position(|byte| !b" \t\r\n".contains(byte));
            assert_eq!(
                simd::skip_space(held, from).min(held.len().max(from)),
                from + space.unwrap_or(tail.len())
            );
            if let Some(feed) = simd::near_line_feed(held, from) {
                assert_eq!(Some(feed - from), tail.iter().position(|byte| *byte == b'\n'));
            }
            let word = tail.first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes));
            assert_eq!(simd::word_at(held, from), word);
            let mut out = Vec::new();
            simd::append_short(&mut out, tail).unwrap();
            simd::append(&mut out, tail).unwrap();
            assert_eq!(out, [tail, tail].concat());
            out.clear();
            simd::append_escaped(&mut out, tail).unwrap();
            out.reserve(64);
            let before = out.len();
            let (quoted, key) = (
                simd::append_quoted::<false>(&mut out, tail),
                simd::append_quoted::<true>(&mut out, tail),
            );
            assert_eq!(quoted, key);
            assert_eq!(out.len() - before, if quoted { 2 * tail.len() + 5 } else { 0 });
            out.clear();
            let _ = simd::append_unescaped(held, from.min(held.len()), &mut out).unwrap();
            // OK because it ends anywhere
        }
    }
}

#[test]
fn no_search_reads_beyond_its_text() {
    let mut page = Guarded::new();
    for length in 0..=70 {
        for filling in [b'x', b' ', 0xff, 0] {
            let mut text = vec![filling; length];
            search_everywhere(&mut page, &text);
            for special in [b'"', b'\\', b'\n'] {
                for place in [0, length / 2, length.saturating_sub(1)] {
                    if let Some(byte) = text.get_mut(place) {
                        *byte = special;
                    }
                    search_everywhere(&mut page, &text);
                    text.fill(filling);
                }
            }
        }
    }
}

#[test]
fn no_scan_reads_beyond_its_document_wherever_that_is_cut() {
    let mut page = Guarded::new();
    let document =
        "{\"jsonrpc\":\"2.0\",\"id\":12,\"method\":\"add\",\"params\":[1,-2.5e10,\"\\u00e4\u{e4}\\n\",true,false,\
        null,{\"key that is long\":123456789012345678901234567890}]}"
            .as_bytes();
    for end in 0..=document.len() {
        for at_end in [false, true] {
            let held = page.hold(&document[..end], at_end);
            let whole = json::scan(held, &mut Tape::new(), &json::ScanOptions::default()).is_ok();
            assert!(!whole || end == document.len(), "{end}");
        }
    }
}
