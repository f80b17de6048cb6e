//! Connections over sockets: connecting, taking an inherited one, listening and accepting.
//!
//! A listener's userdata is never handed to Lua code: it is the third upvalue of its functions, and goes when they go.
//!
//! # What may raise
//! As for [`super::connection`]: an empty place, which owns nothing, is written into a listener's userdata before the
//! metatable is set, and the listener is put there under `guarded`, where system calls run and errors end as texts.

use super::connection::{finish, make, new_place, speech, system_failure, Conn, Speech};
use super::open::push_function;
use super::state::{enter, guarded, leave, string, OPTIONS};
use crate::sys::clock;
use crate::sys::error::describe;
use crate::sys::fd;
use crate::sys::socket::{self, Listener};
use crate::sys::SysError;
use crate::text;
use crate::wire::Wire;
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

/// Write a connection over a socket into its place.
unsafe fn place_socket(place: *mut Conn, speech: Speech, socket: OwnedFd) -> Result<(), SysError> {
    let wire = fd::dup_cloexec(socket.as_fd(), 3).and_then(|output| Wire::descriptors(socket, output));
    let wire = wire.map_err(|error| SysError::new("cannot use the socket", &error, ""))?;
    // SAFETY: by contract the place is a new userdata's.
    unsafe { place.write(make(speech, wire)) };
    Ok(())
}

/// `socket_connect(path or descriptor, kind, options...) -> connection | nil, message, errno`
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn connect(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof; the path stays on the stack.
    unsafe {
        let speech = speech(lua, 2);
        let is_path = ffi::lua_type(lua, 1) == ffi::LUA_TSTRING;
        let path = if is_path { string(lua, 1) } else { b"" };
        let number = if is_path { -1 } else { ffi::lua_tointeger(lua, 1) };
        let place = new_place(lua);
        let at = ffi::lua_gettop(lua);
        let job = enter(lua, &marker);
        let opened = guarded(|| -> Result<(), i32> {
            let socket = if is_path {
                socket::connect(path)
            } else {
                socket::adopt(i32::try_from(number).unwrap_or(-1))
            };
            let placed = socket.and_then(|socket| place_socket(place, speech, socket));
            placed.map_err(|error| {
                (*job).message = error.message;
                error.errno
            })
        });
        match opened {
            Ok(Ok(())) => {
                finish(lua, at);
                leave(lua, job);
                1
            }
            Ok(Err(errno)) => system_failure(lua, job, errno),
            Err(panic) => panic.raise(lua),
        }
    }
}

/// The listener of the running function. Nothing else refers to it while the function runs.
unsafe fn listener(lua: *mut lua_State) -> *mut Option<Listener> {
    // SAFETY: upvalue 3 of the functions here is a listener's userdata, always.
    unsafe { ffi::lua_touserdata(lua, OPTIONS).cast() }
}

/// `__gc` of listeners.
unsafe extern "C-unwind" fn collect(lua: *mut lua_State) -> c_int {
    // SAFETY: only listeners have this metatable. Afterwards the place is empty and owns nothing: finalizers of other
    // objects may still call the functions.
    unsafe {
        let place = ffi::lua_touserdata(lua, 1).cast::<Option<Listener>>();
        if !place.is_null() {
            let _ = guarded(|| *place = None);
        }
    }
    0
}

/// `close()`: nobody can connect any more. A second time does nothing.
unsafe extern "C-unwind" fn close(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let place = listener(lua);
        if let Err(panic) = guarded(|| *place = None) {
            panic.raise(lua);
        }
    }
    0
}

/// `fd() -> number | nil`: where to wait for clients; nil once it is closed.
unsafe extern "C-unwind" fn descriptor(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof; pushing a number or nil does not raise.
    unsafe {
        match &*listener(lua) {
            Some(listener) => ffi::lua_pushinteger(lua, listener.as_fd().as_raw_fd().into()),
            None => ffi::lua_pushnil(lua),
        }
    }
    1
}

/// `accept(timeout in seconds or nil, kind, options...) -> connection | false (time is over) | nil, message, errno`
unsafe extern "C-unwind" fn accept(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        let deadline = super::connection::deadline(lua, 1);
        let speech = speech(lua, 2);
        let listener = listener(lua);
        let place = new_place(lua);
        let at = ffi::lua_gettop(lua);
        let job = enter(lua, &marker);
        let accepted = guarded(|| -> Result<bool, i32> {
            let fail = |error: io::Error| {
                (*job).message = text::string(format_args!("cannot accept: {}", describe(&error)));
                error.raw_os_error().unwrap_or(libc::EINVAL)
            };
            let Some(listener) = &*listener else {
                (*job).message = text::copy("cannot accept: the listener is closed");
                return Err(libc::EBADF);
            };
            let rest = deadline.map(|at| {
                let left = at.saturating_sub(clock::monotonic_us());
                Duration::from_micros(u64::try_from(left).unwrap_or(0))
            });
            let Some(client) = listener.accept(rest).map_err(fail)? else {
                return Ok(false);
            };
            let placed = place_socket(place, speech, client);
            placed.map(|()| true).map_err(|error| {
                (*job).message = error.message;
                error.errno
            })
        });
        super::chain::waited();
        match accepted {
            Ok(Ok(true)) => {
                finish(lua, at);
                leave(lua, job);
                1
            }
            Ok(Ok(false)) => {
                leave(lua, job);
                ffi::lua_pushboolean(lua, 0);
                1
            }
            Ok(Err(errno)) => system_failure(lua, job, errno),
            Err(panic) => panic.raise(lua),
        }
    }
}

/// `socket_listen(path) -> { accept =, close =, fd = } | nil, message, errno`
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn listen(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof; the path stays on the stack. Between the write and the metatable nothing raises:
    // the metatable is made before.
    unsafe {
        ffi::luaL_checktype(lua, 1, ffi::LUA_TSTRING);
        let path = string(lua, 1);
        let place = ffi::lua_newuserdata(lua, size_of::<Option<Listener>>()).cast::<Option<Listener>>();
        place.write(None);
        let userdata = ffi::lua_gettop(lua);
        ffi::lua_createtable(lua, 0, 1);
        ffi::lua_pushcclosure(lua, collect, 0);
        ffi::lua_setfield(lua, -2, c"__gc".as_ptr());
        ffi::lua_setmetatable(lua, userdata);
        let job = enter(lua, &marker);
        let opened = guarded(|| -> Result<(), i32> {
            *place = Some(Listener::bind(path).map_err(|error| {
                (*job).message = error.message;
                error.errno
            })?);
            Ok(())
        });
        match opened {
            Ok(Ok(())) => leave(lua, job),
            Ok(Err(errno)) => return system_failure(lua, job, errno),
            Err(panic) => panic.raise(lua),
        }
        ffi::lua_createtable(lua, 0, 3);
        for (name, function) in [
            (c"accept", accept as ffi::lua_CFunction),
            (c"close", close),
            (c"fd", descriptor),
        ] {
            push_function(lua, function, userdata);
            ffi::lua_setfield(lua, -2, name.as_ptr());
        }
        1
    }
}
