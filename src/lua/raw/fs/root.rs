//! Roots as userdata: opening, closing, finding the base of a running function.
//!
//! The userdata is never handed to Lua code: it is the third upvalue of a root's functions, and goes when they go.
//!
//! # What may raise
//! As for [`crate::lua::raw::process`]: a closed base, which owns nothing, is written into its userdata before the
//! metatable is set, and a real one is put there under `guarded`. No error of [`crate::fs`] leaves a guarded section:
//! it has a text.

use super::arguments::Arguments;
use super::push_functions;
use crate::fs::{Base, Resolver};
use crate::lua::raw::state::{enter, guarded, leave, push_bytes, OPTIONS};
use crate::text::or_no_memory;
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;

/// The base of paths of functions that belong to no root.
static PROCESS: Base = Base::Process;

/// The base of the running function. Nothing else refers to it while the function runs.
///
/// # Safety
/// In a raw function whose third upvalue is nil or a root's userdata.
pub unsafe fn base(lua: *mut lua_State) -> *const Base {
    // SAFETY: by contract; nil is no userdata and answers with null.
    let place = unsafe { ffi::lua_touserdata(lua, OPTIONS).cast::<Base>() };
    if place.is_null() {
        &raw const PROCESS
    } else {
        place
    }
}

/// `__gc` of roots.
unsafe extern "C-unwind" fn collect(lua: *mut lua_State) -> c_int {
    // SAFETY: only roots have this metatable. Once it is gone the functions find a closed base in place, which owns
    // nothing: finalizers of other objects may still call them.
    unsafe {
        let place = ffi::lua_touserdata(lua, 1).cast::<Base>();
        if !place.is_null() {
            let _ = guarded(|| *place = Base::Closed);
        }
    }
    0
}

/// `close() -> true`: gives the folder back. A second time does nothing.
unsafe extern "C-unwind" fn close(lua: *mut lua_State) -> c_int {
    // SAFETY: upvalue 3 of this function is a root's userdata, always.
    unsafe {
        let place = ffi::lua_touserdata(lua, OPTIONS).cast::<Base>();
        if let Err(panic) = guarded(|| *place = Base::Closed) {
            panic.raise(lua);
        }
        ffi::lua_pushboolean(lua, 1);
        1
    }
}

/// `root(path [, { symlinks = true }]) -> functions | nil, message, errno`: as a function of a base it opens a folder
/// below that base.
///
/// # Safety
/// Called by the prelude or Lua code, with upvalue 3 as in [`base`].
pub unsafe extern "C-unwind" fn open(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof. Between the write and the metatable nothing raises: the metatable is made before.
    unsafe {
        let arguments = Arguments::of(lua);
        let path = arguments.path(1);
        arguments.options(2, &[c"symlinks"]);
        let resolver = if arguments.flag(2, c"symlinks", true) {
            Resolver::Kernel
        } else {
            Resolver::Walk
        };
        let place = ffi::lua_newuserdata(lua, size_of::<Base>()).cast::<Base>();
        place.write(Base::Closed);
        let userdata = ffi::lua_gettop(lua);
        ffi::lua_createtable(lua, 0, 1);
        ffi::lua_pushcclosure(lua, collect, 0);
        ffi::lua_setfield(lua, -2, c"__gc".as_ptr());
        ffi::lua_setmetatable(lua, userdata);
        let job = enter(lua, &marker);
        let from = base(lua);
        let opened = guarded(|| -> Result<(), i32> {
            let root = (*from).root(path, resolver).map_err(|error| {
                (*job).out = error.message;
                error.errno
            })?;
            *place = Base::Root(root);
            Ok(())
        });
        match opened {
            Ok(Ok(())) => {}
            Ok(Err(errno)) => {
                ffi::lua_pushnil(lua);
                push_bytes(lua, or_no_memory(&(*job).out));
                ffi::lua_pushinteger(lua, i64::from(errno));
                leave(lua, job);
                return 3;
            }
            Err(panic) => panic.raise(lua),
        }
        leave(lua, job);
        push_functions(lua, userdata);
        for (name, function) in [(c"close", close as ffi::lua_CFunction), (c"root", open)] {
            crate::lua::raw::open::push_function(lua, function, userdata);
            ffi::lua_setfield(lua, -2, name.as_ptr());
        }
        1
    }
}
