//! The set that a loop waits for, as a table of functions.
//!
//! Its userdata is never handed to Lua code: it is the third upvalue of the functions, and goes when they go. It refuses
//! to know what a place is for.
//!
//! # What may raise
//! Arguments and pushes. As in [`super::socket`]: an empty place, which owns nothing, is written into the userdata before
//! the metatable is set, and the set is put there and used under `guarded`; errors leave it as their numbers. Nothing
//! with a destructor lies on the Rust stack while Lua may raise, and no reference into the set lives across a push.

use super::chain;
use super::connection::{check, kept_deadline, system_failure};
use super::open::push_upvalues;
use super::receive::{give_up, out_of_memory, push_event, receive, wants_to_run, Got};
use super::state::{enter, guarded, leave, raise, OPTIONS};
use crate::codec::ErrorKind;
use crate::connection::{Event, Turn, Wait};
use crate::sys::error::describe;
use crate::sys::poller::Poller;
use crate::sys::signals;
use crate::text;
use mlua::ffi::{self, lua_CFunction, lua_State};
use std::ffi::{c_int, CStr};
use std::io;
use std::os::fd::RawFd;

/// Bits of what a place is ready for, and of what it waits for.
const INPUT: i64 = 1;
const OUTPUT: i64 = 2;
const INVALID: i64 = 4;
/// The fourth upvalue of the functions: connections and their handler tables, two items for each place.
const JOINED: c_int = ffi::lua_upvalueindex(4);

/// The set of the running function; raises where it is closed. Nothing else refers to it while the function runs.
unsafe fn poller(lua: *mut lua_State) -> *mut Poller {
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

/// Push what the place whose turn it is has to do; nothing where the round is over.
unsafe fn take(lua: *mut lua_State, poller: *mut Poller, marker: &u8) -> c_int {
    // SAFETY: see the module's proof. The connection and its handlers are on the stack while they are used.
    unsafe {
        let ready = match guarded(|| (*poller).next_ready()) {
            Ok(Some(ready)) => ready,
            Ok(None) => return 0,
            Err(panic) => panic.raise(lua),
        };
        // Negative: it is the last of this round.
        let number = |goes_on| {
            let number = ready.place as i64 + 1; // OK because places are few
            if goes_on {
                number
            } else {
                -number
            }
        };
        ffi::lua_settop(lua, 0);
        let at = number(true);
        ffi::lua_rawgeti(lua, JOINED, 2 * at - 1);
        if ffi::lua_type(lua, 1) != ffi::LUA_TUSERDATA {
            let held = (*poller).hold(ready.place);
            let goes_on = (*poller).took(ready.place, held, false) == Some(true);
            let bit = |set, bit| if set { bit } else { 0 };
            let bits = bit(ready.input, INPUT) | bit(ready.output, OUTPUT) | bit(ready.invalid, INVALID);
            ffi::lua_pushinteger(lua, number(goes_on));
            ffi::lua_pushinteger(lua, bits);
            return 2;
        }
        let conn = check(lua, 1);
        ffi::lua_rawgeti(lua, JOINED, 2 * at);
        if (*conn).core.wire.output().is_some() {
            chain::serves();
        }
        let wait = Wait {
            single: true,
            turn: Some(Turn {
                readable: ready.input || ready.invalid,
                ended: ready.end,
            }),
            ..Wait::default()
        };
        let job = enter(lua, marker);
        let held = (*poller).hold(ready.place);
        let got = receive(lua, conn, job, 2, wait);
        let more = !matches!(got, Got::Event(event) if event != Event::Handled) && (*conn).core.peer.has_more();
        // A finalizer that ran while something was pushed may have taken the connection out, or closed the set.
        let goes_on = match &mut *ffi::lua_touserdata(lua, OPTIONS).cast::<Option<Poller>>() {
            Some(poller) => poller.took(ready.place, held, more),
            None => None,
        };
        let Some(goes_on) = goes_on else {
            if let Got::Request(slot) = got {
                give_up(lua, conn, job, slot);
            }
            leave(lua, job);
            return 0;
        };
        let number = number(goes_on);
        match got {
            Got::Request(slot) => {
                chain::delivered(conn, slot);
                ffi::lua_pushinteger(lua, number);
                ffi::lua_replace(lua, -6); // a value of no use below slot, handler, params and ctx
                leave(lua, job);
                5
            }
            Got::Reply(id) => {
                // Below result and error lie three values of no use by now.
                ffi::lua_pushinteger(lua, number);
                ffi::lua_replace(lua, 1);
                ffi::lua_pushboolean(lua, 0);
                ffi::lua_replace(lua, 2);
                ffi::lua_pushinteger(lua, id);
                ffi::lua_replace(lua, 3);
                leave(lua, job);
                5
            }
            Got::Event(event) => {
                ffi::lua_pushinteger(lua, number);
                let count = push_event(lua, conn, job, event);
                leave(lua, job);
                count + 1
            }
        }
    }
}

/// `wait(deadline or nil)`: begin a round, waiting until something is ready; returns as [`take_function`].
unsafe extern "C-unwind" fn wait(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        ffi::lua_settop(lua, 1);
        let (poller, deadline) = (poller(lua), kept_deadline(lua, 1));
        let waited = guarded(|| (*poller).wait(deadline).map_err(errno_of));
        end_wait(lua, poller, waited, &marker)
    }
}

/// `listen()`: the same until the time of `alarm`; nothing is done if that has come.
unsafe extern "C-unwind" fn listen(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        let poller = poller(lua);
        let waited = guarded(|| {
            if (*poller).is_due() {
                return Ok(());
            }
            (*poller).wait((*poller).alarm).map_err(errno_of)
        });
        end_wait(lua, poller, waited, &marker)
    }
}

/// `alarm(deadline or nil)`: until when `listen` may wait.
unsafe extern "C-unwind" fn alarm(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        (*poller(lua)).alarm = kept_deadline(lua, 1);
    }
    0
}

fn errno_of(error: io::Error) -> i32 {
    match error.kind() {
        io::ErrorKind::OutOfMemory => libc::ENOMEM,
        _ => error.raw_os_error().unwrap_or(libc::EIO),
    }
}

/// The end of a function that has waited.
unsafe fn end_wait(
    lua: *mut lua_State,
    poller: *mut Poller,
    waited: Result<Result<(), i32>, super::guard::Panic>,
    marker: &u8,
) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        chain::waited();
        match waited {
            Ok(Ok(())) => take(lua, poller, marker),
            // Whoever goes round asks again, and a hook that Ctrl-C has planted runs on the way.
            Ok(Err(libc::EINTR)) => {
                wants_to_run(lua);
                0
            }
            Ok(Err(errno)) => {
                let job = enter(lua, marker);
                let told = guarded(|| {
                    let why = describe(&io::Error::from_raw_os_error(errno));
                    (*job).message = text::string(format_args!("fkrpc: the loop cannot wait: {why}"));
                });
                if let Err(panic) = told {
                    panic.raise(lua);
                }
                raise(lua, (*job).message.as_bytes())
            }
            Err(panic) => panic.raise(lua),
        }
    }
}

/// `take()`: go on with the round. Returns nothing where it is over, and else the number of a place, negative if nothing
/// is left in this round after this, and then for a connection one of
/// `slot, handler, params, ctx` for a request or notification,
/// `false, id, result, err` for the reply to a call,
/// `nil, event, detail`; "dry": there is nothing more,
/// and for a descriptor what it is ready for.
unsafe extern "C-unwind" fn take_function(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe { take(lua, poller(lua), &marker) }
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
    (c"wait", wait),
    (c"listen", listen),
    (c"alarm", alarm),
    (c"take", take_function),
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
