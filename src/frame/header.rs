//! The header lines before a message of the Language Server Protocol's base protocol, which the Debug Adapter Protocol
//! has, too: `Content-Length: 42`, perhaps `Content-Type: ...`, an empty line.
//!
//! It takes names in any case, line feeds without carriage returns, headers it does not know and empty lines before the
//! first, as clients send them. It refuses lines without a colon and lengths that are not plain digits.
//!
//! # References
//! Language Server Protocol 3.17, "Base Protocol"; names are tokens by RFC 9110, section 5.6.2.

/// What a line of a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// The header is over.
    Empty,
    /// So many bytes follow the header.
    Length(usize),
    /// Another header.
    Other,
    /// No header at all.
    Broken,
}

/// The name that begins every message.
const CONTENT_LENGTH: &[u8] = b"content-length";

/// Read a line, which is given without its line feed.
pub(super) fn read(line: &[u8]) -> Line {
    let line = line.trim_ascii();
    if line.is_empty() {
        return Line::Empty;
    }
    let Some(colon) = memchr::memchr(b':', line) else {
        return Line::Broken;
    };
    let (name, value) = (line[..colon].trim_ascii_end(), line[colon + 1..].trim_ascii_start());
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
        return Line::Broken;
    }
    if !name.eq_ignore_ascii_case(CONTENT_LENGTH) {
        return Line::Other;
    }
    number(value).map_or(Line::Broken, Line::Length)
}

/// Where the next header may begin: at its name, with which a message's header mostly starts.
pub(super) fn find(bytes: &[u8]) -> Option<usize> {
    memchr::memchr2_iter(b'C', b'c', bytes).find(|at| {
        let candidate = bytes.get(*at..*at + CONTENT_LENGTH.len() + 1);
        candidate
            .is_some_and(|text| text.ends_with(b":") && text[..text.len() - 1].eq_ignore_ascii_case(CONTENT_LENGTH))
    })
}

/// A name that [`find`] looks for may have begun in so many last bytes.
pub(super) const UNDECIDED: usize = CONTENT_LENGTH.len();

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn number(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0usize, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| usize::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_found_in_any_case_and_with_any_space() {
        for line in [
            "Content-Length: 42\r",
            "content-length:42",
            "CONTENT-LENGTH :  42 \r",
            "Content-Length: 0042",
        ] {
            assert_eq!(read(line.as_bytes()), Line::Length(42), "{line}");
        }
    }

    #[test]
    fn other_headers_are_passed_over() {
        let line = b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r";
        assert_eq!(read(line), Line::Other);
        assert_eq!(read(b"X-Trace:"), Line::Other);
        assert_eq!(read(b"\r"), Line::Empty);
        assert_eq!(read(b""), Line::Empty);
    }

    #[test]
    fn what_is_no_header_is_broken() {
        for line in [
            "hello",
            ": 5",
            "{\"jsonrpc\":\"2.0\"}",
            "Content-Length:",
            "Content-Length: -1",
            "Content-Length: +1",
            "Content-Length: 1e3",
            "Content-Length: 12abc",
            "Content-Length: 99999999999999999999999",
            "two words: 1",
        ] {
            assert_eq!(read(line.as_bytes()), Line::Broken, "{line}");
        }
    }

    #[test]
    fn the_next_header_is_found_behind_anything() {
        assert_eq!(find(b"cCcontent-LENGTH: 5"), Some(2));
        assert_eq!(find(b"Content-Length"), None);
        assert_eq!(find(b"Content-Lengths: 5"), None);
        assert_eq!(find(b""), None);
    }
}
