//! Keys of maps, and numbers as keys of JSON's objects: their text.
//!
//! It refuses keys that are neither strings nor numbers, and to write one key twice: `1` and `"1"` would be the same
//! member, and one of the two would be lost.
//!
//! # What may raise
//! Nothing: it is part of the walk, whose proof it is under. What is owned here is skipped by no error, because a hook's
//! is caught by `lua_pcall`.

use super::super::state::string;
use super::{Fail, Format, Mark, Sparse, Walk};
use crate::codec::json::writer;
use crate::codec::ErrorKind;
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;

/// No number's text is longer.
const LONGEST: usize = 32;

impl<F: Format> Walk<F> {
    /// Append the key of a member. Stack: key, value. `checked`: the table has no twins.
    #[inline(always)]
    pub(super) unsafe fn member_key(&mut self, table: c_int, mark: Mark, checked: &mut bool) -> Result<(), Fail> {
        // SAFETY: as `run`.
        unsafe {
            let lua = self.lua;
            let written = if ffi::lua_type(lua, -2) == ffi::LUA_TSTRING {
                self.format.key(self.out(), string(lua, -2)).map_err(Fail::Codec)
            } else if F::ANY_KEY {
                ffi::lua_pushvalue(lua, -2);
                self.value_there().map(|()| ffi::lua_settop(lua, table + 2))
            } else {
                self.number_member(table, mark, checked)
            };
            written.map_err(|fail| self.key_failed(table + 1, fail))
        }
    }

    /// Append the key of a member that is no string. Stack: key, value. `checked`: the table has no twins.
    #[cold]
    pub(super) unsafe fn number_member(&mut self, table: c_int, mark: Mark, checked: &mut bool) -> Result<(), Fail> {
        // SAFETY: as `run`.
        unsafe {
            let kind = ffi::lua_type(self.lua, -2);
            if kind != ffi::LUA_TNUMBER {
                return Err(Fail::Key(kind));
            }
            if mark != Mark::Object && self.format.sparse() != Sparse::Object {
                return Err(Fail::Mixed);
            }
            if !*checked {
                self.no_twins(table)?;
                *checked = true;
            }
            let mut text = Vec::new();
            number_text(&mut text, self.lua, -2)?;
            Ok(self.format.key(self.out(), &text)?)
        }
    }

    /// Whether no string key is the text of a number key. Stack: key, value, which stay; three more slots are used.
    #[inline(never)] // once for all formats
    unsafe fn no_twins(&self, table: c_int) -> Result<(), Fail> {
        // SAFETY: as `run`. The traversal is one of its own, and no Lua code runs in it.
        unsafe {
            let lua = self.lua;
            let top = ffi::lua_gettop(lua);
            let mut text = Vec::new();
            ffi::lua_pushnil(lua);
            while ffi::lua_next(lua, table) != 0 {
                if ffi::lua_type(lua, -2) == ffi::LUA_TSTRING && push_number(lua, string(lua, -2)) {
                    text.clear();
                    let same = number_text(&mut text, lua, -1).is_ok() && text == string(lua, -3);
                    ffi::lua_rawget(lua, table);
                    if same && ffi::lua_type(lua, -1) != ffi::LUA_TNIL {
                        ffi::lua_settop(lua, top);
                        return Err(Fail::Twins);
                    }
                }
                ffi::lua_settop(lua, top + 1);
            }
            ffi::lua_settop(lua, top);
            Ok(())
        }
    }
}

/// Push the number that `key` may be the text of, if any.
unsafe fn push_number(lua: *mut lua_State, key: &[u8]) -> bool {
    if key.len() > LONGEST || !matches!(key.first(), Some(b'0'..=b'9' | b'-')) {
        return false;
    }
    let Ok(text) = std::str::from_utf8(key) else {
        return false;
    };
    // SAFETY: as `run`; numbers are pushed without an allocation.
    unsafe {
        #[cfg(any(feature = "lua53", feature = "lua54", feature = "lua55"))]
        if let Ok(integer) = text.parse::<i64>() {
            ffi::lua_pushinteger(lua, integer);
            return true;
        }
        match text.parse::<f64>() {
            Ok(number) => ffi::lua_pushnumber(lua, number),
            Err(_) => return false,
        }
    }
    true
}

/// The number key at `index` as text: integers without a fraction while they are exact, all others as JSON's floats.
#[inline(never)]
unsafe fn number_text(text: &mut Vec<u8>, lua: *mut lua_State, index: c_int) -> Result<(), ErrorKind> {
    // SAFETY: as `run`; the value at `index` is a number.
    unsafe {
        #[cfg(any(feature = "lua53", feature = "lua54", feature = "lua55"))]
        if ffi::lua_isinteger(lua, index) != 0 {
            return writer::write_int(text, ffi::lua_tointegerx(lua, index, std::ptr::null_mut()));
        }
        let number = ffi::lua_tonumberx(lua, index, std::ptr::null_mut());
        if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
            writer::write_int(text, number as i64) // OK because |number| < 2^53
        } else {
            writer::write_float(text, number)
        }
    }
}
