//! Indentation: a compact text becomes one that people read, a member or item on each line.
//!
//! It refuses to judge: the text must be what the writers have written, so whatever holds for that (depth, UTF-8, the
//! order of keys) holds for this. Nothing but white space is added (RFC 8259, section 2); empty containers stay closed.

use super::super::error::ErrorKind;

/// Append `text` with `unit` before each line, once for every container around it.
///
/// # Errors
/// `OutOfMemory`; the output may then hold a part.
pub fn indent(text: &[u8], unit: &[u8], out: &mut Vec<u8>) -> Result<(), ErrorKind> {
    let mut depth = 0usize;
    let mut pos = 0;
    while let Some(&byte) = text.get(pos) {
        pos += 1;
        match byte {
            b'"' => {
                let end = string_end(text, pos);
                append(out, &text[pos - 1..end])?; // OK because the end is within the text
                pos = end;
            }
            b'{' | b'[' => {
                append(out, &[byte])?;
                if text.get(pos) == Some(&(byte + 2)) {
                    // The closing bracket comes two after the opening one in ASCII.
                    append(out, &[byte + 2])?;
                    pos += 1;
                } else {
                    depth += 1;
                    line(out, unit, depth)?;
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                line(out, unit, depth)?;
                append(out, &[byte])?;
            }
            b',' => {
                append(out, b",")?;
                line(out, unit, depth)?;
            }
            b':' => append(out, b": ")?,
            _ => append(out, &[byte])?,
        }
    }
    Ok(())
}

/// The offset after the closing quote of the string whose contents begin at `pos`.
fn string_end(text: &[u8], mut pos: usize) -> usize {
    while let Some(found) = text.get(pos..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        pos += found;
        if text.get(pos) == Some(&b'"') {
            return pos + 1;
        }
        pos += 2; // the backslash and what it escapes; the digits of a \u are neither quotes nor backslashes
    }
    text.len()
}

fn line(out: &mut Vec<u8>, unit: &[u8], depth: usize) -> Result<(), ErrorKind> {
    append(out, b"\n")?;
    for _ in 0..depth {
        append(out, unit)?;
    }
    Ok(())
}

fn append(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), ErrorKind> {
    out.try_reserve(bytes.len()).map_err(|_| ErrorKind::OutOfMemory)?;
    out.extend_from_slice(bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn indented(text: &str) -> String {
        let mut out = Vec::new();
        indent(text.as_bytes(), b"  ", &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_member_has_a_line_and_empty_containers_stay_closed() {
        assert_eq!(
            indented(r#"{"a":[1,{"b":null}],"c":{},"d":[]}"#),
            "{\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    }\n  ],\n  \"c\": {},\n  \"d\": []\n}"
        );
        assert_eq!(indented("-1.5e3"), "-1.5e3");
        assert_eq!(indented("[[]]"), "[\n  []\n]");
    }

    #[test]
    fn strings_are_left_alone_whatever_they_hold() {
        for text in [r#""[1,2]""#, r#""\"{,:}\\""#, r#""\\\"[""#, r#""\u0022[,""#, r#""""#] {
            assert_eq!(indented(text), text);
        }
        assert_eq!(indented(r#"["a\\","b"]"#), "[\n  \"a\\\\\",\n  \"b\"\n]");
    }
}
