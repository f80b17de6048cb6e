//! Replies; and `step`, a reply and the next message in one call.
//!
//! # What may raise
//! As for [`super::send`]: arguments, `enter` and `Encoder::prepare` before, [`receive`] after a guarded section in
//! which only the walk's own calls and raw reads with anchored names touch Lua. A slot that is released there is
//! dropped there.

use super::chain::{self, Serving};
use super::connection::{check, check_of, Conn};
use super::hook;
use super::path;
use super::receive::{receive, Got};
use super::send::Encoder;
use super::state::{anchor, enter, enter_of, guarded, leave, raise, state, string, Job, ANCHORS};
use super::walk::Fail;
use crate::codec::ErrorKind;
use crate::connection::{Urgency, Wait};
use crate::message::{standard_message, Id, INTERNAL_ERROR, SERVER_ERROR};
use crate::sys::stderr;
use crate::text;
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;

/// Reply to `slot` (index 3) with result (index 4) or, where there is none, error (index 5); a notification's error
/// goes to stderr. The slot is given back last: whatever may be raised before leaves a request that can still be
/// answered.
unsafe fn answer(lua: *mut lua_State, conn: *mut Conn, job: *mut Job) {
    // SAFETY: see the module's proof.
    unsafe {
        let slot = usize::try_from(ffi::lua_tointeger(lua, 3)).unwrap_or(0);
        // A handler that ends with `return text:gsub(...)` has a second value and has not failed.
        let kind = ffi::lua_type(lua, 4);
        let nothing = kind <= ffi::LUA_TNIL;
        let failed = nothing && ffi::lua_type(lua, 5) > ffi::LUA_TNIL;
        let cancelled = nothing && !failed && (*conn).core.peer.is_cancelled(slot);
        // What many results are: nothing has to be walked through.
        let boolean = (kind == ffi::LUA_TBOOLEAN).then(|| ffi::lua_toboolean(lua, 4) != 0);
        let mut encoder = match boolean {
            Some(_) => None,
            None => Some(Encoder::prepare(lua, conn, job, (*conn).policy)),
        };
        let base = ffi::lua_gettop(lua);
        let mut clean = false;
        let done = guarded(|| -> Result<(), ErrorKind> {
            let core = &raw mut (*conn).core;
            if slot == 0 {
                if failed {
                    log_notification(lua);
                }
                return Ok(());
            }
            let written = match &mut encoder {
                Some(encoder) if failed => write_error(lua, conn, job, encoder, slot),
                Some(_) if cancelled => Ok((*core).peer.write_cancelled(slot, &mut (*job).out)?),
                Some(encoder) => write_result(lua, conn, job, encoder, slot),
                None => Ok(write_boolean(conn, job, boolean == Some(true), slot)?),
            };
            clean = !failed && written.is_ok(); // then the walk has left nothing
            let unwritten = written.is_err();
            if let Err(fail) = written {
                unanswerable(lua, conn, job, slot, fail)?;
            }
            let out = &mut (*job).out;
            let Some(batch) = (*core).peer.release(slot) else {
                out.clear();
                return Ok(()); // it has been answered before
            };
            (*core).peer.stats.errors_sent += u64::from(failed || unwritten);
            if cancelled && out.is_empty() && batch.is_none() {
                return Ok(()); // it is not answered
            }
            (*core).peer.deliver(batch, 0, out)?;
            let _ = (*core).send(out, Urgency::Now); // a broken connection shows at the next wait
            out.clear();
            Ok(())
        });
        if !clean {
            ffi::lua_settop(lua, base);
        }
        match done {
            Ok(Ok(())) => {}
            Ok(Err(_)) => raise(lua, b"fkrpc: not enough memory for a reply"),
            Err(panic) => panic.raise(lua),
        }
    }
}

unsafe fn write_boolean(conn: *mut Conn, job: *mut Job, value: bool, slot: usize) -> Result<(), ErrorKind> {
    // SAFETY: as `answer`.
    unsafe {
        let encoding = (*conn).core.peer.encoding;
        let id = (*conn).core.peer.id(slot).unwrap_or(&Id::Null);
        let out = &mut (*job).out;
        encoding.begin_result(out, id, true)?;
        encoding.boolean(out, value)?;
        encoding.end(out)
    }
}

unsafe fn write_result(
    lua: *mut lua_State,
    conn: *mut Conn,
    job: *mut Job,
    encoder: &mut Encoder,
    slot: usize,
) -> Result<(), Fail> {
    // SAFETY: as `answer`; the borrowed id is used before the encoder runs.
    unsafe {
        let encoding = (*conn).core.peer.encoding;
        let nothing = encoding.is_freekill() && ffi::lua_type(lua, 4) <= ffi::LUA_TNIL;
        let id = (*conn).core.peer.id(slot).unwrap_or(&Id::Null);
        encoding.begin_result(&mut (*job).out, id, !nothing)?;
        if !nothing {
            encoder.run(4)?;
        }
        Ok(encoding.end(&mut (*job).out)?)
    }
}

/// The error at index 5: a table with an integer `code` goes out as it is; anything else is a server error with the
/// value as data.
unsafe fn write_error(
    lua: *mut lua_State,
    conn: *mut Conn,
    job: *mut Job,
    encoder: &mut Encoder,
    slot: usize,
) -> Result<(), Fail> {
    // SAFETY: as `answer`, and the borrowed id is used before the encoder runs: raw reads with anchored names neither
    // allocate nor raise, nor does `lua_tolstring` on strings.
    unsafe {
        let encoding = (*conn).core.peer.encoding;
        let field = |name: i64| {
            ffi::lua_rawgeti(lua, ANCHORS, name);
            ffi::lua_rawget(lua, 5)
        };
        let id = (*conn).core.peer.id(slot).unwrap_or(&Id::Null);
        let code = if ffi::lua_type(lua, 5) == ffi::LUA_TTABLE && field(anchor::CODE) == ffi::LUA_TNUMBER {
            hook::exact_integer(lua, -1)
        } else {
            None
        };
        let Some(code) = code else {
            let out = &mut (*job).out;
            encoding.begin_error(out, id, SERVER_ERROR.code, SERVER_ERROR.message.as_bytes(), true)?;
            match ffi::lua_type(lua, 5) {
                ffi::LUA_TSTRING => encoding.text(out, string(lua, 5))?,
                _ => encoder.run(5)?,
            }
            return Ok(encoding.end_error(&mut (*job).out)?);
        };
        let message = match field(anchor::MESSAGE) {
            ffi::LUA_TSTRING => string(lua, -1), // the table keeps it alive
            _ => standard_message(code).as_bytes(),
        };
        let kind = field(anchor::DATA);
        let data = ffi::lua_gettop(lua);
        encoding.begin_error(&mut (*job).out, id, code, message, kind != ffi::LUA_TNIL)?;
        match kind {
            ffi::LUA_TNIL => {}
            ffi::LUA_TSTRING => encoding.text(&mut (*job).out, string(lua, data))?,
            _ => encoder.run(data)?,
        }
        Ok(encoding.end_error(&mut (*job).out)?)
    }
}

/// A result (or error data) that cannot be encoded: the caller hears why, and so does the log.
#[cold]
unsafe fn unanswerable(
    lua: *mut lua_State,
    conn: *mut Conn,
    job: *mut Job,
    slot: usize,
    fail: Fail,
) -> Result<(), ErrorKind> {
    // SAFETY: as `answer`; after a failed hook its error is on top of the stack. The id is borrowed while only the
    // job's output is written.
    unsafe {
        let Some(id) = (*conn).core.peer.id(slot) else {
            return Ok(()); // it has been answered before
        };
        let why = if fail == Fail::Hook && ffi::lua_type(lua, -1) == ffi::LUA_TSTRING {
            text::joined(&[b"encoding hook failed: ", string(lua, -1)])
        } else {
            path::text(&*job, "result", fail)
        };
        stderr::log(&text::joined(&[b"fkrpc: a reply cannot be encoded: ", &why, b"\n"]));
        let encoding = (*conn).core.peer.encoding;
        let out = &mut (*job).out;
        out.clear();
        encoding.begin_error(out, id, INTERNAL_ERROR.code, INTERNAL_ERROR.message.as_bytes(), true)?;
        encoding.text(out, &why)?;
        encoding.end_error(out)
    }
}

/// The error a notification's handler returned: there is nobody to send it to.
#[cold]
unsafe fn log_notification(lua: *mut lua_State) {
    // SAFETY: as `answer`.
    unsafe {
        let mut why: &[u8] = b"(an error value that is no string)";
        if ffi::lua_type(lua, 5) == ffi::LUA_TSTRING {
            why = string(lua, 5);
        } else if ffi::lua_type(lua, 5) == ffi::LUA_TTABLE {
            ffi::lua_rawgeti(lua, ANCHORS, anchor::MESSAGE);
            if ffi::lua_rawget(lua, 5) == ffi::LUA_TSTRING {
                why = string(lua, -1);
            }
        }
        stderr::log(&text::joined(&[
            b"fkrpc: a notification's handler failed: ",
            why,
            b"\n",
        ]));
    }
}

/// `reply(connection, handlers, slot, result, err)`
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn reply(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        ffi::lua_settop(lua, 5);
        let conn = check(lua, 1);
        let job = enter(lua, &marker);
        answer(lua, conn, job);
        leave(lua, job);
        0
    }
}

/// `step(connection, handlers, slot, result, err) -> slot, handler, params, ctx | nil, event, detail`: reply to the
/// last request and wait for the next. The event "again": the watchdog was turned on meanwhile, receive by yourself.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn step(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        // With one result, as most handlers have, there is no value at index 5, which is as good as nil.
        if ffi::lua_gettop(lua) != 4 {
            ffi::lua_settop(lua, 5);
        }
        let owner = state(lua);
        let conn = check_of(lua, owner, 1);
        if ffi::lua_type(lua, 2) != ffi::LUA_TTABLE {
            ffi::luaL_checktype(lua, 2, ffi::LUA_TTABLE);
        }
        let serving = chain::handler_ended(lua);
        let job = enter_of(lua, owner, &marker);
        answer(lua, conn, job);
        if serving == Serving::Unnoticed {
            leave(lua, job);
            ffi::lua_pushnil(lua);
            super::state::push_bytes(lua, b"again");
            return 2;
        }
        let count = match receive(lua, conn, job, 2, Wait::default()) {
            Got::Request(slot) => {
                if serving == Serving::Watched {
                    chain::handler_begins(conn, slot);
                }
                4
            }
            Got::Reply(_) => 0, // nothing was awaited
            Got::Event(event) => super::receive::push_event(lua, conn, job, event),
        };
        leave(lua, job);
        count
    }
}
