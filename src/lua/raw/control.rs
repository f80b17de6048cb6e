//! Closing, stopping, naming a connection, and looking at it.
//!
//! # Proof
//! As for [`super::connection`].

use super::connection::check;
use super::state::{enter, guarded, leave, push_bytes, raise, Panic};
use crate::sys::error::describe;
use crate::sys::orphan::Watch;
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;
use std::time::Duration;

/// `close(connection)`
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn close(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let conn = check(lua, 1);
        let close = || {
            (*conn).orphan = None;
            (*conn).core.close();
        };
        if guarded(close).is_err() {
            raise(lua, Panic::TEXT);
        }
    }
    0
}

/// `watch_parent(connection, seconds) -> true | nil, message, errno`: end the process so long after the other end of
/// its input has hung up.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn watch_parent(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        let conn = check(lua, 1);
        let seconds = ffi::luaL_checknumber(lua, 2).clamp(0.0, 1e6);
        let job = enter(lua, &marker);
        let started = guarded(|| -> Result<(), i32> {
            let Some(input) = (*conn).core.wire.input() else {
                return Ok(());
            };
            let watch = Watch::start(input, Duration::from_secs_f64(seconds)).map_err(|error| {
                (*job).message = describe(&error);
                error.raw_os_error().unwrap_or(0)
            })?;
            (*conn).orphan = Some(watch);
            Ok(())
        });
        match started {
            Ok(Ok(())) => {
                leave(lua, job);
                ffi::lua_pushboolean(lua, 1);
                1
            }
            Ok(Err(errno)) => {
                ffi::lua_pushnil(lua);
                push_bytes(lua, (*job).message.as_bytes());
                ffi::lua_pushinteger(lua, i64::from(errno));
                leave(lua, job);
                3
            }
            Err(Panic) => raise(lua, Panic::TEXT),
        }
    }
}

/// `close_output(connection)`: the other end reads to its end of input; replies can still be read.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn close_output(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let conn = check(lua, 1);
        if guarded(|| (*conn).core.wire.close_output()).is_err() {
            raise(lua, Panic::TEXT);
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
        (*check(lua, 1)).core.stop();
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
        let text = super::state::string(lua, 2);
        if guarded(|| (*conn).core.name = String::from_utf8_lossy(text).into_owned()).is_err() {
            raise(lua, Panic::TEXT);
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
        (*check(lua, 1)).core.quiet = true;
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
        let stats = (*conn).core.peer.stats;
        let waiting = (*conn).core.peer.waiting();
        let open = (*conn).core.is_open();
        ffi::lua_createtable(lua, 0, 8);
        for (name, value) in [
            (c"received", stats.received),
            (c"requests", stats.requests),
            (c"replies", stats.replies),
            (c"strays", stats.strays),
            (c"malformed", stats.malformed),
            (c"unhandled", stats.unhandled),
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
