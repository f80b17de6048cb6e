//! An excerpt: what stands in a document where it is wrong, for error messages.
//!
//! It refuses to print control characters and bytes that are not text as they are, and more than a few characters.

use std::fmt::{self, Write};

/// Most bytes that are shown.
const SHOWN: usize = 20;

/// Displays as `, near "..."` with the text from `offset` on, or as nothing where the text has ended.
#[derive(Clone, Copy, Debug)]
pub struct Excerpt<'a> {
    /// The document.
    pub text: &'a [u8],
    /// 0-based byte offset of the error.
    pub offset: usize,
}

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = self.text.get(self.offset..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(());
        }
        f.write_str(", near \"")?;
        let mut shown = &rest[..rest.len().min(SHOWN)];
        // A character that the end of the excerpt cuts in two is left out.
        if let (Err(error), true) = (std::str::from_utf8(shown), rest.len() > SHOWN) {
            if error.error_len().is_none() && error.valid_up_to() > 0 {
                shown = &shown[..error.valid_up_to()];
            }
        }
        for chunk in shown.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '"' | '\\' => f.write_char(character)?,
                    _ if character.is_control() => write!(f, "{}", character.escape_default())?,
                    _ => f.write_char(character)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        f.write_str(if shown.len() < rest.len() { "...\"" } else { "\"" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(text: &[u8], offset: usize) -> String {
        Excerpt { text, offset }.to_string()
    }

    #[test]
    fn it_shows_the_text_from_the_error_on() {
        assert_eq!(near(b"[1,x]", 3), ", near \"x]\"");
        assert_eq!(near(b"[1,x", 4), "");
        assert_eq!(near(b"", 0), "");
        assert_eq!(near(b"[1]", 99), "");
    }

    #[test]
    fn it_is_short_and_cuts_no_character() {
        assert_eq!(near(&[b'x'; 99], 0), format!(", near \"{}...\"", "x".repeat(20)));
        let text = format!("{}\u{5f20}\u{98de}", "x".repeat(19));
        assert_eq!(near(text.as_bytes(), 0), format!(", near \"{}...\"", "x".repeat(19)));
        assert_eq!(near("\u{5f20}".as_bytes(), 0), ", near \"\u{5f20}\"");
    }

    #[test]
    fn what_is_no_text_is_escaped() {
        assert_eq!(near(b"\n\0\xff\x7f\xe5", 0), ", near \"\\n\\u{0}\\xff\\u{7f}\\xe5\"");
    }
}
