//! Calls whose params are scalars: `ask` waits for the reply, `tell` does not. No table is made for the params.
//!
//! This is the whole of what FreeKill's parent can read: integers, byte strings and booleans, at most five of them, in
//! a definite array. Whatever else is given is refused before anything is written, because that parent would wait for
//! ever on it. Floats with an integral value are sent as integers.
//!
//! # What may raise
//! Arguments (a `__tostring` among them), `enter`, and the result's push. The arguments are checked first, where
//! raising is free. Everything up to the `write(2)` happens in one `guarded` closure, in which Lua is only asked for
//! values that were checked: no conversion, no allocation, no error.

use super::chain;
use super::connection::{check, Conn};
use super::handover::push_local_error;
use super::hook::exact_integer;
use super::receive::call_result;
use super::state::{enter, guarded, leave, push_bytes, raise, string, Job};
use crate::codec::{cbor, json, ErrorKind};
use crate::connection::Urgency;
use crate::envelope::Encoding;
use crate::peer::quick::Scalar;
use crate::text;
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;

/// Stack index of the method's name; the params follow it.
const METHOD: c_int = 3;
/// FreeKill's parent has room for five params.
const MOST: c_int = 5;

/// Raise at the line that called the prelude's method.
#[cold]
unsafe fn refuse(lua: *mut lua_State, index: c_int) -> ! {
    // SAFETY: nothing is owned; the method's name is a string on the stack.
    unsafe {
        super::argument::push_caller(lua);
        let method = ffi::lua_tostring(lua, METHOD);
        if index > METHOD + MOST {
            ffi::lua_pushfstring(lua, c"%s: at most five params can be sent".as_ptr(), method);
        } else {
            let kind = ffi::lua_type(lua, index);
            let got = if kind == ffi::LUA_TNUMBER {
                c"a number with a fraction, or one beyond 64 bits".as_ptr()
            } else {
                ffi::lua_typename(lua, kind)
            };
            ffi::lua_pushfstring(
                lua,
                c"%s: param %d must be an integer, a string or a boolean, not %s".as_ptr(),
                method,
                index - METHOD,
                got,
            );
        }
        ffi::lua_concat(lua, 2);
        ffi::lua_error(lua)
    }
}

/// Check `connection, handlers, method, params...`; the connection and the index of the last param.
#[inline]
unsafe fn arguments(lua: *mut lua_State) -> (*mut Conn, c_int) {
    // SAFETY: nothing is owned; raises on wrong arguments.
    unsafe {
        let conn = check(lua, 1);
        ffi::luaL_checktype(lua, 2, ffi::LUA_TTABLE);
        ffi::luaL_checktype(lua, METHOD, ffi::LUA_TSTRING);
        let top = ffi::lua_gettop(lua);
        if top > METHOD + MOST {
            refuse(lua, top);
        }
        for index in METHOD + 1..=top {
            match ffi::lua_type(lua, index) {
                ffi::LUA_TSTRING | ffi::LUA_TBOOLEAN => {}
                ffi::LUA_TNUMBER if exact_integer(lua, index).is_some() => {}
                _ => refuse(lua, index),
            }
        }
        (conn, top)
    }
}

/// Write the params as an array.
unsafe fn write_params(
    lua: *mut lua_State,
    encoding: Encoding,
    out: &mut Vec<u8>,
    top: c_int,
) -> Result<(), ErrorKind> {
    // SAFETY: `arguments` has checked the values; neither reading them allocates nor raises.
    unsafe {
        let count = usize::try_from(top - METHOD).unwrap_or(0);
        match encoding {
            Encoding::Cbor(_) => {
                cbor::writer::write_array_head(out, count)?;
                for index in METHOD + 1..=top {
                    match ffi::lua_type(lua, index) {
                        ffi::LUA_TSTRING => cbor::writer::write_bytes(out, string(lua, index))?,
                        ffi::LUA_TBOOLEAN => cbor::writer::write_bool(out, ffi::lua_toboolean(lua, index) != 0)?,
                        _ => cbor::writer::write_int(out, exact_integer(lua, index).unwrap_or(0))?,
                    }
                }
            }
            Encoding::Json { utf8 } => {
                push(out, b"[")?;
                for index in METHOD + 1..=top {
                    if index > METHOD + 1 {
                        push(out, b",")?;
                    }
                    match ffi::lua_type(lua, index) {
                        ffi::LUA_TSTRING => json::writer::write_str(out, string(lua, index), utf8)?,
                        ffi::LUA_TBOOLEAN if ffi::lua_toboolean(lua, index) != 0 => push(out, b"true")?,
                        ffi::LUA_TBOOLEAN => push(out, b"false")?,
                        _ => json::writer::write_int(out, exact_integer(lua, index).unwrap_or(0))?,
                    }
                }
                push(out, b"]")?;
            }
        }
        Ok(())
    }
}

fn push(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), ErrorKind> {
    out.try_reserve(bytes.len()).map_err(|_| ErrorKind::OutOfMemory)?;
    out.extend_from_slice(bytes);
    Ok(())
}

/// Write a call (with an id) or a notification and send it. `Err(None)`: the connection is closed or breaks.
unsafe fn send(
    lua: *mut lua_State,
    conn: *mut Conn,
    job: *mut Job,
    top: c_int,
    with_id: bool,
) -> Result<i64, Option<ErrorKind>> {
    // SAFETY: see the module's proof; the method stays on the stack.
    unsafe {
        let method = string(lua, METHOD);
        let sent = guarded(|| -> Result<i64, Option<ErrorKind>> {
            let core = &raw mut (*conn).core;
            if !(*core).is_open() {
                return Err(None);
            }
            let id = if with_id { (*core).peer.begin_call()? } else { 0 };
            let out = &raw mut (*job).out;
            let encoding = (*core).peer.encoding;
            let write = || -> Result<(), Option<ErrorKind>> {
                encoding.begin_call(&mut *out, method, with_id.then_some(id), true)?;
                write_params(lua, encoding, &mut *out, top)?;
                encoding.end(&mut *out)?;
                (*core).peer.framing.seal(&mut *out, 0)?;
                let urgency = if with_id { Urgency::Now } else { Urgency::Later };
                (*core).send(&*out, urgency).map_err(|_| None)
            };
            write().inspect_err(|_| (*core).peer.forget(id))?;
            (*out).clear();
            Ok(id)
        });
        match sent {
            Ok(sent) => sent,
            Err(panic) => panic.raise(lua),
        }
    }
}

/// Push nil, nil and an error: the connection is closed.
#[cold]
unsafe fn unsent(lua: *mut lua_State, conn: *mut Conn, job: *mut Job, kind: Option<ErrorKind>) -> c_int {
    // SAFETY: the text is copied to the job before it is pushed; may raise, nothing is owned.
    unsafe {
        match kind {
            Some(ErrorKind::InvalidUtf8) => raise(lua, b"fkrpc: this connection's strings must be UTF-8"),
            Some(_) => raise(lua, b"fkrpc: not enough memory for a message"),
            None => {}
        }
        let copied = guarded(|| {
            let reason = (*conn).core.broken.as_deref();
            (*job).message = text::copy(reason.unwrap_or("the connection is closed"));
        });
        if let Err(panic) = copied {
            panic.raise(lua);
        }
        ffi::lua_pushnil(lua);
        ffi::lua_pushnil(lua);
        push_local_error(lua, b"closed", (*job).message.as_bytes());
        3
    }
}

/// Push nil and the result of a reply.
unsafe fn push_scalar(lua: *mut lua_State, job: *mut Job, scalar: Scalar) {
    // SAFETY: may raise; nothing is owned. The string is the job's, which nothing changes while it is live.
    unsafe {
        ffi::lua_pushnil(lua);
        match scalar {
            Scalar::Int(n) => ffi::lua_pushinteger(lua, n),
            Scalar::Bool(b) => ffi::lua_pushboolean(lua, c_int::from(b)),
            Scalar::Bytes => push_bytes(lua, &(*job).source),
        }
    }
}

/// Make a string of the last param, as `tostring` does.
#[inline]
unsafe fn last_as_text(lua: *mut lua_State) {
    // SAFETY: nothing is owned; a metamethod may raise.
    unsafe {
        let top = ffi::lua_gettop(lua);
        if top > METHOD && ffi::lua_type(lua, top) != ffi::LUA_TSTRING {
            ffi::luaL_tolstring(lua, top, std::ptr::null_mut());
            ffi::lua_replace(lua, top);
        }
    }
}

/// The body of `ask` and `ask_text`.
#[inline]
unsafe fn request(lua: *mut lua_State, marker: *const u8) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let (conn, top) = arguments(lua);
        let job = enter(lua, marker);
        let count = match send(lua, conn, job, top, true) {
            Ok(id) => match guarded(|| (*conn).core.quick_reply(id, &mut (*job).source)) {
                Ok(Some(scalar)) => {
                    chain::waited();
                    push_scalar(lua, job, scalar);
                    2
                }
                Ok(None) => call_result(lua, conn, job, id, None),
                Err(panic) => panic.raise(lua),
            },
            Err(kind) => unsent(lua, conn, job, kind),
        };
        leave(lua, job);
        count
    }
}

/// The body of `tell` and `tell_text`.
#[inline]
unsafe fn notify(lua: *mut lua_State, marker: *const u8) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let (conn, top) = arguments(lua);
        let job = enter(lua, marker);
        let sent = send(lua, conn, job, top, false);
        chain::waited(); // the pipe may have been full
        let count = match sent {
            Ok(_) => 0,
            Err(kind) => unsent(lua, conn, job, kind),
        };
        leave(lua, job);
        count
    }
}

/// `ask(connection, handlers, method, params...)`: send a call and wait; returns as [`call_result`] (trailing nils
/// may be missing).
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn ask(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe { request(lua, &marker) }
}

/// `ask_text(connection, handlers, method, params...)`: as `ask`; the last param is sent as a string.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn ask_text(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        last_as_text(lua);
        request(lua, &marker)
    }
}

/// `tell(connection, handlers, method, params...) -> nil, nil, err`: send a notification; `err` is nil when it is sent.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn tell(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe { notify(lua, &marker) }
}

/// `tell_text(connection, handlers, method, params...)`: as `tell`; the last param is sent as a string.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn tell_text(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        last_as_text(lua);
        notify(lua, &marker)
    }
}
