//! Messages that lead nowhere: why, as the log says it, and what becomes of input that is none.
//!
//! It refuses to log: whoever carries the bytes does.

use super::foreign::Foreign;
use crate::codec::CodecError;
use std::fmt;

/// Why a message leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It cannot be decoded.
    Unreadable(CodecError),
    /// The end of the stream has cut it off.
    CutOff(CodecError),
    /// It looks like what another option would read.
    Foreign(Foreign),
    /// It is longer than this many bytes, and was passed over.
    TooLarge(usize),
    /// It is decoded, but no message of JSON-RPC.
    Refused(&'static str),
    /// A reply (or error) no call waits for: it is late, or its id is unknown.
    Stray,
    /// A notification nobody handles.
    Unhandled,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Unreadable(error) => write!(f, "a message that cannot be read ({error})"),
            Problem::CutOff(error) => write!(f, "a message in whose middle the stream ended ({error})"),
            Problem::Foreign(foreign) => f.write_str(foreign.text()),
            Problem::TooLarge(limit) => write!(f, "a message longer than {limit} bytes (option max_frame)"),
            Problem::Refused(why) => write!(f, "a message that is none ({why})"),
            Problem::Stray => f.write_str("a reply no call waits for (late, or of an unknown id)"),
            Problem::Unhandled => f.write_str("a notification nobody handles"),
        }
    }
}

/// What becomes of input that is no message: a line that somebody printed, a broken stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Garbage {
    /// It is answered with an error that has no id (JSON-RPC 2.0, section 5.1), logged and counted.
    #[default]
    Answer,
    /// It is logged and counted.
    Log,
    /// It ends the conversation.
    Error,
}
