//! Waiting for messages: `receive`, `wait`, and what they hand to the prelude's loop.
//!
//! A request comes back as `slot, handler, params, ctx`; slot 0 is a notification. Everything else has nil (or false)
//! in the slot's place, see each function.
//!
//! # What may raise
//! `enter`, arguments and all that is pushed. Blocking, reading, scanning and bookkeeping run under `guarded` without
//! any Lua call. What is pushed afterwards comes from the job (message bytes and tape), which nested calls do not
//! touch; ids are read from the connection's slots. Nothing with a destructor is on the Rust stack while pushing
//! (asserted below). A request whose push raises is remembered in the connection, and the next to receive answers it.

use super::chain;
use super::connection::{check, kept_deadline, push_deadline, Conn, Handing};
use super::handover::{push_invalid_reply, push_local_error, push_reply, push_request};
use super::state::{enter, guarded, leave, push_bytes, raise, Job};
use crate::codec::tape::Node;
use crate::codec::ErrorKind;
use crate::connection::{Event, Next, Urgency, Wait};
use crate::peer::Incoming;
use crate::text;
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;

// Nothing that a longjmp could skip: see the module's proof.
const _: () = assert!(!std::mem::needs_drop::<Next>() && !std::mem::needs_drop::<Got>());

/// What the receiving functions ended with; the values are on the stack.
pub enum Got {
    /// values of no use, slot (which this is, too), handler, params, ctx
    Request(usize),
    /// one value of no use, result, error (one of them nil), to the call of this id
    Reply(i64),
    /// nothing
    Event(Event),
}

/// Wait for what Lua must see, and push it.
///
/// # Safety
/// In a raw function whose frames own nothing; `handlers` is the index of the handler table. May raise.
pub unsafe fn receive(lua: *mut lua_State, conn: *mut Conn, job: *mut Job, handlers: c_int, wait: Wait) -> Got {
    // SAFETY: by contract; the job's parts are borrowed apart from each other and only under `guarded`.
    unsafe {
        if let Some(id) = rescue(lua, conn, job) {
            return Got::Reply(id);
        }
        loop {
            let next = guarded(|| {
                let job = &mut *job;
                (*conn).core.next(wait, &mut job.source, &mut job.tape, &mut job.out)
            });
            let next = match next {
                Ok(Ok(next)) => next,
                Ok(Err(kind)) => out_of_memory(lua, kind),
                Err(panic) => panic.raise(lua),
            };
            chain::waited();
            let (slot, method, params) = match next {
                Next::Event(Event::Interrupted) if !wants_to_run(lua) => continue,
                Next::Event(event) => return Got::Event(event),
                Next::Message(Incoming::Reply(reply)) => {
                    let call = (*conn).core.peer.replied; // a finalizer may call meanwhile, and be replied to
                    let outer = (*conn).handing;
                    if (*conn).core.peer.concurrent {
                        let frame = (*job).frame();
                        (*conn).handing = Handing { slot: 0, call, frame };
                    }
                    push_reply(lua, job, reply);
                    (*conn).handing = outer;
                    return Got::Reply(call);
                }
                Next::Message(Incoming::Request { slot, method, params }) => (slot, method, params),
                Next::Message(Incoming::Notification { method, params }) => (0, method, params),
                Next::Message(Incoming::Handled) => continue,
            };
            let outer = (*conn).handing; // alive: a finalizer that runs while it is pushed may have called us
            let frame = (*job).frame();
            (*conn).handing = Handing { slot, call: 0, frame };
            let pushed = push_request(lua, conn, job, handlers, slot, method, params);
            (*conn).handing = outer;
            if pushed {
                return Got::Request(slot);
            }
            if slot != 0 {
                refuse(lua, conn, job, slot, method);
            } else if let Err(panic) = guarded(|| (*conn).core.unhandled(&(*job).source)) {
                panic.raise(lua);
            }
            if wait.single {
                return Got::Event(Event::Handled);
            }
        }
    }
}

/// Whether a signal's handler has planted a hook on the main coroutine, as stock `lua` does on Ctrl-C: it has to run
/// before we wait again. A coroutine that waits is given it, too, or it would go on waiting. Before 5.4 that handler
/// lets the system go on reading, so nobody asks.
///
/// # Safety
/// In a raw function.
#[cold]
pub(super) unsafe fn wants_to_run(lua: *mut lua_State) -> bool {
    #[cfg(any(feature = "lua54", feature = "lua55"))]
    // SAFETY: the registry holds the main coroutine as long as the state lives; neither call raises, and there is room
    // for one value, as in every raw function.
    unsafe {
        ffi::lua_rawgeti(lua, ffi::LUA_REGISTRYINDEX, ffi::LUA_RIDX_MAINTHREAD);
        let main = ffi::lua_tothread(lua, -1);
        ffi::lua_settop(lua, -2);
        let Some(hook) = (!main.is_null()).then(|| ffi::lua_gethook(main)).flatten() else {
            return false;
        };
        let (mask, count) = (ffi::lua_gethookmask(main), ffi::lua_gethookcount(main));
        if lua != main && mask & ffi::LUA_MASKCOUNT != 0 && count == 1 {
            ffi::lua_sethook(lua, Some(hook), mask, count);
        }
        true
    }
    #[cfg(not(any(feature = "lua54", feature = "lua55")))]
    {
        let _ = lua;
        false
    }
}

/// Memory ran out while nothing was held: Lua hears of it as of its own.
///
/// # Safety
/// In a raw function whose frames own nothing.
#[cold]
pub unsafe fn out_of_memory(lua: *mut lua_State, kind: ErrorKind) -> ! {
    // SAFETY: as `receive`.
    unsafe {
        let text: &[u8] = match kind {
            ErrorKind::OutOfMemory => b"fkrpc: not enough memory for a message",
            _ => b"fkrpc: a message could not be handled",
        };
        raise(lua, text)
    }
}

/// See to what an error was raised for while it was pushed: answer a request that never reached its handler, push an error
/// for a reply that never reached its caller, and say which call that was.
unsafe fn rescue(lua: *mut lua_State, conn: *mut Conn, job: *mut Job) -> Option<i64> {
    // SAFETY: as `receive`.
    unsafe {
        let Handing { slot, call, frame } = (*conn).handing;
        if (slot == 0 && call == 0) || frame > (*job).frame() {
            return None; // none, or it is being pushed further down the stack
        }
        if call != 0 && (*conn).core.peer.concurrent {
            ffi::lua_pushnil(lua);
            push_invalid_reply(
                lua,
                job,
                "an error was raised before the reply reached its caller",
                None,
            );
            (*conn).handing = Handing::default();
            return Some(call);
        }
        (*conn).handing = Handing::default();
        give_up(lua, conn, job, slot);
        None
    }
}

/// Answer a request that does not reach its handler.
///
/// # Safety
/// As [`receive`].
#[cold]
pub(super) unsafe fn give_up(lua: *mut lua_State, conn: *mut Conn, job: *mut Job, slot: usize) {
    // SAFETY: as `receive`.
    unsafe {
        let done = guarded(|| {
            (*job).out.clear();
            (*conn).core.peer.lost(slot, &mut (*job).out)?;
            let _ = (*conn).core.send(&(*job).out, Urgency::Now); // a broken connection shows at the next wait
            Ok(())
        });
        match done {
            Ok(Ok(())) => {}
            Ok(Err(kind)) => out_of_memory(lua, kind),
            Err(panic) => panic.raise(lua),
        }
    }
}

/// Answer a request nobody handles.
#[cold]
unsafe fn refuse(lua: *mut lua_State, conn: *mut Conn, job: *mut Job, slot: usize, method: Node) {
    // SAFETY: as `receive`.
    unsafe {
        let done = guarded(|| {
            let job = &mut *job;
            let Some(name) = job.tape.bytes(method, &job.source) else {
                return Ok(());
            };
            job.out.clear();
            (*conn).core.peer.unknown_method(slot, name, &mut job.out)?;
            let _ = (*conn).core.send(&job.out, Urgency::Now); // a broken connection shows at the next wait
            Ok(())
        });
        match done {
            Ok(Ok(())) => {}
            Ok(Err(kind)) => out_of_memory(lua, kind),
            Err(panic) => panic.raise(lua),
        }
    }
}

/// Whether the job has no message.
unsafe fn job_is_silent(job: *const Job) -> bool {
    // SAFETY: the job is live; the reference ends with this call.
    let job = unsafe { &*job };
    job.message.is_empty()
}

/// Push nil, the name of an event and, where there is one, a detail; how many values these are.
///
/// # Safety
/// In a raw function. May raise.
pub unsafe fn push_event(lua: *mut lua_State, conn: *mut Conn, job: *mut Job, event: Event) -> c_int {
    // SAFETY: as `receive`; the detail's text is copied to the job before it is pushed.
    unsafe {
        let name: &[u8] = match event {
            Event::Eof => b"eof",
            Event::Stopped => b"stopped",
            Event::Closed => b"closed",
            Event::TimedOut => b"timeout",
            Event::Handled => b"handled",
            Event::Nothing => b"nothing",
            Event::Signal(_) => b"signal",
            Event::Interrupted => b"again",
            Event::Dry => b"dry",
        };
        ffi::lua_pushnil(lua);
        push_bytes(lua, name);
        let unread = (*conn).core.cut_off();
        let detail = guarded(|| {
            (*job).message = match event {
                Event::Signal(name) => text::copy(name),
                Event::Closed => text::copy((*conn).core.broken.as_deref().unwrap_or_default()),
                Event::Eof if unread > 0 => {
                    let what = "the stream ended inside a message";
                    text::string(format_args!("{what}, {unread} bytes after its start"))
                }
                _ => String::new(),
            };
        });
        if detail.is_err() || job_is_silent(job) {
            return 2;
        }
        push_bytes(lua, (*job).message.as_bytes());
        3
    }
}

/// `receive(connection, handlers [, deadline in seconds [, single]])
/// -> slot, handler, params, ctx | nil, event, detail`
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn receive_function(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        let conn = check(lua, 1);
        ffi::luaL_checktype(lua, 2, ffi::LUA_TTABLE);
        let wait = Wait {
            awaited: None,
            deadline: super::connection::deadline(lua, 3),
            single: ffi::lua_toboolean(lua, 4) != 0,
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
            Got::Reply(_) => 0, // nothing was awaited
            Got::Event(event) => push_event(lua, conn, job, event),
        };
        leave(lua, job);
        count
    }
}

/// `wait(connection, handlers, id, deadline)`: as [`call_result`].
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn wait_function(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        let conn = check(lua, 1);
        ffi::luaL_checktype(lua, 2, ffi::LUA_TTABLE);
        let id = ffi::lua_tointeger(lua, 3);
        let deadline = kept_deadline(lua, 4);
        let job = enter(lua, &marker);
        let count = call_result(lua, conn, job, id, deadline);
        leave(lua, job);
        count
    }
}

/// Wait for the reply to `id`; the handler table is at index 2. Returns
/// `nil, result, err` when the call is over,
/// `slot, handler, params, ctx, id, deadline` for a request to serve meanwhile,
/// `false, nil, nil, nil, id, deadline` when a pair in memory must let its other end run,
/// `false, "again", nil, nil, id, deadline` when a hook has to run.
///
/// # Safety
/// In a raw function whose frames own nothing.
pub unsafe fn call_result(
    lua: *mut lua_State,
    conn: *mut Conn,
    job: *mut Job,
    id: i64,
    deadline: Option<i64>,
) -> c_int {
    // SAFETY: by contract.
    unsafe {
        let wait = Wait {
            awaited: Some(id),
            deadline,
            ..Wait::default()
        };
        let top = ffi::lua_gettop(lua);
        let got = receive(lua, conn, job, 2, wait);
        let (code, text): (&[u8], &[u8]) = match got {
            Got::Reply(_) => {
                if ffi::lua_type(lua, top + 1) != ffi::LUA_TNIL {
                    ffi::lua_pushnil(lua);
                    ffi::lua_replace(lua, top + 1); // what `receive` left below
                }
                return 3;
            }
            Got::Request(slot) => {
                chain::delivered(conn, slot);
                ffi::lua_pushinteger(lua, id);
                push_deadline(lua, deadline);
                return 6;
            }
            Got::Event(Event::Nothing) => {
                ffi::lua_pushboolean(lua, 0);
                ffi::lua_settop(lua, top + 4);
                ffi::lua_pushinteger(lua, id);
                push_deadline(lua, deadline);
                return 6;
            }
            Got::Event(Event::Interrupted) => {
                ffi::lua_pushboolean(lua, 0);
                push_bytes(lua, b"again");
                ffi::lua_settop(lua, top + 4);
                ffi::lua_pushinteger(lua, id);
                push_deadline(lua, deadline);
                return 6;
            }
            Got::Event(Event::Signal(name)) => (b"signal", name.as_bytes()),
            Got::Event(Event::TimedOut) => (b"timeout", b"no reply within the call's timeout"),
            Got::Event(Event::Eof) => (b"closed", b"the other end closed the connection before it replied"),
            Got::Event(_) => (b"closed", b"the connection is closed"),
        };
        if let Err(panic) = guarded(|| (*conn).core.peer.forget(id)) {
            panic.raise(lua);
        }
        ffi::lua_pushnil(lua);
        ffi::lua_pushnil(lua);
        let detail = guarded(|| {
            (*job).message = match got {
                Got::Event(event) => (*conn).core.explain(event),
                _ => String::new(),
            };
        });
        if detail.is_ok() && !job_is_silent(job) {
            push_local_error(lua, code, (*job).message.as_bytes());
        } else {
            push_local_error(lua, code, text);
        }
        3
    }
}
