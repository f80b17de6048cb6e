//! Writing JSON-RPC envelopes around values that somebody else encodes.
//!
//! A message is written as head, value, tail: the value (params, result, error data) is appended by the caller between
//! the two. It refuses to know what the value is, and sends nothing.
//!
//! # References
//! JSON-RPC 2.0 Specification; FreeKill's integer keys as in [`crate::message::Keys`].

use crate::codec::{
    cbor::writer as cbor,
    json::writer as json,
    simd::{append_escaped, append_known},
    ErrorKind,
};
use crate::message::{Id, Keys, Member};

/// The encoding of a peer's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// JSON; strings must be UTF-8 or may be any bytes.
    Json {
        /// Whether strings must be UTF-8.
        utf8: bool,
    },
    /// CBOR with these keys; the envelope's strings are byte strings in FreeKill's form, text strings otherwise.
    Cbor(Keys),
}

type Written = Result<(), ErrorKind>;

/// Append bytes without aborting.
fn put(out: &mut Vec<u8>, bytes: &[u8]) -> Written {
    out.try_reserve(bytes.len()).map_err(|_| ErrorKind::OutOfMemory)?;
    out.extend_from_slice(bytes);
    Ok(())
}

/// Append bytes whose number is known: no function is called for them.
#[inline(always)]
fn known<const N: usize>(out: &mut Vec<u8>, bytes: &[u8; N]) -> Written {
    append_known(out, bytes).map_err(|_| ErrorKind::OutOfMemory)
}

impl Encoding {
    /// Whether this is FreeKill's form, in which "nothing" is left out rather than sent as null.
    #[must_use]
    pub fn is_freekill(self) -> bool {
        self == Encoding::Cbor(Keys::FreeKill)
    }

    /// The keys of the envelope.
    #[must_use]
    pub fn keys(self) -> Keys {
        match self {
            Encoding::Json { .. } => Keys::Names,
            Encoding::Cbor(keys) => keys,
        }
    }

    /// The head of a request (`id` given) or notification, up to and including the key of its params; with
    /// `params = false` there are none.
    ///
    /// # Errors
    /// `InvalidUtf8` for the method's name, `OutOfMemory`.
    pub fn begin_call(self, out: &mut Vec<u8>, method: &[u8], id: Option<i64>, params: bool) -> Written {
        match self {
            Encoding::Json { utf8 } => {
                match id {
                    Some(id) => {
                        known(out, b"{\"jsonrpc\":\"2.0\",\"id\":")?;
                        json::write_int(out, id)?;
                        known(out, b",\"method\":")?;
                    }
                    None => put(out, b"{\"jsonrpc\":\"2.0\",\"method\":")?,
                }
                json::write_name(out, method, utf8)?;
                if params {
                    known(out, b",\"params\":")?;
                }
            }
            Encoding::Cbor(Keys::FreeKill) => {
                // The same as below, with what is known beforehand in one piece.
                let members = 2 + u8::from(id.is_some()) + u8::from(params);
                put(out, &[0xa0 | members, 0x18, 100, 0x43, b'2', b'.', b'0', 0x18, 101])?;
                cbor::write_bytes(out, method)?;
                if let Some(id) = id {
                    put(out, &[0x18, 104])?;
                    cbor::write_int(out, id)?;
                }
                if params {
                    put(out, &[0x18, 102])?;
                }
            }
            Encoding::Cbor(Keys::Names) => {
                let members = 2 + usize::from(id.is_some()) + usize::from(params);
                cbor::write_map_head(out, members)?;
                self.version(out)?;
                self.key(out, Member::Method)?;
                self.word(out, method)?;
                if let Some(id) = id {
                    self.key(out, Member::Id)?;
                    cbor::write_int(out, id)?;
                }
                if params {
                    self.key(out, Member::Params)?;
                }
            }
        }
        Ok(())
    }

    /// The head of a response; with `result = false` (FreeKill's "nothing") there is no result and no key for it.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn begin_result(self, out: &mut Vec<u8>, id: &Id, result: bool) -> Written {
        match self {
            Encoding::Json { .. } => {
                known(out, b"{\"jsonrpc\":\"2.0\",\"id\":")?;
                match id {
                    Id::Int(n) => json::write_int(out, *n)?,
                    _ => self.id(out, id)?,
                }
                known(out, b",\"result\":")?;
            }
            Encoding::Cbor(_) => {
                cbor::write_map_head(out, 2 + usize::from(result))?;
                self.version(out)?;
                self.key(out, Member::Id)?;
                self.id(out, id)?;
                if result {
                    self.key(out, Member::Result)?;
                }
            }
        }
        Ok(())
    }

    /// A boolean as a value of its own.
    ///
    /// # Errors
    /// `OutOfMemory`.
    #[inline]
    pub fn boolean(self, out: &mut Vec<u8>, value: bool) -> Written {
        match (self, value) {
            (Encoding::Json { .. }, true) => known(out, b"true"),
            (Encoding::Json { .. }, false) => known(out, b"false"),
            (Encoding::Cbor(_), value) => known(out, &[0xf4 | u8::from(value)]), // RFC 8949, section 3.3
        }
    }

    /// The end of a call or of a response.
    ///
    /// # Errors
    /// `OutOfMemory`.
    #[inline(always)]
    pub fn end(self, out: &mut Vec<u8>) -> Written {
        match self {
            Encoding::Json { .. } => known(out, b"}"),
            Encoding::Cbor(_) => Ok(()),
        }
    }

    /// The head of an error response, up to and including the key of its data where `data` is set. A null id is left
    /// out in FreeKill's form, whose parent cannot read one.
    ///
    /// # Errors
    /// `OutOfMemory`. A message that is not UTF-8 is repaired, not refused: an error must get through.
    pub fn begin_error(self, out: &mut Vec<u8>, id: &Id, code: i64, message: &[u8], data: bool) -> Written {
        match self {
            Encoding::Json { utf8 } => {
                put(out, b"{\"jsonrpc\":\"2.0\",\"id\":")?;
                self.id(out, id)?;
                put(out, b",\"error\":{\"code\":")?;
                json::write_int(out, code)?;
                put(out, b",\"message\":")?;
                write_lossy(out, message, utf8)?;
                if data {
                    put(out, b",\"data\":")?;
                }
            }
            Encoding::Cbor(_) => {
                let with_id = !(self.is_freekill() && *id == Id::Null);
                cbor::write_map_head(out, 2 + usize::from(with_id))?;
                self.version(out)?;
                if with_id {
                    self.key(out, Member::Id)?;
                    self.id(out, id)?;
                }
                self.key(out, Member::Error)?;
                cbor::write_map_head(out, 2 + usize::from(data))?;
                self.key(out, Member::Code)?;
                cbor::write_int(out, code)?;
                self.key(out, Member::Message)?;
                self.word(out, message)?;
                if data {
                    self.key(out, Member::Data)?;
                }
            }
        }
        Ok(())
    }

    /// The end of an error response.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn end_error(self, out: &mut Vec<u8>) -> Written {
        match self {
            Encoding::Json { .. } => put(out, b"}}"),
            Encoding::Cbor(_) => Ok(()),
        }
    }

    /// A text as a value of its own: error data. In JSON it is repaired where it is not UTF-8 and should be, in CBOR it
    /// is a byte string then.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn text(self, out: &mut Vec<u8>, text: &[u8]) -> Written {
        match self {
            Encoding::Json { utf8 } => write_lossy(out, text, utf8),
            Encoding::Cbor(_) => self.word(out, text),
        }
    }

    /// A whole error response with text as data, or without.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn error(self, out: &mut Vec<u8>, id: &Id, code: i64, message: &str, data: Option<&str>) -> Written {
        self.begin_error(out, id, code, message.as_bytes(), data.is_some())?;
        if let Some(data) = data {
            self.text(out, data.as_bytes())?;
        }
        self.end_error(out)
    }

    /// Wrap `count` responses, one after the other in `responses` (JSON: separated by commas), as a batch.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn batch(self, out: &mut Vec<u8>, responses: &[u8], count: usize) -> Written {
        self.begin_batch(out, count)?;
        put(out, responses)?;
        self.end_batch(out)
    }

    /// Everything of a batch of `count` responses up to the first of them.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn begin_batch(self, out: &mut Vec<u8>, count: usize) -> Written {
        match self {
            Encoding::Json { .. } => put(out, b"["),
            Encoding::Cbor(_) => cbor::write_array_head(out, count),
        }
    }

    /// Everything after the last.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn end_batch(self, out: &mut Vec<u8>) -> Written {
        match self {
            Encoding::Json { .. } => put(out, b"]"),
            Encoding::Cbor(_) => Ok(()),
        }
    }

    /// What stands between the responses of a batch.
    #[must_use]
    pub fn batch_separator(self) -> &'static [u8] {
        match self {
            Encoding::Json { .. } => b",",
            Encoding::Cbor(_) => b"",
        }
    }

    fn version(self, out: &mut Vec<u8>) -> Written {
        self.key(out, Member::Version)?;
        self.word(out, b"2.0")
    }

    /// A string of the envelope: FreeKill reads byte strings only, others expect text.
    fn word(self, out: &mut Vec<u8>, word: &[u8]) -> Written {
        if self.is_freekill() || std::str::from_utf8(word).is_err() {
            cbor::write_bytes(out, word)
        } else {
            cbor::write_text(out, word)
        }
    }

    fn key(self, out: &mut Vec<u8>, member: Member) -> Written {
        match self.keys() {
            Keys::FreeKill => cbor::write_int(out, Keys::number(member)),
            Keys::Names => cbor::write_text(out, Keys::name(member)),
        }
    }

    fn id(self, out: &mut Vec<u8>, id: &Id) -> Written {
        match (self, id) {
            (Encoding::Json { .. }, Id::Int(n)) => json::write_int(out, *n),
            (Encoding::Json { .. }, Id::Float(f)) => json::write_float(out, *f),
            (Encoding::Json { .. }, Id::Str(s) | Id::Text(s)) => json::write_str(out, s, false),
            (Encoding::Json { .. }, Id::Null) => put(out, b"null"),
            (Encoding::Cbor(_), Id::Int(n)) => cbor::write_int(out, *n),
            (Encoding::Cbor(_), Id::Float(f)) => cbor::write_float(out, *f, true),
            (Encoding::Cbor(_), Id::Str(s)) => cbor::write_bytes(out, s),
            (Encoding::Cbor(_), Id::Text(s)) => self.word(out, s),
            (Encoding::Cbor(_), Id::Null) => cbor::write_null(out),
        }
    }
}

/// A JSON string; where UTF-8 is asked for, other bytes are replaced.
fn write_lossy(out: &mut Vec<u8>, text: &[u8], utf8: bool) -> Written {
    let before = out.len();
    match json::write_str(out, text, utf8) {
        Err(ErrorKind::InvalidUtf8) => {
            out.truncate(before);
            put(out, b"\"")?;
            for chunk in text.utf8_chunks() {
                append_escaped(out, chunk.valid().as_bytes()).map_err(|_| ErrorKind::OutOfMemory)?;
                if !chunk.invalid().is_empty() {
                    put(out, "\u{fffd}".as_bytes())?;
                }
            }
            put(out, b"\"")
        }
        written => written,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const JSON: Encoding = Encoding::Json { utf8: true };
    const FREEKILL: Encoding = Encoding::Cbor(Keys::FreeKill);

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn a_json_call_is_one_object_around_its_params() {
        let mut out = Vec::new();
        JSON.begin_call(&mut out, b"add", Some(3), true).unwrap();
        out.extend_from_slice(b"[1,2]");
        JSON.end(&mut out).unwrap();
        assert_eq!(out, br#"{"jsonrpc":"2.0","id":3,"method":"add","params":[1,2]}"#);
    }

    #[test]
    fn a_freekill_call_has_its_members_in_a_fixed_order() {
        let mut out = Vec::new();
        FREEKILL.begin_call(&mut out, b"ab", Some(300), true).unwrap();
        assert_eq!(hex(&out), "a4186443322e301865426162186819012c1866");
        out.clear();
        FREEKILL.begin_call(&mut out, b"ab", None, false).unwrap();
        assert_eq!(hex(&out), "a2186443322e301865426162");
    }

    #[test]
    fn a_freekill_reply_without_result_has_no_result_key() {
        let mut out = Vec::new();
        FREEKILL.begin_result(&mut out, &Id::Int(5), false).unwrap();
        assert_eq!(hex(&out), "a2186443322e30186805");
    }

    #[test]
    fn a_freekill_error_without_id_leaves_the_id_out() {
        let mut out = Vec::new();
        FREEKILL.error(&mut out, &Id::Null, -32700, "x", None).unwrap();
        assert_eq!(hex(&out), "a2186443322e301867a218c8397fbb18c94178");
    }

    #[test]
    fn an_error_text_that_is_not_utf8_still_gets_through() {
        let mut out = Vec::new();
        JSON.begin_error(&mut out, &Id::Str(b"a\"b".as_slice().into()), -1, b"bad \xff", false)
            .unwrap();
        JSON.end_error(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "{\"jsonrpc\":\"2.0\",\"id\":\"a\\\"b\",\"error\":{\"code\":-1,\"message\":\"bad \u{fffd}\"}}"
        );
    }
}
