//! `luaopen_fkrpc` and one `luaopen_fkrpc_<name>` per submodule; how the library sets itself up in a Lua state.
//!
//! Every submodule is made once per state and cached in the anchors table, so that `require "fkrpc".json` and
//! `require "fkrpc.json"` are the same table, in whatever order they are asked for.
//!
//! # What may raise
//! Everything here, and it owns nothing: the state is written into its userdata before the userdata gets the metatable
//! whose `__gc` empties it, and has no buffers yet. The finalizers work under `guarded` and raise nothing.

use super::natives::NATIVE;
#[cfg(feature = "parent")]
use super::process;
use super::state::{anchor, push_bytes, Identities, State};
use super::{connection, hook, load};
use crate::lua::modules;
use mlua::ffi::{self, lua_CFunction, lua_State};
use std::ffi::{c_int, c_void, CStr};

/// Its address is the registry key of the anchors table.
static REGISTRY_KEY: u8 = 0;
/// The place of the state's userdata in the anchors table.
const STATE_USERDATA: i64 = anchor::COUNT as i64 + 1; // OK because it is a small constant

/// Metatables of the library: place in the anchors table and `__name`.
const METATABLES: &[(i64, &CStr)] = &[
    (anchor::ARRAY, c"fkrpc.array"),
    (anchor::OBJECT, c"fkrpc.object"),
    (anchor::ERROR, c"fkrpc.error"),
    (anchor::TAGGED, c"fkrpc.cbor.tagged"),
    (anchor::SIMPLE, c"fkrpc.cbor.simple"),
    (anchor::CONNECTION, c"fkrpc.connection"),
    (anchor::CONTEXT, c"fkrpc.context"),
    (anchor::PROCESS, c"fkrpc.process"),
];

unsafe extern "C-unwind" fn finalize_state(lua: *mut lua_State) -> c_int {
    // SAFETY: only the state's userdata has this metatable; Lua calls it once. A second call (by hand, through the
    // debug library) finds the metatable gone. What is left in place is whole and owns nothing: every raw function
    // refers to it, and Lua may call them as long as it runs finalizers.
    unsafe {
        let place = ffi::lua_touserdata(lua, 1).cast::<State>();
        if !place.is_null() && ffi::lua_getmetatable(lua, 1) != 0 {
            ffi::lua_pushnil(lua);
            ffi::lua_setmetatable(lua, 1);
            let _ = super::state::guarded(|| (*place).finalize());
        }
    }
    0
}

/// In a finalizer whose only upvalue is its metatable: take the metatable off the argument; `false` if it has another
/// or none. So a finalizer that is called by hand, which takes the debug library, works on its own kind, and once.
///
/// # Safety
/// Only in such a function.
pub unsafe fn disarm(lua: *mut lua_State) -> bool {
    // SAFETY: nothing here raises or allocates.
    unsafe {
        if ffi::lua_type(lua, 1) != ffi::LUA_TUSERDATA
            || ffi::lua_getmetatable(lua, 1) == 0
            || ffi::lua_rawequal(lua, -1, ffi::lua_upvalueindex(1)) == 0
        {
            return false;
        }
        ffi::lua_pushnil(lua);
        ffi::lua_setmetatable(lua, 1);
        true
    }
}

/// Push the anchors table, made on first use.
///
/// # Safety
/// With a valid state. May raise.
#[cfg_attr(target_os = "linux", link_section = ".text_load")]
pub unsafe fn push_anchors(lua: *mut lua_State) {
    // SAFETY: may raise; owns nothing at any time.
    unsafe {
        let key = (&raw const REGISTRY_KEY).cast::<c_void>();
        if ffi::lua_rawgetp(lua, ffi::LUA_REGISTRYINDEX, key) == ffi::LUA_TTABLE {
            return;
        }
        ffi::lua_settop(lua, -2);
        ffi::lua_createtable(lua, anchor::COUNT + 1, 0);
        let anchors = ffi::lua_gettop(lua);

        let place = ffi::lua_newuserdata(lua, size_of::<State>()).cast::<State>();
        place.write(State::new());
        ffi::lua_createtable(lua, 0, 1);
        ffi::lua_pushcclosure(lua, finalize_state, 0);
        ffi::lua_setfield(lua, -2, c"__gc".as_ptr());
        ffi::lua_setmetatable(lua, -2);
        ffi::lua_rawseti(lua, anchors, STATE_USERDATA);

        for &(index, name) in METATABLES {
            ffi::lua_createtable(lua, 0, 2);
            ffi::lua_pushstring(lua, name.as_ptr());
            ffi::lua_setfield(lua, -2, c"__name".as_ptr());
            let finalizer = match index {
                anchor::CONNECTION => Some(connection::collect as lua_CFunction),
                #[cfg(feature = "parent")]
                anchor::PROCESS => Some(process::collect as lua_CFunction),
                _ => None,
            };
            if let Some(finalizer) = finalizer {
                ffi::lua_pushvalue(lua, -1);
                ffi::lua_pushcclosure(lua, finalizer, 1);
                ffi::lua_setfield(lua, -2, c"__gc".as_ptr());
                // Hide the metatable: who could fetch it could call __gc by hand or give it to another userdata.
                ffi::lua_pushboolean(lua, 0);
                ffi::lua_setfield(lua, -2, c"__metatable".as_ptr());
            }
            ffi::lua_rawseti(lua, anchors, index);
        }
        for (index, name) in [
            (anchor::TAG, c"tag"),
            (anchor::VALUE, c"value"),
            (anchor::SIMPLE_NAME, c"simple"),
            (anchor::CODE, c"code"),
            (anchor::MESSAGE, c"message"),
            (anchor::DATA, c"data"),
        ] {
            ffi::lua_pushstring(lua, name.as_ptr());
            ffi::lua_rawseti(lua, anchors, index);
        }
        ffi::lua_createtable(lua, 256, 0);
        ffi::lua_rawseti(lua, anchors, anchor::KEYS_TABLE);
        ffi::lua_createtable(lua, 0, 8);
        ffi::lua_rawseti(lua, anchors, anchor::MODULES);
        ffi::lua_pushcclosure(lua, hook::tocbor, 0);
        ffi::lua_rawseti(lua, anchors, anchor::TOCBOR);
        ffi::lua_pushcclosure(lua, hook::next_pair, 0);
        ffi::lua_rawseti(lua, anchors, anchor::NEXT_PAIR);

        let identity = |index: i64| {
            ffi::lua_rawgeti(lua, anchors, index);
            let pointer = ffi::lua_topointer(lua, -1);
            ffi::lua_settop(lua, -2);
            pointer
        };
        (*place).identities = Identities {
            array: identity(anchor::ARRAY),
            object: identity(anchor::OBJECT),
            error: identity(anchor::ERROR),
            tagged: identity(anchor::TAGGED),
            simple: identity(anchor::SIMPLE),
            connection: identity(anchor::CONNECTION),
            process: identity(anchor::PROCESS),
        };
        push_native(lua, anchors);
        ffi::lua_rawseti(lua, anchors, anchor::NATIVE);

        ffi::lua_pushvalue(lua, anchors);
        ffi::lua_rawsetp(lua, ffi::LUA_REGISTRYINDEX, key);
    }
}

/// Push the table of native functions.
#[cfg_attr(target_os = "linux", link_section = ".text_load")]
unsafe fn push_native(lua: *mut lua_State, anchors: c_int) {
    // SAFETY: as `push_anchors`.
    unsafe {
        let size = c_int::try_from(NATIVE.len()).unwrap_or(0);
        ffi::lua_createtable(lua, 0, size + 9);
        let set = |function: lua_CFunction, name: &CStr| {
            ffi::lua_rawgeti(lua, anchors, STATE_USERDATA);
            ffi::lua_pushvalue(lua, anchors);
            ffi::lua_pushnil(lua);
            ffi::lua_pushcclosure(lua, function, 3);
            ffi::lua_setfield(lua, -2, name.as_ptr());
        };
        for &(name, function) in NATIVE {
            set(function, name);
        }
        set(load_module, c"module");
        ffi::lua_pushvalue(lua, anchors);
        ffi::lua_setfield(lua, -2, c"anchors".as_ptr());
        for (index, name) in [
            (anchor::ARRAY, c"array_metatable"),
            (anchor::OBJECT, c"object_metatable"),
            (anchor::ERROR, c"error_metatable"),
            (anchor::TAGGED, c"tagged_metatable"),
            (anchor::SIMPLE, c"simple_metatable"),
            (anchor::CONTEXT, c"context_metatable"),
        ] {
            ffi::lua_rawgeti(lua, anchors, index);
            ffi::lua_setfield(lua, -2, name.as_ptr());
        }
        ffi::lua_pushlightuserdata(lua, std::ptr::null_mut());
        ffi::lua_setfield(lua, -2, c"null".as_ptr());
        push_bytes(lua, env!("CARGO_PKG_VERSION").as_bytes());
        ffi::lua_setfield(lua, -2, c"version".as_ptr());
        push_bytes(lua, modules::FEATURES.as_bytes());
        ffi::lua_setfield(lua, -2, c"features".as_ptr());
    }
}

/// Push the first three upvalues of a raw function: state, anchors, the value at `options` (0: nil).
///
/// # Safety
/// In a raw function. May raise.
pub unsafe fn push_upvalues(lua: *mut lua_State, options: c_int) {
    // SAFETY: by contract.
    unsafe {
        ffi::lua_pushvalue(lua, super::state::STATE);
        ffi::lua_pushvalue(lua, super::state::ANCHORS);
        if options == 0 {
            ffi::lua_pushnil(lua);
        } else {
            ffi::lua_pushvalue(lua, options);
        }
    }
}

/// Push a raw function with the value at `options` (0: nil) as its third upvalue.
///
/// # Safety
/// In a raw function. May raise.
pub unsafe fn push_function(lua: *mut lua_State, function: lua_CFunction, options: c_int) {
    // SAFETY: by contract.
    unsafe {
        push_upvalues(lua, options);
        ffi::lua_pushcclosure(lua, function, 3);
    }
}

/// `native.module(name)`: the submodule, loaded on first use; nil if there is none of that name.
#[cfg_attr(target_os = "linux", link_section = ".text_load")]
unsafe extern "C-unwind" fn load_module(lua: *mut lua_State) -> c_int {
    // SAFETY: upvalue 2 is the anchors table.
    unsafe {
        if ffi::lua_type(lua, 1) != ffi::LUA_TSTRING {
            return 0;
        }
        ffi::lua_settop(lua, 1);
        ffi::lua_pushvalue(lua, super::state::ANCHORS);
        push_module(lua, 2, super::state::string(lua, 1))
    }
}

/// Push the submodule `name`; 1, or 0 if there is none. The name must stay on the stack while this runs.
#[cfg_attr(target_os = "linux", link_section = ".text_load")]
unsafe fn push_module(lua: *mut lua_State, anchors: c_int, name: &[u8]) -> c_int {
    // SAFETY: may raise; owns nothing.
    unsafe {
        ffi::lua_rawgeti(lua, anchors, anchor::MODULES);
        let loaded = ffi::lua_gettop(lua);
        push_bytes(lua, name);
        ffi::lua_rawget(lua, loaded);
        if ffi::lua_type(lua, -1) != ffi::LUA_TNIL {
            return 1;
        }
        let module = match super::state::guarded(|| modules::find(name)) {
            Ok(Some(module)) => module,
            Ok(None) => return 0,
            Err(panic) => panic.raise(lua),
        };
        let status = load::load(lua, module);
        if status != ffi::LUA_OK {
            ffi::lua_error(lua);
        }
        ffi::lua_rawgeti(lua, anchors, anchor::NATIVE);
        ffi::lua_call(lua, 1, 1);
        push_bytes(lua, name);
        ffi::lua_pushvalue(lua, -2);
        ffi::lua_rawset(lua, loaded);
        1
    }
}

/// The body of every `luaopen_*`.
///
/// # Safety
/// Called by `require` with a valid state.
#[cfg_attr(target_os = "linux", link_section = ".text_load")]
unsafe fn open(lua: *mut lua_State, name: &[u8]) -> c_int {
    // SAFETY: by contract.
    unsafe {
        check_version(lua);
        push_anchors(lua);
        let anchors = ffi::lua_gettop(lua);
        // A zygote's descriptor must be out of the script's reach, whatever part of the library that asks for.
        if !libc::getenv(c"FKRPC_ZYGOTE".as_ptr()).is_null() {
            push_module(lua, anchors, b"fkrpc");
        }
        push_module(lua, anchors, name)
    }
}

/// Refuse to run in another Lua than the library was built for: values have other layouts there.
#[cfg_attr(target_os = "linux", link_section = ".text_load")]
unsafe fn check_version(lua: *mut lua_State) {
    // SAFETY: may raise; owns nothing. The strings are NUL-terminated.
    unsafe {
        ffi::lua_getglobal(lua, c"_VERSION".as_ptr());
        if ffi::lua_type(lua, -1) == ffi::LUA_TSTRING
            && super::state::string(lua, -1) != modules::LUA_VERSION.to_bytes()
        {
            ffi::luaL_error(
                lua,
                c"fkrpc: this library was built for %s, but this is %s: install the one for it".as_ptr(),
                modules::LUA_VERSION.as_ptr(),
                ffi::lua_tostring(lua, -1),
            );
        }
        ffi::lua_settop(lua, -2);
    }
}

/// Called by `require "fkrpc.compat"`: the submodule, called once without arguments, which installs all its shims.
///
/// # Safety
/// With a valid state, as `require` does.
#[no_mangle]
#[cfg_attr(target_os = "linux", link_section = ".text_load")]
pub unsafe extern "C-unwind" fn luaopen_fkrpc_compat(lua: *mut lua_State) -> c_int {
    // SAFETY: by contract.
    unsafe {
        open(lua, b"compat");
        ffi::lua_pushvalue(lua, -1);
        ffi::lua_call(lua, 0, 0);
        1
    }
}

/// Called by `require "fkrpc.standin"`: the submodule, called once without arguments, from which a process that becomes a
/// stand-in does not come back.
///
/// # Safety
/// With a valid state, as `require` does.
#[no_mangle]
pub unsafe extern "C-unwind" fn luaopen_fkrpc_standin(lua: *mut lua_State) -> c_int {
    // SAFETY: by contract.
    unsafe {
        open(lua, b"standin");
        ffi::lua_pushvalue(lua, -1);
        ffi::lua_call(lua, 0, 0);
        1
    }
}

macro_rules! luaopen {
    ($($function:ident => $module:literal),* $(,)?) => {$(
        /// Called by `require`.
        ///
        /// # Safety
        /// With a valid state, as `require` does.
        #[no_mangle]
        #[cfg_attr(target_os = "linux", link_section = ".text_load")]
        pub unsafe extern "C-unwind" fn $function(lua: *mut lua_State) -> c_int {
            // SAFETY: by contract.
            unsafe { open(lua, $module) }
        }
    )*};
}

luaopen! {
    luaopen_fkrpc => b"fkrpc",
    luaopen_fkrpc_json => b"json",
    luaopen_fkrpc_cbor => b"cbor",
    luaopen_fkrpc_jsonrpc => b"jsonrpc",
    luaopen_fkrpc_freekill => b"freekill",
    luaopen_fkrpc_clock => b"clock",
    luaopen_fkrpc_fs => b"fs",
    luaopen_fkrpc_random => b"random",
    luaopen_fkrpc_watchdog => b"watchdog",
}
