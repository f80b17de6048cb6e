//! Texts for values that cannot be encoded: the path to the value and what is wrong with it.
//!
//! It refuses to print long or binary keys in full. Memory may be what failed: what there is none for is left out.
//!
//! # What may raise
//! Nothing: no Lua function is called. It runs under `guarded`.

use super::state::Job;
use super::walk::Fail;
use crate::codec::ErrorKind;
use crate::text;
use mlua::ffi;
use std::borrow::Cow;

/// Longest part of a key that is shown.
const SHOWN: usize = 40;
/// Segments shown of a very long path.
const SEGMENTS: usize = 24;

/// A string key as a path segment: `.name`, or `["odd name"]`.
pub fn name(key: &[u8]) -> Vec<u8> {
    let plain = !key.is_empty()
        && key.len() <= SHOWN
        && !key[0].is_ascii_digit() // OK because the key is not empty
        && key.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
    if plain {
        return text::joined(&[b".", key]);
    }
    let shown = &key[..key.len().min(SHOWN)];
    let dots = if shown.len() < key.len() { "..." } else { "" };
    text::string(format_args!("[\"{}{dots}\"]", shown.escape_ascii())).into_bytes()
}

/// `players[3].name: cannot encode a function`; `root` names the whole value where it has a name (`params`).
pub fn text(job: &Job, root: &str, fail: Fail) -> Vec<u8> {
    let mut path = Vec::new();
    text::append(&mut path, root.as_bytes());
    for segment in job.path.iter().rev().take(SEGMENTS) {
        let segment = match segment.strip_prefix(b".") {
            Some(rest) if path.is_empty() => rest,
            _ => segment,
        };
        text::append(&mut path, segment);
    }
    if job.path.len() > SEGMENTS {
        text::append(&mut path, b"...");
    }
    if !path.is_empty() {
        text::append(&mut path, b": ");
    }
    text::append(&mut path, reason(fail).as_bytes());
    path
}

fn reason(fail: Fail) -> Cow<'static, str> {
    match fail {
        Fail::Codec(ErrorKind::InvalidUtf8) => {
            "string is not valid UTF-8 (set strings = \"bytes\" to send raw bytes)".into()
        }
        Fail::Codec(kind) => text::string(format_args!("{kind}")).into(),
        Fail::Type(kind) => text::string(format_args!("cannot encode a {}", type_name(kind))).into(),
        Fail::Mixed => {
            "table has both string and number keys; mark it with object() to make the numbers strings".into()
        }
        Fail::Sparse => {
            "array has holes (sparse); fill them with null, or mark it with object() to make the numbers strings".into()
        }
        Fail::Numbers => {
            "table has number keys that are no array's; mark it with object() to make the numbers strings".into()
        }
        Fail::Twins => "table has a number key and a string key of the same text".into(),
        Fail::NotArray => "table is marked as an array but has other keys than 1 to n".into(),
        Fail::Key(kind) => text::string(format_args!(
            "a table key must be a string or a number, not a {}",
            type_name(kind)
        ))
        .into(),
        Fail::Cycle => "table contains itself (a cycle)".into(),
        Fail::Hook => "encoding hook failed".into(),
        Fail::Tagged => "tag or simple value out of range".into(),
        Fail::Stack => "nested too deeply for the Lua stack".into(),
    }
}

fn type_name(kind: i32) -> &'static str {
    match kind {
        ffi::LUA_TNIL => "nil",
        ffi::LUA_TBOOLEAN => "boolean",
        ffi::LUA_TLIGHTUSERDATA => "light userdata",
        ffi::LUA_TNUMBER => "number",
        ffi::LUA_TTABLE => "table",
        ffi::LUA_TFUNCTION => "function",
        ffi::LUA_TUSERDATA => "userdata",
        ffi::LUA_TTHREAD => "thread",
        _ => "cdata",
    }
}
