//! The reply nearly every call of a FreeKill child gets, read without a tape: version, id, result, in this order, and
//! the result an integer, a boolean or a byte string.
//!
//! It refuses every other message, however close: those are read by [`Peer::next_message`] and [`Peer::accept`].

use super::Peer;

/// `{100: "2.0", 104: ...` as FreeKill's server writes it.
const HEAD: [u8; 9] = [0xa3, 0x18, 100, 0x43, b'2', b'.', b'0', 0x18, 104];
/// `105: ...`
const RESULT: [u8; 2] = [0x18, 105];
/// `false`
const FALSE: u8 = 0xf4;
/// `true`
const TRUE: u8 = 0xf5;

/// Integers of up to this magnitude are the same in every Lua; what becomes of larger ones is an option of the
/// connection.
const EXACT: u64 = 1 << 53;

/// A result that needs no tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// An integer.
    Int(i64),
    /// A boolean.
    Bool(bool),
    /// A byte string, which lies in the buffer that was given.
    Bytes,
}

/// What the inbox holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quick {
    /// The awaited reply, taken out of the inbox.
    Reply(Scalar),
    /// So far nothing else than its beginning.
    Incomplete,
    /// Something else, which is still there.
    Other,
}

/// What a piece of the message turned out to be: itself, too short, or not what was looked for.
type Piece<T> = Result<T, Quick>;

/// The head at `at`: major type, argument, and where the next byte is.
#[inline]
fn head(bytes: &[u8], at: usize) -> Piece<(u8, u64, usize)> {
    let initial = *bytes.get(at).ok_or(Quick::Incomplete)?;
    let (major, info) = (initial >> 5, initial & 31);
    let wide = |width: usize| {
        let bytes = bytes.get(at + 1..at + 1 + width).ok_or(Quick::Incomplete)?;
        let argument = bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        Ok((major, argument, at + 1 + width))
    };
    match info {
        0..=23 => Ok((major, u64::from(info), at + 1)),
        24 => wide(1),
        25 => wide(2),
        26 => wide(4),
        27 => wide(8),
        _ => Err(Quick::Other),
    }
}

/// The words of `expected` from `at` on.
#[inline]
fn literal(bytes: &[u8], at: usize, expected: &[u8]) -> Piece<usize> {
    let rest = &bytes[at.min(bytes.len())..];
    if rest.starts_with(expected) {
        Ok(at + expected.len())
    } else if expected.starts_with(rest) {
        Err(Quick::Incomplete)
    } else {
        Err(Quick::Other)
    }
}

/// The result of the reply to `awaited` in `bytes`, and where it ends; a byte string is copied to `text`.
#[inline]
fn read(bytes: &[u8], awaited: i64, text: &mut Vec<u8>) -> Piece<(Scalar, usize)> {
    let at = literal(bytes, 0, &HEAD)?;
    let (major, id, at) = head(bytes, at)?;
    if major != 0 || i64::try_from(id) != Ok(awaited) {
        return Err(Quick::Other);
    }
    let at = literal(bytes, at, &RESULT)?;
    // By its byte and not by its value: `f814` has the value of false, and is not well-formed (RFC 8949, section 3.3).
    if let Some(&initial @ (FALSE | TRUE)) = bytes.get(at) {
        return Ok((Scalar::Bool(initial == TRUE), at + 1));
    }
    let (major, argument, at) = head(bytes, at)?;
    match major {
        0 | 1 if argument <= EXACT - u64::from(major) => {
            let n = argument as i64; // OK because it is at most 2^53
            Ok((Scalar::Int(if major == 0 { n } else { !n }), at)) // -1 - n is !n in two's complement
        }
        2 => {
            let left = bytes.len() - at; // OK because a head ends within its source
            let len = usize::try_from(argument).map_err(|_| Quick::Other)?;
            if len > left {
                return Err(Quick::Incomplete);
            }
            text.try_reserve(len).map_err(|_| Quick::Other)?;
            text.extend_from_slice(&bytes[at..at + len]);
            Ok((Scalar::Bytes, at + len))
        }
        _ => Err(Quick::Other),
    }
}

impl Peer {
    /// Whether [`Peer::quick_reply`] may be asked: nothing is waiting to be read before the next bytes.
    #[must_use]
    pub fn can_be_quick(&self) -> bool {
        self.encoding.is_freekill() && !self.framing.has_prefix() && self.queue.is_empty() && self.inbox.is_empty()
    }

    /// Take the reply to `awaited` from the front of the inbox, if that is all there is to see. `text` is where a byte
    /// string goes.
    pub fn quick_reply(&mut self, awaited: i64, text: &mut Vec<u8>) -> Quick {
        text.clear();
        match read(self.inbox.bytes(), awaited, text) {
            Ok((scalar, end)) => {
                self.inbox.consume(end);
                self.took(awaited);
                self.forget(awaited);
                self.stats.received += 1;
                self.stats.replies += 1;
                Quick::Reply(scalar)
            }
            Err(Quick::Incomplete) if self.inbox.is_over_limit() => Quick::Other,
            Err(other) => other,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn reply(id: &[u8], result: &[u8]) -> Vec<u8> {
        [&HEAD, id, &RESULT, result].concat()
    }

    fn whole(bytes: &[u8], awaited: i64) -> Option<(Scalar, Vec<u8>)> {
        let mut text = Vec::new();
        let (scalar, end) = read(bytes, awaited, &mut text).ok()?;
        assert_eq!(end, bytes.len());
        Some((scalar, text))
    }

    #[test]
    fn scalars_are_read_with_heads_of_every_width() {
        for id in [
            &[7][..],
            &[0x18, 7],
            &[0x19, 0, 7],
            &[0x1a, 0, 0, 0, 7],
            &[0x1b, 0, 0, 0, 0, 0, 0, 0, 7],
        ] {
            assert_eq!(whole(&reply(id, &[0]), 7), Some((Scalar::Int(0), vec![])));
        }
        assert_eq!(whole(&reply(&[1], &[0x39, 1, 0]), 1), Some((Scalar::Int(-257), vec![])));
        assert_eq!(whole(&reply(&[1], &[0xf5]), 1), Some((Scalar::Bool(true), vec![])));
        assert_eq!(whole(&reply(&[1], &[0xf4]), 1), Some((Scalar::Bool(false), vec![])));
        assert_eq!(whole(&reply(&[1], b"\x42hi"), 1), Some((Scalar::Bytes, b"hi".to_vec())));
    }

    #[test]
    fn every_beginning_of_a_reply_is_incomplete() {
        let bytes = reply(&[0x19, 1, 2], b"\x43abc");
        for len in 0..bytes.len() {
            let mut text = Vec::new();
            assert_eq!(read(&bytes[..len], 258, &mut text), Err(Quick::Incomplete), "{len}");
        }
    }

    #[test]
    fn another_id_a_request_an_error_and_other_types_are_for_the_long_way() {
        let mut text = Vec::new();
        let mut other = |bytes: &[u8]| read(bytes, 1, &mut text) == Err(Quick::Other);
        assert!(other(&reply(&[1], &[0x1b, 0, 0x20, 0, 0, 0, 0, 0, 1])));
        assert!(other(&reply(&[2], &[0])));
        assert!(other(&reply(&[0x20], &[0])));
        for result in [
            &[0xf6][..],
            &[0x60],
            &[0x80],
            &[0xa0],
            &[0xf9, 0, 0],
            &[0x5f],
            &[0x1b, 0xff, 0, 0, 0, 0, 0, 0, 0],
        ] {
            assert!(other(&reply(&[1], result)), "{result:?}");
        }
        assert!(other(b"\xa4"));
        assert!(other(b"\xa3\x18\x64\x432.1"));
        assert!(other(&[&HEAD[..], &[1, 0x18, 103]].concat()));
    }

    #[test]
    fn integers_that_a_double_cannot_hold_are_for_the_long_way() {
        let (exact, beyond) = ([0x1b, 0, 0x20, 0, 0, 0, 0, 0, 0], [0x1b, 0, 0x20, 0, 0, 0, 0, 0, 1]);
        assert_eq!(whole(&reply(&[1], &exact), 1), Some((Scalar::Int(1 << 53), vec![])));
        assert_eq!(read(&reply(&[1], &beyond), 1, &mut Vec::new()), Err(Quick::Other));
        // A negative integer is -1 - argument: the same argument is one further away.
        let (exact, beyond) = (
            [0x3b, 0, 0x1f, 255, 255, 255, 255, 255, 255],
            [0x3b, 0, 0x20, 0, 0, 0, 0, 0, 0],
        );
        assert_eq!(whole(&reply(&[1], &exact), 1), Some((Scalar::Int(-(1 << 53)), vec![])));
        assert_eq!(read(&reply(&[1], &beyond), 1, &mut Vec::new()), Err(Quick::Other));
    }

    #[test]
    fn a_boolean_in_two_bytes_is_not_well_formed_and_not_read() {
        for result in [[0xf8, 20], [0xf8, 21]] {
            assert_eq!(read(&reply(&[1], &result), 1, &mut Vec::new()), Err(Quick::Other));
        }
    }

    #[test]
    fn a_string_longer_than_any_memory_is_awaited_and_not_reserved() {
        let mut text = Vec::new();
        let bytes = reply(&[1], &[0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(read(&bytes, 1, &mut text), Err(Quick::Incomplete));
        assert_eq!(text.capacity(), 0);
    }
}
