//! Connections as userdata: making, closing, looking at them.
//!
//! # What may raise
//! Taking arguments, making userdata, [`enter`] and pushing results. A connection's Rust value lives in a userdata with
//! a `__gc`; it is written there before the metatable is set, and between the two nothing raises. The functions take
//! arguments first, do the Lua-free work under `guarded`, and push results last; nothing with a destructor lies on the
//! Rust stack while Lua may raise, and no lock or borrow outlives a guarded section.

use super::cbor::{self, Cbor};
use super::json;
use super::receive::out_of_memory;
use super::state::{anchor, enter, guarded, leave, push_bytes, raise, state, Job, State, ANCHORS};
use super::walk::Policy;
use crate::connection::Connection;
use crate::envelope::Encoding;
use crate::frame::Framing;
use crate::message::Keys;
use crate::peer::{Peer, Scan};
use crate::sys::orphan::Watch;
use crate::sys::{error::describe, stdio};
use crate::text::{self, or_no_memory};
use crate::wire::Wire;
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A connection and how values are encoded on it.
pub struct Conn {
    /// The conversation.
    pub core: Connection,
    /// How values are written.
    pub format: WireFormat,
    /// How tables are written.
    pub policy: Policy,
    /// What is being handed to Lua.
    pub handing: Handing,
    /// Ends the process when whoever started it has gone.
    pub orphan: Option<Watch>,
}

/// A request on its way from the core to a handler, or a reply to the call that waits for it elsewhere. Pushing it may
/// raise (without memory, and where finalizers' errors come out anywhere, before Lua 5.4); then the next to receive
/// answers the request, or ends the call, whose caller would wait for ever.
#[derive(Clone, Copy, Default)]
pub struct Handing {
    /// The request's slot; 0: none.
    pub slot: usize,
    /// The call that is replied to; 0: none.
    pub call: i64,
    /// Where the frame lies that hands it over, by which a dead one is known (see [`super::state`]).
    pub frame: usize,
}

/// The value format of a wire.
#[derive(Clone, Copy)]
pub enum WireFormat {
    /// JSON.
    Json(json::Json),
    /// CBOR.
    Cbor(Cbor),
}

/// What a connection speaks, from the prelude's arguments.
#[derive(Clone, Copy)]
pub struct Speech {
    encoding: Encoding,
    scan: Scan,
    format: WireFormat,
    policy: Policy,
    framing: Framing,
}

/// `kind` is `json`, `cbor` or `freekill`, and four times the framing more; the other options follow as the codecs' (see
/// `json::options`).
///
/// # Safety
/// In a raw function.
pub unsafe fn speech(lua: *mut lua_State, first: c_int) -> Speech {
    // SAFETY: conversions of plain values.
    unsafe {
        let kind = ffi::lua_tointeger(lua, first);
        let framing = match (kind >> 2, kind & 3) {
            (1, _) => Framing::ContentLength,
            (2, _) => Framing::Length,
            (_, 0) => Framing::Line,
            _ => Framing::CborSequence,
        };
        if kind & 3 == 0 {
            let options = json::options(lua, first + 1);
            let utf8 = options.scan.utf8;
            return Speech {
                encoding: Encoding::Json { utf8 },
                scan: Scan::Json(options.scan),
                format: WireFormat::Json(json::Json { utf8, whole: false }),
                policy: options.policy,
                framing,
            };
        }
        let options = cbor::options(lua, first + 1);
        let freekill = kind & 3 == 2;
        Speech {
            encoding: Encoding::Cbor(if freekill { Keys::FreeKill } else { Keys::Names }),
            scan: Scan::Cbor(options.scan),
            format: WireFormat::Cbor(options.format),
            policy: options.policy,
            framing,
        }
    }
}

/// Connections that were collected, in whatever Lua state.
static COLLECTED: AtomicUsize = AtomicUsize::new(0);

/// The connection at `index`; raises if there is none.
///
/// # Safety
/// In a raw function, before anything is owned.
#[inline(never)]
pub unsafe fn check(lua: *mut lua_State, index: c_int) -> *mut Conn {
    // SAFETY: by contract.
    unsafe { check_of(lua, state(lua), index) }
}

/// [`check`] where the running function's state is known.
///
/// # Safety
/// As [`check`]; `owner` is what [`state`] returns.
#[inline(always)]
pub unsafe fn check_of(lua: *mut lua_State, owner: *mut State, index: c_int) -> *mut Conn {
    // SAFETY: by contract; at the address of a connection is that connection, as long as none is collected.
    unsafe {
        let place = ffi::lua_touserdata(lua, index);
        let known = (place.cast_const(), COLLECTED.load(Ordering::Relaxed));
        if !place.is_null() && (*owner).connection == known {
            return place.cast();
        }
        check_anew(lua, index)
    }
}

/// [`check`] for another connection than the last.
#[inline(never)]
unsafe fn check_anew(lua: *mut lua_State, index: c_int) -> *mut Conn {
    // SAFETY: only connections have the connection metatable, and it cannot be set from Lua.
    unsafe {
        let place = ffi::lua_touserdata(lua, index);
        if !place.is_null() && ffi::lua_getmetatable(lua, index) != 0 {
            let identity = ffi::lua_topointer(lua, -1);
            ffi::lua_settop(lua, -2);
            let state = state(lua);
            if identity == (*state).identities.connection {
                (*state).connection = (place, COLLECTED.load(Ordering::Relaxed));
                return place.cast();
            }
        }
        raise(
            lua,
            b"fkrpc: this is no peer (or its library state is gone); call its methods with a colon: peer:call(...)",
        )
    }
}

/// Room for a connection as userdata on top of the stack, without its metatable.
///
/// # Safety
/// In a raw function; may raise.
pub unsafe fn new_place(lua: *mut lua_State) -> *mut Conn {
    // SAFETY: may raise; nothing is owned.
    unsafe { ffi::lua_newuserdata(lua, size_of::<Conn>()).cast() }
}

/// Give the userdata at `index`, whose place is written, its metatable: from now on it is dropped by the collector.
///
/// # Safety
/// In a raw function, with such a userdata there.
pub unsafe fn finish(lua: *mut lua_State, index: c_int) {
    // SAFETY: raw access to an existing table and `lua_setmetatable` do not raise, except that 5.1 and later may run
    // out of memory when they note the finalizer; then the connection's descriptors leak, nothing worse.
    unsafe {
        ffi::lua_rawgeti(lua, ANCHORS, anchor::CONNECTION);
        ffi::lua_setmetatable(lua, index);
    }
}

/// A connection over `wire`.
pub fn make(speech: Speech, wire: Wire) -> Conn {
    Conn {
        core: Connection::new(Peer::framed(speech.encoding, speech.scan, speech.framing), wire),
        format: speech.format,
        policy: speech.policy,
        handing: Handing::default(),
        orphan: None,
    }
}

/// `__gc` of connections.
///
/// # Safety
/// Called by Lua.
pub unsafe extern "C-unwind" fn collect(lua: *mut lua_State) -> c_int {
    // SAFETY: what has the metatable is whole, and it has it no more when this returns.
    unsafe {
        if super::open::disarm(lua) {
            let place = ffi::lua_touserdata(lua, 1).cast::<Conn>();
            COLLECTED.fetch_add(1, Ordering::Relaxed);
            let _ = guarded(|| std::ptr::drop_in_place(place));
        }
    }
    0
}

/// `nil, message, errno` from the job.
///
/// # Safety
/// In a raw function, with the job it has entered; may raise.
pub unsafe fn system_failure(lua: *mut lua_State, job: *mut Job, errno: i32) -> c_int {
    // SAFETY: the message is the job's; may raise.
    unsafe {
        ffi::lua_pushnil(lua);
        push_bytes(lua, or_no_memory((*job).message.as_bytes()));
        ffi::lua_pushinteger(lua, i64::from(errno));
        leave(lua, job);
        3
    }
}

/// Descriptors 0 and 1 have been moved, for good: [`stdio::take`] cannot know, and would take /dev/null for the wire.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// `stdio(kind, options...) -> connection | nil, message, errno`: take fds 0 and 1 for the protocol.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn stdio(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        let speech = speech(lua, 1);
        let place = new_place(lua);
        let at = ffi::lua_gettop(lua);
        let job = enter(lua, &marker);
        let opened = guarded(|| -> Result<(), i32> {
            let fail = |message: String, errno: i32| {
                (*job).message = message;
                errno
            };
            if TAKEN.swap(true, Ordering::Relaxed) {
                let text = "cannot serve over stdio: stdin and stdout of this process have already become a peer's";
                return Err(fail(text::copy(text), libc::EBUSY));
            }
            let taken = stdio::take().inspect_err(|_| TAKEN.store(false, Ordering::Relaxed));
            let taken = taken.map_err(|error| fail(error.message, error.errno))?;
            let wire = Wire::descriptors(taken.input, taken.output)
                .map_err(|error| fail(describe(&error), error.raw_os_error().unwrap_or(0)))?;
            let mut conn = make(speech, wire);
            conn.core
                .peer
                .inbox
                .append(&taken.leftover)
                .map_err(|error| fail(text::string(format_args!("{}", error.kind)), libc::ENOMEM))?;
            place.write(conn);
            Ok(())
        });
        match opened {
            Ok(Ok(())) => {
                finish(lua, at);
                leave(lua, job);
                ffi::lua_settop(lua, at);
                1
            }
            Ok(Err(errno)) => system_failure(lua, job, errno),
            Err(panic) => panic.raise(lua),
        }
    }
}

/// `pair(kind, options...) -> connection, connection`: two ends in memory.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn pair(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let speech = speech(lua, 1);
        let one = new_place(lua);
        let at = ffi::lua_gettop(lua);
        let other = new_place(lua);
        let made = guarded(|| {
            let (left, right) = Wire::pair()?;
            one.write(make(speech, left));
            other.write(make(speech, right));
            Ok(())
        });
        match made {
            Ok(Ok(())) => {}
            Ok(Err(kind)) => out_of_memory(lua, kind),
            Err(panic) => panic.raise(lua),
        }
        finish(lua, at);
        finish(lua, at + 1);
        2
    }
}

/// `adopt(process, kind, options...) -> connection | nil, message, errno`: talk to a child through its pipes.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn adopt(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        let process = super::process::check(lua, 1);
        let speech = speech(lua, 2);
        let place = new_place(lua);
        let at = ffi::lua_gettop(lua);
        let job = enter(lua, &marker);
        let opened = guarded(|| -> Result<(), i32> {
            let (input, output) = (*process).take_pipes().ok_or_else(|| {
                (*job).message = text::copy("the process's pipes are already taken");
                libc::EBADF
            })?;
            let fail = |error: std::io::Error| {
                (*job).message = describe(&error);
                error.raw_os_error().unwrap_or(0)
            };
            let mut wire = Wire::descriptors(output, input).map_err(fail)?;
            wire.ends_with((*process).watch().map_err(fail)?);
            let mut conn = make(speech, wire);
            conn.core.peer.keeps_method = true;
            place.write(conn);
            Ok(())
        });
        match opened {
            Ok(Ok(())) => {
                finish(lua, at);
                leave(lua, job);
                1
            }
            Ok(Err(errno)) => system_failure(lua, job, errno),
            Err(panic) => panic.raise(lua),
        }
    }
}

/// Seconds from now at stack index `index` as a deadline on the monotonic clock; `None` for nil.
///
/// # Safety
/// In a raw function; raises if the value is no number.
pub unsafe fn deadline(lua: *mut lua_State, index: c_int) -> Option<i64> {
    // SAFETY: by contract.
    unsafe {
        if ffi::lua_type(lua, index) <= ffi::LUA_TNIL {
            return None;
        }
        let seconds = ffi::luaL_checknumber(lua, index);
        let seconds = if seconds > 0.0 { seconds.min(1e9) } else { 0.0 }; // NaN becomes 0, too
        Some(crate::sys::clock::monotonic_us() + (seconds * 1e6) as i64) // OK because it is at most 1e15
    }
}

/// A deadline that Lua kept as a number.
///
/// # Safety
/// In a raw function.
pub unsafe fn kept_deadline(lua: *mut lua_State, index: c_int) -> Option<i64> {
    // SAFETY: a plain conversion; the number came from `push_deadline`.
    unsafe {
        (ffi::lua_type(lua, index) == ffi::LUA_TNUMBER).then(|| ffi::lua_tonumber(lua, index) as i64)
        // OK because floats hold microseconds of 285 years
    }
}

/// Push a deadline for Lua to keep.
///
/// # Safety
/// In a raw function.
pub unsafe fn push_deadline(lua: *mut lua_State, deadline: Option<i64>) {
    // SAFETY: numbers do not allocate.
    unsafe {
        match deadline {
            Some(at) => ffi::lua_pushnumber(lua, at as f64),
            None => ffi::lua_pushnil(lua),
        }
    }
}

/// The policy for params, where an unmarked empty table is `[]`.
pub fn params_policy(conn: &Conn) -> Policy {
    Policy {
        root_array: true,
        ..conn.policy
    }
}
