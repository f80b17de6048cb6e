//! Messages longer than the option `max_frame` allows: who waits for them, told from their first bytes.
//!
//! It refuses to look further than these bytes, and takes nothing from them but the kind of message and its id. Where
//! params or a result come first, nobody can be told by name.

use super::accept::read_id;
use super::recover::scan_leniently;
use super::{Incoming, Peer, Problem, Scan};
use crate::codec::cbor::ItemEnd;
use crate::codec::tape::{Node, Tape};
use crate::codec::ErrorKind;
use crate::message::{Envelope, Id, INTERNAL_ERROR, INVALID_REQUEST};
use crate::text;

/// What its first bytes say of a message.
enum Kind {
    /// A request that waits for an answer under this id.
    Request(Id),
    /// The answer to our call with this id.
    Reply(i64),
    /// An answer to nothing of ours.
    Stray,
    /// A notification, or nobody knows.
    Other,
}

impl Peer {
    /// A message of more than `limit` bytes is passed over: whoever waits for it, here or there, is told. `message` is
    /// what the reply to a call of ours is read from, and otherwise what the log shows.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub(super) fn overlong(
        &mut self,
        limit: usize,
        awaited: Option<i64>,
        message: &mut Vec<u8>,
        tape: &mut Tape,
        out: &mut Vec<u8>,
    ) -> Result<Incoming, ErrorKind> {
        *message = std::mem::take(&mut self.inbox.overlong);
        if let Some(foreign) = self.foreign(message, self.inbox.implausible) {
            return self.foreign_garbage(foreign, None, out);
        }
        tape.reset();
        let kind = match self.inbox.implausible {
            true => Kind::Other, // it is no message, whatever it looks like
            false => self.kind(message, tape)?,
        };
        tape.reset();
        let incoming = match kind {
            Kind::Reply(id) => {
                // The call fails as by an error that the other end has sent, also when it is not its turn yet.
                let why = text::string(format_args!(
                    "the reply has more than {limit} bytes (option max_frame here)"
                ));
                message.clear();
                self.encoding
                    .error(message, &Id::Int(id), INTERNAL_ERROR.code, "Invalid reply", Some(&why))?;
                self.stats.malformed += 1;
                self.accept_any(message, None, awaited, tape, out)
            }
            Kind::Stray => {
                self.stats.malformed += 1; // a reply is never answered
                Ok(Incoming::Handled)
            }
            Kind::Request(id) => self.too_long(id, limit, out),
            Kind::Other => self.too_long(Id::Null, limit, out),
        };
        self.problem = Some(Problem::TooLarge(limit));
        incoming
    }

    fn too_long(&mut self, id: Id, limit: usize, out: &mut Vec<u8>) -> Result<Incoming, ErrorKind> {
        let why = text::string(format_args!("a message may have {limit} bytes (option max_frame)"));
        self.answer(INVALID_REQUEST, id, &why, None, out)
    }

    fn kind(&self, head: &[u8], tape: &mut Tape) -> Result<Kind, ErrorKind> {
        let mut whole = Vec::new();
        whole
            .try_reserve_exact(head.len() + ROOM)
            .map_err(|_| ErrorKind::OutOfMemory)?;
        let completed = match self.scan {
            Scan::Json(_) => complete_json(head, &mut whole),
            Scan::Cbor(_) => complete_cbor(head, &mut whole),
        };
        if completed.is_none() || scan_leniently(&self.scan, &whole, tape).is_err() {
            return Ok(Kind::Other);
        }
        let Some(envelope) = Envelope::read(tape, &whole, 0, self.encoding.keys()) else {
            return Ok(Kind::Other);
        };
        if envelope.method.is_some() {
            let id = read_id(tape, &whole, envelope.id)?.flatten();
            return Ok(id.map_or(Kind::Other, Kind::Request));
        }
        if envelope.result.is_none() && envelope.error.is_none() {
            return Ok(Kind::Other);
        }
        Ok(match envelope.id.map(|at| tape.node(at).0) {
            Some(Node::Int(id)) => Kind::Reply(id),
            _ => Kind::Stray,
        })
    }
}

/// What completing adds at most.
const ROOM: usize = 8;

/// The object whose beginning is `head`, with its complete members and null for the one that is cut off.
fn complete_json(head: &[u8], whole: &mut Vec<u8>) -> Option<()> {
    let mut depth = 0usize;
    let mut in_string = false;
    let mut escaped = false;
    let mut cut = None;
    for (at, &byte) in head.iter().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth <= 1 => break,
            b'}' | b']' => depth -= 1,
            b':' if depth == 1 => cut = Some((at + 1, b"null}".as_slice())),
            b',' if depth == 1 => cut = Some((at, b"}".as_slice())),
            _ => {}
        }
    }
    let (end, tail) = cut?;
    whole.extend_from_slice(&head[..end]); // OK because `end` is at most one past an index of it
    whole.extend_from_slice(tail);
    Some(())
}

/// The same for a map; one of more than 23 members is no message.
fn complete_cbor(head: &[u8], whole: &mut Vec<u8>) -> Option<()> {
    let (&initial, mut rest) = head.split_first()?;
    if !matches!(initial, 0xa1..=0xb7 | 0xbf) {
        return None;
    }
    whole.push(0xbf);
    while let Some(key) = item(rest) {
        let (key, after) = rest.split_at(key);
        whole.extend_from_slice(key);
        let Some(value) = item(after) else {
            whole.push(0xf6);
            break;
        };
        let (value, after) = after.split_at(value);
        whole.extend_from_slice(value);
        rest = after;
    }
    whole.push(0xff);
    Some(())
}

/// The length of the item at the front, if all of it is here.
fn item(bytes: &[u8]) -> Option<usize> {
    ItemEnd::new(DEPTH).feed(bytes).ok().flatten()
}

/// How deep members may nest that are looked past.
const DEPTH: usize = 64;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn json(head: &str) -> Option<String> {
        let mut whole = Vec::new();
        complete_json(head.as_bytes(), &mut whole)?;
        Some(String::from_utf8(whole).unwrap())
    }

    #[test]
    fn the_member_that_is_cut_off_becomes_null() {
        assert_eq!(json(r#"{"id":1,"result":"xx"#).unwrap(), r#"{"id":1,"result":null}"#);
        assert_eq!(
            json(r#"{"id":1,"result":{"a":[1,"#).unwrap(),
            r#"{"id":1,"result":null}"#
        );
        assert_eq!(
            json(r#"{"a":":,\"{","b":{"c":1},"d"#).unwrap(),
            r#"{"a":":,\"{","b":{"c":1}}"#
        );
    }

    #[test]
    fn what_is_no_object_is_not_completed() {
        assert_eq!(json(""), None);
        assert_eq!(json("some text"), None);
        assert_eq!(json(r#"[{"id":1,"result":"x"#), None);
        assert_eq!(complete_cbor(b"\x82\x01", &mut Vec::new()), None);
    }

    #[test]
    fn a_map_is_completed_likewise() {
        let mut whole = Vec::new();
        complete_cbor(b"\xa3\x62id\x01\x66result\x59\xff\xffxx", &mut whole).unwrap();
        assert_eq!(whole, b"\xbf\x62id\x01\x66result\xf6\xff");
    }
}
