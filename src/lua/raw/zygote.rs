//! Zygotes and stand-ins for Lua: becoming one, starting one, asking one for a copy.
//!
//! A zygote is the userdata of its process, whose input is the control socket; a copy is one like any other child.
//!
//! # What may raise
//! As for [`super::process`]: arguments, userdata, `enter` and results; what has a destructor is made and dropped under
//! `guarded`. A copy of this process comes out of [`serve`] with the stack and the job that its zygote had there.

use super::connection::system_failure;
use super::process::{check, finish, new_place, put};
use super::spawn::{environment, errors, limits, strings};
use super::state::{enter, guarded, leave, string, Job};
use crate::sys::process::{Command, Limits};
use crate::sys::zygote::client::{self, Wanted};
use crate::sys::zygote::{control, server, standin as standins};
use crate::sys::SysError;
use crate::text;
use mlua::ffi::{self, lua_State};
use std::ffi::{c_int, OsStr};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// Seconds at `index`; none where there is no number.
unsafe fn seconds(lua: *mut lua_State, index: c_int) -> Duration {
    // SAFETY: a plain conversion.
    let seconds = unsafe { ffi::lua_tonumber(lua, index) };
    Duration::from_secs_f64(if seconds > 0.0 { seconds.min(1e6) } else { 0.0 })
}

/// Bytes of the string at `index`; none where there is none.
unsafe fn bytes<'a>(lua: *mut lua_State, index: c_int) -> &'a [u8] {
    // SAFETY: the string stays on the stack.
    unsafe {
        if ffi::lua_type(lua, index) == ffi::LUA_TSTRING {
            string(lua, index)
        } else {
            b""
        }
    }
}

/// Leave the error's text in the job; its errno.
unsafe fn told(job: *mut Job, error: SysError) -> i32 {
    // SAFETY: the job is the running function's.
    unsafe { (*job).message = error.message };
    error.errno
}

/// `zygote_take(descriptor, key, idle milliseconds) -> true | nil, message, errno`: this process is a zygote, and the socket
/// with this number its control socket.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn take(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        let number = i32::try_from(ffi::luaL_checkinteger(lua, 1)).unwrap_or(-1);
        let key = bytes(lua, 2);
        let idle = Duration::from_millis(u64::try_from(ffi::lua_tointeger(lua, 3)).unwrap_or(0));
        let job = enter(lua, &marker);
        let taken = guarded(|| {
            let key = std::str::from_utf8(key)
                .ok()
                .and_then(|key| u64::from_str_radix(key, 16).ok());
            control::take(number, key.unwrap_or(0), idle)
                .map_err(|error| told(job, SysError::new("this process is no zygote", &error, "")))
        });
        match taken {
            Ok(Ok(())) => {
                leave(lua, job);
                ffi::lua_pushboolean(lua, 1);
                1
            }
            Ok(Err(errno)) => system_failure(lua, job, errno),
            Err(panic) => panic.raise(lua),
        }
    }
}

/// `zygote_serve() -> zygote's pid, stand-in's pid or 0 | false | nil, message, errno`: wait for requests; in every copy
/// this returns. False: this process is no zygote. An error: it cannot be copied.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn serve(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        let job = enter(lua, &marker);
        let served = guarded(|| server::serve().map_err(|error| told(job, error)));
        super::chain::waited();
        match served {
            Ok(Ok(Some(origin))) => {
                leave(lua, job);
                ffi::lua_pushinteger(lua, i64::from(origin.zygote));
                ffi::lua_pushinteger(lua, i64::from(origin.standin));
                2
            }
            Ok(Ok(None)) => {
                leave(lua, job);
                ffi::lua_pushboolean(lua, 0);
                1
            }
            Ok(Err(errno)) => system_failure(lua, job, errno),
            Err(panic) => panic.raise(lua),
        }
    }
}

/// `zygote_start(argv, env or nil, cwd or nil, stderr) -> process | nil, message, errno`
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn start(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        ffi::lua_settop(lua, 4);
        ffi::luaL_checktype(lua, 1, ffi::LUA_TTABLE);
        let errors = errors(lua, 4);
        let place = new_place(lua);
        let job = enter(lua, &marker);
        let started = guarded(|| -> Result<(), i32> {
            let mut args = strings(lua, 1).map_err(|_| libc::ENOMEM)?;
            if args.is_empty() {
                return Err(libc::EINVAL);
            }
            let command = Command {
                program: args.remove(0), // OK because it is not empty
                args,
                env: changes(lua, 2)?,
                cwd: folder(lua, 3),
                errors,
                limits: Limits::default(),
            };
            let process = client::start(&command).map_err(|error| told(job, error))?;
            put(place, process);
            Ok(())
        });
        match started {
            Ok(Ok(())) => {
                finish(lua, 5);
                leave(lua, job);
                1
            }
            Ok(Err(errno)) => system_failure(lua, job, errno),
            Err(panic) => panic.raise(lua),
        }
    }
}

/// The changes to the environment at `index`.
unsafe fn changes<'a>(lua: *mut lua_State, index: c_int) -> Result<super::spawn::Changes<'a>, i32> {
    // SAFETY: raw reads alone.
    unsafe {
        if ffi::lua_type(lua, index) == ffi::LUA_TTABLE {
            environment(lua, index).map_err(|_| libc::ENOMEM)
        } else {
            Ok(Vec::new())
        }
    }
}

/// The folder at `index`.
unsafe fn folder<'a>(lua: *mut lua_State, index: c_int) -> Option<&'a Path> {
    // SAFETY: the string stays on the stack.
    unsafe { (ffi::lua_type(lua, index) == ffi::LUA_TSTRING).then(|| Path::new(OsStr::from_bytes(string(lua, index)))) }
}

/// `zygote_ready(process, timeout in seconds) -> true | false (not yet) | nil, message, errno`; not to be asked again
/// once it was true.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn ready(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        let zygote = check(lua, 1);
        let timeout = seconds(lua, 2);
        let job = enter(lua, &marker);
        let ready = guarded(|| client::ready((*zygote).process(), timeout).map_err(|error| told(job, error)));
        match ready {
            Ok(Ok(ready)) => {
                leave(lua, job);
                ffi::lua_pushboolean(lua, c_int::from(ready));
                1
            }
            Ok(Err(errno)) => system_failure(lua, job, errno),
            Err(panic) => panic.raise(lua),
        }
    }
}

/// `zygote_copy(process, timeout in seconds, env or nil, cwd or nil, stderr, memory, cpu, files, processes, nice)
/// -> process | nil, message, errno`, as `spawn`. With a timeout of 0 it does not wait: `false, descriptor` until the copy
/// is there, when the descriptor is readable; the next call takes it, whatever its arguments.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn copy(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        ffi::lua_settop(lua, 10);
        let zygote = check(lua, 1);
        let timeout = seconds(lua, 2);
        let (errors, limits) = (errors(lua, 5), limits(lua, 6));
        let place = new_place(lua);
        let job = enter(lua, &marker);
        let made = guarded(|| -> Result<Option<i32>, i32> {
            let wanted = Wanted {
                env: changes(lua, 3)?,
                cwd: folder(lua, 4),
                errors,
                limits,
            };
            let (process, asked) = (*zygote).zygote();
            let made = client::copy(process, asked, &wanted, timeout).map_err(|error| told(job, error))?;
            let Some(made) = made else {
                return Ok(process.input.as_ref().map(AsRawFd::as_raw_fd));
            };
            put(place, made);
            Ok(None)
        });
        match made {
            Ok(Ok(None)) => {
                finish(lua, 11);
                leave(lua, job);
                1
            }
            Ok(Ok(Some(descriptor))) => {
                leave(lua, job);
                ffi::lua_pushboolean(lua, 0);
                ffi::lua_pushinteger(lua, i64::from(descriptor));
                2
            }
            Ok(Err(errno)) => system_failure(lua, job, errno),
            Err(panic) => panic.raise(lua),
        }
    }
}

/// `standin(path or nil, folder, identity, command, idle seconds, patience in seconds) -> nil, message, errno`: hand
/// this process's streams to a copy of the zygote at the path and end as that does. What returns has to do the work
/// itself. Without a path it is made from the folder and the identity, which the zygote must have been started with.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn standin(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        ffi::lua_settop(lua, 6);
        ffi::luaL_checktype(lua, 4, ffi::LUA_TTABLE);
        let path = bytes(lua, 1);
        let (base, identity) = (bytes(lua, 2), bytes(lua, 3));
        let idle = seconds(lua, 5).as_millis();
        let patience = seconds(lua, 6);
        let job = enter(lua, &marker);
        let failed = guarded(|| -> Result<(), i32> {
            let key = fnv(identity);
            let own;
            let path = if path.is_empty() {
                let folder = standins::own_folder(base).map_err(|error| told(job, error))?;
                let name = text::string(format_args!("/{key:016x}"));
                own = text::joined(&[&folder, name.as_bytes()]);
                &own
            } else {
                path
            };
            let variable = text::string(format_args!("0:{key:x}:{idle}"));
            let wanted = standins::Wanted {
                path,
                key,
                variable: OsStr::new(&variable),
                command: strings(lua, 4).map_err(|_| libc::ENOMEM)?,
                patience,
            };
            Err(told(job, standins::run(&wanted)))
        });
        match failed {
            Ok(Ok(())) => 0,
            Ok(Err(errno)) => system_failure(lua, job, errno),
            Err(panic) => panic.raise(lua),
        }
    }
}

/// FNV-1a with 64 bits (draft-eastlake-fnv): tells scripts apart that nobody has made alike on purpose.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}
