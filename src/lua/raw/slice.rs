//! The slices of the chain: which one a coroutine's run belongs to, and what opens and closes with it.
//!
//! It refuses to touch a Lua state: what is late is stopped by [`super::stop_hook`].
//!
//! # What may raise
//! Nothing: no Lua function is called.
//!
//! # Signal safety
//! For the ticks the order is always the same: nothing runs any more; then the rest changes; then a slice runs again.

use super::chain::{CHAIN, WATCHDOG};
use super::connection::Conn;
use crate::watchdog::{Saved, Suspended};
use mlua::ffi::lua_State;
use std::ptr::null_mut;
use std::sync::atomic::Ordering::Relaxed;

/// Which slice a coroutine's run belongs to.
#[derive(Clone, Copy)]
pub enum Slice {
    /// The running one; one of its own where none runs and a limit is set.
    Running,
    /// As that; also one of its own where a handler's own coroutine resumes it and the handler is divided.
    Resumed,
    /// One of its own: a handler that serves the request delivered last.
    Handler,
    /// A part of the running one of so many nanoseconds at most.
    Part(u64),
}

/// What was put aside when a slice was opened inside another.
pub struct Outer {
    saved: Saved,
    base: usize,
    told_limit: u64,
    divided: bool,
    request: (*mut Conn, usize),
}

/// What a frame has opened, and has to close.
pub enum Opened {
    /// Nothing.
    Nothing,
    /// A slice where none was running.
    First,
    /// One inside a divided handler.
    Own(Suspended),
    /// One inside another.
    Inner(Outer),
}

/// A coroutine is about to be run by `lua`; `depth` is its place on the chain.
///
/// Inlined with [`close`] into every resume, so that a coroutine that hardly does anything costs what it does in Lua.
#[inline(always)]
pub fn open(slice: Slice, lua: *mut lua_State, depth: usize) -> Opened {
    if !matches!(slice, Slice::Running | Slice::Resumed) {
        return open_other(slice, depth);
    }
    if WATCHDOG.running() != 0 {
        return match slice {
            Slice::Resumed if CHAIN.divided.load(Relaxed) => open_own(lua, depth),
            _ => Opened::Nothing,
        };
    }
    let limit = CHAIN.limit.load(Relaxed);
    if limit == 0 {
        return Opened::Nothing;
    }
    begin(depth, limit, false, (null_mut(), 0));
    WATCHDOG.begin(limit);
    Opened::First
}

#[inline(never)]
fn open_other(slice: Slice, depth: usize) -> Opened {
    let (limit, request) = match slice {
        Slice::Part(limit) => (limit, CHAIN.request.get()),
        _ => (CHAIN.limit.load(Relaxed), CHAIN.delivered.get()),
    };
    let divided = matches!(slice, Slice::Handler) && CHAIN.per_resume.load(Relaxed);
    if WATCHDOG.running() == 0 {
        begin(depth, limit, divided, request);
        WATCHDOG.begin(limit);
        return Opened::First;
    }
    open_inner(slice, depth, limit, divided, request)
}

/// Limit and request stay the handler's.
#[inline(always)]
fn open_own(lua: *mut lua_State, depth: usize) -> Opened {
    let base = depth.wrapping_sub(1);
    let is_handler = CHAIN.base.load(Relaxed) == base
        && CHAIN
            .entries
            .get(base)
            .is_some_and(|entry| entry.coroutine.load(Relaxed) == lua);
    if !is_handler {
        return Opened::Nothing;
    }
    let suspended = WATCHDOG.suspend();
    if WATCHDOG.overdue() {
        // Asked only now, when no tick can say so any more: the handler is late itself.
        WATCHDOG.go_on(suspended);
        return Opened::Nothing;
    }
    if WATCHDOG.is_spent(&suspended) {
        // It has let too many run into their limits: this one runs on its own account, and the next ticks end it.
        WATCHDOG.go_on(suspended);
        return Opened::Nothing;
    }
    CHAIN.base.store(depth, Relaxed);
    CHAIN.divided.store(false, Relaxed);
    WATCHDOG.begin_alike();
    Opened::Own(suspended)
}

fn open_inner(slice: Slice, depth: usize, limit: u64, divided: bool, request: (*mut Conn, usize)) -> Opened {
    let mut outer = Outer {
        saved: WATCHDOG.put_aside(),
        base: CHAIN.base.load(Relaxed),
        told_limit: CHAIN.told_limit.load(Relaxed),
        divided: CHAIN.divided.load(Relaxed),
        request: CHAIN.request.get(),
    };
    begin(depth, limit, divided, request);
    if !matches!(slice, Slice::Part(_)) {
        WATCHDOG.begin(limit);
    } else {
        CHAIN.told.store(0, Relaxed); // a part has its slice's number, but an error of its own
        if !WATCHDOG.begin_part(&mut outer.saved, limit) {
            CHAIN.told_limit.store(outer.told_limit, Relaxed);
        }
    }
    Opened::Inner(outer)
}

#[inline(always)]
fn begin(base: usize, limit: u64, divided: bool, request: (*mut Conn, usize)) {
    CHAIN.base.store(base, Relaxed);
    CHAIN.told_limit.store(limit, Relaxed);
    CHAIN.divided.store(divided, Relaxed);
    CHAIN.request.set(request);
}

/// The coroutine at `depth` has ended or yielded.
#[inline(always)]
pub fn close(opened: Opened, depth: usize) {
    match opened {
        Opened::Nothing => {}
        Opened::First => {
            WATCHDOG.pause();
            CHAIN.base.store(usize::MAX, Relaxed);
        }
        Opened::Own(mut suspended) => {
            WATCHDOG.charge(&mut suspended);
            WATCHDOG.pause();
            CHAIN.base.store(depth.wrapping_sub(1), Relaxed);
            CHAIN.divided.store(true, Relaxed);
            WATCHDOG.go_on(suspended);
        }
        Opened::Inner(outer) => close_inner(&outer),
    }
}

#[inline(never)]
fn close_inner(outer: &Outer) {
    WATCHDOG.pause();
    CHAIN.told.store(0, Relaxed);
    begin(outer.base, outer.told_limit, outer.divided, outer.request);
    WATCHDOG.end(&outer.saved);
}
