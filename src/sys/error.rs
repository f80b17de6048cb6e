//! A failure of the operating system as a Lua user reads it: a sentence and the errno.
//!
//! It exists because an `io::Error` holds either an errno or a text, never both, and Lua gets `nil, message, errno`.
//! It refuses to be used inside the system layer's plumbing: what only passes an errno on stays an `io::Error`.

#![allow(unsafe_code)]

use crate::text;
use std::ffi::CStr;
use std::fmt;
use std::io;

/// What failed, on what, why and what to do; and the errno behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SysError {
    /// The whole text, ready to be shown.
    pub message: String,
    /// The errno; `EINVAL` where the library itself refused an argument.
    pub errno: i32,
}

impl SysError {
    /// `what: reason (errno N); advice`; an empty `advice` is left out.
    #[must_use]
    pub fn new(what: &str, error: &io::Error, advice: &str) -> Self {
        let between = if advice.is_empty() { "" } else { "; " };
        let message = text::string(format_args!("{what}: {}{between}{advice}", describe(error)));
        Self {
            message,
            errno: error.raw_os_error().unwrap_or(libc::EINVAL),
        }
    }
}

impl fmt::Display for SysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SysError {}

/// The text of an `io::Error` with its errno: `No such file or directory (errno 2)`.
#[must_use]
pub fn describe(error: &io::Error) -> String {
    match error.raw_os_error() {
        // The standard library writes "(os error 2)"; everybody else, and Lua's own io library, says errno.
        Some(errno) => text::string(format_args!("{} (errno {errno})", Words::of(errno).as_str())),
        None => text::string(format_args!("{error}")),
    }
}

/// The system's words for an errno, in place: those of the standard library are made with memory that may be gone.
pub struct Words {
    text: [u8; 128],
}

impl Words {
    /// What strerror_r(3) says.
    #[must_use]
    pub fn of(errno: i32) -> Self {
        let mut text = [0; 128];
        // SAFETY: `text` is writable for its length; the call ends what it writes with a NUL. What is too long is cut.
        let _ = unsafe { libc::strerror_r(errno, text.as_mut_ptr().cast(), text.len()) };
        Self { text }
    }

    /// Them; "Unknown error" where the system has none in UTF-8.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let words = CStr::from_bytes_until_nul(&self.text).unwrap_or_default();
        match words.to_str() {
            Ok(words) if !words.is_empty() => words,
            _ => "Unknown error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_what_why_the_errno_and_what_to_do() {
        let error = io::Error::from_raw_os_error(libc::ENOENT);
        let shown = SysError::new("cannot open \"x\"", &error, "create it first");
        assert_eq!(
            shown.to_string(),
            "cannot open \"x\": No such file or directory (errno 2); create it first"
        );
        assert_eq!(shown.errno, libc::ENOENT);
    }

    #[test]
    fn a_refused_argument_counts_as_einval() {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "a NUL byte");
        let shown = SysError::new("cannot run", &error, "");
        assert_eq!(
            shown,
            SysError {
                message: "cannot run: a NUL byte".to_owned(),
                errno: libc::EINVAL
            }
        );
    }
}
