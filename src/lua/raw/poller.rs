//! The set that a loop waits for, as a table of functions.
//!
//! Its userdata is never handed to Lua code: it is the third upvalue of the functions, and goes when they go. It refuses
//! to know what a place is for.
//!
//! # What may raise
//! Arguments and pushes. As in [`super::socket`]: an empty place, which owns nothing, is written into the userdata before
//! the metatable is set, and the set is put there and used under `guarded`; errors leave it as their numbers. Nothing
//! with a destructor lies on the Rust stack while Lua may raise, and no reference into the set lives across a push.

use super::connection::{check, system_failure};
use super::open::push_upvalues;
use super::receive::out_of_memory;
use super::round;
use super::state::{enter, guarded, leave, raise, OPTIONS};
use crate::codec::ErrorKind;
use crate::sys::error::describe;
use crate::sys::poller::Poller;
use crate::sys::signals;
use mlua::ffi::{self, lua_CFunction, lua_State};
use std::ffi::{c_int, CStr};
use std::os::fd::RawFd;

/// Bits of what a place is ready for, and of what it waits for.
pub const INPUT: i64 = 1;
/// Room to write.
pub const OUTPUT: i64 = 2;
/// The descriptor is not open.
pub const INVALID: i64 = 4;
/// The fourth upvalue of the functions: connections and their handler tables, two items for each place.
pub const JOINED: c_int = ffi::lua_upvalueindex(4);

/// The set of the running function; raises where it is closed. Nothing else refers to it while the function runs.
///
/// # Safety
/// In a function of the set's.
pub unsafe fn poller(lua: *mut lua_State) -> *mut Poller {
    // SAFETY: upvalue 3 of the functions here is the userdata, always; its place is whole.
    unsafe {
        let place = ffi::lua_touserdata(lua, OPTIONS).cast::<Option<Poller>>();
        match &mut *place {
            Some(poller) => &raw mut *poller,
            None => raise(lua, b"fkrpc: the loop is closed"),
        }
    }
}

/// `__gc`.
unsafe extern "C-unwind" fn collect(lua: *mut lua_State) -> c_int {
    // SAFETY: only these userdata have this metatable. Afterwards the place is empty and owns nothing: finalizers of
    // other objects may still call the functions.
    unsafe {
        let place = ffi::lua_touserdata(lua, 1).cast::<Option<Poller>>();
        if !place.is_null() {
            let _ = guarded(|| *place = None);
        }
    }
    0
}

/// `close()`: nothing is waited for any more. A second time does nothing.
unsafe extern "C-unwind" fn close(lua: *mut lua_State) -> c_int {
    // SAFETY: as `poller`.
    unsafe {
        let place = ffi::lua_touserdata(lua, OPTIONS).cast::<Option<Poller>>();
        if let Err(panic) = guarded(|| *place = None) {
            panic.raise(lua);
        }
    }
    0
}

/// Push the number of a new place.
unsafe fn push_place(lua: *mut lua_State, added: Result<Option<usize>, super::guard::Panic>) -> c_int {
    // SAFETY: numbers do not allocate; nothing is owned.
    unsafe {
        match added {
            Ok(Some(place)) => ffi::lua_pushinteger(lua, place as i64 + 1), // OK because places are few
            Ok(None) => out_of_memory(lua, ErrorKind::OutOfMemory),
            Err(panic) => panic.raise(lua),
        }
        1
    }
}

/// The place at `index`.
unsafe fn place_at(lua: *mut lua_State, index: c_int) -> usize {
    // SAFETY: a plain conversion.
    let number = unsafe { ffi::lua_tointeger(lua, index) };
    usize::try_from(number.wrapping_sub(1)).unwrap_or(usize::MAX)
}

/// `join(connection, handlers) -> place`: from now on the connection waits for nothing by itself.
unsafe extern "C-unwind" fn join(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        ffi::lua_settop(lua, 2);
        let (poller, conn) = (poller(lua), check(lua, 1));
        ffi::luaL_checktype(lua, 2, ffi::LUA_TTABLE);
        push_place(lua, guarded(|| Some((*poller).add().ok()?.0)));
        let place = ffi::lua_tointeger(lua, 3);
        ffi::lua_pushvalue(lua, 2);
        ffi::lua_rawseti(lua, JOINED, 2 * place);
        ffi::lua_pushvalue(lua, 1);
        ffi::lua_rawseti(lua, JOINED, 2 * place - 1);
        // Nothing raises after this: the connection knows of its place only if the place knows of it.
        let joined = guarded(|| {
            if let Some(interest) = (*poller).shared(place_at(lua, 3)) {
                (*conn).core.peer.concurrent = true;
                (*conn).core.join(interest);
            }
        });
        if let Err(panic) = joined {
            panic.raise(lua);
        }
        1
    }
}

/// `leave(connection, concurrent)`: it waits by itself again; replies go to whichever call waits, or not.
unsafe extern "C-unwind" fn leave_loop(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let conn = check(lua, 1);
        let concurrent = ffi::lua_toboolean(lua, 2) != 0;
        let left = guarded(|| {
            (*conn).core.leave();
            (*conn).core.peer.concurrent = concurrent;
        });
        if let Err(panic) = left {
            panic.raise(lua);
        }
    }
    0
}

/// `watch(descriptor, bits) -> place`
unsafe extern "C-unwind" fn watch(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let poller = poller(lua);
        let fd = RawFd::try_from(ffi::lua_tointeger(lua, 1)).unwrap_or(-1);
        let bits = ffi::lua_tointeger(lua, 2);
        let added = guarded(|| {
            let (place, interest) = (*poller).add().ok()?;
            interest.set((bits & INPUT != 0).then_some(fd), (bits & OUTPUT != 0).then_some(fd));
            Some(place)
        });
        push_place(lua, added)
    }
}

/// `change(place, descriptor, bits, at_once)`
unsafe extern "C-unwind" fn change(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let (poller, place) = (poller(lua), place_at(lua, 1));
        let fd = RawFd::try_from(ffi::lua_tointeger(lua, 2)).unwrap_or(-1);
        let bits = ffi::lua_tointeger(lua, 3);
        let at_once = ffi::lua_toboolean(lua, 4) != 0;
        let changed = guarded(|| {
            if let Some(interest) = (*poller).interest(place) {
                interest.set((bits & INPUT != 0).then_some(fd), (bits & OUTPUT != 0).then_some(fd));
                interest.set_at_once(at_once);
            }
        });
        if let Err(panic) = changed {
            panic.raise(lua);
        }
    }
    0
}

/// `remove(place)`
unsafe extern "C-unwind" fn remove(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let (poller, place) = (poller(lua), place_at(lua, 1));
        if let Err(panic) = guarded(|| (*poller).remove(place)) {
            panic.raise(lua);
        }
        let number = ffi::lua_tointeger(lua, 1);
        for at in [2 * number - 1, 2 * number] {
            ffi::lua_pushnil(lua);
            ffi::lua_rawseti(lua, JOINED, at);
        }
    }
    0
}

/// `signals(bits, heard) -> true | nil, message, errno`: the signals to hear of here; `heard`: others do, and their
/// signals end waits, too.
unsafe extern "C-unwind" fn hear(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        let poller = poller(lua);
        let bits = u32::try_from(ffi::lua_tointeger(lua, 1)).unwrap_or(0);
        let heard = ffi::lua_toboolean(lua, 2) != 0;
        let job = enter(lua, &marker);
        let installed = guarded(|| match signals::Guard::install(bits) {
            Ok(guard) => {
                (*poller).guard = (bits != 0).then_some(guard); // the new one first: a signal both want stays heard
                (*poller).hear(bits != 0 || heard);
                0
            }
            Err(error) => {
                (*job).message = describe(&error);
                error.raw_os_error().unwrap_or(libc::EIO)
            }
        });
        match installed {
            Ok(0) => {
                leave(lua, job);
                ffi::lua_pushboolean(lua, 1);
                1
            }
            Ok(errno) => system_failure(lua, job, errno),
            Err(panic) => panic.raise(lua),
        }
    }
}

/// `signal() -> boolean`: whether one is there that is heard of.
unsafe extern "C-unwind" fn has_signal(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let poller = poller(lua);
        match guarded(|| (*poller).has_signal()) {
            Ok(there) => ffi::lua_pushboolean(lua, c_int::from(there)),
            Err(panic) => panic.raise(lua),
        }
        1
    }
}

const FUNCTIONS: &[(&CStr, lua_CFunction)] = &[
    (c"join", join),
    (c"leave", leave_loop),
    (c"watch", watch),
    (c"change", change),
    (c"remove", remove),
    (c"wait", round::wait),
    (c"listen", round::listen),
    (c"alarm", round::alarm),
    (c"take", round::take_function),
    (c"signals", hear),
    (c"signal", has_signal),
    (c"close", close),
];

/// `poller() -> functions`: an empty set.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn poller_function(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof. Between the write and the metatable nothing raises: the metatable is made after
    // the place is whole, and an empty place owns nothing.
    unsafe {
        ffi::lua_settop(lua, 0);
        let place = ffi::lua_newuserdata(lua, size_of::<Option<Poller>>()).cast::<Option<Poller>>();
        place.write(None);
        ffi::lua_createtable(lua, 0, 1);
        ffi::lua_pushcclosure(lua, collect, 0);
        ffi::lua_setfield(lua, -2, c"__gc".as_ptr());
        ffi::lua_setmetatable(lua, 1);
        let made = guarded(|| match Poller::try_new() {
            Ok(poller) => {
                *place = Some(poller);
                true
            }
            Err(_) => false,
        });
        match made {
            Ok(true) => {}
            Ok(false) => out_of_memory(lua, ErrorKind::OutOfMemory),
            Err(panic) => panic.raise(lua),
        }
        ffi::lua_createtable(lua, 0, 0); // what has joined
        ffi::lua_createtable(lua, 0, c_int::try_from(FUNCTIONS.len()).unwrap_or(0));
        for &(name, function) in FUNCTIONS {
            push_upvalues(lua, 1);
            ffi::lua_pushvalue(lua, 2);
            ffi::lua_pushcclosure(lua, function, 4);
            ffi::lua_setfield(lua, -2, name.as_ptr());
        }
        1
    }
}
