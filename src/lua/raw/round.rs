//! A round of a loop: waiting, and what the places that are ready have to do, one thing after the other.
//!
//! It refuses to know the places' owners: what there is, is handed to the prelude with the place's number.
//!
//! # What may raise
//! As in [`super::poller`] and [`super::receive`]: arguments, `enter`, what is pushed. Waiting and the choice of a place
//! run under `guarded`, and errors leave that as their numbers; nothing with a destructor lies on the Rust stack while
//! Lua may raise (asserted there), and no reference into the set lives across a push.

use super::chain;
use super::connection::{check, kept_deadline};
use super::poller::{poller, INPUT, INVALID, JOINED, OUTPUT};
use super::receive::{give_up, push_event, receive, wants_to_run, Got};
use super::state::{enter, guarded, leave, raise, OPTIONS};
use crate::connection::{Event, Turn, Wait};
use crate::sys::error::describe;
use crate::sys::poller::Poller;
use crate::text;
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;
use std::io;

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
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn wait(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        ffi::lua_settop(lua, 1);
        let (poller, deadline) = (poller(lua), kept_deadline(lua, 1));
        let waited = guarded(|| (*poller).wait(deadline).map_err(|error| errno_of(&mut *poller, error)));
        end_wait(lua, poller, waited, &marker)
    }
}

/// `listen()`: the same until the time of `alarm`; nothing is done if that has come.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn listen(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        let poller = poller(lua);
        let waited = guarded(|| {
            if (*poller).is_due() {
                return Ok(());
            }
            (*poller)
                .wait((*poller).alarm)
                .map_err(|error| errno_of(&mut *poller, error))
        });
        end_wait(lua, poller, waited, &marker)
    }
}

/// `alarm(deadline or nil)`: until when `listen` may wait.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn alarm(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        (*poller(lua)).alarm = kept_deadline(lua, 1);
    }
    0
}

/// What went wrong, which the poller keeps to be told.
fn errno_of(poller: &mut Poller, error: io::Error) -> i32 {
    poller.failure = text::string(format_args!("fkrpc: the loop cannot wait: {}", describe(&error)));
    error.raw_os_error().unwrap_or(libc::EIO)
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
            Ok(Err(_)) => raise(lua, (*poller).failure.as_bytes()),
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
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn take_function(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe { take(lua, poller(lua), &marker) }
}
