//! Arguments of raw functions, read by the rules of Lua 5.4 in every Lua, with its error texts.
//!
//! It converts what `luaL_checkinteger` converts (floats and strings of integral value) and refuses what that refuses;
//! Lua 5.1, 5.2 and LuaJIT, which would cut 2.5 to 2 themselves, are no exception.
//!
//! # What may raise
//! Everything but [`integer`], [`is_absent`] and [`push_integer`] may raise, and these three neither allocate nor
//! convert in place. Nothing is owned anywhere: texts lie on the Lua stack, numbers are `Copy`.

use super::stop_hook::in_prelude;
use mlua::ffi::{self, lua_State};
use std::ffi::{c_int, CStr};

/// True where numbers are doubles alone.
pub const FLOATS_ALONE: bool = cfg!(any(feature = "lua51", feature = "lua52", feature = "luajit"));

/// Raise `bad argument #<index> to '<function>' (<text>)`; a method's self does not count, as in `luaL_argerror`.
///
/// # Safety
/// In a raw function that owns nothing.
#[cold]
pub unsafe fn error(lua: *mut lua_State, index: c_int, text: &CStr) -> ! {
    // SAFETY: by contract; `luaL_argerror` does not return (Lua reference manual, section 5).
    unsafe {
        ffi::luaL_argerror(lua, index, text.as_ptr());
        std::hint::unreachable_unchecked()
    }
}

/// The prelude's methods that may call each other before one calls the raw function.
const MOST: c_int = 8;

/// Push where the program called the prelude from, as `luaL_where` does: a mistake is that of its line.
///
/// # Safety
/// In a raw function that owns nothing and that the prelude has called; may raise for want of memory.
#[cold]
pub unsafe fn push_caller(lua: *mut lua_State) {
    // SAFETY: `ar` is filled in by `lua_getstack` before it is read; a level that is not there ends the search.
    unsafe {
        let mut ar: ffi::lua_Debug = std::mem::zeroed();
        let mut level = 2;
        while level < MOST && ffi::lua_getstack(lua, level, &mut ar) != 0 {
            // Lua 5.1 has such levels in place of what a tail call has left.
            if !in_prelude(lua, &mut ar) && CStr::from_ptr(ar.source).to_bytes() != b"=(tail call)" {
                break;
            }
            level += 1;
        }
        ffi::luaL_where(lua, level);
    }
}

/// Raise that something of type `expected` was expected at `index` instead of what is there, counted as `reported`.
///
/// # Safety
/// In a raw function that owns nothing.
#[cold]
pub unsafe fn type_error(lua: *mut lua_State, index: c_int, reported: c_int, expected: &CStr) -> ! {
    // SAFETY: by contract; the texts are kept by the stack.
    unsafe {
        let found = if ffi::luaL_getmetafield(lua, index, c"__name".as_ptr()) == ffi::LUA_TSTRING {
            ffi::lua_tostring(lua, -1)
        } else if ffi::lua_type(lua, index) == ffi::LUA_TLIGHTUSERDATA {
            c"light userdata".as_ptr()
        } else {
            ffi::luaL_typename(lua, index)
        };
        let text = ffi::lua_pushfstring(lua, c"%s expected, got %s".as_ptr(), expected.as_ptr(), found);
        error(lua, reported, CStr::from_ptr(text))
    }
}

/// The integer at `index`, or `None` if what is there is none and does not convert to one.
///
/// # Safety
/// In a raw function; the index is acceptable. Neither raises nor changes the stack.
#[inline]
pub unsafe fn integer(lua: *mut lua_State, index: c_int) -> Option<i64> {
    let mut is_number = 0;
    // SAFETY: by contract: plain conversions, which leave the value as it is.
    unsafe {
        if FLOATS_ALONE {
            let number = ffi::lua_tonumberx(lua, index, &mut is_number);
            let bound = 9_223_372_036_854_775_808.0;
            let fits = number.trunc() == number && (-bound..bound).contains(&number); // false for NaN
            (is_number != 0 && fits).then_some(number as i64) // OK because it was found to fit
        } else {
            let number = ffi::lua_tointegerx(lua, index, &mut is_number);
            (is_number != 0).then_some(number)
        }
    }
}

/// Raise what keeps the value at `index`, counted as `reported`, from being an integer.
///
/// # Safety
/// In a raw function that owns nothing.
#[cold]
pub unsafe fn integer_error(lua: *mut lua_State, index: c_int, reported: c_int) -> ! {
    // SAFETY: by contract.
    unsafe {
        if ffi::lua_isnumber(lua, index) != 0 {
            error(lua, reported, c"number has no integer representation")
        }
        type_error(lua, index, reported, c"number")
    }
}

/// The integer at `index`, or an error that counts it as `reported`.
///
/// # Safety
/// In a raw function that owns nothing.
#[inline]
pub unsafe fn check_integer(lua: *mut lua_State, index: c_int, reported: c_int) -> i64 {
    // SAFETY: by contract.
    unsafe {
        match integer(lua, index) {
            Some(number) => number,
            None => integer_error(lua, index, reported),
        }
    }
}

/// True where there is no argument at `index`, or nil.
///
/// # Safety
/// In a raw function; the index is acceptable.
#[inline]
pub unsafe fn is_absent(lua: *mut lua_State, index: c_int) -> bool {
    // SAFETY: by contract.
    unsafe { ffi::lua_type(lua, index) <= ffi::LUA_TNIL }
}

/// The integer at `index`, `None` where it is absent or nil, or an error.
///
/// # Safety
/// In a raw function that owns nothing.
pub unsafe fn optional_integer(lua: *mut lua_State, index: c_int) -> Option<i64> {
    // SAFETY: by contract.
    unsafe { (!is_absent(lua, index)).then(|| check_integer(lua, index, index)) }
}

/// Push an integer; where there are only doubles it must not be beyond 2^53.
///
/// # Safety
/// In a raw function; there is room on the stack.
#[inline]
pub unsafe fn push_integer(lua: *mut lua_State, number: i64) {
    // SAFETY: numbers do not allocate.
    unsafe {
        if FLOATS_ALONE {
            ffi::lua_pushnumber(lua, number as f64); // OK because the caller keeps within 2^53
        } else {
            ffi::lua_pushinteger(lua, number);
        }
    }
}
