//! JSON messages as nearly everybody writes them, read without putting their envelope on the tape: what the envelope of
//! a request costs is half of all its scanning.
//!
//! It refuses every other message, however right: white space but for a single one behind a comma or colon, a member
//! twice or unknown, escapes and other alphabets in the method's name, an id that is no small integer, an error. Those
//! are read by [`crate::message::Envelope`], which also finds what is wrong with one.

use crate::codec::json::{scan_value, ScanOptions};
use crate::codec::simd;
use crate::codec::tape::{Node, Tape};

/// Digits of an id that need no look at its size.
const DIGITS: usize = 15;

// How each member begins: eight bytes, four of an id.
const VERSION: u64 = u64::from_le_bytes(*b"\"jsonrpc");
const METHOD: u64 = u64::from_le_bytes(*b"\"method\"");
const PARAMS: u64 = u64::from_le_bytes(*b"\"params\"");
const RESULT: u64 = u64::from_le_bytes(*b"\"result\"");
const ID: u64 = u64::from_le_bytes(*b"\"id\"\0\0\0\0");
// How most messages begin, in one piece.
const BEGIN: &[u8; 17] = b"{\"jsonrpc\":\"2.0\",";
const FOUR: u64 = 0xffff_ffff;

/// What the message says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Usual {
    /// A request, or without an id a notification.
    Call {
        id: Option<i64>,
        /// A string of the source.
        method: Node,
        /// Tape index of an array or object.
        params: Option<usize>,
    },
    /// A reply.
    Result {
        id: i64,
        /// Tape index.
        result: usize,
    },
}

/// Read `message` and scan its params or result to `tape`; `None`, after which the tape may hold a part of it, if it is
/// for the long way.
#[inline(always)]
pub(super) fn read(message: &[u8], tape: &mut Tape, options: &ScanOptions) -> Option<Usual> {
    let options = ScanOptions {
        max_depth: options.max_depth.checked_sub(1)?, // what is scanned is inside of one more object
        ..*options
    };
    let (mut version, mut id, mut method, mut params, mut result) = (false, None, None, None, None);
    let mut pos = literal(message, 0, b"{")?;
    if let Some(end) = literal(message, 0, BEGIN) {
        (version, pos) = (true, end);
    }
    loop {
        let first = simd::word_at(message, pos).unwrap_or_else(|| last_word(message, pos));
        match first {
            VERSION => {
                pos = literal(message, pos + 8, b"\":")?;
                pos = literal(message, space(message, pos), b"\"2.0\"")?;
                twice(std::mem::replace(&mut version, true))?;
            }
            METHOD => {
                let start = literal(message, value(message, pos + 8)?, b"\"")?;
                let run = simd::string_run(message, start);
                pos = literal(message, run.end, b"\"")?;
                if run.high != 0 && !message.get(start..run.end)?.is_ascii() {
                    return None;
                }
                twice(method.replace((start, run.end - start)).is_some())?;
            }
            PARAMS | RESULT => {
                let start = value(message, pos + 8)?;
                let structured = matches!(message.get(start)?, b'[' | b'{');
                let place = tape.len();
                pos = scan_value(message, start, tape, &options).ok()?;
                let member = match first {
                    PARAMS if structured => &mut params,
                    PARAMS => return None,
                    _ => &mut result,
                };
                twice(member.replace(place).is_some())?;
            }
            _ if first & FOUR == ID => {
                let number;
                (number, pos) = integer(message, value(message, pos + 4)?)?;
                twice(id.replace(number).is_some())?;
            }
            _ => return None,
        }
        match message.get(pos)? {
            b',' => pos = space(message, pos + 1),
            b'}' if pos + 1 == message.len() => break,
            _ => return None,
        }
    }
    match (method, result) {
        _ if !version => None,
        (Some((offset, len)), None) => Some(Usual::Call {
            id,
            method: Node::Str { offset, len },
            params,
        }),
        (None, Some(result)) if params.is_none() => id.map(|id| Usual::Result { id, result }),
        _ => None,
    }
}

/// Where `text` ends, which starts at `pos`.
#[inline(always)]
fn literal<const N: usize>(message: &[u8], pos: usize, text: &[u8; N]) -> Option<usize> {
    (message.get(pos..pos + N)? == text).then_some(pos + N)
}

/// The up to seven bytes from `pos` on as a little-endian word.
#[inline(never)]
fn last_word(message: &[u8], pos: usize) -> u64 {
    let rest = message.get(pos..).unwrap_or_default();
    rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// Where the value is whose key ended before `pos`.
#[inline(always)]
fn value(message: &[u8], pos: usize) -> Option<usize> {
    (*message.get(pos)? == b':').then(|| space(message, pos + 1))
}

/// Past a space at `pos`.
#[inline(always)]
fn space(message: &[u8], pos: usize) -> usize {
    pos + usize::from(message.get(pos) == Some(&b' '))
}

/// Of equal members the last would count.
#[inline(always)]
fn twice(seen: bool) -> Option<()> {
    (!seen).then_some(())
}

/// A small integer without sign, and where it ends.
#[inline(always)]
fn integer(message: &[u8], start: usize) -> Option<(i64, usize)> {
    let (mut pos, mut value) = (start, 0);
    while let Some(digit @ b'0'..=b'9') = message.get(pos) {
        value = value * 10 + i64::from(digit - b'0'); // OK because there are not many
        pos += 1;
        if pos - start > DIGITS {
            return None;
        }
    }
    let alone = pos == start + 1 || message.get(start) != Some(&b'0'); // no leading zero
    (pos > start && alone).then_some((value, pos))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::codec::json;
    use crate::message::{Envelope, Keys};
    use rand::rngs::StdRng;
    use rand::seq::{IndexedRandom, SliceRandom};
    use rand::{Rng, SeedableRng};

    fn usual(message: &str) -> Option<Usual> {
        read(message.as_bytes(), &mut Tape::new(), &ScanOptions::default())
    }

    /// What the long way makes of it; `None` if it is no call or result with version 2.0 and nothing else.
    fn long(message: &str, options: &ScanOptions) -> Option<(Tape, Envelope)> {
        let mut tape = Tape::new();
        json::scan(message.as_bytes(), &mut tape, options).ok()?;
        let envelope = Envelope::read(&tape, message.as_bytes(), 0, Keys::Names)?;
        Some((tape, envelope))
    }

    /// Where a value on a tape is one of two words or more, its place differs; so compare what it is, all the way down.
    fn same(one: (&Tape, usize), other: (&Tape, usize), source: &[u8]) -> bool {
        let (left, mut a) = one.0.node(one.1);
        let (right, mut b) = other.0.node(other.1);
        let children = match (left, right) {
            (Node::Array { count: n, .. }, Node::Array { count: m, .. }) if n == m => n,
            (Node::Object { count: n, .. }, Node::Object { count: m, .. }) if n == m => 2 * n,
            _ if one.0.bytes(left, source).is_some() => {
                return one.0.bytes(left, source) == other.0.bytes(right, source);
            }
            _ => return left == right,
        };
        for _ in 0..children {
            if !same((one.0, a), (other.0, b), source) {
                return false;
            }
            (a, b) = (one.0.after(a), other.0.after(b));
        }
        true
    }

    #[test]
    fn requests_notifications_and_results_are_read_in_any_order_of_members() {
        let call = |id, method: (usize, usize), params| {
            let (offset, len) = method;
            let method = Node::Str { offset, len };
            Some(Usual::Call { id, method, params })
        };
        assert_eq!(
            usual(r#"{"jsonrpc":"2.0","method":"m","params":[1],"id":7}"#),
            call(Some(7), (27, 1), Some(0))
        );
        assert_eq!(
            usual(r#"{"id": 0, "jsonrpc": "2.0", "method": "ab"}"#),
            call(Some(0), (39, 2), None)
        );
        assert_eq!(
            usual(r#"{"params":{},"method":"","jsonrpc":"2.0"}"#),
            call(None, (23, 0), Some(0))
        );
        assert_eq!(
            usual(r#"{"jsonrpc":"2.0","result":null,"id":12}"#),
            Some(Usual::Result { id: 12, result: 0 })
        );
    }

    #[test]
    fn whatever_is_read_the_long_way_reads_the_same() {
        const MEMBERS: [&str; 16] = [
            r#""jsonrpc":"2.0""#,
            r#""jsonrpc": "2.0""#,
            r#""jsonrpc":"1.0""#,
            r#""method":"add""#,
            r#""method":"\u0061""#,
            "\"method\":\"\u{e4}\"",
            r#""params":[1,"two",{"three":[]}]"#,
            r#""params":[[[[]]]]"#,
            r#""params":null"#,
            r#""id":12"#,
            r#""id":"12""#,
            r#""id":007"#,
            r#""id":1.5"#,
            r#""result": {"x":-1e3}"#,
            r#""error":{"code":1,"message":""}"#,
            r#""other":1"#,
        ];
        let mut random = StdRng::seed_from_u64(5);
        let (mut taken, mut total) = (0, 0);
        for round in 0..40_000 {
            // A request or a reply; one member may be missing, and another one be added.
            let mut members = match random.random_bool(0.7) {
                true => vec![MEMBERS[0], MEMBERS[3], MEMBERS[6], MEMBERS[9]],
                false => vec![MEMBERS[1], MEMBERS[9], MEMBERS[13]],
            };
            members.shuffle(&mut random);
            if random.random_bool(0.3) {
                members.pop();
            }
            if random.random_bool(0.4) {
                members.push(MEMBERS.choose(&mut random).unwrap());
                members.shuffle(&mut random);
            }
            let mut message = format!("{{{}}}", members.join([",", ", "][round % 2]));
            if random.random_bool(0.1) {
                let kept = random.random_range(0..=message.len());
                message = String::from_utf8_lossy(&message.as_bytes()[..kept]).into_owned();
            }
            let options = ScanOptions {
                max_depth: random.random_range(0..7),
                ..ScanOptions::default()
            };
            total += 1;
            let mut tape = Tape::new();
            let Some(found) = read(message.as_bytes(), &mut tape, &options) else {
                continue;
            };
            taken += 1;
            let (other, envelope) = long(&message, &options).unwrap();
            assert!(envelope.is_version_2(&other, message.as_bytes()) && envelope.error.is_none());
            let (id, method, params, result) = match found {
                Usual::Call { id, method, params } => (id, Some(method), params, None),
                Usual::Result { id, result } => (Some(id), None, None, Some(result)),
            };
            assert_eq!(id.map(Node::Int), envelope.id.map(|at| other.node(at).0), "{message}");
            assert_eq!(method, envelope.method.map(|at| other.node(at).0), "{message}");
            for (mine, theirs) in [(params, envelope.params), (result, envelope.result)] {
                assert_eq!(mine.is_some(), theirs.is_some(), "{message}");
                if let (Some(mine), Some(theirs)) = (mine, theirs) {
                    assert!(same((&tape, mine), (&other, theirs), message.as_bytes()), "{message}");
                }
            }
        }
        assert!(taken > total / 5, "{taken} of {total}");
    }

    #[test]
    fn members_twice_and_strange_ones_are_for_the_long_way() {
        for message in [
            r#"{"jsonrpc":"2.0","jsonrpc":"2.0","method":"m"}"#,
            r#"{"jsonrpc":"2.0","method":"m","method":"n"}"#,
            r#"{"jsonrpc":"2.0","method":"m","id":1,"id":2}"#,
            r#"{"jsonrpc":"2.0","method":"m","result":1,"id":2}"#,
            r#"{"jsonrpc":"2.0","result":1,"params":[],"id":2}"#,
            r#"{"jsonrpc":"2.0","result":1}"#,
            r#"{"jsonrpc":"2.0","method":"m","params":5}"#,
            r#"{"jsonrpc":"2.0","method":"m","id":-1}"#,
            r#"{"jsonrpc":"2.0","method":"m","id":1234567890123456}"#,
            r#"{"jsonrpc":"2.0","method":"m","id":01}"#,
            r#"{"jsonrpc":"2.0","method":"m","id":1e3}"#,
            r#"{"jsonrpc":"2.0","method":"m"} "#,
            r#"{"jsonrpc":"2.0","method":"m",}"#,
            r#"{"jsonrpc":"2.0","method":"m"#,
            r#"{"method":"m"}"#,
            r#"{"jsonrpc":"2.0"}"#,
            "{}",
            "",
        ] {
            assert_eq!(usual(message), None, "{message}");
        }
    }
}
