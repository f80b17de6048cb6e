//! A failure as a Lua user reads it: `cannot open "x": No such file or directory`, and its errno.
//!
//! It refuses to be text: a path is bytes, and stands in the message as it was given.

use crate::sys::error::Words;
use crate::text::append;
use std::fmt;
use std::io;

/// What failed, on what and why; and the errno.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The whole message, less what there was no memory for. Bytes, because it quotes paths.
    pub message: Vec<u8>,
    /// The errno; `EINVAL`, `EXDEV`, `ELOOP` or `EBADF` where this library refused by itself.
    pub errno: i32,
}

impl Error {
    /// There is not enough memory for what was found at `path`.
    #[must_use]
    pub fn no_memory(path: &[u8]) -> Self {
        Self::new("read", path, Reason::errno(libc::ENOMEM))
    }

    /// `cannot <verb> "<path>": <reason>`
    pub(super) fn new(verb: &str, path: &[u8], reason: impl Into<Reason>) -> Self {
        Self::between(verb, path, None, reason)
    }

    /// `cannot <verb> "<path>" to "<other>": <reason>`
    pub(super) fn between(verb: &str, path: &[u8], other: Option<&[u8]>, reason: impl Into<Reason>) -> Self {
        let reason = reason.into();
        let mut message = Vec::new();
        append(&mut message, b"cannot ");
        append(&mut message, verb.as_bytes());
        append(&mut message, b" \"");
        append(&mut message, path);
        if let Some(other) = other {
            append(&mut message, b"\" to \"");
            append(&mut message, other);
        }
        append(&mut message, b"\": ");
        match reason.text {
            Some(text) => append(&mut message, text.as_bytes()),
            None => append(&mut message, Words::of(reason.errno).as_str().as_bytes()),
        }
        Self {
            message,
            errno: reason.errno,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.message))
    }
}

impl std::error::Error for Error {}

/// Why a step failed: an errno, with words of our own where the system's would mislead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reason {
    pub errno: i32,
    pub text: Option<&'static str>,
}

impl Reason {
    /// No path of the system can hold a NUL: the rest of it would be ignored.
    pub const NUL: Self = Self::because(libc::EINVAL, "the path contains a NUL byte");
    /// A confined path that does not stay below its root.
    pub const LEADS_OUT: Self = Self::because(libc::EXDEV, "the path leads out of the root");
    /// A symlink, where none is followed.
    pub const SYMLINK: Self = Self::because(libc::ELOOP, "a symbolic link, and this root follows none");
    /// `.`, `..` and the like, where a name is to be made or removed.
    pub const NO_NAME: Self = Self::because(libc::EINVAL, "the path does not end in a name");
    /// A root that was closed.
    pub const CLOSED: Self = Self::because(libc::EBADF, "the root is closed");

    pub const fn because(errno: i32, text: &'static str) -> Self {
        Self {
            errno,
            text: Some(text),
        }
    }

    pub const fn errno(errno: i32) -> Self {
        Self { errno, text: None }
    }
}

impl From<io::Error> for Reason {
    fn from(error: io::Error) -> Self {
        // Without an errno only where the standard library itself refused an argument or memory.
        Self::errno(error.raw_os_error().unwrap_or(match error.kind() {
            io::ErrorKind::OutOfMemory => libc::ENOMEM,
            _ => libc::EINVAL,
        }))
    }
}

impl From<std::collections::TryReserveError> for Reason {
    fn from(_: std::collections::TryReserveError) -> Self {
        Self::errno(libc::ENOMEM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_on_what_and_why() {
        let error = Error::new("open", b"x", Reason::errno(libc::ENOENT));
        assert_eq!(error.to_string(), "cannot open \"x\": No such file or directory");
        assert_eq!(error.errno, libc::ENOENT);
    }

    #[test]
    fn a_path_stands_in_the_message_byte_by_byte() {
        let error = Error::between("rename", b"a\xff", Some(b"b\n"), Reason::NUL);
        assert_eq!(
            error.message,
            b"cannot rename \"a\xff\" to \"b\n\": the path contains a NUL byte"
        );
        assert_eq!(error.errno, libc::EINVAL);
    }
}
