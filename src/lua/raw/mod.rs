//! Raw Lua stack code, one file per job, each with its proof that no longjmp skips a destructor.
#![allow(unsafe_code)]

use mlua::ffi;
use std::ffi::c_int;

/// `require "fkrpc"`.
///
/// # Safety
/// Called by Lua's `require` with a valid state.
#[no_mangle]
pub unsafe extern "C-unwind" fn luaopen_fkrpc(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: `state` is the state `require` runs in; nothing here has a destructor.
    unsafe {
        ffi::lua_createtable(state, 0, 1);
        ffi::lua_pushstring(state, c"0.1.0".as_ptr());
        ffi::lua_setfield(state, -2, c"_VERSION".as_ptr());
    }
    1
}
