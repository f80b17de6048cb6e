//! Tables that are no plain sequence: stored out of order, with holes, with keys the format has no place for.
//!
//! # What may raise
//! Nothing: it is part of the walk, whose proof it is under. No hook runs between two `lua_next` of one pass.

use super::{Fail, Format, Mark, Sparse, Walk};
use mlua::ffi;
use std::ffi::c_int;

impl<F: Format> Walk<F> {
    /// A table that is an array stored out of order, or none at all.
    #[cold]
    pub(super) unsafe fn unordered(&mut self, table: c_int, mark: Mark) -> Result<(), Fail> {
        // SAFETY: as `run`.
        unsafe {
            let lua = self.lua;
            let (mut count, mut largest, mut numbers, mut strings) = (0usize, 0.0f64, 0usize, 0usize);
            ffi::lua_settop(lua, table);
            ffi::lua_pushnil(lua);
            while ffi::lua_next(lua, table) != 0 {
                count += 1;
                if ffi::lua_type(lua, -2) == ffi::LUA_TNUMBER {
                    let key = ffi::lua_tonumberx(lua, -2, std::ptr::null_mut());
                    if key >= 1.0 && key.fract() == 0.0 {
                        numbers += 1;
                        largest = largest.max(key);
                    }
                } else if ffi::lua_type(lua, -2) == ffi::LUA_TSTRING {
                    strings += 1;
                }
                ffi::lua_settop(lua, table + 1);
            }
            ffi::lua_settop(lua, table);
            let ordered = numbers == count && largest == count as f64;
            if ordered && (self.policy.any_order || mark == Mark::Array) {
                return self.indexed(table, count);
            }
            if let (Sparse::Fill(ratio), true) = (self.format.sparse(), numbers == count) {
                if largest <= count as f64 * f64::from(ratio) {
                    return self.indexed(table, largest as usize); // OK because it is at most a multiple of the items
                }
            }
            if mark == Mark::Array {
                return Err(if numbers == count { Fail::Sparse } else { Fail::NotArray });
            }
            if !F::ANY_KEY && self.format.sparse() != Sparse::Object {
                let fail = match numbers == count {
                    true => Fail::Sparse,
                    false if strings == 0 => Fail::Numbers,
                    false => Fail::Mixed,
                };
                return Err(self.odd_key(table).unwrap_or(fail));
            }
            ffi::lua_pushnil(lua);
            ffi::lua_next(lua, table);
            self.map(table, mark)
        }
    }

    /// A key JSON has no place for at all, if there is one.
    #[cold]
    #[inline(never)] // once for all formats
    pub(super) unsafe fn odd_key(&self, table: c_int) -> Option<Fail> {
        // SAFETY: as `run`.
        unsafe {
            let lua = self.lua;
            ffi::lua_pushnil(lua);
            while ffi::lua_next(lua, table) != 0 {
                let kind = ffi::lua_type(lua, -2);
                if kind != ffi::LUA_TNUMBER && kind != ffi::LUA_TSTRING {
                    let fail = self.key_failed(table + 1, Fail::Key(kind));
                    ffi::lua_settop(lua, table);
                    return Some(fail);
                }
                ffi::lua_settop(lua, table + 1);
            }
            None
        }
    }

    pub(super) unsafe fn indexed(&mut self, table: c_int, count: usize) -> Result<(), Fail> {
        // SAFETY: as `run`.
        unsafe {
            let open = self.format.open_array(self.out())?;
            for i in 0..count {
                self.format.separate(self.out(), i)?;
                ffi::lua_rawgeti(self.lua, table, i as i64 + 1); // OK because i counts table items
                if let Err(fail) = self.value_there() {
                    self.segment_index(i + 1);
                    return Err(fail);
                }
                ffi::lua_settop(self.lua, table);
            }
            Ok(self.format.close_array(self.out(), open, count)?)
        }
    }
}
