//! The hook that makes a late slice fail: planted by the tick, taken off by the frames.
//!
//! It refuses to stay: whoever finds it on a state while no slice is late takes it off.
//!
//! # What may raise
//! The hook itself, which owns nothing: that is what it is for. Planting and taking off raise nothing: as the chain's,
//! `lua_gethook*` and `lua_sethook` copy a few words, and the states on the chain are alive.

use super::chain::{here, Entry, CHAIN, WATCHDOG};
use super::open::push_anchors;
use super::state::anchor;
use mlua::ffi::{self, lua_Debug, lua_Hook, lua_State};
use std::ffi::CStr;
use std::ptr::null_mut;
use std::sync::atomic::Ordering::Relaxed;

/// Plant the hook on every state of the running slice, again where somebody has taken it off.
///
/// # Safety
/// By the tick.
pub unsafe fn plant() {
    // SAFETY: see the module's proof.
    unsafe {
        let depth = CHAIN.depth.load(Relaxed);
        let mut below: *mut lua_State = null_mut();
        for entry in CHAIN.entries.iter().take(depth).skip(CHAIN.base.load(Relaxed)) {
            let from = entry.from.load(Relaxed);
            if !below.is_null() && from != below {
                plant_on(from, None);
            }
            below = entry.coroutine.load(Relaxed);
            plant_on(below, Some(entry));
        }
    }
}

unsafe fn plant_on(lua: *mut lua_State, entry: Option<&Entry>) {
    // SAFETY: see the module's proof.
    unsafe {
        let hook = ffi::lua_gethook(lua);
        if is_ours(hook) {
            // Again at each tick: where a hook of the program's was counted down just when ours was planted, Lua 5.1
            // writes its own count back over ours, and ours would not come.
            ffi::lua_sethook(lua, Some(stop as lua_Hook), ffi::LUA_MASKCOUNT, 1);
            return;
        }
        if let Some(entry) = entry.filter(|entry| !entry.planted.load(Relaxed)) {
            entry.hook.store(hook.map_or(0, |hook| hook as usize), Relaxed);
            entry.mask.store(ffi::lua_gethookmask(lua), Relaxed);
            entry.count.store(ffi::lua_gethookcount(lua), Relaxed);
            entry.planted.store(true, Relaxed);
        }
        ffi::lua_sethook(lua, Some(stop as lua_Hook), ffi::LUA_MASKCOUNT, 1);
    }
}

fn is_ours(hook: Option<lua_Hook>) -> bool {
    hook.is_some_and(|hook| hook as usize == stop as lua_Hook as usize)
}

/// Put back the hook of an entry's coroutine.
///
/// # Safety
/// The entry's coroutine must be alive.
#[cold]
pub unsafe fn take_off(index: usize) {
    let Some(entry) = CHAIN.entries.get(index) else { return };
    if !entry.planted.swap(false, Relaxed) {
        return;
    }
    let lua = entry.coroutine.load(Relaxed);
    // SAFETY: the entry's coroutine is alive (its frame calls this); a non-zero `hook` came from `lua_gethook`.
    unsafe {
        if is_ours(ffi::lua_gethook(lua)) {
            let hook = match entry.hook.load(Relaxed) {
                0 => None,
                hook => Some(std::mem::transmute::<usize, lua_Hook>(hook)),
            };
            ffi::lua_sethook(lua, hook, entry.mask.load(Relaxed), entry.count.load(Relaxed));
        }
    }
}

/// The hook: raises, except in the prelude, which has to clean up. Without a late slice it takes itself off: a
/// coroutine made while it was planted has inherited it.
unsafe extern "C-unwind" fn stop(lua: *mut lua_State, ar: *mut lua_Debug) {
    // SAFETY: called by Lua with 20 free stack slots (LUA_MINSTACK). May raise; owns nothing.
    unsafe {
        if !here() || !WATCHDOG.overdue() {
            ffi::lua_sethook(lua, None, 0, 0);
            return;
        }
        if in_prelude(lua, ar) {
            return;
        }
        WATCHDOG.failed();
        push_anchors(lua);
        let slice = WATCHDOG.running();
        if CHAIN.told.load(Relaxed) != slice {
            ffi::luaL_where(lua, 0);
            let seconds = CHAIN.told_limit.load(Relaxed) as f64 / 1e9;
            ffi::lua_pushfstring(
                lua,
                c"%sfkrpc.watchdog: the time limit of %f seconds is exceeded".as_ptr(),
                ffi::lua_tostring(lua, -1),
                seconds,
            );
            ffi::luaL_traceback(lua, lua, ffi::lua_tostring(lua, -1), 0);
            ffi::lua_pushvalue(lua, -1);
            ffi::lua_rawseti(lua, -5, anchor::OVERDUE);
            CHAIN.told.store(slice, Relaxed); // only now: on a full stack the text itself may fail
        } else {
            // The same slice fails again: what it caught was not the end of it.
            ffi::lua_rawgeti(lua, -1, anchor::OVERDUE);
        }
        ffi::lua_error(lua)
    }
}

/// Whether the hooked function is one of the prelude's.
///
/// # Safety
/// In a hook.
pub unsafe fn in_prelude(lua: *mut lua_State, ar: *mut lua_Debug) -> bool {
    // SAFETY: `ar` is the hook's; "S" fills in `source`, a C string that lives as long as the function.
    unsafe {
        ffi::lua_getinfo(lua, c"S".as_ptr(), ar);
        CStr::from_ptr((*ar).source).to_bytes().starts_with(b"=fkrpc")
    }
}
