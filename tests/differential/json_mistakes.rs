//! Small changes to a JSON text, or to any bytes, that mostly break it.

use super::json_documents::NUMBERS;
use super::random::Random;

/// Pieces that mean something where they do not belong.
const PIECES: [&[u8]; 48] = [
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"-",
    b"+",
    b".",
    b"e",
    b"E",
    b"0",
    b"00",
    b"\\u",
    b"\\u12",
    b"\\x",
    b"\\ud800",
    b"\\udc00",
    b"//",
    b"/**/",
    b"NaN",
    b"Infinity",
    b"nul",
    b"truE",
    b"'",
    b"\n",
    b"\r",
    b"\t",
    b" ",
    b"\0",
    b"\x0b",
    b"\x0c",
    b"\x1f",
    b"\x7f",
    b"\x80",
    b"\xbf",
    b"\xc0\x80",
    b"\xc2",
    b"\xe0\x80\x80",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\xf0\x80\x80\x80",
    b"\xf4\x90\x80\x80",
    b"\xff",
    b"\xe2\x80\xa8",
    b"\xc2\xa0",
];

/// Change `bytes` in one place: a byte, a piece, a part cut, doubled or moved.
pub fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    let at = random.below(bytes.len() + 1);
    let end = (at + 1 + random.below(8)).min(bytes.len());
    match random.below(10) {
        0 if at < bytes.len() => bytes[at] = random.byte(),
        1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        2 if at < bytes.len() => drop(bytes.remove(at)),
        3 => drop(bytes.drain(at..end)),
        4 => {
            let copy = bytes[at..end].to_vec();
            let to = random.below(bytes.len() + 1);
            bytes.splice(to..to, copy);
        }
        5 if random.once_in(4) => bytes.truncate(at),
        6 if bytes.len() > 1 => {
            let other = random.below(bytes.len());
            let at = at.min(bytes.len() - 1);
            bytes.swap(at, other);
        }
        7 => drop(bytes.splice(at..at, random.pick(&NUMBERS).iter().copied())),
        8 => bytes.insert(at, random.byte()),
        _ => {
            let end = if random.once_in(2) { at } else { end };
            drop(bytes.splice(at..end, random.pick(&PIECES).iter().copied()));
        }
    }
}
