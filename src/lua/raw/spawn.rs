//! Starting a child process: its command, environment, limits and where its stderr goes, as the prelude gives them.
//!
//! # What may raise
//! As for [`super::process`]: taking arguments, `enter`, pushing results. The arguments are read under `guarded` by raw
//! reads that cannot raise, and the process is written into its userdata before the metatable is set.

use super::process::Child;
use super::state::{anchor, enter, guarded, leave, push_bytes, string, ANCHORS};
use crate::sys::process::{self, Command, Errors, Limits};
use crate::text::{self, or_no_memory};
use mlua::ffi::{self, lua_State};
use std::collections::TryReserveError;
use std::ffi::{c_int, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The strings of the array at `index`, as long as they are strings. They stay alive because the table holds them.
///
/// # Safety
/// In a raw function, with a table there that stays on the stack.
pub(super) unsafe fn strings<'a>(lua: *mut lua_State, index: c_int) -> Result<Vec<&'a OsStr>, TryReserveError> {
    // SAFETY: raw reads, no conversions: nothing raises.
    unsafe {
        let mut found = Vec::new();
        let count = ffi::lua_rawlen(lua, index);
        found.try_reserve_exact(count)?;
        for i in 1..=count {
            ffi::lua_rawgeti(lua, index, i as i64); // OK because a table has fewer items than i64::MAX
            if ffi::lua_type(lua, -1) == ffi::LUA_TSTRING {
                found.push(OsStr::from_bytes(string(lua, -1)));
            }
            ffi::lua_settop(lua, -2);
        }
        Ok(found)
    }
}

/// Changes to the environment: names and values.
pub(super) type Changes<'a> = Vec<(&'a OsStr, Option<&'a OsStr>)>;

/// The pairs of the array `{ name, value or false, ... }` at `index`; false removes a variable.
///
/// # Safety
/// As [`strings`].
pub(super) unsafe fn environment<'a>(lua: *mut lua_State, index: c_int) -> Result<Changes<'a>, TryReserveError> {
    // SAFETY: as `strings`.
    unsafe {
        let mut pairs = Vec::new();
        let count = ffi::lua_rawlen(lua, index) / 2;
        pairs.try_reserve_exact(count)?;
        for i in 0..count as i64 {
            // OK because a table has fewer items than i64::MAX
            ffi::lua_rawgeti(lua, index, i * 2 + 1);
            ffi::lua_rawgeti(lua, index, i * 2 + 2);
            let text = |at| OsStr::from_bytes(string(lua, at));
            if ffi::lua_type(lua, -2) == ffi::LUA_TSTRING {
                let value = (ffi::lua_type(lua, -1) == ffi::LUA_TSTRING).then(|| text(-1));
                pairs.push((text(-2), value));
            }
            ffi::lua_settop(lua, -3);
        }
        Ok(pairs)
    }
}

/// Where stderr goes, by the number at `index`.
///
/// # Safety
/// In a raw function.
pub(super) unsafe fn errors(lua: *mut lua_State, index: c_int) -> Errors {
    // SAFETY: a plain conversion.
    match unsafe { ffi::lua_tointeger(lua, index) } {
        1 => Errors::Keep,
        2 => Errors::Null,
        3 => Errors::Inherit,
        _ => Errors::Relay,
    }
}

/// The limits from the stack index `first` on: memory, cpu, files, processes, nice; nil leaves one as it is.
///
/// # Safety
/// In a raw function.
pub(super) unsafe fn limits(lua: *mut lua_State, first: c_int) -> Limits {
    // SAFETY: plain conversions of what the prelude has checked: whole numbers of at most 2^53, and 0 or more but for
    // the niceness.
    unsafe {
        let number = |place| {
            let index = first + place;
            (ffi::lua_type(lua, index) == ffi::LUA_TNUMBER).then(|| ffi::lua_tonumber(lua, index))
        };
        let resource = |place| number(place).map(|most| most as u64);
        Limits {
            resources: [resource(0), resource(1), resource(2), resource(3)],
            nice: number(4).map(|nice| nice as i32),
        }
    }
}

/// `spawn(argv, env or nil, cwd or nil, stderr, memory, cpu, files, processes, nice)
/// -> process | nil, message, errno`: stderr is 0 (relay), 1 (keep), 2 (null) or 3 (inherit), limits are numbers or
/// nil; the prelude checks the arguments.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn spawn(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        ffi::lua_settop(lua, 9);
        ffi::luaL_checktype(lua, 1, ffi::LUA_TTABLE);
        let limits = limits(lua, 5);
        let errors = errors(lua, 4);
        let place = ffi::lua_newuserdata(lua, size_of::<Child>()).cast::<Child>();
        let job = enter(lua, &marker);
        let started = guarded(|| -> Result<(), i32> {
            let no_memory = |_| {
                (*job).message = text::copy("cannot run a program: not enough memory");
                libc::ENOMEM
            };
            let mut args = strings(lua, 1).map_err(no_memory)?;
            if args.is_empty() {
                (*job).message = text::copy("no program to run");
                return Err(libc::EINVAL);
            }
            let program = args.remove(0); // OK because it is not empty
            let has_env = ffi::lua_type(lua, 2) == ffi::LUA_TTABLE;
            let has_cwd = ffi::lua_type(lua, 3) == ffi::LUA_TSTRING;
            let command = Command {
                program,
                args,
                env: if has_env {
                    environment(lua, 2).map_err(no_memory)?
                } else {
                    Vec::new()
                },
                cwd: has_cwd.then(|| Path::new(OsStr::from_bytes(string(lua, 3)))),
                errors,
                limits,
            };
            let process = process::spawn(&command).map_err(|error| {
                (*job).message = error.message;
                error.errno
            })?;
            place.write(Child::new(process));
            Ok(())
        });
        match started {
            Ok(Ok(())) => {
                ffi::lua_rawgeti(lua, ANCHORS, anchor::PROCESS);
                ffi::lua_setmetatable(lua, 10);
                leave(lua, job);
                1
            }
            Ok(Err(errno)) => {
                ffi::lua_pushnil(lua);
                push_bytes(lua, or_no_memory((*job).message.as_bytes()));
                ffi::lua_pushinteger(lua, i64::from(errno));
                leave(lua, job);
                3
            }
            Err(panic) => panic.raise(lua),
        }
    }
}
