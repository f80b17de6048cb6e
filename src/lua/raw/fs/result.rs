//! Running an operation and handing over what it found: a boolean, bytes, names, a table, or nil with a message.
//!
//! # What may raise
//! `enter` and what pushes. As for [`super`]: the work runs under `guarded` and leaves its results in the job or is
//! `Copy` (a bound of [`run`]); only then values are pushed, and nothing is owned meanwhile.

use super::root;
use crate::fs::{Base, Error, Stat};
use crate::lua::raw::builder::Builder;
use crate::lua::raw::state::{enter, guarded, leave, push_bytes, Job};
use crate::text::or_no_memory;
use mlua::ffi::{self, lua_State};
use std::ffi::{c_int, CStr};

/// Run `work` on the running function's base and push what it returns; `nil, message, errno` where it fails.
///
/// # Safety
/// In a raw function whose third upvalue is nil or a root's userdata; nothing on its stack has a destructor.
pub unsafe fn run<R: Copy>(
    lua: *mut lua_State,
    work: impl FnOnce(&Base, &mut Job) -> Result<R, Error>,
    push: unsafe fn(*mut lua_State, *mut Job, R) -> c_int,
) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof. `work` captures arguments alone: it owns nothing when `enter` raises.
    unsafe {
        let job = enter(lua, &marker);
        let base = root::base(lua);
        let done = guarded(|| {
            work(&*base, &mut *job).map_err(|error| {
                (*job).out = error.message;
                error.errno
            })
        });
        match done {
            Ok(Ok(result)) => {
                let count = push(lua, job, result);
                leave(lua, job);
                count
            }
            Ok(Err(errno)) => {
                ffi::lua_pushnil(lua);
                push_bytes(lua, or_no_memory(&(*job).out));
                ffi::lua_pushinteger(lua, i64::from(errno));
                leave(lua, job);
                3
            }
            Err(panic) => panic.raise(lua),
        }
    }
}

/// Push true.
///
/// # Safety
/// As [`run`], which calls it: may raise.
pub unsafe fn push_true(lua: *mut lua_State, job: *mut Job, (): ()) -> c_int {
    // SAFETY: as `push_bool`.
    unsafe { push_bool(lua, job, true) }
}

/// Push a boolean.
///
/// # Safety
/// As [`run`], which calls it: may raise.
pub unsafe fn push_bool(lua: *mut lua_State, _job: *mut Job, value: bool) -> c_int {
    // SAFETY: a C function has room for its results.
    unsafe { ffi::lua_pushboolean(lua, c_int::from(value)) };
    1
}

/// Push what the job has in its `out`.
///
/// # Safety
/// As [`run`], which calls it: may raise.
pub unsafe fn push_out(lua: *mut lua_State, job: *mut Job, (): ()) -> c_int {
    // SAFETY: may raise; the bytes are the job's.
    unsafe { push_bytes(lua, &(*job).out) };
    1
}

/// Push what the job has on its tape, whose strings are in the tape's own buffer.
///
/// # Safety
/// As [`run`], which calls it: may raise.
pub unsafe fn push_tape(lua: *mut lua_State, job: *mut Job, (): ()) -> c_int {
    // SAFETY: may raise; the tape is the job's, which nested calls do not touch.
    unsafe {
        Builder::new(lua, job, &[]).push(0);
    }
    1
}

/// Push a table of what the file system knows.
///
/// # Safety
/// As [`run`], which calls it: may raise.
pub unsafe fn push_stat(lua: *mut lua_State, _job: *mut Job, found: Stat) -> c_int {
    // SAFETY: may raise; owns nothing.
    unsafe {
        ffi::lua_createtable(lua, 0, 14);
        push_bytes(lua, found.kind.name().as_bytes());
        ffi::lua_setfield(lua, -2, c"type".as_ptr());
        // OK because numbers of devices and files above i64::MAX keep their bits, as everywhere in Lua.
        let integers: [(&CStr, i64); 10] = [
            (c"size", found.size),
            (c"mode", i64::from(found.mode)),
            (c"nlink", found.links as i64),
            (c"uid", i64::from(found.uid)),
            (c"gid", i64::from(found.gid)),
            (c"dev", found.dev as i64),
            (c"ino", found.ino as i64),
            (c"rdev", found.rdev as i64),
            (c"blocks", found.blocks),
            (c"blksize", found.block_size),
        ];
        for (name, value) in integers {
            ffi::lua_pushinteger(lua, value);
            ffi::lua_setfield(lua, -2, name.as_ptr());
        }
        for (name, value) in [
            (c"atime", found.atime),
            (c"mtime", found.mtime),
            (c"ctime", found.ctime),
        ] {
            ffi::lua_pushnumber(lua, value);
            ffi::lua_setfield(lua, -2, name.as_ptr());
        }
        1
    }
}
