//! Looking at a connection: its counters, its latencies, a trace of its messages, and the messages themselves.
//!
//! # What may raise
//! As for [`super::connection`]: the arguments' checks come first, what is done runs under `guarded` without Lua, and
//! what is pushed afterwards is a copy or the job's.

use super::chain;
use super::connection::{check, deadline};
use super::receive::{out_of_memory, push_event};
use super::state::{enter, guarded, leave, push_bytes, string};
use crate::codec::ErrorKind;
use crate::envelope::Encoding;
use crate::latency::Summary;
use crate::sys::error::describe;
use crate::text;
use crate::trace::{About, Trace};
use mlua::ffi::{self, lua_State};
use std::ffi::{c_int, CStr};

/// Set a count in the table on top.
unsafe fn set_count(lua: *mut lua_State, name: &CStr, value: u64) {
    // SAFETY: may raise; nothing is owned.
    unsafe {
        ffi::lua_pushinteger(lua, i64::try_from(value).unwrap_or(i64::MAX));
        ffi::lua_setfield(lua, -2, name.as_ptr());
    }
}

/// Push `{ count, mean, p50 ... }`, times in seconds.
unsafe fn push_summary(lua: *mut lua_State, summary: Summary) {
    // SAFETY: may raise; nothing is owned.
    unsafe {
        ffi::lua_createtable(lua, 0, 7);
        set_count(lua, c"count", summary.count);
        for (name, us) in [
            (c"mean", summary.mean),
            (c"p50", summary.p50),
            (c"p90", summary.p90),
            (c"p99", summary.p99),
            (c"p999", summary.p999),
            (c"max", summary.max),
        ] {
            ffi::lua_pushnumber(lua, us as f64 / 1e6); // OK because a float holds microseconds of 285 years
            ffi::lua_setfield(lua, -2, name.as_ptr());
        }
    }
}

/// `stats(connection) -> table`
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn stats(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof; numbers only, copied before anything is pushed, and a text of the job's.
    unsafe {
        let conn = check(lua, 1);
        let job = enter(lua, &marker);
        let seen = guarded(|| {
            let core = &raw const (*conn).core;
            let stats = (*core).peer.stats;
            let latency = (*core).peer.latency();
            let latency = latency.map(|latency| (latency.calls.summary(), latency.handlers.summary()));
            let counts = [
                (c"received", stats.received),
                (c"requests", stats.requests),
                (c"calls", stats.calls),
                (c"replies", stats.replies),
                (c"strays", stats.strays),
                (c"malformed", stats.malformed),
                (c"garbage", stats.garbage),
                (c"unhandled", stats.unhandled),
                (c"errors_received", stats.errors_received),
                (c"bytes_received", (*core).peer.inbox.total()),
                (c"sent", stats.sent),
                (c"errors_sent", stats.errors_sent),
                (c"bytes_sent", stats.bytes_sent),
                (c"queued", (*core).outbox.len() as u64), // OK because usize is at most 64 bits
                (c"unread", (*core).peer.inbox.len() as u64), // OK because usize is at most 64 bits
                (c"waiting", (*core).peer.waiting() as u64), // OK because usize is at most 64 bits
            ];
            (*job).message = text::lossy(&(*core).peer.last_method);
            (counts, latency, (*core).is_open(), (*core).peer.mismatch())
        });
        let (counts, latency, open, mismatch) = match seen {
            Ok(seen) => seen,
            Err(panic) => panic.raise(lua),
        };
        ffi::lua_createtable(lua, 0, 21);
        for (name, value) in counts {
            set_count(lua, name, value);
        }
        ffi::lua_pushboolean(lua, c_int::from(open));
        ffi::lua_setfield(lua, -2, c"open".as_ptr());
        let method: &String = &(*job).message;
        let method = method.as_bytes();
        if !method.is_empty() {
            push_bytes(lua, method);
            ffi::lua_setfield(lua, -2, c"last_method".as_ptr());
        }
        if let Some(mismatch) = mismatch {
            push_bytes(lua, mismatch.text().as_bytes());
            ffi::lua_setfield(lua, -2, c"mismatch".as_ptr());
        }
        leave(lua, job);
        if let Some((calls, handlers)) = latency {
            ffi::lua_createtable(lua, 0, 2);
            push_summary(lua, calls);
            ffi::lua_setfield(lua, -2, c"calls".as_ptr());
            push_summary(lua, handlers);
            ffi::lua_setfield(lua, -2, c"handlers".as_ptr());
            ffi::lua_setfield(lua, -2, c"latency".as_ptr());
        }
        1
    }
}

/// `measure(connection)`: count latencies from now on.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn measure(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let conn = check(lua, 1);
        match guarded(|| (*conn).core.peer.measure()) {
            Ok(Ok(())) => {}
            Ok(Err(kind)) => out_of_memory(lua, kind),
            Err(panic) => panic.raise(lua),
        }
    }
    0
}

/// `trace(connection, path, size, name) -> true | nil, message, errno`: record the messages from now on.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn trace(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof; the strings stay on the stack, and the message is the job's.
    unsafe {
        let conn = check(lua, 1);
        ffi::luaL_checktype(lua, 2, ffi::LUA_TSTRING);
        ffi::luaL_checktype(lua, 4, ffi::LUA_TSTRING);
        let size = u64::try_from(ffi::lua_tointeger(lua, 3)).unwrap_or(0);
        let (path, name) = (string(lua, 2), string(lua, 4));
        let job = enter(lua, &marker);
        let begun = guarded(|| -> Result<(), i32> {
            let encoding = (*conn).core.peer.encoding;
            let about = About {
                codec: if matches!(encoding, Encoding::Json { .. }) {
                    b"json"
                } else {
                    b"cbor"
                },
                framing: (*conn).core.peer.framing,
                keys: if encoding.is_freekill() { b"freekill" } else { b"string" },
                name,
            };
            match Trace::create(path, size, about) {
                Ok(trace) => {
                    (*conn).core.trace = Some(trace);
                    Ok(())
                }
                Err(error) => {
                    let path = String::from_utf8_lossy(path);
                    let why = describe(&error);
                    (*job).message = text::string(format_args!("cannot write the trace {path}: {why}"));
                    Err(error.raw_os_error().unwrap_or(0))
                }
            }
        });
        let count = match begun {
            Ok(Ok(())) => {
                ffi::lua_pushboolean(lua, 1);
                1
            }
            Ok(Err(errno)) => {
                ffi::lua_pushnil(lua);
                push_bytes(lua, (*job).message.as_bytes());
                ffi::lua_pushinteger(lua, i64::from(errno));
                3
            }
            Err(panic) => panic.raise(lua),
        };
        leave(lua, job);
        count
    }
}

/// `receive_raw(connection, seconds) -> bytes | nil, event, detail`; the event "garbage": what came is no message.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn receive_raw(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof; the bytes are the job's, which nothing changes while they are pushed.
    unsafe {
        let conn = check(lua, 1);
        let deadline = deadline(lua, 2);
        let job = enter(lua, &marker);
        let next = guarded(|| (*conn).core.next_raw(deadline, &mut (*job).source));
        chain::waited();
        let count = match next {
            Ok(Ok(None)) => {
                push_bytes(lua, &(*job).source);
                1
            }
            Ok(Ok(Some(event))) => push_event(lua, conn, job, event),
            Ok(Err(error)) if error.kind == ErrorKind::OutOfMemory => out_of_memory(lua, error.kind),
            Ok(Err(error)) => {
                if let Err(panic) = guarded(|| (*job).message = text::string(format_args!("{error}"))) {
                    panic.raise(lua);
                }
                ffi::lua_pushnil(lua);
                push_bytes(lua, b"garbage");
                push_bytes(lua, (*job).message.as_bytes());
                3
            }
            Err(panic) => panic.raise(lua),
        };
        leave(lua, job);
        count
    }
}
