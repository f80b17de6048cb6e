//! What the codecs' entry points share: running a walk and handing over its bytes, reading arguments, failing.
//!
//! # What may raise
//! `enter`, `Walk::prepare`, arguments and pushes. As for [`super::json`]: the buffers are the job's, nothing is owned
//! across a call that may raise (a walk owns nothing, asserted there).

use super::path;
use super::state::{enter_of, guarded, leave, push_bytes, Job, State};
use super::walk::{Fail, Format, Policy, Walk};
use crate::codec::{Big, ErrorKind, Integers};
use crate::text::or_no_memory;
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;

/// The integers this Lua's numbers hold exactly.
pub const INTEGERS: Integers = if cfg!(any(feature = "lua51", feature = "lua52", feature = "luajit")) {
    Integers::Double
} else {
    Integers::I64
};

/// Encode the value at index 1 and return it as a string, or `nil, message`.
///
/// # Safety
/// In a raw function of `owner`, whose frame owns nothing.
#[inline]
pub unsafe fn value<F: Format>(lua: *mut lua_State, owner: *mut State, format: F, policy: Policy) -> c_int {
    // SAFETY: by contract.
    unsafe { value_then(lua, owner, format, policy, |_| Ok(())) }
}

/// [`value`] whose output is worked over by `finish`, which calls nothing of Lua's.
///
/// # Safety
/// As [`value`].
#[inline]
pub unsafe fn value_then<F: Format>(
    lua: *mut lua_State,
    owner: *mut State,
    format: F,
    policy: Policy,
    finish: impl Fn(&mut Job) -> Result<(), ErrorKind>,
) -> c_int {
    let marker = 0u8;
    // SAFETY: by contract; `prepare` may raise, and nothing is owned before it.
    unsafe {
        let job = enter_of(lua, owner, &marker);
        let mut walk = Walk::prepare(lua, job, format, policy);
        match guarded(|| walk.run_last(1).and_then(|()| Ok(finish(&mut *job)?))) {
            Ok(Ok(())) => {
                let out = &(*job).out;
                ffi::lua_pushlstring(lua, out.as_ptr().cast(), out.len());
                leave(lua, job);
                1
            }
            Ok(Err(Fail::Hook)) => {
                leave(lua, job);
                ffi::lua_error(lua) // the hook's own error, which is on top of the stack
            }
            Ok(Err(fail)) => {
                if let Err(panic) = guarded(|| (*job).out = path::text(&*job, "", fail)) {
                    panic.raise(lua);
                }
                ffi::lua_pushnil(lua);
                push_bytes(lua, or_no_memory(&(*job).out));
                leave(lua, job);
                2
            }
            Err(panic) => panic.raise(lua),
        }
    }
}

/// `nil, message, position`, with the job's message and a 0-based offset that becomes a 1-based position.
///
/// # Safety
/// As [`value`]; ends the job.
#[cold]
pub unsafe fn failure(lua: *mut lua_State, job: *mut Job, offset: usize) -> c_int {
    // SAFETY: the message is the job's.
    unsafe {
        ffi::lua_pushnil(lua);
        push_bytes(lua, or_no_memory((*job).message.as_bytes()));
        ffi::lua_pushinteger(lua, offset as i64 + 1); // OK because a string is shorter than i64::MAX
        leave(lua, job);
        3
    }
}

/// Check the argument `value`: anything, nil too, and no table of options after it, which would be ignored.
///
/// # Safety
/// As [`value`]; raises on wrong arguments.
#[inline(always)]
pub unsafe fn check_value(lua: *mut lua_State) {
    // SAFETY: by contract.
    unsafe {
        if ffi::lua_gettop(lua) != 1 {
            ffi::luaL_checkany(lua, 1);
            refuse_options(lua, 2);
        }
    }
}

/// Options are a codec's, not a call's.
#[cold]
#[inline(never)]
unsafe fn refuse_options(lua: *mut lua_State, index: c_int) {
    // SAFETY: as `check_value`.
    unsafe {
        if ffi::lua_type(lua, index) == ffi::LUA_TTABLE {
            let text = c"no options are taken here: new{ ... } of the same module makes a codec that has them";
            ffi::luaL_argerror(lua, index, text.as_ptr());
        }
    }
}

/// Check arguments `text [, start]`: a string (numbers are not), and a 1-based position that may be just after its
/// end. Returns the 0-based start.
///
/// # Safety
/// As [`value`]; raises on wrong arguments.
pub unsafe fn text_and_start(lua: *mut lua_State) -> Option<usize> {
    // SAFETY: by contract.
    unsafe {
        if ffi::lua_type(lua, 1) != ffi::LUA_TSTRING {
            ffi::luaL_checktype(lua, 1, ffi::LUA_TSTRING);
        }
        if ffi::lua_gettop(lua) < 2 {
            return None;
        }
        refuse_options(lua, 2);
        refuse_options(lua, 3);
        if ffi::lua_type(lua, 2) <= ffi::LUA_TNIL {
            return None;
        }
        let start = ffi::luaL_checkinteger(lua, 2);
        let len = ffi::lua_rawlen(lua, 1);
        match usize::try_from(start) {
            Ok(start) if start >= 1 && start <= len + 1 => Some(start - 1),
            _ => {
                ffi::luaL_argerror(lua, 2, c"position out of range".as_ptr());
                None
            }
        }
    }
}

/// The `big` option, given by the prelude as 0 (error), 1 (float), 2 (string), 3 (wrap), 4 (cdata).
///
/// # Safety
/// In a raw function called by the prelude.
pub unsafe fn big(lua: *mut lua_State, index: c_int) -> Big {
    // SAFETY: a plain conversion.
    match unsafe { ffi::lua_tointeger(lua, index) } {
        1 => Big::Float,
        2 => Big::String,
        3 => Big::Wrap,
        4 => Big::Cdata,
        _ => Big::Error,
    }
}

/// A size or count given by the prelude; negative or missing means no limit.
///
/// # Safety
/// In a raw function called by the prelude.
pub unsafe fn size(lua: *mut lua_State, index: c_int) -> usize {
    // SAFETY: a plain conversion.
    let n = unsafe {
        if ffi::lua_type(lua, index) == ffi::LUA_TNUMBER {
            ffi::lua_tointeger(lua, index)
        } else {
            -1
        }
    };
    usize::try_from(n).unwrap_or(usize::MAX)
}
