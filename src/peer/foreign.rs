//! Messages of another codec or framing than this end's: the usual reason why calls get no replies.
//!
//! A message of JSON-RPC is known by its first bytes, which cannot begin one of ours: `{"` is a CBOR text of 2^61 bytes,
//! a map's head is no UTF-8. It refuses to read such a message, to switch over to what it is, and to answer more than one
//! of them: two ends that do not understand each other would answer each other for ever.

use super::{Incoming, Peer, Problem, Scan};
use crate::codec::ErrorKind;
use crate::frame::Framing;

/// What the bytes look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// JSON, where CBOR is read, or where something belongs before it.
    Json,
    /// CBOR, where JSON is read, or where a length belongs before it.
    Cbor,
    /// CBOR with names as keys, where FreeKill's numbers are expected, or the other way about.
    Keys,
    /// A header with the length of a message, where none is read.
    Header,
}

macro_rules! looks_like {
    ($what:literal) => {
        concat!(
            "something that looks like ",
            $what,
            "; are the options codec, framing and keys the same at both ends?"
        )
    };
}

impl Foreign {
    /// What it looks like, and what to do.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Foreign::Json => looks_like!("JSON"),
            Foreign::Cbor => looks_like!("CBOR"),
            Foreign::Keys => looks_like!("CBOR with other keys"),
            Foreign::Header => looks_like!("a Content-Length header"),
        }
    }
}

/// The names of a message's members.
const NAMES: [&[u8]; 6] = [b"jsonrpc", b"id", b"method", b"params", b"result", b"error"];

/// Whether this is the beginning of a message in CBOR: a map, of which the first key is a member's, as a text or byte
/// string or as FreeKill's number (100 to 105).
fn is_cbor(bytes: &[u8]) -> bool {
    let [0xa1..=0xb7 | 0xbf, key, name @ ..] = bytes else {
        return false;
    };
    match key {
        0x18 => matches!(name, [100..=105, ..]),
        0x42..=0x47 | 0x62..=0x67 => {
            let length = usize::from(key & 0x1f);
            name.get(..length).is_some_and(|name| NAMES.contains(&name))
        }
        _ => false,
    }
}

/// Whether this is the beginning of an object, or of a batch of them, in JSON.
fn is_json(bytes: &[u8]) -> bool {
    bytes.starts_with(b"{\"") || bytes.starts_with(b"[{\"")
}

fn is_header(bytes: &[u8]) -> bool {
    const NAME: &[u8] = b"content-length:";
    bytes
        .get(..NAME.len())
        .is_some_and(|name| name.eq_ignore_ascii_case(NAME))
}

impl Peer {
    /// What these bytes are, which are none of our messages, if they are another option's. They stand in place of a
    /// message, or of the prefix that belongs before it.
    #[cold]
    #[inline(never)]
    pub(super) fn foreign(&self, bytes: &[u8], prefix: bool) -> Option<Foreign> {
        let prefix = prefix && self.framing.has_prefix();
        let (json, cbor) = (is_json(bytes), is_cbor(bytes));
        if json || cbor {
            let ours = !prefix && cbor == self.is_cbor();
            let found = if json { Foreign::Json } else { Foreign::Cbor };
            return (!ours).then_some(found);
        }
        // After a length there is a zero, with which neither codec begins a message.
        let after = bytes.strip_prefix(b"\0").and_then(|rest| rest.get(3..));
        let after = after.unwrap_or_default();
        if is_json(after) {
            Some(Foreign::Json)
        } else if is_cbor(after) {
            Some(Foreign::Cbor)
        } else {
            (self.framing != Framing::ContentLength && is_header(bytes)).then_some(Foreign::Header)
        }
    }

    fn is_cbor(&self) -> bool {
        matches!(self.scan, Scan::Cbor(_))
    }

    /// Bytes wait for the rest of their message, and none has come that could be read: what will never be whole for us,
    /// because it is another option's, is taken as garbage at once. `message` is what the log shows.
    ///
    /// # Errors
    /// `OutOfMemory`.
    #[cold]
    #[inline(never)]
    pub fn stalled(&mut self, message: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<Option<Incoming>, ErrorKind> {
        let found = match self.inbox.is_at_start() {
            true => self.foreign(self.inbox.bytes(), true),
            false => None,
        };
        let Some(found) = found else {
            return Ok(None);
        };
        let all = self.inbox.len();
        self.inbox.split_off(all, message).map_err(|error| error.kind)?;
        self.foreign_garbage(found, None, out).map(Some)
    }

    /// Whether nothing has come yet that this end could read, nor anything that is known to be another option's.
    #[inline]
    #[must_use]
    pub fn may_be_foreign(&self) -> bool {
        self.stats.requests + self.stats.replies == 0 && self.mismatch.is_none()
    }

    /// Why replies do not come, as far as it is known.
    #[must_use]
    pub fn mismatch(&self) -> Option<Foreign> {
        self.mismatch.filter(|_| self.stats.requests + self.stats.replies == 0)
    }

    /// What to do about a message of another option's: as about other garbage, but only the first is answered.
    #[cold]
    #[inline(never)]
    pub(super) fn foreign_garbage(
        &mut self,
        foreign: Foreign,
        batch: Option<usize>,
        out: &mut Vec<u8>,
    ) -> Result<Incoming, ErrorKind> {
        let done = self.garbage(foreign.text(), batch, out);
        self.mismatch.get_or_insert(foreign);
        self.problem = Some(Problem::Foreign(foreign));
        done
    }

    /// What this is, which could be read and is no message: one with the other keys, the beginning of a header read as
    /// CBOR, and all that comes after something that was not understood.
    #[cold]
    #[inline(never)]
    pub(super) fn foreign_item(&self, item: &[u8]) -> Option<Foreign> {
        let is_cbor_here = self.is_cbor() && self.may_be_foreign();
        if is_cbor_here && is_cbor(item) && (item.get(1) == Some(&0x18)) != self.encoding.is_freekill() {
            return Some(Foreign::Keys);
        }
        let header = is_cbor_here && (item == b"Cont" || item == b"cont");
        header.then_some(Foreign::Header).or(self.mismatch())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_cbor_are_known_by_their_first_key() {
        for bytes in [
            &b"\xa4\x67jsonrpc\x632.0"[..],
            b"\xa3\x47jsonrpc\x432.0",
            b"\xa4\x18\x64\x432.0",
            b"\xbf\x62id\x01",
            b"\xa2\x45error",
        ] {
            assert!(is_cbor(bytes), "{bytes:?}");
        }
    }

    #[test]
    fn text_is_no_cbor() {
        // Chinese in GBK, an umlaut in Latin-1, a map that is no message.
        for bytes in [
            &b"\xb2\xcc\xce\xc4\xbc\xa7"[..],
            b"\xa4\xdf",
            b"\xa0",
            b"\xa1\x63key",
            b"\xa2",
            b"",
            b"\xb0\x18\x01",
        ] {
            assert!(!is_cbor(bytes), "{bytes:?}");
        }
    }

    #[test]
    fn messages_of_json_are_known_by_their_first_bytes() {
        assert!(is_json(b"{\"jsonrpc\":\"2.0\""));
        assert!(is_json(b"[{\"id\":1"));
        for bytes in [&b"{}"[..], b"{ a table }", b"[1", b"", b"{"] {
            assert!(!is_json(bytes), "{bytes:?}");
        }
    }
}
