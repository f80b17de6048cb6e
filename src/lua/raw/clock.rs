//! The clocks: `now_us`, `monotonic_us`, `gettime`, `sleep`.
//!
//! Functions without upvalues: they touch nothing of the library's state, and a call is one system call and one push.
//!
//! # What may raise
//! Arguments. Nothing here owns memory, and the clocks are read under `guarded`.

use super::state::guarded;
use crate::sys::clock;
use mlua::ffi::{self, lua_CFunction, lua_State};
use std::ffi::{c_int, CStr};

const FUNCTIONS: &[(&CStr, lua_CFunction)] = &[
    (c"now_us", now_us),
    (c"monotonic_us", monotonic_us),
    (c"gettime", gettime),
    (c"sleep", sleep),
];

/// `clock_functions() -> table`: the module itself.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn functions(lua: *mut lua_State) -> c_int {
    // SAFETY: may raise; owns nothing.
    unsafe {
        ffi::lua_createtable(lua, 0, c_int::try_from(FUNCTIONS.len()).unwrap_or(0));
        for &(name, function) in FUNCTIONS {
            ffi::lua_pushcclosure(lua, function, 0);
            ffi::lua_setfield(lua, -2, name.as_ptr());
        }
        1
    }
}

/// `now_us() -> integer`: microseconds since 1970.
unsafe extern "C-unwind" fn now_us(lua: *mut lua_State) -> c_int {
    // SAFETY: a C function has room for its results.
    unsafe {
        match guarded(clock::realtime_us) {
            Ok(us) => ffi::lua_pushinteger(lua, us),
            Err(panic) => panic.raise(lua),
        }
    }
    1
}

/// `monotonic_us() -> integer`: microseconds since some moment; never goes back.
unsafe extern "C-unwind" fn monotonic_us(lua: *mut lua_State) -> c_int {
    // SAFETY: as `now_us`.
    unsafe {
        match guarded(clock::monotonic_us) {
            Ok(us) => ffi::lua_pushinteger(lua, us),
            Err(panic) => panic.raise(lua),
        }
    }
    1
}

/// `gettime() -> float`: seconds since 1970.
unsafe extern "C-unwind" fn gettime(lua: *mut lua_State) -> c_int {
    // SAFETY: as `now_us`.
    unsafe {
        match guarded(clock::realtime) {
            Ok(seconds) => ffi::lua_pushnumber(lua, seconds),
            Err(panic) => panic.raise(lua),
        }
    }
    1
}

/// `sleep(seconds)`: at least so long, whatever signals come.
unsafe extern "C-unwind" fn sleep(lua: *mut lua_State) -> c_int {
    // SAFETY: raises before anything happens.
    unsafe {
        let seconds = ffi::luaL_checknumber(lua, 1);
        if seconds.is_nan() {
            ffi::luaL_argerror(lua, 1, c"number of seconds expected, got NaN".as_ptr());
        }
        if let Err(panic) = guarded(|| clock::sleep(seconds)) {
            panic.raise(lua);
        }
    }
    0
}
