//! What CBOR has and Lua does not: tags and simple values, through handlers or as tables of their own.
//!
//! # What may raise
//! Every call here may: the builder's proof (see [`super`]) is this module's, too. Handlers and metamethods run Lua code,
//! whose codec calls use jobs of their own.

use super::super::state::{anchor, ANCHORS};
use super::Builder;
use mlua::ffi;

impl<const PLAIN: bool> Builder<PLAIN> {
    /// `handlers[tag](value, tag)`, or a table `{ tag =, value = }` with the tagged metatable.
    ///
    /// # Safety
    /// As [`Builder::push`].
    #[cold]
    pub(super) unsafe fn push_tagged(&self, tag: u64, at: usize) -> usize {
        let lua = self.lua;
        // SAFETY: as `push`. The handler runs Lua code: nested codec calls use jobs of their own.
        unsafe {
            self.room(8);
            if self.handlers != 0 {
                self.push_tag_number(tag);
                ffi::lua_rawget(lua, self.handlers);
                if ffi::lua_type(lua, -1) != ffi::LUA_TNIL {
                    let next = self.push(at);
                    self.push_tag_number(tag);
                    ffi::lua_call(lua, 2, 1);
                    return next;
                }
                ffi::lua_settop(lua, -2);
            }
            ffi::lua_createtable(lua, 0, 2);
            self.push_tag_number(tag);
            ffi::lua_setfield(lua, -2, c"tag".as_ptr());
            let next = self.push(at);
            ffi::lua_setfield(lua, -2, c"value".as_ptr());
            ffi::lua_rawgeti(lua, ANCHORS, anchor::TAGGED);
            ffi::lua_setmetatable(lua, -2);
            next
        }
    }

    /// The value first, then its handler: `first[tag] or handlers[tag]`, which gets the value alone.
    ///
    /// # Safety
    /// As [`Builder::push`].
    #[cold]
    pub(super) unsafe fn push_plain_tagged(&self, tag: u64, at: usize) -> usize {
        let lua = self.lua;
        // SAFETY: as `push`. Handlers and metamethods run Lua code, see `push_tagged`.
        unsafe {
            self.room(8);
            let next = self.push(at);
            for handlers in [self.first, self.handlers] {
                if handlers == 0 {
                    continue;
                }
                self.push_tag_number(tag);
                ffi::lua_gettable(lua, handlers);
                if ffi::lua_toboolean(lua, -1) != 0 {
                    ffi::lua_insert(lua, -2);
                    ffi::lua_call(lua, 1, 1);
                    return next;
                }
                ffi::lua_settop(lua, -2);
            }
            ffi::lua_createtable(lua, 0, 2);
            ffi::lua_insert(lua, -2);
            ffi::lua_setfield(lua, -2, c"value".as_ptr());
            self.push_tag_number(tag);
            ffi::lua_setfield(lua, -2, c"tag".as_ptr());
            ffi::lua_rawgeti(lua, ANCHORS, anchor::TAGGED);
            ffi::lua_setmetatable(lua, -2);
            next
        }
    }

    /// Tags above `i64::MAX` (none is registered) become the nearest float.
    ///
    /// # Safety
    /// As [`Builder::push`].
    unsafe fn push_tag_number(&self, tag: u64) {
        // SAFETY: as `push`.
        unsafe {
            match i64::try_from(tag) {
                Ok(tag) => ffi::lua_pushinteger(self.lua, tag),
                Err(_) => ffi::lua_pushnumber(self.lua, tag as f64),
            }
        }
    }

    /// `simples[value]`, or a table `{ simple = value }` with the simple metatable.
    ///
    /// # Safety
    /// As [`Builder::push`].
    #[cold]
    pub(super) unsafe fn push_simple(&self, value: u8) {
        let lua = self.lua;
        // SAFETY: as `push`.
        unsafe {
            self.room(4);
            if PLAIN && self.simples != 0 {
                ffi::lua_pushinteger(lua, i64::from(value));
                ffi::lua_gettable(lua, self.simples);
                return;
            }
            if self.simples != 0 {
                ffi::lua_rawgeti(lua, self.simples, i64::from(value));
                if ffi::lua_type(lua, -1) != ffi::LUA_TNIL {
                    return;
                }
                ffi::lua_settop(lua, -2);
            }
            ffi::lua_createtable(lua, 0, 1);
            ffi::lua_pushinteger(lua, i64::from(value));
            ffi::lua_setfield(lua, -2, c"simple".as_ptr());
            ffi::lua_rawgeti(lua, ANCHORS, anchor::SIMPLE);
            ffi::lua_setmetatable(lua, -2);
        }
    }
}
