//! What is watched beside the wire: the parent's end, signals.
//!
//! It refuses to act on either: a thread of [`crate::sys::orphan`] does on the one, whoever waits on the other.
//!
//! # What may raise
//! Taking arguments and pushing results, as for [`super::connection`]: the work between is guarded, and only `Copy`
//! numbers leave it.

use super::connection::check;
use super::state::{enter, guarded, leave, push_bytes};
use crate::sys::error::describe;
use crate::sys::orphan::Watch;
use crate::sys::signals;
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;
use std::time::Duration;

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
            Err(panic) => panic.raise(lua),
        }
    }
}

/// `watch_signals(connection, bits) -> true | nil, message, errno`: signals that end waits, a bit for each place in
/// [`signals::NAMES`].
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn watch_signals(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        let conn = check(lua, 1);
        let bits = u32::try_from(ffi::lua_tointeger(lua, 2)).unwrap_or(0);
        let job = enter(lua, &marker);
        let installed = guarded(|| match signals::Guard::install(bits) {
            Ok(guard) => {
                (*conn).core.signals = Some(guard);
                0
            }
            Err(error) => {
                (*job).message = describe(&error);
                error.raw_os_error().unwrap_or(libc::EIO)
            }
        });
        match installed {
            Ok(0) => {
                leave(lua, job);
                ffi::lua_pushboolean(lua, 1);
                1
            }
            Ok(errno) => {
                ffi::lua_pushnil(lua);
                push_bytes(lua, (*job).message.as_bytes());
                ffi::lua_pushinteger(lua, i64::from(errno));
                leave(lua, job);
                3
            }
            Err(panic) => panic.raise(lua),
        }
    }
}

/// `take_signal() -> name | nil`: a signal that came; it is heard of now.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn take_signal(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof; the name is static.
    unsafe {
        match guarded(signals::take) {
            Ok(Some(name)) => {
                push_bytes(lua, name.as_bytes());
                1
            }
            Ok(None) => 0,
            Err(panic) => panic.raise(lua),
        }
    }
}
