//! Closing, stopping, naming a connection, and looking at it.
//!
//! # What may raise
//! Taking arguments and pushing results, as for [`super::connection`]: the work between is guarded, and only `Copy`
//! numbers leave it.

use super::connection::{check, system_failure};
use super::send::end_sent;
use super::state::{enter, guarded, leave};
use crate::peer::Garbage;
use crate::sys::capture;
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
        let close = || {
            (*conn).orphan = None;
            (*conn).core.signals = None;
            (*conn).core.close();
        };
        if let Err(panic) = guarded(close) {
            panic.raise(lua);
        }
    }
    0
}

/// `waiting(connection) -> number`: the calls that have no reply yet.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn waiting(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let conn = check(lua, 1);
        match guarded(|| (*conn).core.peer.waiting()) {
            Ok(count) => ffi::lua_pushinteger(lua, count as ffi::lua_Integer), // OK because usize fits in memory
            Err(panic) => panic.raise(lua),
        }
    }
    1
}

/// `close_output(connection)`: the other end reads to its end of input; replies can still be read.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn close_output(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let conn = check(lua, 1);
        if let Err(panic) = guarded(|| (*conn).core.close_output()) {
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

/// `configure(connection, max_frame, send_timeout, batch, queue, garbage)`: sizes in bytes, the time in seconds or nil,
/// garbage 0 (answer), 1 (log) or 2 (error).
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn configure(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof; plain conversions of what the prelude has checked.
    unsafe {
        let conn = check(lua, 1);
        let size = |index| usize::try_from(ffi::lua_tointeger(lua, index)).unwrap_or(usize::MAX);
        let configured = guarded(|| {
            let core = &mut (*conn).core;
            core.peer.inbox.set_limit(size(2));
            core.sending.unmoved = (ffi::lua_type(lua, 3) == ffi::LUA_TNUMBER).then(|| {
                (ffi::lua_tonumber(lua, 3).clamp(0.0, 1e9) * 1e6) as i64 // OK because it is at most 1e15
            });
            core.sending.batch = size(4);
            core.sending.ahead = size(5);
            core.peer.garbage = match ffi::lua_tointeger(lua, 6) {
                1 => Garbage::Log,
                2 => Garbage::Error,
                _ => Garbage::Answer,
            };
        });
        if let Err(panic) = configured {
            panic.raise(lua);
        }
    }
    0
}

/// `forward(connection) -> true | nil, message, errno`: what is written to descriptor 1 goes to the other end.
///
/// # Safety
/// Called by the prelude, for a connection over stdio.
pub unsafe extern "C-unwind" fn forward(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        let conn = check(lua, 1);
        let job = enter(lua, &marker);
        let started = guarded(|| {
            capture::start()
                .map(|()| (*conn).core.forward_output())
                .map_err(|error| {
                    (*job).message = error.message;
                    error.errno
                })
        });
        match started {
            Ok(Ok(())) => {
                ffi::lua_pushboolean(lua, 1);
                leave(lua, job);
                1
            }
            Ok(Err(errno)) => system_failure(lua, job, errno),
            Err(panic) => panic.raise(lua),
        }
    }
}

/// What is kept at most between `cork` and `uncork`, in bytes.
const CORKED: usize = 1 << 20;

/// `cork(connection)`: keep what nobody waits for.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn cork(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let conn = check(lua, 1);
        if let Err(panic) = guarded(|| (*conn).core.cork(CORKED)) {
            panic.raise(lua);
        }
    }
    0
}

/// `uncork(connection) -> true | nil, err`: send what was kept.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn uncork(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        let conn = check(lua, 1);
        let job = enter(lua, &marker);
        let sent = guarded(|| (*conn).core.uncork());
        super::chain::waited(); // the pipe may have been full
        end_sent(lua, conn, job, sent)
    }
}
