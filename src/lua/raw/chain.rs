//! The chain of running coroutines, and where the frames of the Lua thread tell the ticks about it.
//!
//! It refuses to know what a slice is worth: that is [`super::slice`]'s, and the hook that stops one which is late
//! [`super::stop_hook`]'s.
//!
//! No hook is installed while nobody is late. When a slice is past its deadline the tick (a signal on the Lua thread)
//! plants one on every state of the slice that is on the chain; it raises at each instruction outside the prelude until
//! the frame that opened the slice is back, which takes it off again and puts back what was there.
//!
//! # What may raise
//! Nothing: no Lua function is called but by the `work` of [`tracked`], which may not raise, and by the hook's
//! [`take_off`].
//! *Signal safety.* The tick runs at any machine instruction of this thread. It touches atomics, and `lua_gethook*` and
//! `lua_sethook`, which copy a few words, allocate nothing and may be called from a signal handler on the thread that
//! runs the state: stock `lua` stops a program on Ctrl-C in just this way.
//! *Life of the states on the chain.* An entry is pushed right before `lua_resume` and popped right after it by a frame
//! that has the coroutine on its own Lua stack; `lua_resume` returns, it does not raise. So an entry's states live.
//! *Threads.* The chain belongs to the thread that has claimed it; [`here`] is asked before every touch.

use super::connection::Conn;
use super::slice::{close, open, Slice};
use super::stop_hook::take_off;
use crate::sys::timer;
use crate::watchdog::Watchdog;
use mlua::ffi::lua_State;
use std::ffi::c_int;
use std::ptr::null_mut;
use std::sync::atomic::{
    compiler_fence, AtomicBool, AtomicI32, AtomicPtr, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst,
};

/// Coroutines inside each other that are tracked. Stock Lua has room for 200 (`LUAI_MAXCCALLS`); what is deeper in
/// another build is not stopped by itself but when it returns to one that is tracked.
pub const DEPTH: usize = 256;

/// A coroutine that runs, or waits for one that it has resumed.
pub struct Entry {
    pub(super) coroutine: AtomicPtr<lua_State>,
    /// Who resumed it: mostly the coroutine of the entry below, but not if that one resumed somebody behind our back.
    pub(super) from: AtomicPtr<lua_State>,
    pub(super) planted: AtomicBool,
    // The hook that was there.
    pub(super) hook: AtomicUsize,
    pub(super) mask: AtomicI32,
    pub(super) count: AtomicI32,
}

/// What the frames of the Lua thread tell the tick.
pub struct Chain {
    /// The thread it belongs to; 0: none.
    pub thread: AtomicUsize,
    /// How many coroutines run inside each other.
    pub depth: AtomicUsize,
    /// The first entry of the running slice; `usize::MAX`: none runs.
    pub(super) base: AtomicUsize,
    pub(super) entries: [Entry; DEPTH],
    /// The limit of slices to come, in nanoseconds; 0: none. It holds for every Lua state of the thread.
    pub limit: AtomicU64,
    /// In handlers to come each `coroutine.resume` is a slice of its own.
    pub per_resume: AtomicBool,
    /// The running slice is such a handler.
    pub(super) divided: AtomicBool,
    /// The limit that the running slice's error tells.
    pub(super) told_limit: AtomicU64,
    /// The slice whose error has its text in the anchors.
    pub(super) told: AtomicU64,
    /// The request that the running slice serves, and the one that was delivered last.
    pub request: Request,
    pub(super) delivered: Request,
}

/// A request: a connection of Lua's, alive while its handler runs, and a slot of it; null and 0: none.
pub struct Request {
    conn: AtomicPtr<Conn>,
    slot: AtomicUsize,
}

impl Request {
    const fn none() -> Self {
        Self {
            conn: AtomicPtr::new(null_mut()),
            slot: AtomicUsize::new(0),
        }
    }

    /// The request.
    #[inline]
    pub fn get(&self) -> (*mut Conn, usize) {
        (self.conn.load(Relaxed), self.slot.load(Relaxed))
    }

    #[inline]
    pub(super) fn set(&self, (conn, slot): (*mut Conn, usize)) {
        self.conn.store(conn, Relaxed);
        self.slot.store(slot, Relaxed);
    }
}

/// The clockwork of the chain's slices.
pub static WATCHDOG: Watchdog = Watchdog::new();

/// The one chain. All zeros until it is claimed, so that its entries take no room in the library's file.
pub static CHAIN: Chain = Chain {
    thread: AtomicUsize::new(0),
    depth: AtomicUsize::new(0),
    base: AtomicUsize::new(0),
    entries: [const {
        Entry {
            coroutine: AtomicPtr::new(null_mut()),
            from: AtomicPtr::new(null_mut()),
            planted: AtomicBool::new(false),
            hook: AtomicUsize::new(0),
            mask: AtomicI32::new(0),
            count: AtomicI32::new(0),
        }
    }; DEPTH],
    limit: AtomicU64::new(0),
    per_resume: AtomicBool::new(false),
    divided: AtomicBool::new(false),
    told_limit: AtomicU64::new(0),
    told: AtomicU64::new(0),
    request: Request::none(),
    delivered: Request::none(),
};

/// Whether the calling thread has the watchdog.
#[inline]
pub fn here() -> bool {
    let thread = CHAIN.thread.load(Relaxed);
    thread != 0 && thread == timer::this_thread()
}

/// Run `work`, which is `lua_resume` of `coroutine` or something like it, with the coroutine on the chain.
///
/// # Safety
/// `work` must return: it may not raise. `coroutine` must be alive until it has returned.
#[inline(always)]
pub unsafe fn tracked(
    lua: *mut lua_State,
    coroutine: *mut lua_State,
    slice: Slice,
    work: impl FnOnce() -> c_int,
) -> c_int {
    if !here() {
        return work();
    }
    let depth = CHAIN.depth.load(Relaxed);
    if let Some(entry) = CHAIN.entries.get(depth) {
        entry.coroutine.store(coroutine, Relaxed);
        entry.from.store(lua, Relaxed);
        entry.planted.store(false, Relaxed);
    }
    compiler_fence(SeqCst);
    CHAIN.depth.store(depth.wrapping_add(1), Relaxed);
    let opened = open(slice, lua, depth);
    let status = work();
    CHAIN.depth.store(depth, Relaxed);
    compiler_fence(SeqCst);
    if WATCHDOG.overdue() {
        // SAFETY: the coroutine is alive by contract.
        unsafe { take_off(depth) };
    }
    close(opened, depth);
    status
}

/// What the watchdog has to do with a serving coroutine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Serving {
    /// Nothing.
    Unwatched,
    /// Its handlers are slices.
    Watched,
    /// It was resumed before the watchdog was turned on: no frame of ours watches it.
    Unnoticed,
}

/// The serving coroutine `lua` has ended its handler.
///
/// # Safety
/// In a raw function that `lua` runs.
#[inline]
pub unsafe fn handler_ended(lua: *mut lua_State) -> Serving {
    if !here() {
        return Serving::Unwatched;
    }
    let base = CHAIN.base.load(Relaxed);
    match CHAIN.entries.get(base) {
        Some(entry) if entry.coroutine.load(Relaxed) == lua => {}
        _ if CHAIN.limit.load(Relaxed) == 0 => return Serving::Unwatched,
        _ => return Serving::Unnoticed,
    }
    if WATCHDOG.overdue() {
        // SAFETY: the base's coroutine is the running one.
        unsafe { take_off(base) };
    }
    WATCHDOG.pause();
    Serving::Watched
}

/// The serving coroutine, which is watched, is about to run the handler of this request.
#[inline]
pub fn handler_begins(conn: *mut Conn, slot: usize) {
    let limit = CHAIN.limit.load(Relaxed);
    CHAIN.request.set((conn, slot));
    CHAIN.told_limit.store(limit, Relaxed);
    CHAIN.divided.store(CHAIN.per_resume.load(Relaxed), Relaxed);
    WATCHDOG.begin(limit);
}

/// The thread has waited for the other end. If it is not the chain's, at worst a tick counts CPU time for wall time.
#[inline]
pub fn waited() {
    WATCHDOG.waited();
}

/// A request was delivered to Lua, which is about to resume a coroutine for it.
#[inline]
pub fn delivered(conn: *mut Conn, slot: usize) {
    if here() {
        CHAIN.delivered.set((conn, slot));
    }
}

/// The running slice is somebody's main loop, which has come back to ask for new requests: its time begins anew.
pub fn serves() {
    if !here() || WATCHDOG.running() == 0 {
        return;
    }
    if WATCHDOG.overdue() {
        for index in CHAIN.base.load(Relaxed)..CHAIN.depth.load(Relaxed).min(DEPTH) {
            // SAFETY: every coroutine on the chain is alive.
            unsafe { take_off(index) };
        }
    }
    WATCHDOG.begin(CHAIN.told_limit.load(Relaxed));
}

/// The innermost tracked coroutine; `None` where there is none, `Some(None)` where it is too deep to be tracked.
pub fn innermost() -> Option<Option<*mut lua_State>> {
    let top = CHAIN.depth.load(Relaxed).checked_sub(1)?;
    Some(CHAIN.entries.get(top).map(|entry| entry.coroutine.load(Relaxed)))
}
