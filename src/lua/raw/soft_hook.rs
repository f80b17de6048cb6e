//! Soft hooks: a count hook that is called about once a second of running instead of every n instructions.
//!
//! Where a program sets `debug.sethook(co, f, "", 50000)` only to see now and then whether time is up, Lua pays for it
//! at every instruction. Here the ticks find the running coroutine, and once it has run for a second a hook is planted
//! that calls `f` at the next instruction and is gone.
//!
//! # What may raise
//! The hook and the functions, which own nothing. The tick raises nothing: as the chain's, it plants a hook on a state
//! of the chain, or on the main one, which lives as long as the Lua state; it is forgotten when that is closed.

use super::open::push_anchors;
use super::state::{anchor, guarded, state, ANCHORS};
use super::stop_hook::in_prelude;
use super::watchdog::{hold, refused};
use crate::watchdog::bursts::Bursts;
use mlua::ffi::{self, lua_Debug, lua_Hook, lua_State};
use std::ffi::c_int;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering::Relaxed};
use std::time::Duration;

/// How often running coroutines are looked at.
const PERIOD: Duration = Duration::from_millis(50);

static WANTED: AtomicBool = AtomicBool::new(false);
static BURSTS: Bursts = Bursts::new();
/// The main coroutine, which runs when the chain is empty.
static MAIN: AtomicPtr<lua_State> = AtomicPtr::new(null_mut());

/// `running` has burnt so many nanoseconds since the last tick; see [`super::chain::innermost`].
///
/// # Safety
/// By the tick.
pub unsafe fn tick(running: Option<Option<*mut lua_State>>, ran: u64) {
    if !WANTED.load(Relaxed) {
        return;
    }
    let lua = match running {
        None => MAIN.load(Relaxed),
        Some(coroutine) => coroutine.unwrap_or(null_mut()),
    };
    // SAFETY: see the module's proof. Who has a hook of its own has no soft one.
    unsafe {
        if !lua.is_null() && BURSTS.ran(lua as usize, ran) && ffi::lua_gethook(lua).is_none() {
            BURSTS.called(lua as usize);
            ffi::lua_sethook(lua, Some(call as lua_Hook), ffi::LUA_MASKCOUNT, 1);
        }
    }
}

/// The hook: calls the coroutine's soft hook, if it has one, as Lua calls its hooks: `f("count", nil)`.
unsafe extern "C-unwind" fn call(lua: *mut lua_State, ar: *mut lua_Debug) {
    // SAFETY: called by Lua with 20 free stack slots. May raise; owns nothing.
    unsafe {
        if in_prelude(lua, ar) {
            return;
        }
        ffi::lua_sethook(lua, None, 0, 0);
        let top = ffi::lua_gettop(lua);
        push_anchors(lua);
        if ffi::lua_rawgeti(lua, -1, anchor::SOFT_HOOKS) == ffi::LUA_TTABLE {
            ffi::lua_pushthread(lua);
            if ffi::lua_rawget(lua, -2) == ffi::LUA_TTABLE && ffi::lua_rawgeti(lua, -1, 1) == ffi::LUA_TFUNCTION {
                ffi::lua_pushstring(lua, c"count".as_ptr());
                ffi::lua_pushnil(lua);
                ffi::lua_call(lua, 2, 0);
            }
        }
        ffi::lua_settop(lua, top);
    }
}

/// The main coroutine is about to be freed.
pub fn forget_main() {
    MAIN.store(null_mut(), Relaxed);
}

/// `watchdog_soft(table | nil) -> true | nil, message, errno`: call the hooks of this table (coroutine to
/// `{ function, count }`), or none any more.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn soft_function(lua: *mut lua_State) -> c_int {
    // SAFETY: the references to the claim end before Lua is called again.
    unsafe {
        ffi::lua_settop(lua, 1);
        let claim = &raw mut (*state(lua)).watchdog;
        if ffi::lua_type(lua, 1) != ffi::LUA_TTABLE {
            WANTED.store(false, Relaxed);
            forget_main();
            let released = guarded(|| {
                (*claim).soft = false;
                (*claim).release();
            });
            if let Err(panic) = released {
                panic.raise(lua);
            }
        } else {
            if let Err(errno) = hold(lua, PERIOD) {
                return refused(lua, errno);
            }
            (*claim).soft = true;
            ffi::lua_rawseti(lua, ANCHORS, anchor::SOFT_HOOKS);
            MAIN.store(main(lua), Relaxed);
            WANTED.store(true, Relaxed);
        }
        ffi::lua_pushboolean(lua, 1);
        1
    }
}

/// The main coroutine; null where it cannot be known (Lua 5.1, asked from a coroutine).
unsafe fn main(lua: *mut lua_State) -> *mut lua_State {
    // SAFETY: pushes one value and takes it off again.
    unsafe {
        #[cfg(any(feature = "lua51", feature = "luajit"))]
        let main = if ffi::lua_pushthread(lua) == 1 { lua } else { null_mut() };
        #[cfg(not(any(feature = "lua51", feature = "luajit")))]
        let main = {
            ffi::lua_rawgeti(lua, ffi::LUA_REGISTRYINDEX, ffi::LUA_RIDX_MAINTHREAD);
            ffi::lua_tothread(lua, -1)
        };
        ffi::lua_settop(lua, -2);
        main
    }
}

/// `running_thread() -> thread`: the running coroutine, the main one included (Lua 5.1's `coroutine.running` has none).
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn thread_function(lua: *mut lua_State) -> c_int {
    // SAFETY: pushes one value.
    unsafe { ffi::lua_pushthread(lua) };
    1
}
