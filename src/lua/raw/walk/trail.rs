//! The path to a value that cannot be encoded, and cycles: failures only.
//!
//! # What may raise
//! Nothing: it is part of the walk, whose proof it is under. Texts are made with the memory there is.

use super::super::path;
use super::super::state::string;
use super::{Fail, Format, Walk};
use crate::codec::ErrorKind;
use mlua::ffi;
use std::ffi::{c_int, c_void};

impl<F: Format> Walk<F> {
    /// Whether `pointer` is one of the tables on the walk's stack below `top`.
    pub(super) unsafe fn is_ancestor(&self, pointer: *const c_void, top: c_int) -> bool {
        // SAFETY: as `run`; the indices are valid.
        unsafe {
            (self.base + 1..top)
                .any(|i| ffi::lua_type(self.lua, i) == ffi::LUA_TTABLE && ffi::lua_topointer(self.lua, i) == pointer)
        }
    }

    /// On the way out of a cycle: if `table` itself is an ancestor's twin, the path starts anew below it, so that the
    /// shortest one remains.
    pub(super) unsafe fn shorten(&self, table: c_int) {
        // SAFETY: as `run`.
        unsafe {
            if self.is_ancestor(ffi::lua_topointer(self.lua, table), table) {
                (*self.job).path.clear();
            }
        }
    }

    pub(super) fn segment(&self, text: std::fmt::Arguments<'_>) {
        self.remember(crate::text::string(text).into_bytes());
    }

    pub(super) fn remember(&self, text: Vec<u8>) {
        // SAFETY: the job outlives the walk.
        let path = unsafe { &mut (*self.job).path };
        if path.try_reserve(1).is_ok() {
            path.push(text);
        }
    }

    #[cold]
    pub(super) fn segment_index(&self, index: usize) {
        self.segment(format_args!("[{index}]"));
    }

    /// The key at stack index `key` cannot be written: the path names it.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn key_failed(&self, key: c_int, fail: Fail) -> Fail {
        match fail {
            Fail::Key(_) => {}
            Fail::Codec(ErrorKind::InvalidUtf8) | Fail::Type(_) => self.segment(format_args!(" (as a key)")),
            _ => return fail,
        }
        // SAFETY: as `run`.
        unsafe { self.segment_key(key) };
        fail
    }

    /// The key at stack index `key` as `.name`, `[1]` or `["odd name"]`.
    #[cold]
    pub(super) unsafe fn segment_key(&self, key: c_int) {
        // SAFETY: as `run`.
        unsafe {
            let lua = self.lua;
            match ffi::lua_type(lua, key) {
                ffi::LUA_TSTRING => self.remember(path::name(string(lua, key))),
                ffi::LUA_TNUMBER => {
                    let n = ffi::lua_tonumberx(lua, key, std::ptr::null_mut());
                    // As JSON's numbers are written: std's own way to write them is large, and not needed elsewhere.
                    let mut digits = zmij::Buffer::new();
                    let digits = digits.format(n);
                    self.segment(format_args!("[{}]", digits.strip_suffix(".0").unwrap_or(digits)));
                }
                ffi::LUA_TBOOLEAN => self.segment(format_args!("[{}]", ffi::lua_toboolean(lua, key) != 0)),
                _ => self.segment(format_args!("[?]")),
            }
        }
    }
}
