//! Closing, stopping, naming a connection, and looking at it.
//!
//! # What may raise
//! Taking arguments and pushing results, as for [`super::connection`]: the work between is guarded, and only `Copy`
//! numbers leave it.

use super::connection::check;
use super::state::guarded;
use crate::text;
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;

/// `close(connection)`
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn close(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let conn = check(lua, 1);
        if let Err(panic) = guarded(|| (*conn).core.close()) {
            panic.raise(lua);
        }
    }
    0
}

/// `close_output(connection)`: the other end reads to its end of input; replies can still be read.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn close_output(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let conn = check(lua, 1);
        if let Err(panic) = guarded(|| (*conn).core.wire.close_output()) {
            panic.raise(lua);
        }
    }
    0
}

/// `stop(connection)`: make `serve` return.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn stop(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let conn = check(lua, 1);
        if let Err(panic) = guarded(|| (*conn).core.stop()) {
            panic.raise(lua);
        }
    }
    0
}

/// `name(connection, text)`: what the log calls it.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn name(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof; the text stays on the stack.
    unsafe {
        let conn = check(lua, 1);
        ffi::luaL_checktype(lua, 2, ffi::LUA_TSTRING);
        let bytes = super::state::string(lua, 2);
        if let Err(panic) = guarded(|| (*conn).core.name = Some(text::lossy(bytes))) {
            panic.raise(lua);
        }
    }
    0
}

/// `mute(connection)`: do not log messages that lead nowhere.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn mute(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let conn = check(lua, 1);
        if let Err(panic) = guarded(|| (*conn).core.quiet = true) {
            panic.raise(lua);
        }
    }
    0
}

/// `stats(connection) -> table`
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn stats(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof; numbers only.
    unsafe {
        let conn = check(lua, 1);
        let (stats, waiting, open) = match guarded(|| {
            let core = &raw const (*conn).core;
            ((*core).peer.stats, (*core).peer.waiting(), (*core).is_open())
        }) {
            Ok(seen) => seen,
            Err(panic) => panic.raise(lua),
        };
        ffi::lua_createtable(lua, 0, 8);
        for (name, value) in [
            (c"received", stats.received),
            (c"requests", stats.requests),
            (c"replies", stats.replies),
            (c"strays", stats.strays),
            (c"malformed", stats.malformed),
            (c"unhandled", stats.unhandled),
            (c"waiting", waiting as u64), // OK because usize is at most 64 bits
        ] {
            ffi::lua_pushinteger(lua, i64::try_from(value).unwrap_or(i64::MAX));
            ffi::lua_setfield(lua, -2, name.as_ptr());
        }
        ffi::lua_pushboolean(lua, c_int::from(open));
        ffi::lua_setfield(lua, -2, c"open".as_ptr());
        1
    }
}
