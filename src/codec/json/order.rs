//! The order of object keys: bytewise, as Lua's `<` in the C locale and RFC 8259's strings in UTF-8 have it.
//!
//! It refuses to decode: keys are compared as [`super::writer::write_str`] has written them, with their escapes
//! resolved on the way.

use std::cmp::Ordering;

/// Compare two written keys, `"name":` each.
#[must_use]
pub fn compare(one: &[u8], other: &[u8]) -> Ordering {
    let (one, other) = (inner(one), inner(other));
    if memchr::memchr(b'\\', one).is_none() && memchr::memchr(b'\\', other).is_none() {
        return one.cmp(other);
    }
    Unescaped(one).cmp(Unescaped(other))
}

/// What is between the quotes.
fn inner(key: &[u8]) -> &[u8] {
    key.strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\":"))
        .unwrap_or(key)
}

/// The bytes of a string as the writer was given them.
struct Unescaped<'a>(&'a [u8]);

impl Iterator for Unescaped<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (value, rest) = match *self.0 {
            [b'\\', b'u', b'0', b'0', high, low, ref rest @ ..] => (hex(high) << 4 | hex(low), rest),
            [b'\\', letter, ref rest @ ..] => {
                let value = match letter {
                    b'b' => 0x08,
                    b'f' => 0x0c,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    same => same,
                };
                (value, rest)
            }
            [byte, ref rest @ ..] => (byte, rest),
            [] => return None,
        };
        self.0 = rest;
        Some(value)
    }
}

/// The value of a hexadecimal digit; 0 for what is none, which the writer never puts there.
fn hex(digit: u8) -> u8 {
    char::from(digit).to_digit(16).unwrap_or(0) as u8 // OK because it is at most 15
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::writer::write_str;
    use super::*;

    fn written(key: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write_str(&mut out, key, false).unwrap();
        out.push(b':');
        out
    }

    #[test]
    fn keys_stand_in_the_order_of_their_bytes_however_they_are_escaped() {
        let mut keys: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).collect();
        keys.extend((0..=255u8).map(|byte| vec![b'a', byte]));
        keys.extend([&b""[..], b"a", b"ab", b"a\"b", b"a\\b", b"\\u0041", b"A"].map(<[u8]>::to_vec));
        for one in &keys {
            for other in &keys {
                assert_eq!(
                    compare(&written(one), &written(other)),
                    one.cmp(other),
                    "{one:?} {other:?}"
                );
            }
        }
    }
}
