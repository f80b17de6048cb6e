//! Calls whose replies are waited for elsewhere than where they were made: sending one, the next thing that happens.
//!
//! It refuses to know coroutines: which of them a reply belongs to is the prelude's business.
//!
//! # What may raise
//! As for [`super::send`] and [`super::receive`]: arguments, `enter` and what is pushed. What is guarded touches no Lua
//! but for reading an id, which is a plain value on the stack.

use super::chain;
use super::connection::{check, deadline, kept_deadline, push_deadline};
use super::receive::{push_event, receive, Got};
use super::send::{bad_call, check_call, push_closed, push_unread, send_call, Unsent};
use super::state::{enter, guarded, leave, state};
use super::walk::Fail;
use crate::connection::{Urgency, Wait};
use crate::message::Id;
use crate::peer::cancel::Manner;
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;

/// `begin(connection, handlers, method, params, timeout) -> id, deadline | nil, err`: send a call and do not wait; the
/// error is false in a loop where so much waits to be sent that nothing more is taken.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn begin(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        ffi::lua_settop(lua, 5);
        let conn = check_call(lua, state(lua), c"call");
        let deadline = deadline(lua, 5);
        let job = enter(lua, &marker);
        let urgency = deadline.map_or(Urgency::Now, Urgency::Until);
        match send_call(lua, conn, job, true, urgency) {
            Ok(id) => {
                ffi::lua_pushinteger(lua, id);
                push_deadline(lua, deadline);
            }
            Err(Unsent::Method(kind)) => bad_call(lua, job, Fail::Codec(kind), "1", "method name", "call"),
            Err(Unsent::Value(fail)) => bad_call(lua, job, fail, "2", "params", "call"),
            Err(Unsent::Connection) => {
                ffi::lua_pushnil(lua);
                push_closed(lua, conn, job);
            }
            Err(Unsent::Full) => {
                ffi::lua_pushnil(lua);
                ffi::lua_pushboolean(lua, 0);
            }
            Err(Unsent::TimedOut) => {
                chain::waited();
                ffi::lua_pushnil(lua);
                push_unread(lua, conn);
            }
        }
        leave(lua, job);
        2
    }
}

/// `call(connection, handlers, method, params, owners, waits, waiting)`: in a coroutine that has an owner and can be
/// left: send a call, note the coroutine in `waits` under the call's id, and leave it with `waiting`; what it is resumed
/// with is returned. Otherwise, and where so much waits to be sent that nothing more is taken, nothing is done: the third
/// value is true then. `nil, err`: the call was not sent. Lua 5.1 and 5.2 cannot say whether a coroutine can be left.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn call(lua: *mut lua_State) -> c_int {
    #[cfg(any(feature = "lua53", feature = "lua54", feature = "lua55"))]
    // SAFETY: see the module's proof; leaving is the last thing done, as the manual wants it, and nothing is owned.
    unsafe {
        let marker = 0u8;
        ffi::lua_settop(lua, 7);
        let conn = check_call(lua, state(lua), c"call");
        ffi::luaL_checktype(lua, 5, ffi::LUA_TTABLE);
        ffi::luaL_checktype(lua, 6, ffi::LUA_TTABLE);
        ffi::lua_pushthread(lua);
        let owned = ffi::lua_rawget(lua, 5) == ffi::LUA_TTABLE;
        if owned && ffi::lua_isyieldable(lua) != 0 {
            let job = enter(lua, &marker);
            match send_call(lua, conn, job, true, Urgency::Now) {
                Ok(id) => {
                    leave(lua, job);
                    ffi::lua_settop(lua, 7);
                    ffi::lua_pushthread(lua);
                    ffi::lua_rawseti(lua, 6, id);
                    return ffi::lua_yield(lua, 1);
                }
                Err(Unsent::Method(kind)) => bad_call(lua, job, Fail::Codec(kind), "1", "method name", "call"),
                Err(Unsent::Value(fail)) => bad_call(lua, job, fail, "2", "params", "call"),
                Err(Unsent::Connection | Unsent::TimedOut) => {
                    ffi::lua_pushnil(lua);
                    push_closed(lua, conn, job);
                    leave(lua, job);
                    return 2;
                }
                Err(Unsent::Full) => leave(lua, job),
            }
        }
    }
    // SAFETY: plain values.
    unsafe {
        ffi::lua_settop(lua, 0);
        ffi::lua_pushnil(lua);
        ffi::lua_pushnil(lua);
        ffi::lua_pushboolean(lua, 1);
    }
    3
}

/// `next(connection, handlers, deadline, id, single)`: wait for whatever comes; the time that may be over is that of
/// the call `id`, or the caller's own where it is nil. Returns
/// `slot, handler, params, ctx` for a request or notification,
/// `false, id, result, err` for the reply to a call that waits,
/// `nil, event, detail`.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn next(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        ffi::lua_settop(lua, 5);
        let conn = check(lua, 1);
        ffi::luaL_checktype(lua, 2, ffi::LUA_TTABLE);
        let wait = Wait {
            awaited: (ffi::lua_type(lua, 4) == ffi::LUA_TNUMBER).then(|| ffi::lua_tointeger(lua, 4)),
            deadline: kept_deadline(lua, 3),
            single: ffi::lua_toboolean(lua, 5) != 0,
            turn: None,
        };
        if (*conn).core.wire.output().is_some() {
            chain::serves();
        }
        let job = enter(lua, &marker);
        let count = match receive(lua, conn, job, 2, wait) {
            Got::Request(slot) => {
                chain::delivered(conn, slot);
                4
            }
            Got::Reply(id) => {
                // The value of no use, result, error.
                ffi::lua_pushboolean(lua, 0);
                ffi::lua_replace(lua, -4);
                ffi::lua_pushinteger(lua, id);
                ffi::lua_insert(lua, -3);
                4
            }
            Got::Event(event) => push_event(lua, conn, job, event),
        };
        leave(lua, job);
        count
    }
}

/// `concurrent(connection)`: replies go to whichever call waits for them, see [`next`].
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn concurrent(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        (*check(lua, 1)).core.peer.concurrent = true;
    }
    0
}

/// `delivering(connection, slot)`: the handler of this request is about to go on.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn delivering(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let conn = check(lua, 1);
        chain::delivered(conn, usize::try_from(ffi::lua_tointeger(lua, 2)).unwrap_or(0));
    }
    0
}

/// `after(seconds) -> deadline`, as [`next`] takes it; nil for nil.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn after(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        ffi::lua_settop(lua, 1);
        let deadline = deadline(lua, 1);
        push_deadline(lua, deadline);
    }
    1
}

/// `manner(connection, number)`: how requests are cancelled; 1: as in LSP, 2: as in MCP.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn manner(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let conn = check(lua, 1);
        let manner = match ffi::lua_tointeger(lua, 2) {
            1 => Manner::Lsp,
            _ => Manner::Mcp,
        };
        (*conn).core.peer.manner = Some(manner);
    }
    0
}

/// `is_cancelled(connection, id) -> boolean`: whether the request of this id that is being served was cancelled, as far
/// as what has arrived tells. What has arrived is read, without waiting.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn is_cancelled(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof; the id stays on the stack, and reading it neither allocates nor raises.
    unsafe {
        ffi::lua_settop(lua, 2);
        let conn = check(lua, 1);
        let job = enter(lua, &marker);
        let found = guarded(|| {
            let matches = |id: &Id| match (id, ffi::lua_type(lua, 2)) {
                (Id::Int(n), ffi::LUA_TNUMBER) => *n as f64 == ffi::lua_tonumber(lua, 2),
                (Id::Float(f), ffi::LUA_TNUMBER) => *f == ffi::lua_tonumber(lua, 2),
                (Id::Str(text) | Id::Text(text), ffi::LUA_TSTRING) => text == super::state::string(lua, 2),
                (Id::Null, kind) => kind == ffi::LUA_TLIGHTUSERDATA,
                _ => false,
            };
            let core = &mut (*conn).core;
            let known = core.peer.cancelled(matches);
            if known != Some(false) || core.peer.manner.is_none() {
                return known == Some(true);
            }
            if core.peer.has_room_ahead() {
                // Its end or an error is found again by whoever reads next.
                let _ = core.wire.receive(&mut core.peer.inbox, Some(0));
            }
            let _ = core.peer.look_ahead(&mut (*job).tape); // without memory: found in its turn
            if core.peer.has_more() {
                core.at_once(true); // poll(2) tells nobody of it any more
            }
            core.peer.cancelled(matches) == Some(true)
        });
        leave(lua, job);
        match found {
            Ok(found) => ffi::lua_pushboolean(lua, c_int::from(found)),
            Err(panic) => panic.raise(lua),
        }
        1
    }
}
