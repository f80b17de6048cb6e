//! Protected calls out of a walk: the encoding hook (`__tocbor`), the next pair of a table that a hook may have
//! changed, raw fields, LuaJIT's 64-bit cdata.
//!
//! # What may raise
//! [`tocbor`] and [`next_pair`], which run inside a function called by `lua_pcall`, which catches it; they own nothing.
//! Nothing else: that function and the field names wait in the anchors table, from where `lua_rawgeti` fetches them
//! without allocating. What LuaJIT's cdata say of themselves is parsed without allocating.

use super::state::{anchor, guarded, string, ANCHORS};
use super::walk::Fail;
use crate::codec::cbor::ItemEnd;
use crate::codec::ErrorKind;
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;

/// Called by `lua_pcall` with a value: `getmetatable(value).__tocbor(value)`, or nil where there is no such field.
///
/// # Safety
/// Called by Lua.
pub unsafe extern "C-unwind" fn tocbor(lua: *mut lua_State) -> c_int {
    // SAFETY: may raise; owns nothing.
    unsafe {
        if ffi::lua_getmetatable(lua, 1) == 0 {
            return 0;
        }
        ffi::lua_getfield(lua, -1, c"__tocbor".as_ptr());
        if ffi::lua_type(lua, -1) == ffi::LUA_TNIL {
            return 0;
        }
        ffi::lua_pushvalue(lua, 1);
        ffi::lua_call(lua, 1, 1);
        if ffi::lua_type(lua, -1) != ffi::LUA_TSTRING {
            return ffi::luaL_error(lua, c"__tocbor must return a string of CBOR".as_ptr());
        }
        let bytes = string(lua, -1);
        match guarded(|| is_item(bytes)) {
            Ok(true) => 1,
            Ok(false) => ffi::luaL_error(
                lua,
                c"__tocbor must return a string of CBOR, which is one data item".as_ptr(),
            ),
            Err(panic) => panic.raise(lua),
        }
    }
}

/// Whether these bytes are one well-formed data item: anything else would make what stands around it another message.
fn is_item(bytes: &[u8]) -> bool {
    matches!(ItemEnd::new(DEPTH).feed(bytes), Ok(Some(len)) if len == bytes.len())
}

/// How deep what a hook returns may nest.
const DEPTH: usize = 1000;

/// Append what the value's `__tocbor` returns; `false` if it has none. On `Fail::Hook` the error is on the stack.
///
/// # Safety
/// In a walk; `at` is the value's index.
pub unsafe fn call(lua: *mut lua_State, at: c_int, out: *mut Vec<u8>) -> Result<bool, Fail> {
    // SAFETY: nothing here raises.
    unsafe {
        ffi::lua_rawgeti(lua, ANCHORS, anchor::TOCBOR);
        ffi::lua_pushvalue(lua, at);
        append(lua, 1, out)
    }
}

/// Upvalue 4 of an encoder that takes options: its hook function, `hook(value, options) -> string | nil`.
pub const FINDER: c_int = ffi::lua_upvalueindex(4);
/// Where such an encoder has its options: its second argument.
pub const GIVEN: c_int = 2;

/// As [`call`], through the encoder's own hook function and with the encoder's options.
///
/// # Safety
/// In a walk of a function with [`FINDER`] and [`GIVEN`]; `at` is the value's index.
pub unsafe fn call_with(lua: *mut lua_State, at: c_int, out: *mut Vec<u8>) -> Result<bool, Fail> {
    // SAFETY: nothing here raises.
    unsafe {
        ffi::lua_pushvalue(lua, FINDER);
        ffi::lua_pushvalue(lua, at);
        ffi::lua_pushvalue(lua, GIVEN);
        append(lua, 2, out)
    }
}

/// Call the function below `arguments` values and append the string it returns; `false` if it returns nil.
unsafe fn append(lua: *mut lua_State, arguments: c_int, out: *mut Vec<u8>) -> Result<bool, Fail> {
    // SAFETY: `lua_pcall` catches; the walk made room; `out` is the job's, which nested calls do not touch.
    unsafe {
        if ffi::lua_pcall(lua, arguments, 1, 0) != ffi::LUA_OK {
            return Err(Fail::Hook);
        }
        if ffi::lua_type(lua, -1) != ffi::LUA_TSTRING {
            return Ok(false);
        }
        let bytes = string(lua, -1);
        let out = &mut *out;
        out.try_reserve(bytes.len()).map_err(|_| ErrorKind::OutOfMemory)?;
        out.extend_from_slice(bytes);
        Ok(true)
    }
}

/// Called by `lua_pcall` with a table and a key: the next key and value, or nothing.
///
/// # Safety
/// Called by Lua.
pub unsafe extern "C-unwind" fn next_pair(lua: *mut lua_State) -> c_int {
    // SAFETY: raises where the key is not in the table; owns nothing.
    unsafe {
        ffi::lua_settop(lua, 2);
        if ffi::lua_next(lua, 1) == 0 {
            return 0;
        }
        2
    }
}

/// `lua_next` on the table at index `table` that reports instead of raising: the key on top of the stack may have gone.
/// On `Fail::Hook` the error is on the stack.
///
/// # Safety
/// In a walk.
pub unsafe fn next(lua: *mut lua_State, table: c_int) -> Result<bool, Fail> {
    // SAFETY: `lua_pcall` catches; the walk made room.
    unsafe {
        ffi::lua_rawgeti(lua, ANCHORS, anchor::NEXT_PAIR);
        ffi::lua_insert(lua, -2);
        ffi::lua_pushvalue(lua, table);
        ffi::lua_insert(lua, -2);
        if ffi::lua_pcall(lua, 2, 2, 0) != ffi::LUA_OK {
            return Err(Fail::Hook);
        }
        if ffi::lua_type(lua, -2) == ffi::LUA_TNIL {
            ffi::lua_settop(lua, -3);
            return Ok(false);
        }
        Ok(true)
    }
}

/// The number at `index` as an integer, if it is one: `lua_tointegerx` of 5.1 and LuaJIT would cut it off.
///
/// # Safety
/// In a raw function; the value is a number.
pub unsafe fn exact_integer(lua: *mut lua_State, index: c_int) -> Option<i64> {
    // SAFETY: a plain conversion of a number.
    unsafe {
        if cfg!(any(feature = "lua51", feature = "lua52", feature = "luajit")) {
            let n = ffi::lua_tonumber(lua, index);
            // OK because |n| <= 2^53
            return (n.fract() == 0.0 && n.abs() <= 9_007_199_254_740_992.0).then_some(n as i64);
        }
        let mut exact = 0;
        let n = ffi::lua_tointegerx(lua, index, &mut exact);
        (exact != 0).then_some(n)
    }
}

/// Push the field of the table at `table` whose name is anchored at `name`.
///
/// # Safety
/// In a walk.
pub unsafe fn push_field(lua: *mut lua_State, table: c_int, name: i64) {
    // SAFETY: raw access with an existing string neither allocates nor raises.
    unsafe {
        ffi::lua_rawgeti(lua, ANCHORS, name);
        ffi::lua_rawget(lua, table);
    }
}

/// The integer in the field named at `name`, if it is one; the stack is left as it was.
///
/// # Safety
/// In a walk.
pub unsafe fn integer(lua: *mut lua_State, table: c_int, name: i64) -> Option<i64> {
    // SAFETY: as `push_field`; only numbers are converted.
    unsafe {
        push_field(lua, table, name);
        let n = if ffi::lua_type(lua, -1) == ffi::LUA_TNUMBER {
            exact_integer(lua, -1)
        } else {
            None
        };
        ffi::lua_settop(lua, -2);
        n
    }
}

/// A 64-bit integer of LuaJIT.
#[cfg(feature = "luajit")]
pub enum Cdata {
    /// `int64_t`.
    Signed(i64),
    /// `uint64_t`.
    Unsigned(u64),
}

/// The cdata on top of the stack as an integer, if it is one.
///
/// # Safety
/// In a walk.
#[cfg(feature = "luajit")]
pub unsafe fn cdata(lua: *mut lua_State) -> Result<Option<Cdata>, Fail> {
    // SAFETY: `lua_pcall` catches.
    unsafe {
        let top = ffi::lua_gettop(lua);
        ffi::lua_rawgeti(lua, ANCHORS, anchor::READ_CDATA);
        ffi::lua_pushvalue(lua, top);
        if ffi::lua_pcall(lua, 1, 1, 0) != ffi::LUA_OK {
            return Err(Fail::Hook);
        }
        let mut number = None;
        if ffi::lua_type(lua, -1) == ffi::LUA_TSTRING {
            let digits = std::str::from_utf8(string(lua, -1)).unwrap_or_default();
            number = digits
                .parse()
                .map(Cdata::Signed)
                .or_else(|_| digits.parse().map(Cdata::Unsigned))
                .ok();
        }
        ffi::lua_settop(lua, top);
        Ok(number)
    }
}
