//! Locks on Lua's own file handles, and hard links.
//!
//! # What may raise
//! Taking arguments, `enter` and pushing results. The system calls run under `guarded` with bytes that lie on the Lua
//! stack; an `io::Error`, which has a destructor, does not leave that section: its errno does.

use super::state::{enter, guarded, leave, push_bytes, raise, string};
use crate::sys::lock::{self, Lock};
use crate::text::or_no_memory;
use mlua::ffi::{self, lua_State};
use std::ffi::{c_int, c_void};
use std::os::fd::BorrowedFd;

/// The descriptor behind the file handle at `index` (`luaL_Stream`: a `FILE *`, since 5.2 with the function that closes
/// it, which is null once it is closed).
unsafe fn descriptor(lua: *mut lua_State, index: c_int) -> c_int {
    // SAFETY: `luaL_checkudata` raises for anything else; all Lua versions keep the FILE pointer first.
    unsafe {
        let stream = ffi::luaL_checkudata(lua, index, c"FILE*".as_ptr()).cast::<*mut c_void>();
        let closed = cfg!(not(any(feature = "lua51", feature = "luajit"))) && (*stream.add(1)).is_null();
        if closed || (*stream).is_null() {
            raise(lua, b"attempt to use a closed file");
        }
        libc::fileno((*stream).cast())
    }
}

/// `true`, or `nil, message, errno`.
unsafe fn answer(lua: *mut lua_State, work: impl FnOnce() -> std::io::Result<()>) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        let job = enter(lua, &marker);
        let done = guarded(|| {
            work().map_err(|error| {
                let errno = error.raw_os_error().unwrap_or(libc::EINVAL);
                (*job).message = crate::sys::error::describe(&error);
                errno
            })
        });
        match done {
            Ok(Ok(())) => {
                leave(lua, job);
                ffi::lua_pushboolean(lua, 1);
                1
            }
            Ok(Err(errno)) => {
                ffi::lua_pushnil(lua);
                push_bytes(lua, or_no_memory((*job).message.as_bytes()));
                ffi::lua_pushinteger(lua, i64::from(errno));
                leave(lua, job);
                3
            }
            Err(panic) => panic.raise(lua),
        }
    }
}

/// `file_lock(file, "r" | "w" | "u" [, start [, length]]) -> true | nil, message, errno`
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn lock(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof; the descriptor stays open because its file is on the stack.
    unsafe {
        let number = descriptor(lua, 1);
        ffi::luaL_checktype(lua, 2, ffi::LUA_TSTRING);
        let kind = match string(lua, 2) {
            b"r" => Lock::Read,
            b"w" => Lock::Write,
            b"u" => Lock::Free,
            _ => raise(lua, b"invalid lock mode"),
        };
        let (start, length) = (ffi::luaL_optinteger(lua, 3, 0), ffi::luaL_optinteger(lua, 4, 0));
        answer(lua, || {
            lock::record(BorrowedFd::borrow_raw(number), kind, start, length)
        })
    }
}

/// `hard_link(path, name) -> true | nil, message, errno`
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn hard_link(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof; both strings stay on the stack.
    unsafe {
        ffi::luaL_checktype(lua, 1, ffi::LUA_TSTRING);
        ffi::luaL_checktype(lua, 2, ffi::LUA_TSTRING);
        let (path, name) = (string(lua, 1), string(lua, 2));
        answer(lua, || lock::hard_link(path, name))
    }
}
