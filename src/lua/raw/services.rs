//! Small services for the prelude: the log, standard texts, forgetting a call, taking bytes off a pair in memory.
//!
//! # What may raise
//! Arguments and pushes, as for [`super::connection`]; the text of the log stays on the Lua stack.

use super::connection::check;
use super::receive::out_of_memory;
use super::state::{enter, guarded, leave, push_bytes};
use crate::message::standard_message;
use crate::sys::stderr;
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;

/// `log(text)`: to stderr, in one write.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn log(lua: *mut lua_State) -> c_int {
    // SAFETY: the argument is a string on the stack.
    unsafe {
        if ffi::lua_type(lua, 1) == ffi::LUA_TSTRING {
            let text = super::state::string(lua, 1);
            let _ = guarded(|| stderr::log(text));
        }
    }
    0
}

/// `standard_message(code) -> text`
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn message_of(lua: *mut lua_State) -> c_int {
    // SAFETY: a plain conversion; the text is static.
    unsafe {
        let code = ffi::lua_tointeger(lua, 1);
        match guarded(|| standard_message(code)) {
            Ok(text) => push_bytes(lua, text.as_bytes()),
            Err(panic) => panic.raise(lua),
        }
    }
    1
}

/// `forget(connection, id)`: nobody waits for this call any more.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn forget(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let conn = check(lua, 1);
        let id = ffi::lua_tointeger(lua, 2);
        if let Err(panic) = guarded(|| (*conn).core.peer.forget(id)) {
            panic.raise(lua);
        }
    }
    0
}

/// `take(connection) -> bytes`: what has arrived on a pair in memory, as it is.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn take(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        let conn = check(lua, 1);
        let job = enter(lua, &marker);
        match guarded(|| (*conn).core.wire.take(&mut (*job).out)) {
            Ok(Ok(())) => {}
            Ok(Err(kind)) => out_of_memory(lua, kind),
            Err(panic) => panic.raise(lua),
        }
        push_bytes(lua, &(*job).out);
        leave(lua, job);
        1
    }
}
