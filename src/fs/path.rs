//! A path's parts: the folder before its last name, the name, and whether slashes follow.
//!
//! It refuses to simplify: `a/../b` is another place than `b` where `a` is a symlink, so only the system resolves.

use std::ffi::CString;

use super::error::Reason;
use crate::text::append;

/// A path taken apart at its last name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    /// What comes before the name, without the slashes between: `.` where there is nothing, `/` for the top.
    pub folder: &'a [u8],
    /// The last name; empty where the path is made of slashes alone.
    pub name: &'a [u8],
    /// Whether slashes follow the name: it must be a folder then (path_resolution(7)).
    pub slash: bool,
}

impl Parts<'_> {
    /// Whether the path ends in a name that a folder can hold: not in `.` or `..`, and not in nothing.
    pub fn has_name(&self) -> bool {
        !matches!(self.name, b"" | b"." | b"..")
    }
}

/// Takes `path` apart.
pub(super) fn parts(path: &[u8]) -> Parts<'_> {
    let end = path.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
    // OK because `end` is at most the length, and `start` at most `end`.
    let (bare, slash) = (&path[..end], end < path.len());
    let start = bare.iter().rposition(|&byte| byte == b'/').map_or(0, |last| last + 1);
    let (before, name) = (&path[..start], &bare[start..]);
    let folder = match before.iter().rposition(|&byte| byte != b'/') {
        Some(last) => &before[..=last],
        None if before.is_empty() && end > 0 => b".",
        None if path.is_empty() => b"",
        None => b"/",
    };
    Parts { folder, name, slash }
}

/// The path as the system takes it.
pub(super) fn c_path(path: &[u8]) -> Result<CString, Reason> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(path.len() + 1)?;
    bytes.extend_from_slice(path);
    CString::new(bytes).map_err(|_| Reason::NUL)
}

/// Makes `folder` `folder/name`, as far as there is memory: it is for texts.
pub(super) fn join(folder: &mut Vec<u8>, name: &[u8]) {
    if folder.last() != Some(&b'/') {
        append(folder, b"/");
    }
    append(folder, name);
}

#[cfg(test)]
mod tests {
    use super::*;

    type Case = (&'static [u8], &'static [u8], &'static [u8], bool);

    #[test]
    fn a_path_comes_apart_at_its_last_name() {
        let cases: [Case; 12] = [
            (b"a", b".", b"a", false),
            (b"a/", b".", b"a", true),
            (b"a/b", b"a", b"b", false),
            (b"a//b//", b"a", b"b", true),
            (b"/a", b"/", b"a", false),
            (b"//a", b"/", b"a", false),
            (b"/a/b", b"/a", b"b", false),
            (b"/", b"/", b"", true),
            (b"//", b"/", b"", true),
            (b"", b"", b"", false),
            (b"a/..", b"a", b"..", false),
            (b"../a\xff/.", b"../a\xff", b".", false),
        ];
        for (path, folder, name, slash) in cases {
            assert_eq!(parts(path), Parts { folder, name, slash }, "{path:?}");
        }
    }

    #[test]
    fn dots_and_slashes_are_no_names() {
        for path in [&b""[..], b"/", b".", b"..", b"a/.", b"a/..", b"a/../", b"///"] {
            assert!(!parts(path).has_name(), "{path:?}");
        }
        for path in [&b"a"[..], b"...", b".a", b"a/b/", b"/\0"] {
            assert!(parts(path).has_name(), "{path:?}");
        }
    }

    #[test]
    fn a_nul_in_a_path_is_refused() {
        assert_eq!(c_path(b"a\0b"), Err(Reason::NUL));
        assert!(c_path(b"a\xff\n").is_ok_and(|path| path.as_bytes() == b"a\xff\n"));
    }
}
