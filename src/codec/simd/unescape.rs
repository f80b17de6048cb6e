//! The inside of a JSON string, copied with its two-character escapes resolved.
//!
//! It refuses to decide what ends a string: it stops at whatever is no plain byte and no such escape (RFC 8259,
//! section 7), `\u` included, and leaves that to the scanner.
#![allow(unsafe_code)]

use std::collections::TryReserveError;

use super::{chunk_or_padded, first, make_room, Run, LANES};

/// What the byte after a backslash stands for; zero if nothing, or if it is a `u`.
const ESCAPED: [u8; 256] = {
    let mut table = [0; 256];
    let pairs = *b"\"\"\\\\//b\x08f\x0cn\nr\rt\t";
    let mut at = 0;
    while at < pairs.len() {
        table[pairs[at] as usize] = pairs[at + 1];
        at += 2;
    }
    table
};

/// The byte that the escape at `pos` stands for; zero if there is none of two characters.
#[inline(always)]
fn escaped(source: &[u8], pos: usize) -> u8 {
    match (source.get(pos), source.get(pos + 1)) {
        (Some(b'\\'), Some(&letter)) => ESCAPED[usize::from(letter)],
        _ => 0,
    }
}

/// Append what stands in `source` from `pos` on: plain string bytes as they are, escapes of two characters resolved.
/// The run ends before anything else, or at the end of the source.
///
/// # Errors
/// When memory for it cannot be had.
#[inline(always)]
pub fn append_unescaped(source: &[u8], mut pos: usize, out: &mut Vec<u8>) -> Result<Run, TryReserveError> {
    let mut high = 0;
    loop {
        // A chunk, and the byte that an escape behind it stands for.
        make_room(out, LANES + 1)?;
        let chunk = chunk_or_padded(source, pos);
        let special = chunk.special();
        high |= chunk.high();
        // SAFETY: there is room for LANES bytes behind the length; all of them are written.
        unsafe { chunk.store(out.as_mut_ptr().add(out.len())) };
        if special == 0 {
            // SAFETY: the LANES bytes were just written.
            unsafe { out.set_len(out.len() + LANES) };
            pos += LANES;
            continue;
        }
        let plain = first(special);
        // SAFETY: `plain` < LANES of the bytes that were just written are kept.
        unsafe { out.set_len(out.len() + plain) };
        pos += plain;
        let mut value = escaped(source, pos);
        if value == 0 {
            return Ok(Run { end: pos, high });
        }
        // Escapes like company: `\r\n`, `\\\"`.
        loop {
            // SAFETY: there is room for one byte behind the length: LANES + 1 were reserved and fewer than LANES kept,
            // and it is asked for again before each further round.
            unsafe {
                out.as_mut_ptr().add(out.len()).write(value);
                out.set_len(out.len() + 1);
            }
            pos += 2;
            value = escaped(source, pos);
            if value == 0 {
                break;
            }
            make_room(out, 1)?;
        }
    }
}

/// Append the first `len` of `bytes`; all of them if there are less.
///
/// # Errors
/// When memory for it cannot be had.
#[inline(always)]
pub fn append_few(out: &mut Vec<u8>, bytes: [u8; 4], len: usize) -> Result<(), TryReserveError> {
    make_room(out, 4)?;
    // SAFETY: there is room for four bytes behind the length; all are written, at most four are kept.
    unsafe {
        out.as_mut_ptr().add(out.len()).cast::<[u8; 4]>().write_unaligned(bytes);
        out.set_len(out.len() + len.min(4));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn unescaped(text: &[u8]) -> (Vec<u8>, Run) {
        let mut out = b"kept".to_vec();
        let run = append_unescaped(text, 0, &mut out).unwrap();
        (out.split_off(4), run)
    }

    #[test]
    fn plain_bytes_come_out_up_to_the_first_that_is_not_wherever_it_is() {
        for len in 0..50 {
            for end in 0..=len {
                for byte in [b'"', 0, 0x1f] {
                    let mut text = vec![b'x'; len];
                    if let Some(place) = text.get_mut(end) {
                        *place = byte;
                    }
                    assert_eq!(unescaped(&text), (vec![b'x'; end], Run { end, high: 0 }));
                }
            }
        }
    }

    #[test]
    fn escapes_are_resolved_wherever_they_are_and_however_many() {
        for before in 0..40 {
            for count in 0..20 {
                let text = ["x".repeat(before), "\\n".repeat(count), "y\"".into()].concat();
                let expected = ["x".repeat(before), "\n".repeat(count), "y".into()].concat();
                let end = text.len() - 1;
                assert_eq!(
                    unescaped(text.as_bytes()),
                    (expected.into_bytes(), Run { end, high: 0 })
                );
            }
        }
        let all = unescaped(br#"\"\\\/\b\f\n\r\t"#);
        assert_eq!(all.0, b"\"\\/\x08\x0c\n\r\t");
    }

    #[test]
    fn what_is_no_escape_of_two_characters_ends_the_run() {
        for text in [&br"ab\u0041"[..], br"ab\x", br"ab\", b"ab\\\n", b"ab\\\xff"] {
            let (plain, run) = unescaped(text);
            assert_eq!((&plain[..], run.end), (&b"ab"[..], 2));
        }
    }

    #[test]
    fn a_high_byte_of_the_run_is_always_seen() {
        for len in 0..40 {
            let mut text = vec![b'x'; len];
            text.push(b'"');
            assert_eq!(unescaped(&text).1.high, 0);
            for at in 0..len {
                text[at] = 0x80;
                assert_ne!(unescaped(&text).1.high, 0);
                text[at] = b'x';
            }
        }
    }

    #[test]
    fn at_most_four_bytes_are_appended() {
        for len in 0..6 {
            let mut out = vec![7];
            append_few(&mut out, [1, 2, 3, 4], len).unwrap();
            assert_eq!(out[1..], [1, 2, 3, 4][..len.min(4)]);
        }
    }
}
