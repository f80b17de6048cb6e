//! The runaway guard in Lua: who has claimed the ticks, what a tick does, and how the process ends when nothing helps.
//!
//! It refuses to know coroutines: they are the [chain](super::chain)'s.
//!
//! # What may raise
//! The functions: arguments, [`refused`] and a panic that is passed on; they own nothing, because the error of the
//! system leaves its guarded section as an errno. The tick and the end of the process raise nothing and allocate
//! nothing: they run in a signal handler.

use super::chain::{here, innermost, CHAIN, WATCHDOG};
use super::soft_hook;
use super::state::{enter, guarded, leave, push_bytes, raise, state};
use super::stop_hook::plant;
use crate::sys::error::SysError;
use crate::sys::timer::{self, Tick};
use crate::text::or_no_memory;
use crate::watchdog::Verdict;
use mlua::ffi::{self, lua_State};
use std::cell::UnsafeCell;
use std::ffi::c_int;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::time::Duration;

/// What the process ends with when its code cannot be stopped: that of timeout(1).
const EXIT_STATUS: c_int = 124;
/// What is said then, on stderr and to the caller.
const HOPELESS: &str = "fkrpc.watchdog: the code does not end and cannot be stopped; the process ends with status 124";
/// How long a caller who does not read may delay the end, in milliseconds.
const PATIENCE: c_int = 1_000;
/// Room for the last reply, and for what a batch has of responses before it.
const LAST_REPLY: usize = 65_536;

/// Lua states that have set a limit.
static LIMITS: AtomicUsize = AtomicUsize::new(0);
/// Lua states that want ticks, and their period in nanoseconds.
static USERS: AtomicUsize = AtomicUsize::new(0);
static PERIOD: AtomicU64 = AtomicU64::new(0);

struct LastReply(UnsafeCell<Vec<u8>>);

// SAFETY: touched by the thread of the chain alone: when it claims the chain, before the ticks start, and by the last
// tick of all.
unsafe impl Sync for LastReply {}

static LAST_REPLY_BYTES: LastReply = LastReply(UnsafeCell::new(Vec::new()));

// ---- the tick -------------------------------------------------------------------------------------------------------

fn on_tick(now: Tick) {
    let (verdict, ran) = WATCHDOG.tick(now);
    // SAFETY: this is the tick; see the chain's proof.
    unsafe {
        match verdict {
            Verdict::Fine => {}
            Verdict::Overdue => plant(),
            Verdict::Hopeless => give_up(),
        }
        soft_hook::tick(innermost(), ran);
    }
}

/// Answer the request and end the process.
///
/// The thread has been inside foreign code for as long as the grace lasted. If that is, against all odds, a function of
/// this library that changes the connection just now, the reply may be lost; the process ends in any case.
#[cold]
unsafe fn give_up() -> ! {
    // SAFETY: the connection is alive as long as its handler runs: the serving coroutine refers to it. The buffer has
    // its room already, so that nothing is allocated.
    unsafe {
        let (conn, slot) = CHAIN.request.get();
        let out = &mut *LAST_REPLY_BYTES.0.get();
        let mut output = -1;
        if !conn.is_null() && slot != 0 {
            let core = &(*conn).core;
            if let Some(wire) = core.wire.output() {
                if core.peer.last_reply(slot, HOPELESS, out) {
                    output = wire.as_raw_fd();
                }
            }
        }
        let reply = if output < 0 { &[] } else { out.as_slice() };
        let line = concat_line();
        timer::die(line, output, reply, PATIENCE, EXIT_STATUS)
    }
}

/// [`HOPELESS`] as a line.
const fn concat_line() -> &'static [u8] {
    const LINE: [u8; HOPELESS.len() + 1] = {
        let mut line = [b'\n'; HOPELESS.len() + 1];
        let mut at = 0;
        while at < HOPELESS.len() {
            line[at] = HOPELESS.as_bytes()[at];
            at += 1;
        }
        line
    };
    &LINE
}

// ---- claims ---------------------------------------------------------------------------------------------------------

/// One Lua state's share of the watchdog; the state's finalizer gives it back.
#[derive(Debug)]
pub struct Claim {
    limit: bool,
    /// Soft hooks.
    pub soft: bool,
    held: bool,
    closed: bool,
}

impl Claim {
    /// Nothing is claimed.
    pub const fn new() -> Self {
        Self {
            limit: false,
            soft: false,
            held: false,
            closed: false,
        }
    }

    /// Let the timer tick for the calling thread at least once in `period`.
    ///
    /// # Errors
    /// `EBUSY` when another thread has the watchdog; `ECANCELED` after [`close`](Self::close); what [`timer::start`]
    /// says.
    pub fn hold(&mut self, period: Duration) -> io::Result<()> {
        if self.closed {
            return Err(io::Error::from_raw_os_error(libc::ECANCELED));
        }
        let this = timer::this_thread();
        let thread = CHAIN.thread.load(SeqCst);
        let free = thread == 0 || USERS.load(SeqCst) == 0 && CHAIN.depth.load(SeqCst) == 0;
        if thread != this && (!free || CHAIN.thread.compare_exchange(thread, this, SeqCst, SeqCst).is_err()) {
            return Err(io::Error::from_raw_os_error(libc::EBUSY));
        }
        if thread == 0 {
            CHAIN.base.store(usize::MAX, SeqCst);
        }
        // OK because it is at most a second.
        let period_ns = period.as_nanos() as u64;
        let ticking = USERS.load(SeqCst) > 0;
        if !ticking || period_ns < PERIOD.load(Relaxed) {
            if !ticking {
                // SAFETY: this thread has just become the chain's, and nothing ticks.
                let reply = unsafe { &mut *LAST_REPLY_BYTES.0.get() };
                let room = LAST_REPLY.saturating_sub(reply.len());
                reply
                    .try_reserve_exact(room)
                    .map_err(|_| io::Error::from_raw_os_error(libc::ENOMEM))?;
            }
            timer::start(period, on_tick)?;
            PERIOD.store(period_ns, Relaxed);
        }
        if !self.held {
            self.held = true;
            USERS.fetch_add(1, SeqCst);
        }
        Ok(())
    }

    /// The Lua state is being closed, maybe from inside a coroutine (`os.exit(0, true)`): what is on the chain is about
    /// to be freed, and its frames never come back. Nothing can be claimed from here on.
    pub fn close(&mut self) {
        self.closed = true;
        if self.held && here() {
            WATCHDOG.pause();
            CHAIN.depth.store(0, Relaxed);
            CHAIN.base.store(usize::MAX, Relaxed);
            soft_hook::forget_main();
        }
        self.soft = false;
        self.unlimited();
    }

    /// No limit any more, unless another Lua state of the thread wants one: there is one limit, the one set last.
    pub fn unlimited(&mut self) {
        if self.limit {
            self.limit = false;
            if LIMITS.fetch_sub(1, SeqCst) == 1 {
                CHAIN.limit.store(0, Relaxed);
            }
        }
        self.release();
    }

    /// Let the ticks end where nobody needs them any more.
    pub fn release(&mut self) {
        if self.held && !self.limit && !self.soft {
            self.held = false;
            if USERS.fetch_sub(1, SeqCst) == 1 {
                timer::stop();
            }
        }
    }
}

impl Default for Claim {
    fn default() -> Self {
        Self::new()
    }
}

/// How often a limit is looked at: eight times, but neither more often than the kernel's own ticks come nor so seldom
/// that one notices.
pub fn period(limit: u64) -> Duration {
    Duration::from_nanos((limit / 8).clamp(1_000_000, 50_000_000))
}

/// Seconds at `index` in nanoseconds; at least one.
///
/// # Safety
/// In a raw function; raises where there is no number above 0.
pub unsafe fn nanoseconds(lua: *mut lua_State, index: c_int) -> u64 {
    // SAFETY: by contract.
    unsafe {
        let seconds = ffi::luaL_checknumber(lua, index);
        if seconds > 0.0 {
            (seconds.min(1e9) * 1e9).max(1.0) as u64 // OK because it is at most 1e18
        } else {
            raise(lua, b"fkrpc.watchdog: the time limit must be above 0")
        }
    }
}

/// [`Claim::hold`] for the running function's state, under `guarded`; what it says as an errno, which owns nothing.
///
/// # Safety
/// In a raw function whose frames own nothing. Raises where there was a panic.
pub unsafe fn hold(lua: *mut lua_State, period: Duration) -> Result<(), i32> {
    // SAFETY: by contract; the reference to the claim ends before Lua is called again.
    unsafe {
        let claim = &raw mut (*state(lua)).watchdog;
        let held = guarded(|| {
            (*claim)
                .hold(period)
                .map_err(|error| error.raw_os_error().unwrap_or(libc::EINVAL))
        });
        match held {
            Ok(held) => held,
            Err(panic) => panic.raise(lua),
        }
    }
}

/// `nil, message, errno`
///
/// # Safety
/// In a raw function whose frames own nothing. May raise.
pub unsafe fn refused(lua: *mut lua_State, errno: i32) -> c_int {
    let marker = 0u8;
    // SAFETY: the text is the job's.
    unsafe {
        let job = enter(lua, &marker);
        let made = guarded(|| {
            let error = io::Error::from_raw_os_error(errno);
            let advice = match errno {
                libc::EBUSY => "another thread of this process has it, or every real-time signal has a handler",
                libc::ECANCELED => "the Lua state is being closed",
                libc::ENOSYS => "it needs 64-bit Linux",
                _ => "",
            };
            (*job).message = SysError::new("the watchdog cannot be turned on", &error, advice).message;
        });
        if let Err(panic) = made {
            panic.raise(lua);
        }
        ffi::lua_pushnil(lua);
        push_bytes(lua, or_no_memory((*job).message.as_bytes()));
        ffi::lua_pushinteger(lua, i64::from(errno));
        leave(lua, job);
        3
    }
}

/// `watchdog_limit(seconds | nil, grace, per_resume) -> true | nil, message, errno`: slices from now on; grace 0 lasts
/// for ever.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn limit_function(lua: *mut lua_State) -> c_int {
    // SAFETY: numbers are taken first; the references end before Lua is called again.
    unsafe {
        let claim = &raw mut (*state(lua)).watchdog;
        if ffi::lua_type(lua, 1) <= ffi::LUA_TNIL {
            if let Err(panic) = guarded(|| (*claim).unlimited()) {
                panic.raise(lua);
            }
            ffi::lua_pushboolean(lua, 1);
            return 1;
        }
        let limit = nanoseconds(lua, 1);
        let grace = ffi::luaL_checknumber(lua, 2).clamp(0.0, 1e9) * 1e9;
        match hold(lua, period(limit)) {
            Ok(()) => {
                if !(*claim).limit {
                    (*claim).limit = true;
                    LIMITS.fetch_add(1, SeqCst);
                }
                WATCHDOG.set_grace(grace as u64); // OK because it is at most 1e18
                CHAIN.limit.store(limit, Relaxed);
                CHAIN.per_resume.store(ffi::lua_toboolean(lua, 3) != 0, Relaxed);
                ffi::lua_pushboolean(lua, 1);
                1
            }
            Err(errno) => refused(lua, errno),
        }
    }
}
