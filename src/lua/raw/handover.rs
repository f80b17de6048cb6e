//! Handing a request or a reply over to Lua: what [`super::receive`] pushes.
//!
//! # What may raise
//! Every push. As in [`super::receive`] everything pushed comes from the job, or (a string id) from the heap block of a
//! slot that only the reply releases; nothing with a destructor is on the Rust stack, and no reference into the
//! connection lives across a push, because finalizers may call it.

use super::builder::Builder;
use super::connection::Conn;
use super::keys;
use super::state::{anchor, guarded, push_bytes, raise, Job, ANCHORS};
use crate::codec::tape::Node;
use crate::codec::ErrorKind;
use crate::message::{standard_message, Id};
use crate::peer::Reply;
use crate::text;
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;

/// With so many values on the stack at most, arguments included, a C function has room for 14 more without asking: for
/// `LUA_MINSTACK`, which is 20, beside its arguments.
const FEW: c_int = 6;
/// What of that is left for the builder, whatever was pushed before it.
const ROOM: c_int = 8;

/// Push slot, handler, params and ctx, with two values below that nobody needs; `false` (and nothing pushed) if there
/// is no handler.
///
/// # Safety
/// In a raw function whose frames own nothing; the job holds the message. May raise.
pub unsafe fn push_request(
    lua: *mut lua_State,
    conn: *mut Conn,
    job: *mut Job,
    handlers: c_int,
    slot: usize,
    method: Node,
    params: Option<usize>,
) -> bool {
    // SAFETY: as the module's proof says. The method's bytes are the job's, which nothing changes while it is live.
    unsafe {
        let top = ffi::lua_gettop(lua);
        if top > FEW && ffi::lua_checkstack(lua, 16) == 0 {
            raise(lua, b"fkrpc: the Lua stack is full");
        }
        let state = (*job).owner;
        let source: *const Vec<u8> = &raw const (*job).source;
        let builder = Builder::new(lua, job, &*source);
        let (name, readable) = match method {
            Node::Str { offset, len } => builder.bytes(false, offset, len),
            _ => {
                let name: &[u8] = (*job).tape.bytes(method, &*source).unwrap_or_default();
                (name, name.len())
            }
        };
        keys::push(lua, state, top + 1, name, readable);
        ffi::lua_pushinteger(lua, slot as i64); // OK because slots are few
        ffi::lua_pushvalue(lua, top + 2);
        if ffi::lua_rawget(lua, handlers) == ffi::LUA_TNIL {
            ffi::lua_settop(lua, -2);
            keys::push(lua, state, top + 1, b"*", 1);
            if ffi::lua_rawget(lua, handlers) == ffi::LUA_TNIL {
                ffi::lua_settop(lua, top);
                return false;
            }
        }
        // Key table, name, slot, handler. The first two stay below what is returned.
        let with_ctx = ffi::lua_type(lua, -1) == ffi::LUA_TTABLE;
        if with_ctx {
            ffi::lua_rawgeti(lua, -1, 1);
            ffi::lua_replace(lua, -2);
        }
        match params {
            Some(at) => {
                builder.push_with_room(at, ROOM);
            }
            None => ffi::lua_createtable(lua, 0, 0),
        }
        if with_ctx {
            push_ctx(lua, conn, handlers, slot, top + 2);
        } else {
            ffi::lua_pushnil(lua);
        }
        true
    }
}

/// Push `{ peer =, id =, method =, notification = }`; `name` is the method's index.
unsafe fn push_ctx(lua: *mut lua_State, conn: *mut Conn, handlers: c_int, slot: usize, name: c_int) {
    // SAFETY: as the module's proof says.
    unsafe {
        ffi::lua_createtable(lua, 0, 4);
        ffi::lua_rawgeti(lua, handlers, 0);
        ffi::lua_setfield(lua, -2, c"peer".as_ptr());
        ffi::lua_pushvalue(lua, name);
        ffi::lua_setfield(lua, -2, c"method".as_ptr());
        ffi::lua_pushboolean(lua, c_int::from(slot == 0));
        ffi::lua_setfield(lua, -2, c"notification".as_ptr());
        // The id is borrowed from its slot, which is released by the reply only; a string id has its bytes elsewhere.
        match (*conn).core.peer.id(slot) {
            Some(Id::Int(n)) => ffi::lua_pushinteger(lua, *n),
            Some(Id::Float(f)) => ffi::lua_pushnumber(lua, *f),
            Some(Id::Str(text) | Id::Text(text)) => push_bytes(lua, text),
            Some(Id::Null) => ffi::lua_pushlightuserdata(lua, std::ptr::null_mut()),
            None => ffi::lua_pushnil(lua),
        }
        ffi::lua_setfield(lua, -2, c"id".as_ptr());
        if (*conn).core.peer.manner.is_some() {
            ffi::lua_pushvalue(lua, -2); // the params, which name the token of the request's progress
            ffi::lua_setfield(lua, -2, c"params".as_ptr());
        }
        ffi::lua_rawgeti(lua, ANCHORS, anchor::CONTEXT);
        ffi::lua_setmetatable(lua, -2);
    }
}

/// Push result and error of a reply, of which exactly one is meant, with one value below that nobody needs.
///
/// # Safety
/// As [`push_request`].
pub unsafe fn push_reply(lua: *mut lua_State, job: *mut Job, reply: Reply) {
    // SAFETY: as the module's proof says.
    unsafe {
        if ffi::lua_gettop(lua) > FEW && ffi::lua_checkstack(lua, 16) == 0 {
            raise(lua, b"fkrpc: the Lua stack is full");
        }
        let source: *const Vec<u8> = &raw const (*job).source;
        if let Reply::Result(at) = reply {
            match (*job).tape.node(at).0 {
                Node::Null => {
                    ffi::lua_pushnil(lua);
                    ffi::lua_pushnil(lua);
                }
                Node::Bool(_) | Node::Int(_) | Node::Float(_) | Node::Str { .. } => {
                    ffi::lua_pushnil(lua); // in the key table's place
                    Builder::over(lua, job, &*source, 0).push_with_room(at, ROOM);
                }
                _ => {
                    Builder::new(lua, job, &*source).push_with_room(at, ROOM);
                }
            }
            ffi::lua_pushnil(lua);
            return;
        }
        let builder = Builder::new(lua, job, &*source);
        match reply {
            Reply::Result(_) => {} // OK because it was above
            Reply::Nothing => {
                ffi::lua_pushnil(lua);
                ffi::lua_pushnil(lua);
            }
            Reply::Error { code, message, data } => {
                ffi::lua_pushnil(lua);
                let text = match message {
                    Some(node) => (*job).tape.bytes(node, &*source).unwrap_or_default(),
                    None => standard_message(code).as_bytes(),
                };
                ffi::lua_createtable(lua, 0, 3);
                ffi::lua_pushinteger(lua, code);
                ffi::lua_setfield(lua, -2, c"code".as_ptr());
                push_bytes(lua, text);
                ffi::lua_setfield(lua, -2, c"message".as_ptr());
                if let Some(at) = data {
                    builder.push(at);
                    ffi::lua_setfield(lua, -2, c"data".as_ptr());
                }
                set_error_metatable(lua);
            }
            Reply::Malformed(text) => push_invalid_reply(lua, job, text, None),
            Reply::Undecodable(kind) => push_invalid_reply(lua, job, "the reply cannot be decoded", Some(kind)),
        }
    }
}

/// Push nil and the error for a reply that came but says nothing usable.
///
/// # Safety
/// In a raw function. May raise.
#[cold]
pub unsafe fn push_invalid_reply(lua: *mut lua_State, job: *mut Job, what: &str, kind: Option<ErrorKind>) {
    // SAFETY: as the module's proof says; the text is made in the job under `guarded`.
    unsafe {
        let made = guarded(|| {
            (*job).message = match kind {
                Some(kind) => text::string(format_args!("{what}: {kind}")),
                None => text::copy(what),
            };
        });
        if let Err(panic) = made {
            panic.raise(lua);
        }
        ffi::lua_pushnil(lua);
        ffi::lua_createtable(lua, 0, 3);
        ffi::lua_pushinteger(lua, crate::message::INTERNAL_ERROR.code);
        ffi::lua_setfield(lua, -2, c"code".as_ptr());
        push_bytes(lua, b"Invalid reply");
        ffi::lua_setfield(lua, -2, c"message".as_ptr());
        push_bytes(lua, (*job).message.as_bytes());
        ffi::lua_setfield(lua, -2, c"data".as_ptr());
        set_error_metatable(lua);
    }
}

/// Make the table on top an error object.
unsafe fn set_error_metatable(lua: *mut lua_State) {
    // SAFETY: as the module's proof says.
    unsafe {
        ffi::lua_rawgeti(lua, ANCHORS, anchor::ERROR);
        ffi::lua_setmetatable(lua, -2);
    }
}

/// Push an error object with a name for a code: `"closed"`, `"timeout"`.
///
/// # Safety
/// In a raw function. May raise.
pub unsafe fn push_local_error(lua: *mut lua_State, code: &[u8], message: &[u8]) {
    // SAFETY: by contract.
    unsafe {
        ffi::lua_createtable(lua, 0, 2);
        push_bytes(lua, code);
        ffi::lua_setfield(lua, -2, c"code".as_ptr());
        push_bytes(lua, message);
        ffi::lua_setfield(lua, -2, c"message".as_ptr());
        set_error_metatable(lua);
    }
}
