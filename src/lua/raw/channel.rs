//! `channel`: stdin and stdout as lines, CBOR items and bytes, for shims of modules that do their own JSON-RPC.
//!
//! It refuses to be reached from Lua in any other way than through its functions.
//!
//! # What may raise
//! Taking arguments, [`enter`] and pushing results. The channel lives in a userdata that is upvalue 3 of its functions
//! and of nothing else; it is written there before the metatable with `__gc` is set. Each function takes its arguments
//! first, works under `guarded` without a Lua call into the job's buffers, and pushes results last.

use super::open::push_function;
use super::state::{enter, guarded, leave, push_bytes, raise, string, Job, OPTIONS};
use crate::channel::{Channel, Failure, Found};
use crate::sys::{error::describe, stdio};
use crate::text::{self, or_no_memory};
use crate::wire::Wire;
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;

/// The channel of the running function.
unsafe fn channel(lua: *mut lua_State) -> *mut Channel {
    // SAFETY: by the module's proof.
    unsafe { ffi::lua_touserdata(lua, OPTIONS).cast() }
}

/// `__gc` of the userdata.
unsafe extern "C-unwind" fn collect(lua: *mut lua_State) -> c_int {
    // SAFETY: nobody but the collector reaches the userdata; a second call finds the metatable gone.
    unsafe {
        let place = ffi::lua_touserdata(lua, 1).cast::<Channel>();
        if !place.is_null() && ffi::lua_getmetatable(lua, 1) != 0 {
            ffi::lua_pushnil(lua);
            ffi::lua_setmetatable(lua, 1);
            let _ = guarded(|| std::ptr::drop_in_place(place));
        }
    }
    0
}

/// `channel() -> line, item, bytes, write, flush | nil, message, errno`: take fds 0 and 1.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn open(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        ffi::lua_settop(lua, 0);
        let place = ffi::lua_newuserdata(lua, size_of::<Channel>()).cast::<Channel>();
        ffi::lua_createtable(lua, 0, 2);
        ffi::lua_pushcclosure(lua, collect, 0);
        ffi::lua_setfield(lua, -2, c"__gc".as_ptr());
        ffi::lua_pushboolean(lua, 0);
        ffi::lua_setfield(lua, -2, c"__metatable".as_ptr());
        let job = enter(lua, &marker);
        let opened = guarded(|| -> Result<(), i32> {
            let taken = stdio::take().map_err(|error| {
                (*job).message = error.message;
                error.errno
            })?;
            let wire = Wire::descriptors(taken.input, taken.output).map_err(|error| {
                (*job).message = describe(&error);
                error.raw_os_error().unwrap_or(0)
            })?;
            let channel = Channel::new(wire, &taken.leftover).map_err(|error| {
                (*job).message = text::string(format_args!("{}", error.kind));
                libc::ENOMEM
            })?;
            place.write(channel);
            Ok(())
        });
        match opened {
            Ok(Ok(())) => {
                ffi::lua_setmetatable(lua, 1);
                leave(lua, job);
                for function in [line as ffi::lua_CFunction, item, bytes, write, flush] {
                    push_function(lua, function, 1);
                }
                5
            }
            Ok(Err(errno)) => system_failure(lua, job, errno),
            Err(panic) => panic.raise(lua),
        }
    }
}

/// `nil, message, errno` from the job.
unsafe fn system_failure(lua: *mut lua_State, job: *mut Job, errno: i32) -> c_int {
    // SAFETY: the message is the job's; may raise.
    unsafe {
        ffi::lua_pushnil(lua);
        push_bytes(lua, or_no_memory((*job).message.as_bytes()));
        ffi::lua_pushinteger(lua, i64::from(errno));
        leave(lua, job);
        3
    }
}

/// Read into the job's `source` and push what was found: the bytes, false at the end, or `nil, message` where no item
/// is. What the system says is raised.
unsafe fn read(lua: *mut lua_State, work: impl FnOnce(&mut Channel, &mut Vec<u8>) -> Result<Found, Failure>) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof; `work` owns nothing.
    unsafe {
        let channel = channel(lua);
        let job = enter(lua, &marker);
        let read = guarded(|| {
            let found = work(&mut *channel, &mut (*job).source);
            found.map_err(|failure| match failure {
                Failure::Broken(error) => {
                    (*job).message = text::string(format_args!("{}", error.kind));
                    true
                }
                Failure::System(error) => {
                    (*job).message =
                        text::string(format_args!("fkrpc: cannot read from the parent: {}", describe(&error)));
                    false
                }
            })
        });
        super::chain::waited();
        match read {
            Ok(Ok(Found::Bytes)) => {
                push_bytes(lua, &(*job).source);
                leave(lua, job);
                1
            }
            Ok(Ok(Found::End)) => {
                leave(lua, job);
                ffi::lua_pushboolean(lua, 0);
                1
            }
            Ok(Err(true)) => {
                ffi::lua_pushnil(lua);
                push_bytes(lua, or_no_memory((*job).message.as_bytes()));
                leave(lua, job);
                2
            }
            Ok(Err(false)) => {
                push_bytes(lua, or_no_memory((*job).message.as_bytes()));
                leave(lua, job);
                ffi::lua_error(lua)
            }
            Err(panic) => panic.raise(lua),
        }
    }
}

/// `line() -> string | false`
unsafe extern "C-unwind" fn line(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe { read(lua, |channel, source| channel.line(source)) }
}

/// `item() -> string | false | nil, message`
unsafe extern "C-unwind" fn item(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe { read(lua, |channel, source| channel.item(source)) }
}

/// `bytes(n) -> string | false`
unsafe extern "C-unwind" fn bytes(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof; the argument is taken before anything else.
    unsafe {
        let n = usize::try_from(ffi::luaL_checkinteger(lua, 1)).unwrap_or(0);
        read(lua, move |channel, source| channel.bytes(n, source))
    }
}

/// `write(self, ...) -> self`: strings and numbers, kept until the next flush, as io's files do it.
unsafe extern "C-unwind" fn write(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof; arguments are checked (and numbers converted in place) before anything is kept.
    unsafe {
        let channel = channel(lua);
        let top = ffi::lua_gettop(lua);
        for index in 2..=top {
            ffi::luaL_checklstring(lua, index, std::ptr::null_mut());
        }
        for index in 2..=top {
            let bytes = string(lua, index);
            match guarded(|| (*channel).write(bytes)) {
                Ok(Ok(())) => {}
                Ok(Err(_)) => raise(lua, b"not enough memory"),
                Err(panic) => panic.raise(lua),
            }
        }
        ffi::lua_settop(lua, 1);
        1
    }
}

/// `flush(self) -> self | nil, message, errno`
unsafe extern "C-unwind" fn flush(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        let channel = channel(lua);
        let job = enter(lua, &marker);
        let flushed = guarded(|| {
            (*channel).flush().map_err(|error| {
                (*job).message = describe(&error);
                error.raw_os_error().unwrap_or(0)
            })
        });
        match flushed {
            Ok(Ok(())) => {
                leave(lua, job);
                ffi::lua_settop(lua, 1);
                1
            }
            Ok(Err(errno)) => system_failure(lua, job, errno),
            Err(panic) => panic.raise(lua),
        }
    }
}
