//! JSON-RPC 2.0 messages on a tape: finding the members of the envelope, and what kind of message they make.
//!
//! It looks at the envelope alone: what params, results and error objects hold is not its business.
//!
//! # References
//! JSON-RPC 2.0 Specification, sections 4 (request), 5 (response), 6 (batch).

use crate::codec::tape::{Node, Tape};

/// How the members of the envelope are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Keys {
    /// `jsonrpc`, `method`, ... as the specification has them.
    #[default]
    Names,
    /// FreeKill's integers: 100 jsonrpc, 101 method, 102 params, 103 error, 104 id, 105 result; 200 code,
    /// 201 message, 202 data.
    FreeKill,
}

/// A member of the envelope or of an error object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    /// `jsonrpc`
    Version,
    /// `method`
    Method,
    /// `params`
    Params,
    /// `error`
    Error,
    /// `id`
    Id,
    /// `result`
    Result,
    /// `code`
    Code,
    /// `message`
    Message,
    /// `data`
    Data,
}

/// The members with their names and FreeKill's numbers.
const MEMBERS: [(Member, &[u8], i64); 9] = [
    (Member::Id, b"id", 104),
    (Member::Version, b"jsonrpc", 100),
    (Member::Method, b"method", 101),
    (Member::Params, b"params", 102),
    (Member::Result, b"result", 105),
    (Member::Error, b"error", 103),
    (Member::Code, b"code", 200),
    (Member::Message, b"message", 201),
    (Member::Data, b"data", 202),
];

impl Keys {
    /// Which member a key names, if any.
    #[inline]
    fn member(self, tape: &Tape, source: &[u8], key: Node) -> Option<Member> {
        let found = match self {
            Keys::Names => {
                let name = tape.bytes(key, source)?;
                MEMBERS.iter().find(|(_, known, _)| *known == name)
            }
            Keys::FreeKill => {
                let Node::Int(number) = key else { return None };
                MEMBERS.iter().find(|(_, _, known)| *known == number)
            }
        };
        found.map(|(member, _, _)| *member)
    }

    /// The member's name.
    #[must_use]
    pub fn name(member: Member) -> &'static [u8] {
        MEMBERS
            .iter()
            .find(|(known, _, _)| *known == member)
            .map_or(b"", |(_, name, _)| name)
    }

    /// The member's number in FreeKill's form.
    #[must_use]
    pub fn number(member: Member) -> i64 {
        MEMBERS
            .iter()
            .find(|(known, _, _)| *known == member)
            .map_or(0, |(_, _, number)| *number)
    }
}

/// A request's id, kept while it is served. Integer, string, number and null stay distinct.
#[derive(Clone, Debug, PartialEq)]
pub enum Id {
    /// An integer.
    Int(i64),
    /// A number with a fraction (the specification says SHOULD NOT, not MUST NOT).
    Float(f64),
    /// A string; in CBOR a byte string.
    Str(Vec<u8>),
    /// A text string of CBOR, which the other end may tell from a byte string.
    Text(Vec<u8>),
    /// `null`.
    Null,
}

/// The envelope's members: tape indices of their values.
#[derive(Clone, Copy, Debug, Default)]
pub struct Envelope {
    /// `jsonrpc`
    pub version: Option<usize>,
    /// `method`
    pub method: Option<usize>,
    /// `params`
    pub params: Option<usize>,
    /// `error`
    pub error: Option<usize>,
    /// `id`
    pub id: Option<usize>,
    /// `result`
    pub result: Option<usize>,
}

impl Envelope {
    /// Find the members of the object at `at`; `None` if it is no object. Of equal keys the last counts.
    #[must_use]
    pub fn read(tape: &Tape, source: &[u8], at: usize, keys: Keys) -> Option<Self> {
        let mut envelope = Self::default();
        each_member(tape, source, at, keys, |member, value| {
            let place = match member {
                Member::Version => &mut envelope.version,
                Member::Method => &mut envelope.method,
                Member::Params => &mut envelope.params,
                Member::Error => &mut envelope.error,
                Member::Id => &mut envelope.id,
                Member::Result => &mut envelope.result,
                Member::Code | Member::Message | Member::Data => return,
            };
            *place = Some(value);
        })
        .then_some(envelope)
    }

    /// Whether `jsonrpc` is `"2.0"`.
    #[must_use]
    pub fn is_version_2(&self, tape: &Tape, source: &[u8]) -> bool {
        self.version
            .is_some_and(|at| tape.bytes(tape.node(at).0, source) == Some(b"2.0"))
    }
}

/// The members of an error object: tape indices of their values.
#[derive(Clone, Copy, Debug, Default)]
pub struct ErrorObject {
    /// `code`
    pub code: Option<usize>,
    /// `message`
    pub message: Option<usize>,
    /// `data`
    pub data: Option<usize>,
}

impl ErrorObject {
    /// Find the members of the error object at `at`; `None` if it is no object.
    #[must_use]
    pub fn read(tape: &Tape, source: &[u8], at: usize, keys: Keys) -> Option<Self> {
        let mut object = Self::default();
        each_member(tape, source, at, keys, |member, value| match member {
            Member::Code => object.code = Some(value),
            Member::Message => object.message = Some(value),
            Member::Data => object.data = Some(value),
            _ => {}
        })
        .then_some(object)
    }
}

/// Call `found` with each known member of the object at `at` and the index of its value; `false` if it is no object.
#[inline]
fn each_member(tape: &Tape, source: &[u8], at: usize, keys: Keys, mut found: impl FnMut(Member, usize)) -> bool {
    let (Node::Object { count, .. }, mut at) = tape.node(at) else {
        return false;
    };
    for _ in 0..count {
        let (key, _) = tape.node(at);
        let value = tape.after(at);
        if let Some(member) = keys.member(tape, source, key) {
            found(member, value);
        }
        at = tape.after(value);
    }
    true
}

/// The standard error codes (section 5.1) and what they are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standard {
    /// The code on the wire.
    pub code: i64,
    /// The message on the wire.
    pub message: &'static str,
}

/// Invalid JSON (or CBOR) was received.
pub const PARSE_ERROR: Standard = Standard {
    code: -32700,
    message: "Parse error",
};
/// What was received is not a valid request.
pub const INVALID_REQUEST: Standard = Standard {
    code: -32600,
    message: "Invalid Request",
};
/// There is no such method.
pub const METHOD_NOT_FOUND: Standard = Standard {
    code: -32601,
    message: "Method not found",
};
/// The method's parameters are wrong.
pub const INVALID_PARAMS: Standard = Standard {
    code: -32602,
    message: "Invalid params",
};
/// The method failed.
pub const INTERNAL_ERROR: Standard = Standard {
    code: -32603,
    message: "Internal error",
};
/// The first code left to implementations; here: a handler returned `nil, "text"`.
pub const SERVER_ERROR: Standard = Standard {
    code: -32000,
    message: "Server error",
};

/// All of the above.
pub const STANDARD: [Standard; 6] = [
    PARSE_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    INVALID_PARAMS,
    INTERNAL_ERROR,
    SERVER_ERROR,
];

/// The message that belongs to a code: the standard one, or that of a server error.
#[must_use]
pub fn standard_message(code: i64) -> &'static str {
    STANDARD
        .iter()
        .find(|known| known.code == code)
        .map_or(SERVER_ERROR.message, |known| known.message)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::codec::{cbor, json};

    fn tape(source: &[u8]) -> Tape {
        let mut tape = Tape::new();
        json::scan(source, &mut tape, &json::ScanOptions::default()).unwrap();
        tape
    }

    #[test]
    fn members_are_found_in_any_order_and_others_are_passed_over() {
        let source = br#"{"params":[[1],{"id":9}],"x":{"method":1},"id":7,"method":"m","jsonrpc":"2.0"}"#;
        let tape = tape(source);
        let envelope = Envelope::read(&tape, source, 0, Keys::Names).unwrap();
        assert!(envelope.is_version_2(&tape, source));
        assert_eq!(tape.node(envelope.id.unwrap()).0, Node::Int(7));
        assert_eq!(
            tape.bytes(tape.node(envelope.method.unwrap()).0, source),
            Some(&b"m"[..])
        );
        assert!(matches!(
            tape.node(envelope.params.unwrap()).0,
            Node::Array { count: 2, .. }
        ));
        assert!(envelope.result.is_none() && envelope.error.is_none());
    }

    #[test]
    fn a_null_result_is_not_a_missing_one() {
        let source = br#"{"jsonrpc":"2.0","result":null,"id":1}"#;
        let envelope = Envelope::read(&tape(source), source, 0, Keys::Names).unwrap();
        assert!(envelope.result.is_some());
    }

    #[test]
    fn an_escaped_key_is_the_same_key() {
        let source = br#"{"\u0069d":1}"#;
        assert!(Envelope::read(&tape(source), source, 0, Keys::Names)
            .unwrap()
            .id
            .is_some());
    }

    #[test]
    fn what_is_no_object_has_no_envelope() {
        for source in [&b"5"[..], b"[]", b"null", b"\"x\""] {
            assert!(Envelope::read(&tape(source), source, 0, Keys::Names).is_none());
        }
    }

    #[test]
    fn freekill_names_members_by_number() {
        let source = b"\xa3\x18\x64\x432.0\x18\x68\x01\x18\x67\xa2\x18\xc8\x20\x18\xc9\x41x";
        let mut tape = Tape::new();
        cbor::scan_item(source, 0, &mut tape, &cbor::ScanOptions::default()).unwrap();
        let envelope = Envelope::read(&tape, source, 0, Keys::FreeKill).unwrap();
        assert!(envelope.is_version_2(&tape, source) && envelope.id.is_some());
        let error = ErrorObject::read(&tape, source, envelope.error.unwrap(), Keys::FreeKill).unwrap();
        assert_eq!(tape.node(error.code.unwrap()).0, Node::Int(-1));
        assert!(error.message.is_some() && error.data.is_none());
    }
}
