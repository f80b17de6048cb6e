//! Short plain JSON strings, quotes and all, in one go: most keys and many values are such.
//!
//! It refuses what is longer than 16 bytes or holds anything but plain ASCII, and memory that is not there yet: the
//! writer of all strings (`json::writer::write_str`) does that.

/// Longest string that is written here.
const LONGEST: usize = 16;
/// Room that is asked for: the string, two quotes, a colon.
const ROOM: usize = LONGEST + 3;

/// Every byte is `byte`.
const fn all(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Whether one of eight bytes is below 0x20, above 0x7f, a quote or a backslash. A byte's borrow can only reach its
/// neighbours when it is such a byte itself, so that the answer (not the place) is exact.
#[inline(always)]
fn has_special(word: u64) -> bool {
    let quote = (word ^ all(b'"')).wrapping_sub(all(1));
    let backslash = (word ^ all(b'\\')).wrapping_sub(all(1));
    let control = word.wrapping_sub(all(b' '));
    (quote | backslash | control | word) & all(0x80) != 0
}

/// Append `bytes` in quotes, with a colon behind if `KEY`; `false` (and nothing appended) if it is not for here.
#[inline(always)]
pub fn append_quoted<const KEY: bool>(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    let len = bytes.len();
    if len > LONGEST || out.capacity() - out.len() < ROOM {
        return false;
    }
    // SAFETY: reads: two words of 8 or 4 bytes that overlap, the first at the start and the second at the end of a
    // string that is at least as long as one; below 4 bytes the first, the middle and the last. Writes: at most a
    // quote, `len` <= 16 bytes, a quote and a colon, for which there is room. What is not kept by `set_len` is
    // forgotten.
    unsafe {
        let from = bytes.as_ptr();
        let start = out.as_mut_ptr().add(out.len());
        let to = start.add(1);
        let special = if len >= 8 {
            let (head, tail) = (word(from), word(from.add(len - 8)));
            to.cast::<u64>().write_unaligned(head);
            to.add(len - 8).cast::<u64>().write_unaligned(tail);
            has_special(head) || has_special(tail)
        } else if len >= 4 {
            let (head, tail) = (half(from), half(from.add(len - 4)));
            to.cast::<u32>().write_unaligned(head);
            to.add(len - 4).cast::<u32>().write_unaligned(tail);
            has_special(u64::from(head) | u64::from(tail) << 32)
        } else if len > 0 {
            let (first, middle, last) = (*from, *from.add(len / 2), *from.add(len - 1));
            to.write(first);
            to.add(len / 2).write(middle);
            to.add(len - 1).write(last);
            has_special(u64::from_le_bytes([first, middle, last, b' ', b' ', b' ', b' ', b' ']))
        } else {
            false
        };
        if special {
            return false;
        }
        start.write(b'"');
        to.add(len).write(b'"');
        let mut written = len + 2;
        if KEY {
            to.add(len + 1).write(b':');
            written += 1;
        }
        out.set_len(out.len() + written);
    }
    true
}

/// # Safety
/// Eight bytes from `from` on are readable.
#[inline(always)]
unsafe fn word(from: *const u8) -> u64 {
    // SAFETY: by contract.
    unsafe { from.cast::<u64>().read_unaligned() }
}

/// # Safety
/// Four bytes from `from` on are readable.
#[inline(always)]
unsafe fn half(from: *const u8) -> u32 {
    // SAFETY: by contract.
    unsafe { from.cast::<u32>().read_unaligned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::json::writer::write_str;

    /// What is appended to an output with room, or `None` where that is refused.
    fn appended<const KEY: bool>(bytes: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(64);
        out.extend_from_slice(b"before");
        let done = append_quoted::<KEY>(&mut out, bytes);
        assert!(out.starts_with(b"before"));
        if !done {
            assert_eq!(out, b"before");
        }
        done.then(|| out.split_off(6))
    }

    #[test]
    fn plain_strings_of_every_short_length_come_out_as_the_writer_writes_them() {
        for len in 0..=LONGEST {
            let text = &b"abcdefghijklmnop"[..len];
            let mut expected = Vec::new();
            assert!(write_str(&mut expected, text, true).is_ok());
            assert_eq!(appended::<false>(text).as_deref(), Some(&expected[..]));
            expected.push(b':');
            assert_eq!(appended::<true>(text).as_deref(), Some(&expected[..]));
        }
    }

    #[test]
    fn every_byte_that_is_not_plain_is_refused_at_every_place_and_every_other_one_taken() {
        for len in 1..=LONGEST {
            for place in 0..len {
                for byte in 0..=255u8 {
                    let mut text = vec![b'~'; len];
                    text[place] = byte;
                    let plain = (0x20..0x80).contains(&byte) && byte != b'"' && byte != b'\\';
                    assert_eq!(
                        appended::<false>(&text).is_some(),
                        plain,
                        "{byte:#x} at {place} of {len}"
                    );
                }
            }
        }
    }

    #[test]
    fn longer_strings_and_outputs_without_room_are_refused() {
        assert_eq!(appended::<false>(&[b'a'; LONGEST + 1]), None);
        let mut out = Vec::with_capacity(ROOM);
        out.resize(out.capacity() - ROOM + 1, b' ');
        let before = out.len();
        assert!(!append_quoted::<true>(&mut out, b"a"));
        assert_eq!(out.len(), before);
    }
}
