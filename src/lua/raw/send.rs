//! Sending: calls, notifications, replies, raw bytes; and `step`, a reply and the next message in one call.
//!
//! # What may raise
//! Arguments, `enter` and `Walk::prepare` come first; then everything up to the `write(2)` happens in one `guarded`
//! closure, in which only the walk's own calls touch Lua. What is raised or pushed afterwards comes from the job. An
//! [`Encoder`] and the reason for a failure own nothing (asserted below).

use super::chain;
use super::connection::{check, check_of, deadline, params_policy, Conn, WireFormat};
use super::guard::Panic;
use super::path;
use super::receive::call_result;
use super::state::{enter, enter_of, guarded, leave, state, string, Job, State};
use super::walk::{Fail, Policy, Walk};
use crate::codec::ErrorKind;
use crate::connection::{self, Urgency};
use crate::text;
use mlua::ffi::{self, lua_State};
use std::ffi::{c_char, c_int};

// Nothing that a longjmp could skip: see the module's proof.
const _: () = assert!(!std::mem::needs_drop::<Encoder>() && !std::mem::needs_drop::<Unsent>());

/// A prepared walk in the wire's format.
pub enum Encoder {
    /// JSON.
    Json(Walk<super::json::Json>),
    /// CBOR.
    Cbor(Walk<super::cbor::Cbor>),
}

impl Encoder {
    /// # Safety
    /// As [`Walk::prepare`]: before `guarded`, may raise.
    pub unsafe fn prepare(lua: *mut lua_State, conn: *mut Conn, job: *mut Job, policy: Policy) -> Self {
        // SAFETY: by contract.
        unsafe {
            match (*conn).format {
                WireFormat::Json(format) => Encoder::Json(Walk::prepare(lua, job, format, policy)),
                WireFormat::Cbor(format) => Encoder::Cbor(Walk::prepare(lua, job, format, policy)),
            }
        }
    }

    /// # Safety
    /// As [`Walk::run`].
    pub unsafe fn run(&mut self, index: c_int) -> Result<(), Fail> {
        // SAFETY: by contract.
        unsafe {
            match self {
                Encoder::Json(walk) => walk.run(index),
                Encoder::Cbor(walk) => walk.run(index),
            }
        }
    }
}

/// Why a call or notification did not go out.
pub(super) enum Unsent {
    Method(ErrorKind),
    Value(Fail),
    Connection,
    TimedOut,
    /// In a loop: so much waits to be sent that nothing more is taken.
    Full,
}

impl From<connection::Unsent> for Unsent {
    fn from(unsent: connection::Unsent) -> Self {
        match unsent {
            connection::Unsent::Closed => Unsent::Connection,
            connection::Unsent::TimedOut => Unsent::TimedOut,
        }
    }
}

impl From<ErrorKind> for Unsent {
    fn from(kind: ErrorKind) -> Self {
        Unsent::Value(Fail::Codec(kind))
    }
}

impl From<Fail> for Unsent {
    fn from(fail: Fail) -> Self {
        Unsent::Value(fail)
    }
}

/// Send a call (`id`) or notification: method at index 3, params (a table or nil) at index 4.
pub(super) unsafe fn send_call(
    lua: *mut lua_State,
    conn: *mut Conn,
    job: *mut Job,
    with_id: bool,
    urgency: Urgency,
) -> Result<i64, Unsent> {
    // SAFETY: see the module's proof; the method stays on the stack.
    unsafe {
        let method = string(lua, 3);
        let has_params = ffi::lua_type(lua, 4) == ffi::LUA_TTABLE;
        let mut encoder = Encoder::prepare(lua, conn, job, params_policy(&*conn));
        let sent = guarded(|| -> Result<i64, Unsent> {
            let core = &raw mut (*conn).core;
            if !(*core).is_open() {
                return Err(Unsent::Connection);
            }
            if (*core).is_full() {
                return Err(Unsent::Full);
            }
            let id = if with_id { (*core).peer.begin_call()? } else { 0 };
            if with_id {
                (*core).peer.note_method(method);
            }
            let encoding = (*core).peer.encoding;
            let write = || -> Result<(), Unsent> {
                encoding
                    .begin_call(&mut (*job).out, method, with_id.then_some(id), has_params)
                    .map_err(Unsent::Method)?;
                if has_params {
                    encoder.run(4)?;
                }
                let out = &mut (*job).out;
                encoding.end(out)?;
                (*core).peer.framing.seal(out, 0)?;
                Ok((*core).send(out, urgency)?)
            };
            let mut write = write;
            write().inspect_err(|_| (*core).peer.forget(id))?;
            (*job).out.clear();
            Ok(id)
        });
        match sent {
            Ok(sent) => sent,
            Err(panic) => panic.raise(lua),
        }
    }
}

/// Check `connection, handlers, method, params` and return the connection.
#[inline(never)]
pub(super) unsafe fn check_call(lua: *mut lua_State, owner: *mut State, name: &std::ffi::CStr) -> *mut Conn {
    // SAFETY: nothing is owned; raises on wrong arguments. The prelude counts `self` as argument 0, hence the texts.
    unsafe {
        let conn = check_of(lua, owner, 1);
        if ffi::lua_type(lua, 2) != ffi::LUA_TTABLE {
            ffi::luaL_checktype(lua, 2, ffi::LUA_TTABLE);
        }
        if ffi::lua_type(lua, 3) != ffi::LUA_TSTRING {
            let got = ffi::lua_typename(lua, ffi::lua_type(lua, 3));
            bad_argument(
                lua,
                c"bad argument #1 to '%s' (method name expected, got %s)",
                name,
                got,
            );
        }
        let kind = ffi::lua_type(lua, 4);
        if kind != ffi::LUA_TTABLE && kind != ffi::LUA_TNIL {
            let got = ffi::lua_typename(lua, kind);
            bad_argument(
                lua,
                c"bad argument #2 to '%s' (params table or nil expected, got %s)",
                name,
                got,
            );
        }
        conn
    }
}

/// Raise at the line that called the prelude's method.
#[cold]
unsafe fn bad_argument(lua: *mut lua_State, text: &std::ffi::CStr, name: &std::ffi::CStr, got: *const c_char) -> ! {
    // SAFETY: nothing is owned.
    unsafe {
        super::argument::push_caller(lua);
        ffi::lua_pushfstring(lua, text.as_ptr(), name.as_ptr(), got);
        ffi::lua_concat(lua, 2);
        ffi::lua_error(lua)
    }
}

/// A method or params that cannot be encoded are the caller's mistake: raise with the path to the value.
#[cold]
pub(super) unsafe fn bad_call(
    lua: *mut lua_State,
    job: *mut Job,
    fail: Fail,
    number: &str,
    root: &str,
    name: &str,
) -> ! {
    // SAFETY: nothing is owned; the text is the job's.
    unsafe {
        if fail == Fail::Hook {
            ffi::lua_error(lua);
        }
        let made = guarded(|| {
            let why = path::text(&*job, root, fail);
            (*job).out = text::joined(&[
                b"bad argument #",
                number.as_bytes(),
                b" to '",
                name.as_bytes(),
                b"' (",
                &why,
                b")",
            ]);
        });
        if let Err(panic) = made {
            panic.raise(lua);
        }
        super::argument::push_caller(lua);
        super::state::push_bytes(lua, text::or_no_memory(&(*job).out));
        ffi::lua_concat(lua, 2);
        ffi::lua_error(lua)
    }
}

/// Push a "closed" error with the reason the connection broke for.
///
/// # Safety
/// In a raw function whose frames own nothing; `job` is its own. May raise.
pub unsafe fn push_closed(lua: *mut lua_State, conn: *mut Conn, job: *mut Job) {
    // SAFETY: the text is copied to the job before it is pushed.
    unsafe {
        let copied = guarded(|| {
            let reason = (*conn).core.broken.as_deref();
            (*job).message = text::copy(reason.unwrap_or("the connection is closed"));
        });
        if let Err(panic) = copied {
            panic.raise(lua);
        }
        super::handover::push_local_error(lua, b"closed", (*job).message.as_bytes());
    }
}

/// Push the error of a message that the other end did not even read in time, or before a signal that ends waits.
///
/// # Safety
/// In a raw function whose frames own nothing. May raise.
pub unsafe fn push_unread(lua: *mut lua_State, conn: *mut Conn) {
    // SAFETY: may raise; nothing is owned, and a signal's name is static.
    unsafe {
        if let Some(name) = (*conn).core.signal() {
            return super::handover::push_local_error(lua, b"signal", name.as_bytes());
        }
        let text = b"the other end did not read the call within its timeout";
        super::handover::push_local_error(lua, b"timeout", text);
    }
}

/// `request(connection, handlers, method, params, timeout)`: send a call and wait; returns as
/// [`super::receive::call_result`].
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn request(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        // Without a timeout, as most calls are, there is no value at index 5, which is as good as nil.
        let given = ffi::lua_gettop(lua);
        if given != 4 {
            ffi::lua_settop(lua, 5);
        }
        let owner = state(lua);
        let conn = check_call(lua, owner, c"call");
        let deadline = if given == 4 { None } else { deadline(lua, 5) };
        let job = enter_of(lua, owner, &marker);
        let urgency = deadline.map_or(Urgency::Now, Urgency::Until);
        let count = match send_call(lua, conn, job, true, urgency) {
            Ok(id) => call_result(lua, conn, job, id, deadline),
            Err(Unsent::Method(kind)) => bad_call(lua, job, Fail::Codec(kind), "1", "method name", "call"),
            Err(Unsent::Value(fail)) => bad_call(lua, job, fail, "2", "params", "call"),
            Err(Unsent::Connection) => {
                ffi::lua_pushnil(lua);
                ffi::lua_pushnil(lua);
                push_closed(lua, conn, job);
                3
            }
            Err(Unsent::TimedOut | Unsent::Full) => {
                chain::waited();
                ffi::lua_pushnil(lua);
                ffi::lua_pushnil(lua);
                push_unread(lua, conn);
                3
            }
        };
        leave(lua, job);
        count
    }
}

/// `notify(connection, handlers, method, params) -> true | nil, err`; the error is false as that of `begin`.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn notify(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        ffi::lua_settop(lua, 4);
        let owner = state(lua);
        let conn = check_call(lua, owner, c"notify");
        let job = enter_of(lua, owner, &marker);
        let sent = send_call(lua, conn, job, false, Urgency::Later);
        chain::waited(); // the pipe may have been full
        let count = match sent {
            Ok(_) => {
                ffi::lua_pushboolean(lua, 1);
                1
            }
            Err(Unsent::Method(kind)) => bad_call(lua, job, Fail::Codec(kind), "1", "method name", "notify"),
            Err(Unsent::Value(fail)) => bad_call(lua, job, fail, "2", "params", "notify"),
            Err(Unsent::Full) => {
                ffi::lua_pushnil(lua);
                ffi::lua_pushboolean(lua, 0);
                2
            }
            Err(Unsent::Connection) => {
                ffi::lua_pushnil(lua);
                push_closed(lua, conn, job);
                2
            }
            Err(Unsent::TimedOut) => {
                ffi::lua_pushnil(lua);
                push_unread(lua, conn);
                2
            }
        };
        leave(lua, job);
        count
    }
}

/// `send_raw(connection, bytes) -> true | nil, err`; the error is false as that of `begin`.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn send_raw(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof; the bytes stay on the stack.
    unsafe {
        let conn = check(lua, 1);
        if ffi::lua_type(lua, 2) != ffi::LUA_TSTRING {
            let got = ffi::lua_typename(lua, ffi::lua_type(lua, 2));
            bad_argument(
                lua,
                c"bad argument #1 to '%s' (string expected, got %s)",
                c"send_raw",
                got,
            );
        }
        if (*conn).core.is_full() {
            ffi::lua_pushnil(lua);
            ffi::lua_pushboolean(lua, 0);
            return 2;
        }
        let bytes = string(lua, 2);
        let job = enter(lua, &marker);
        let sent = guarded(|| (*conn).core.send(bytes, Urgency::Later));
        chain::waited();
        end_sent(lua, conn, job, sent)
    }
}

/// End a function that has sent something: `true | nil, err`.
///
/// # Safety
/// In a raw function whose frames own nothing; `job` is its own, and ends here. May raise.
pub unsafe fn end_sent(
    lua: *mut lua_State,
    conn: *mut Conn,
    job: *mut Job,
    sent: Result<Result<(), connection::Unsent>, Panic>,
) -> c_int {
    // SAFETY: by contract.
    unsafe {
        let count = match sent {
            Ok(Ok(())) => {
                ffi::lua_pushboolean(lua, 1);
                1
            }
            Ok(Err(connection::Unsent::Closed)) => {
                ffi::lua_pushnil(lua);
                push_closed(lua, conn, job);
                2
            }
            Ok(Err(connection::Unsent::TimedOut)) => {
                ffi::lua_pushnil(lua);
                push_unread(lua, conn);
                2
            }
            Err(panic) => panic.raise(lua),
        };
        leave(lua, job);
        count
    }
}
