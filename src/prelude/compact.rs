//! The prelude's Lua text without comments and without spaces that Lua does not need. Used by `build.rs`.
//!
//! It keeps every line break, so that errors and tracebacks name the lines of the source files, and every name, since
//! errors name variables. It knows Lua's lexical rules (Lua 5.1 to 5.5, chapter "Lexical Conventions") and no others;
//! a string that never ends is kept as it is, for Lua to refuse.

/// `text` for Lua to load: the same tokens on the same lines.
pub fn compact(text: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    let mut at = 0;
    let mut space = false;
    while let Some(&byte) = text.get(at) {
        let rest = &text[at..]; // OK because `get` found a byte there
        if byte == b'\n' {
            out.push(b'\n');
            at += 1;
            space = false;
        } else if byte.is_ascii_whitespace() {
            at += 1;
            space = true;
        } else if rest.starts_with(b"--") {
            let length = comment(rest);
            out.extend(rest[..length].iter().filter(|&&byte| byte == b'\n'));
            at += length;
            space = true;
        } else {
            let length = token(rest);
            if space && out.last().is_some_and(|&last| merge(last, byte)) {
                out.push(b' ');
            }
            out.extend(&rest[..length]);
            at += length;
            space = false;
        }
    }
    out
}

/// Whether two tokens that end and begin so could be read as other tokens without a space between them.
fn merge(last: u8, first: u8) -> bool {
    let word = |byte: u8| byte == b'_' || byte == b'.' || byte.is_ascii_alphanumeric();
    // `- -` is no comment, `[ [` no string, `= =` no comparison; so for all operators that have a longer one.
    let operator = |byte: u8| b"-[=<>~/:".contains(&byte);
    (word(last) && word(first)) || (operator(last) && operator(first))
}

/// The length of the comment at the start of `text`, without the line break after a short one.
fn comment(text: &[u8]) -> usize {
    let body = &text[2..]; // OK because a comment starts with two dashes
    long_bracket(body).map_or_else(
        || text.iter().position(|&byte| byte == b'\n').unwrap_or(text.len()),
        |length| length + 2,
    )
}

/// The length of the string, name or number at the start of `text`; 1 for anything else.
fn token(text: &[u8]) -> usize {
    match text.first() {
        Some(&quote @ (b'"' | b'\'')) => short_string(text, quote),
        Some(b'[') => long_bracket(text).unwrap_or(1),
        _ => 1,
    }
}

/// The length of the string in quotes at the start of `text`.
fn short_string(text: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(&byte) = text.get(at) {
        at += 1;
        if byte == quote {
            return at;
        }
        if byte == b'\\' {
            at += 1; // what follows is no end, be it a quote, a backslash or a line break
        }
    }
    text.len()
}

/// The length of `[[...]]`, `[=[...]=]` and so on at the start of `text`; `None` if it starts otherwise.
fn long_bracket(text: &[u8]) -> Option<usize> {
    let inner = text.strip_prefix(b"[")?;
    let level = inner.iter().take_while(|&&byte| byte == b'=').count();
    if inner.get(level) != Some(&b'[') {
        return None;
    }
    let mut end = vec![b'='; level + 2];
    end[0] = b']';
    end[level + 1] = b']';
    let found = text.windows(end.len()).position(|window| window == end);
    Some(found.map_or(text.len(), |start| start + end.len()))
}
