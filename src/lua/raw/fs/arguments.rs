//! Reading arguments: paths, sizes and options, with errors in the words of `luaL_argerror`.
//!
//! A root's functions may be called with a dot or a colon: a root handle before the arguments is passed over.
//!
//! # What may raise
//! Everything; it owns nothing, and is done before a job is taken. Slices point into strings on the Lua stack.

use crate::lua::raw::state::{string, OPTIONS};
use mlua::ffi::{self, lua_State};
use std::ffi::{c_int, CStr};

/// The arguments of the running function.
#[derive(Clone, Copy)]
pub struct Arguments {
    lua: *mut lua_State,
    /// What stands before the first: 1 for a root handle.
    before: c_int,
}

impl Arguments {
    /// Of the running function.
    ///
    /// # Safety
    /// In a raw function whose third upvalue is nil or a root's userdata, at its start.
    pub unsafe fn of(lua: *mut lua_State) -> Self {
        // SAFETY: plain questions about types.
        let method =
            unsafe { ffi::lua_type(lua, OPTIONS) == ffi::LUA_TUSERDATA && ffi::lua_type(lua, 1) == ffi::LUA_TTABLE };
        Self {
            lua,
            before: c_int::from(method),
        }
    }

    unsafe fn given(self, place: c_int) -> bool {
        // SAFETY: a plain question.
        unsafe { ffi::lua_type(self.lua, self.before + place) > ffi::LUA_TNIL }
    }

    /// The string at `place`; a number is none.
    ///
    /// # Safety
    /// As for the type; the slice is good until the function returns.
    pub unsafe fn path<'a>(self, place: c_int) -> &'a [u8] {
        // SAFETY: raises unless it is a string.
        unsafe {
            ffi::luaL_checktype(self.lua, self.before + place, ffi::LUA_TSTRING);
            string(self.lua, self.before + place)
        }
    }

    /// The string at `place`, if anything is there.
    ///
    /// # Safety
    /// As [`Arguments::path`].
    pub unsafe fn optional_path<'a>(self, place: c_int) -> Option<&'a [u8]> {
        // SAFETY: as `path`.
        unsafe { self.given(place).then(|| self.path(place)) }
    }

    /// The number of bytes at `place`, if anything is there.
    ///
    /// # Safety
    /// As for the type.
    pub unsafe fn optional_size(self, place: c_int) -> Option<usize> {
        // SAFETY: raises unless it is a number that is not negative.
        unsafe {
            if !self.given(place) {
                return None;
            }
            let number = ffi::luaL_checknumber(self.lua, self.before + place);
            // False for NaN.
            if number >= 0.0 {
                return Some(number as usize); // OK because the cast saturates: infinity is no limit
            }
            ffi::luaL_argerror(
                self.lua,
                self.before + place,
                c"number of bytes expected, got a negative number or NaN".as_ptr(),
            );
            None
        }
    }

    /// Check that nothing or a table with no other keys than `known` is at `place`.
    ///
    /// # Safety
    /// As for the type.
    pub unsafe fn options(self, place: c_int, known: &[&CStr]) {
        let lua = self.lua;
        // SAFETY: lua_next leaves two values, of which one is taken off; keys are not converted.
        unsafe {
            if !self.given(place) {
                return;
            }
            let table = self.before + place;
            ffi::luaL_checktype(lua, table, ffi::LUA_TTABLE);
            ffi::lua_pushnil(lua);
            while ffi::lua_next(lua, table) != 0 {
                ffi::lua_settop(lua, -2);
                if ffi::lua_type(lua, -1) != ffi::LUA_TSTRING {
                    let text = ffi::lua_pushfstring(
                        lua,
                        c"names of options expected, got a %s as a key".as_ptr(),
                        ffi::lua_typename(lua, ffi::lua_type(lua, -1)),
                    );
                    ffi::luaL_argerror(lua, table, text);
                }
                let name = string(lua, -1);
                if !known.iter().any(|known| known.to_bytes() == name) {
                    let name: *const std::ffi::c_char = name.as_ptr().cast();
                    let text = ffi::lua_pushfstring(lua, c"unknown option '%s'".as_ptr(), name);
                    ffi::luaL_argerror(lua, table, text);
                }
            }
        }
    }

    /// Push the option's value; its type, `None` where it is not given (then nothing is pushed).
    unsafe fn option(self, place: c_int, name: &CStr) -> Option<c_int> {
        // SAFETY: raw access; `options` has made sure that it is a table if it is there.
        unsafe {
            if !self.given(place) {
                return None;
            }
            ffi::lua_pushstring(self.lua, name.as_ptr());
            ffi::lua_rawget(self.lua, self.before + place);
            let kind = ffi::lua_type(self.lua, -1);
            if kind == ffi::LUA_TNIL {
                ffi::lua_settop(self.lua, -2);
                return None;
            }
            Some(kind)
        }
    }

    unsafe fn wrong(self, place: c_int, name: &CStr, expected: &CStr) {
        // SAFETY: raises, with a text that is on the stack; the option's value is on top of it.
        unsafe {
            let got = ffi::lua_typename(self.lua, ffi::lua_type(self.lua, -1));
            let text = ffi::lua_pushfstring(
                self.lua,
                c"option '%s' must be %s, not a %s".as_ptr(),
                name.as_ptr(),
                expected.as_ptr(),
                got,
            );
            ffi::luaL_argerror(self.lua, self.before + place, text);
        }
    }

    /// A boolean option.
    ///
    /// # Safety
    /// After [`Arguments::options`] for this place.
    pub unsafe fn flag(self, place: c_int, name: &CStr, default: bool) -> bool {
        // SAFETY: as `option`.
        unsafe {
            let Some(kind) = self.option(place, name) else {
                return default;
            };
            if kind != ffi::LUA_TBOOLEAN {
                self.wrong(place, name, c"a boolean");
            }
            let value = ffi::lua_toboolean(self.lua, -1) != 0;
            ffi::lua_settop(self.lua, -2);
            value
        }
    }

    /// An option that is a number of seconds.
    ///
    /// # Safety
    /// As [`Arguments::flag`].
    pub unsafe fn number(self, place: c_int, name: &CStr) -> Option<f64> {
        // SAFETY: as `option`.
        unsafe {
            if self.option(place, name)? != ffi::LUA_TNUMBER {
                self.wrong(place, name, c"a number");
            }
            let value = ffi::lua_tonumber(self.lua, -1);
            ffi::lua_settop(self.lua, -2);
            Some(value)
        }
    }

    /// The option `mode`: permission bits.
    ///
    /// # Safety
    /// As [`Arguments::flag`].
    pub unsafe fn mode(self, place: c_int) -> Option<u32> {
        // SAFETY: as `option`.
        unsafe {
            let value = self.number(place, c"mode")?;
            if value.fract() != 0.0 || !(0.0..=4095.0).contains(&value) {
                ffi::luaL_argerror(
                    self.lua,
                    self.before + place,
                    c"option 'mode' must be an integer from 0 to 4095 (octal 7777)".as_ptr(),
                );
            }
            Some(value as u32) // OK because it was checked
        }
    }
}
