//! `coroutine.resume`, `wrap` and `close` that keep the chain of running coroutines, and the resumes of the prelude.
//!
//! They do what Lua's own do, message for message; `lua_resume` itself is called here, because what Lua's functions
//! raise besides would jump past the pop.
//!
//! # What may raise
//! Arguments, and what passes an error on. Nothing is owned at any time. What runs between push and pop (`lua_resume`,
//! `lua_resetthread`) returns a status: it catches every error of the coroutine. The coroutine is on the caller's stack
//! or an upvalue meanwhile.

use super::chain::tracked;
use super::slice::Slice;
use super::state::raise;
use super::watchdog::{hold, nanoseconds, period, refused};
use mlua::ffi::{self, lua_State};
use std::ffi::{c_int, CStr};

/// Values that fit without asking: a C function has room for 20 (`LUA_MINSTACK`), and so has a coroutine that was not
/// started or has yielded, less the function to start.
const FITS: c_int = 16;

#[cfg(feature = "lua51")]
extern "C-unwind" {
    /// Lua 5.1 only: lets the coroutine count its C calls from where the caller is (lua.h, "hack").
    fn lua_setlevel(from: *mut lua_State, to: *mut lua_State);
}

/// Why `co` cannot be resumed, where `lua_resume` would not say it or not survive it.
#[cfg(any(feature = "lua51", feature = "luajit"))]
unsafe fn obstacle(lua: *mut lua_State, co: *mut lua_State) -> Option<&'static CStr> {
    // SAFETY: both are live states.
    unsafe {
        let status = ffi::lua_status(co);
        if status == ffi::LUA_YIELD {
            return None;
        }
        if lua == co {
            return Some(c"cannot resume running coroutine");
        }
        let mut ar = std::mem::zeroed::<ffi::lua_Debug>();
        if status == ffi::LUA_OK && ffi::lua_getstack(co, 0, &raw mut ar) > 0 {
            return Some(if cfg!(feature = "luajit") {
                c"cannot resume running coroutine"
            } else {
                c"cannot resume normal coroutine"
            });
        }
        if status != ffi::LUA_OK || ffi::lua_gettop(co) == 0 {
            return Some(c"cannot resume dead coroutine");
        }
        None
    }
}

/// As above.
#[cfg(any(feature = "lua52", feature = "lua53"))]
unsafe fn obstacle(_lua: *mut lua_State, co: *mut lua_State) -> Option<&'static CStr> {
    // SAFETY: a live state.
    let dead = unsafe { ffi::lua_status(co) == ffi::LUA_OK && ffi::lua_gettop(co) == 0 };
    dead.then_some(c"cannot resume dead coroutine")
}

/// As above; here `lua_resume` says it all.
#[cfg(any(feature = "lua54", feature = "lua55"))]
unsafe fn obstacle(_lua: *mut lua_State, _co: *mut lua_State) -> Option<&'static CStr> {
    None
}

/// Resume `co` with the `count` values on top of the stack. The number of results, which are on top of `co`'s stack then
/// and have room here, and for one value more; or -1 and an error on top of the stack here.
#[inline(always)]
unsafe fn resume(lua: *mut lua_State, co: *mut lua_State, count: c_int, slice: Slice) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        if count > FITS && ffi::lua_checkstack(co, count) == 0 {
            ffi::lua_pushstring(lua, c"too many arguments to resume".as_ptr());
            return -1;
        }
        if let Some(text) = obstacle(lua, co) {
            ffi::lua_pushstring(lua, text.as_ptr());
            return -1;
        }
        if count > 0 {
            ffi::lua_xmove(lua, co, count);
        }
        #[cfg(feature = "lua51")]
        lua_setlevel(lua, co);
        let mut results = 0;
        let status = tracked(lua, co, slice, || ffi::lua_resume(co, lua, count, &raw mut results));
        if status != ffi::LUA_OK && status != ffi::LUA_YIELD {
            ffi::lua_xmove(co, lua, 1);
            return -1;
        }
        if results >= FITS && ffi::lua_checkstack(lua, results + 1) == 0 {
            ffi::lua_settop(co, -results - 1);
            ffi::lua_pushstring(lua, c"too many results to resume".as_ptr());
            return -1;
        }
        results
    }
}

/// The coroutine at index 1; raises if there is none, as this Lua does.
unsafe fn check(lua: *mut lua_State) -> *mut lua_State {
    // SAFETY: nothing is owned.
    unsafe {
        let co = ffi::lua_tothread(lua, 1);
        if co.is_null() {
            #[cfg(any(feature = "lua54", feature = "lua55"))]
            ffi::luaL_checktype(lua, 1, ffi::LUA_TTHREAD);
            #[cfg(feature = "lua53")]
            ffi::luaL_argerror(lua, 1, c"thread expected".as_ptr());
            #[cfg(any(feature = "lua51", feature = "lua52", feature = "luajit"))]
            ffi::luaL_argerror(lua, 1, c"coroutine expected".as_ptr());
        }
        co
    }
}

/// `true, results ...` or `false, error`, for arguments from index `first` on; the coroutine is at index 1.
#[inline(always)]
unsafe fn protected(lua: *mut lua_State, first: c_int, slice: Slice) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let co = check(lua);
        let count = ffi::lua_gettop(lua) + 1 - first;
        let results = resume(lua, co, count, slice);
        if results < 0 {
            ffi::lua_pushboolean(lua, 0);
            ffi::lua_insert(lua, -2);
            return 2;
        }
        ffi::lua_pushboolean(lua, 1);
        if results > 0 {
            ffi::lua_xmove(co, lua, results);
        }
        results + 1
    }
}

/// `coroutine.resume(co, ...)`
///
/// # Safety
/// Called by Lua.
pub unsafe extern "C-unwind" fn resume_function(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe { protected(lua, 2, Slice::Resumed) }
}

/// `resume(co, ...)`: the prelude's, for handlers; each is a slice of its own.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn resume_handler(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe { protected(lua, 2, Slice::Handler) }
}

/// `resume_within(co, seconds, ...)`: with a limit of its own; also `nil, message, errno`.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn resume_within(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof; the reference to the claim ends before Lua is called again.
    unsafe {
        let limit = nanoseconds(lua, 2);
        if let Err(errno) = hold(lua, period(limit)) {
            return refused(lua, errno);
        }
        protected(lua, 3, Slice::Part(limit))
    }
}

/// What `coroutine.wrap` returns; upvalue 1 is the coroutine.
unsafe extern "C-unwind" fn wrapped(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let co = ffi::lua_tothread(lua, ffi::lua_upvalueindex(1));
        let results = resume(lua, co, ffi::lua_gettop(lua), Slice::Running);
        if results >= 0 {
            if results > 0 {
                ffi::lua_xmove(co, lua, results);
            }
            return results;
        }
        #[cfg(any(feature = "lua54", feature = "lua55"))]
        {
            let mut status = ffi::lua_status(co);
            if status != ffi::LUA_OK && status != ffi::LUA_YIELD {
                status = tracked(lua, co, Slice::Running, || reset(lua, co));
                ffi::lua_xmove(co, lua, 1); // the error again, or that of a __close
            }
            if status == ffi::LUA_ERRMEM {
                ffi::lua_error(lua);
            }
        }
        if ffi::lua_type(lua, -1) == ffi::LUA_TSTRING {
            ffi::luaL_where(lua, 1);
            ffi::lua_insert(lua, -2);
            ffi::lua_concat(lua, 2);
        }
        ffi::lua_error(lua)
    }
}

/// `coroutine.wrap(f)`
///
/// # Safety
/// Called by Lua.
pub unsafe extern "C-unwind" fn wrap_function(lua: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        #[cfg(feature = "lua51")]
        if ffi::lua_type(lua, 1) != ffi::LUA_TFUNCTION || ffi::lua_iscfunction(lua, 1) != 0 {
            ffi::luaL_argerror(lua, 1, c"Lua function expected".as_ptr());
        }
        ffi::luaL_checktype(lua, 1, ffi::LUA_TFUNCTION);
        let co = ffi::lua_newthread(lua);
        ffi::lua_pushvalue(lua, 1);
        ffi::lua_xmove(lua, co, 1);
        ffi::lua_pushcclosure(lua, wrapped, 1);
        1
    }
}

/// Close the variables of a dead or suspended coroutine; the status, with an error on its stack where there was one.
#[cfg(any(feature = "lua54", feature = "lua55"))]
unsafe fn reset(lua: *mut lua_State, co: *mut lua_State) -> c_int {
    // SAFETY: a protected call. 5.4 has this name from 5.4.0 on, `lua_closethread` only since 5.4.6.
    unsafe {
        #[cfg(feature = "lua54")]
        {
            let _ = lua;
            ffi::lua_resetthread(co)
        }
        #[cfg(feature = "lua55")]
        ffi::lua_closethread(co, lua)
    }
}

/// `coroutine.close(co)`; Lua 5.4 alone: before there is none, and 5.5's closes more than others.
///
/// # Safety
/// Called by Lua.
pub unsafe extern "C-unwind" fn close_function(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        #[cfg(feature = "lua54")]
        {
            let co = check(lua);
            let mut ar = std::mem::zeroed::<ffi::lua_Debug>();
            if co == lua {
                raise(lua, b"cannot close a running coroutine");
            }
            if ffi::lua_status(co) == ffi::LUA_OK && ffi::lua_getstack(co, 0, &raw mut ar) != 0 {
                raise(lua, b"cannot close a normal coroutine");
            }
            if tracked(lua, co, Slice::Running, || reset(lua, co)) == ffi::LUA_OK {
                ffi::lua_pushboolean(lua, 1);
                return 1;
            }
            ffi::lua_pushboolean(lua, 0);
            ffi::lua_xmove(co, lua, 1);
            2
        }
        #[cfg(not(feature = "lua54"))]
        raise(lua, b"fkrpc: coroutine.close is not wrapped in this Lua")
    }
}
