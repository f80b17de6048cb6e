//! Values with a form of their own: hooks, tagged and simple CBOR values, cdata.
//!
//! # What may raise
//! Nothing: it is part of the walk, whose proof it is under. Hooks run in `lua_pcall`, fields are read raw.

use super::super::hook;
use super::super::state::{anchor, string};
use super::{Fail, Format, Walk};
use crate::codec::ErrorKind;
use mlua::ffi;
use std::ffi::{c_int, c_void};

impl<F: Format> Walk<F> {
    /// Functions, threads, userdata; cdata under LuaJIT.
    #[cold]
    pub(super) unsafe fn foreign(&mut self, kind: c_int) -> Result<(), Fail> {
        // SAFETY: as `run`; `hook` calls are protected.
        unsafe {
            let lua = self.lua;
            if F::STYLED && self.is_null() {
                return Ok(self.format.null(self.out())?);
            }
            if F::HOOK && kind == ffi::LUA_TUSERDATA {
                let at = ffi::lua_gettop(lua);
                let done = self.hook(at)?;
                ffi::lua_settop(lua, at);
                if done {
                    return Ok(());
                }
            }
            #[cfg(feature = "luajit")]
            if kind == ffi::LUA_TCDATA {
                self.hooks += 1; // as good as one: it is Lua code that reads a cdata, and finalizers may run in it
                return match hook::cdata(lua)? {
                    Some(hook::Cdata::Signed(n)) => Ok(self.format.int(self.out(), n)?),
                    Some(hook::Cdata::Unsigned(n)) => Ok(self.format.uint(self.out(), n)?),
                    None => Err(Fail::Type(kind)),
                };
            }
            Err(Fail::Type(kind))
        }
    }

    /// Tagged and simple CBOR values, and tables with an encoding hook. Stack: ..., table, metatable.
    #[cold]
    pub(super) unsafe fn special(&mut self, table: c_int, identity: *const c_void) -> Result<bool, Fail> {
        // SAFETY: as `run`; the fields are read raw, `hook` calls are protected.
        unsafe {
            let lua = self.lua;
            // Options may name a hook for the metatable of tagged values, too.
            let plain = !F::OPTIONS || ffi::lua_type(lua, hook::GIVEN) == ffi::LUA_TNIL;
            if plain && identity == (*self.identities).tagged {
                let tag = hook::integer(lua, table, anchor::TAG).ok_or(Fail::Tagged)?;
                let tag = u64::try_from(tag).map_err(|_| Fail::Tagged)?;
                self.format.tag(self.out(), tag)?;
                hook::push_field(lua, table, anchor::VALUE);
                if self.left == 0 {
                    return Err(ErrorKind::TooDeep.into());
                }
                self.left -= 1;
                let result = match ffi::lua_type(lua, -1) {
                    ffi::LUA_TSTRING if wants_bytes(tag) => {
                        self.format.bytes(self.out(), string(lua, -1)).map_err(Fail::from)
                    }
                    _ => self.value_there(),
                };
                self.left += 1;
                result?;
                ffi::lua_settop(lua, table);
                return Ok(true);
            }
            if identity == (*self.identities).simple {
                let value = hook::integer(lua, table, anchor::SIMPLE_NAME).ok_or(Fail::Tagged)?;
                let value = u8::try_from(value).map_err(|_| Fail::Tagged)?;
                self.format.simple(self.out(), value)?;
                ffi::lua_settop(lua, table);
                return Ok(true);
            }
            let done = self.hook(table)?;
            ffi::lua_settop(lua, table);
            Ok(done)
        }
    }

    /// Append what the value at `at` says of itself, if it does.
    #[inline]
    pub(super) unsafe fn hook(&mut self, at: c_int) -> Result<bool, Fail> {
        // SAFETY: as `run`.
        unsafe {
            self.hooks += 1;
            if F::OPTIONS {
                hook::call_with(self.lua, at, self.out())
            } else {
                hook::call(self.lua, at, self.out())
            }
        }
    }
}

/// Whether the string in this tag is a byte string, whatever it holds: big integers (RFC 8949, section 3.4.3), encoded
/// CBOR (3.4.5.1) and typed arrays (RFC 8746, section 2).
fn wants_bytes(tag: u64) -> bool {
    matches!(tag, 2 | 3 | 24 | 64..=87)
}
