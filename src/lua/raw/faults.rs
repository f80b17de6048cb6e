//! Faults on command, in builds with the feature `faults` alone: a panic at the beginning of any guarded section.
//!
//! It refuses to be in a library that anybody uses: no build script and no rock turns the feature on.
//!
//! # What may raise
//! Everything here may, and owns nothing; [`at`] panics, under the `catch_unwind` of [`super::guard::guarded`].

use super::open::push_anchors;
use super::state::{anchor, push_bytes};
use mlua::ffi::{self, lua_State};
use std::cell::Cell;
use std::ffi::c_int;
use std::panic::Location;

thread_local! {
    /// Guarded sections until the one that panics; 0: none does.
    static LEFT: Cell<usize> = const { Cell::new(0) };
    /// The one that did.
    static FIRED: Cell<Option<&'static Location<'static>>> = const { Cell::new(None) };
}

/// `work`, with a panic before it if this is the section's turn.
pub fn at<R>(place: &'static Location<'static>, work: impl FnOnce() -> R) -> impl FnOnce() -> R {
    move || {
        let left = LEFT.get();
        if left > 0 {
            LEFT.set(left - 1);
            if left == 1 {
                FIRED.set(Some(place));
                panic!("a fault at {}:{}", place.file(), place.line());
            }
        }
        work()
    }
}

/// `arm(n)`: the `n`th guarded section from here on panics.
unsafe extern "C-unwind" fn arm(lua: *mut lua_State) -> c_int {
    // SAFETY: may raise; owns nothing.
    let count = unsafe { ffi::luaL_checkinteger(lua, 1) };
    FIRED.set(None);
    LEFT.set(usize::try_from(count).unwrap_or(0));
    0
}

/// `disarm() -> place | nil`: no section panics any more; the file and line of the one that did.
unsafe extern "C-unwind" fn disarm(lua: *mut lua_State) -> c_int {
    LEFT.set(0);
    let Some(place) = FIRED.take() else { return 0 };
    // SAFETY: may raise; owns nothing.
    unsafe {
        push_bytes(lua, place.file().as_bytes());
        ffi::lua_pushstring(lua, c":".as_ptr());
        ffi::lua_pushinteger(lua, i64::from(place.line()));
        ffi::lua_concat(lua, 3);
    }
    1
}

/// Called by `require "fkrpc.faults"`: `{ arm =, disarm =, native = }`, the last with every function of the prelude's.
///
/// # Safety
/// With a valid state, as `require` does.
#[no_mangle]
pub unsafe extern "C-unwind" fn luaopen_fkrpc_faults(lua: *mut lua_State) -> c_int {
    // SAFETY: may raise; owns nothing.
    unsafe {
        ffi::lua_createtable(lua, 0, 3);
        let table = ffi::lua_gettop(lua);
        ffi::lua_pushcclosure(lua, arm, 0);
        ffi::lua_setfield(lua, table, c"arm".as_ptr());
        ffi::lua_pushcclosure(lua, disarm, 0);
        ffi::lua_setfield(lua, table, c"disarm".as_ptr());
        push_anchors(lua);
        ffi::lua_rawgeti(lua, -1, anchor::NATIVE);
        ffi::lua_setfield(lua, table, c"native".as_ptr());
        ffi::lua_settop(lua, table);
        1
    }
}
