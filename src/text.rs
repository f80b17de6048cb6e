//! Texts of errors, made with the memory there is.
//!
//! An error is often that memory has run out, and its text must not end the process then, as `format!` does. It refuses
//! to fail: what there is no memory for is left out of the text, in the worst case all of it.

use std::fmt::{self, Write};

/// [`NO_MEMORY`] where there is no text.
#[must_use]
pub fn or_no_memory(text: &[u8]) -> &[u8] {
    if text.is_empty() {
        NO_MEMORY
    } else {
        text
    }
}

/// What is said in place of a text that could not be made.
pub const NO_MEMORY: &[u8] = b"not enough memory";

/// Append `bytes`, or nothing.
pub fn append(text: &mut Vec<u8>, bytes: &[u8]) {
    if text.try_reserve(bytes.len()).is_ok() {
        text.extend_from_slice(bytes);
    }
}

/// `parts` one after the other, or nothing.
#[must_use]
pub fn joined(parts: &[&[u8]]) -> Vec<u8> {
    let mut text = Vec::new();
    if text
        .try_reserve_exact(parts.iter().map(|part| part.len()).sum())
        .is_ok()
    {
        for part in parts {
            text.extend_from_slice(part);
        }
    }
    text
}

/// `format!`, up to where memory runs out.
#[must_use]
pub fn string(arguments: fmt::Arguments<'_>) -> String {
    let mut text = Growing(String::new());
    // OK because an error means that the rest is left out.
    let _ = fmt::write(&mut text, arguments);
    text.0
}

/// A copy of `text`, or an empty string.
#[must_use]
pub fn copy(text: &str) -> String {
    string(format_args!("{text}"))
}

/// `bytes` as text, with U+FFFD for what is not UTF-8.
#[must_use]
pub fn lossy(bytes: &[u8]) -> String {
    let mut text = Growing(String::new());
    for chunk in bytes.utf8_chunks() {
        let mark = if chunk.invalid().is_empty() { "" } else { "\u{FFFD}" };
        // OK as in `string`.
        let _ = text.write_str(chunk.valid()).and_then(|()| text.write_str(mark));
    }
    text.0
}

struct Growing(String);

impl fmt::Write for Growing {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.0.try_reserve(part.len()).map_err(|_| fmt::Error)?;
        self.0.push_str(part);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_format_and_concat() {
        assert_eq!(string(format_args!("{} at {:>3}", "x", 7)), "x at   7");
        assert_eq!(copy("abc"), "abc");
        assert_eq!(lossy(b"a\xffb\xe3\x81"), String::from_utf8_lossy(b"a\xffb\xe3\x81"));
        assert_eq!(joined(&[b"a", b"", b"bc"]), b"abc");
        let mut text = b"a".to_vec();
        append(&mut text, b"b");
        assert_eq!(or_no_memory(&text), b"ab");
        assert_eq!(or_no_memory(b""), NO_MEMORY);
    }
}
