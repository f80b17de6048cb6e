//! Child processes as userdata: waiting for them, signalling them, what they have written to stderr.
//!
//! # What may raise
//! Taking arguments, `enter`, pushing results. As for [`super::connection`]: the process is written into its userdata
//! before the metatable is set; system calls run under `guarded`, where the only Lua calls are raw reads that cannot
//! raise, and what has a destructor there (arguments, errors) does not leave it.

use super::state::{anchor, enter, guarded, leave, push_bytes, raise, state, ANCHORS};
use crate::sys::error::describe;
use crate::sys::process::{Process, Watch};
use crate::text::{self, or_no_memory};
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;
use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// A process whose pipes may have been taken by a connection.
pub struct Child {
    process: Process,
    /// The copy that this process, a zygote, was asked for and has not made yet.
    #[cfg(target_os = "linux")]
    asked: Option<crate::sys::zygote::client::Asked>,
}

impl Child {
    /// A process that was started.
    pub(super) fn new(process: Process) -> Self {
        Self {
            process,
            #[cfg(target_os = "linux")]
            asked: None,
        }
    }

    /// The process, which nobody else refers to while a raw function runs.
    #[cfg(target_os = "linux")]
    pub(super) fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// A zygote, and the copy that it was asked for.
    #[cfg(target_os = "linux")]
    pub(super) fn zygote(&mut self) -> (&mut Process, &mut Option<crate::sys::zygote::client::Asked>) {
        (&mut self.process, &mut self.asked)
    }

    /// Its stdin's write end and its stdout's read end, once.
    pub fn take_pipes(&mut self) -> Option<(std::os::fd::OwnedFd, std::os::fd::OwnedFd)> {
        let input = self.process.input.take();
        let output = self.process.output.take();
        input.zip(output)
    }

    /// What tells of its end.
    ///
    /// # Errors
    /// `EMFILE`.
    pub fn watch(&self) -> io::Result<Watch> {
        self.process.watch()
    }
}

/// Room for a process as userdata on top of the stack, without its metatable.
///
/// # Safety
/// In a raw function; may raise.
pub(super) unsafe fn new_place(lua: *mut lua_State) -> *mut Child {
    // SAFETY: may raise; nothing is owned.
    unsafe { ffi::lua_newuserdata(lua, size_of::<Child>()).cast() }
}

/// Write a process into its place.
///
/// # Safety
/// The place is a new one.
pub(super) unsafe fn put(place: *mut Child, process: Process) {
    // SAFETY: by contract.
    unsafe { place.write(Child::new(process)) }
}

/// Give the userdata at `index`, whose place is written, its metatable.
///
/// # Safety
/// In a raw function, with such a userdata there.
pub(super) unsafe fn finish(lua: *mut lua_State, index: c_int) {
    // SAFETY: as for connections.
    unsafe {
        ffi::lua_rawgeti(lua, ANCHORS, anchor::PROCESS);
        ffi::lua_setmetatable(lua, index);
    }
}

/// The process at `index`; raises if there is none.
///
/// # Safety
/// In a raw function, before anything is owned.
pub unsafe fn check(lua: *mut lua_State, index: c_int) -> *mut Child {
    // SAFETY: only processes have the process metatable, and it cannot be set from Lua.
    unsafe {
        let place = ffi::lua_touserdata(lua, index);
        if !place.is_null() && ffi::lua_getmetatable(lua, index) != 0 {
            let identity = ffi::lua_topointer(lua, -1);
            ffi::lua_settop(lua, -2);
            if identity == (*state(lua)).identities.process {
                return place.cast();
            }
        }
        raise(lua, b"fkrpc: this is not a process")
    }
}

/// `__gc` of processes.
///
/// # Safety
/// Called by Lua.
pub unsafe extern "C-unwind" fn collect(lua: *mut lua_State) -> c_int {
    // SAFETY: what has the metatable is whole, and it has it no more when this returns.
    unsafe {
        if super::open::disarm(lua) {
            let place = ffi::lua_touserdata(lua, 1).cast::<Child>();
            let _ = guarded(|| std::ptr::drop_in_place(place));
        }
    }
    0
}

/// Push `nil, message, errno`. An `io::Error` has a destructor, and so it lives under `guarded` alone.
unsafe fn io_failure(lua: *mut lua_State, what: &str, errno: i32) -> c_int {
    let marker = 0u8;
    // SAFETY: the text is made into a job under `guarded`, then pushed.
    unsafe {
        let job = enter(lua, &marker);
        let made = guarded(|| {
            let error = io::Error::from_raw_os_error(errno);
            (*job).message = text::string(format_args!("{what}: {}", describe(&error)));
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

/// `process_wait(process, timeout in seconds or nil [, leave])
/// -> table | false (still running) | nil, message, errno`; with `leave` true in place of the table: it has ended, and
/// was not collected.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn wait(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof: only an errno leaves `guarded`.
    unsafe {
        let child = check(lua, 1);
        let timeout = if ffi::lua_type(lua, 2) <= ffi::LUA_TNIL {
            None
        } else {
            let seconds = ffi::luaL_checknumber(lua, 2);
            Some(Duration::from_secs_f64(if seconds > 0.0 {
                seconds.min(1e9)
            } else {
                0.0
            }))
        };
        let errno = |error: io::Error| error.raw_os_error().unwrap_or(0);
        if ffi::lua_toboolean(lua, 3) != 0 {
            let timeout = timeout.unwrap_or_default();
            match guarded(|| (*child).process.watch_end(timeout).map_err(errno)) {
                Ok(Ok(ended)) => ffi::lua_pushboolean(lua, c_int::from(ended)),
                Ok(Err(errno)) => return io_failure(lua, "cannot wait for the process", errno),
                Err(panic) => panic.raise(lua),
            }
            return 1;
        }
        let exit = match guarded(|| (*child).process.wait(timeout).map_err(errno)) {
            Ok(Ok(Some(exit))) => exit,
            Ok(Ok(None)) => {
                ffi::lua_pushboolean(lua, 0);
                return 1;
            }
            Ok(Err(errno)) => {
                return io_failure(lua, "cannot wait for the process", errno);
            }
            Err(panic) => panic.raise(lua),
        };
        ffi::lua_createtable(lua, 0, 5);
        let number = |name: &std::ffi::CStr, value: Option<i64>| {
            if let Some(value) = value {
                ffi::lua_pushinteger(lua, value);
                ffi::lua_setfield(lua, -2, name.as_ptr());
            }
        };
        number(c"code", exit.code.map(i64::from));
        number(c"signal", exit.signal.map(i64::from));
        number(c"max_rss", Some(exit.max_rss_bytes));
        for (name, us) in [(c"user", exit.user_us), (c"system", exit.system_us)] {
            ffi::lua_pushnumber(lua, us as f64 / 1e6); // OK because CPU times are far below 2^53 us
            ffi::lua_setfield(lua, -2, name.as_ptr());
        }
        1
    }
}

/// `process_pid(process) -> integer`
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn pid(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let child = check(lua, 1);
        match guarded(|| (*child).process.pid()) {
            Ok(pid) => ffi::lua_pushinteger(lua, i64::from(pid)),
            Err(panic) => panic.raise(lua),
        }
        1
    }
}

/// `process_fd(process) -> integer | nil`: a descriptor that becomes readable when it ends; none where the system has no
/// such thing, and once the end was seen.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn end_fd(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let child = check(lua, 1);
        match guarded(|| (*child).process.end_fd().map(|fd| fd.as_raw_fd())) {
            Ok(Some(number)) => ffi::lua_pushinteger(lua, i64::from(number)),
            Ok(None) => ffi::lua_pushnil(lua),
            Err(panic) => panic.raise(lua),
        }
        1
    }
}

/// `process_stderr(process [, close]) -> string`: the end of what it has written to stderr; `close`: and no more of it.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn stderr(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof.
    unsafe {
        let child = check(lua, 1);
        let close = ffi::lua_toboolean(lua, 2) != 0;
        let job = enter(lua, &marker);
        let read = guarded(|| {
            (*job).out.clear();
            (*child).process.last_words(&mut (*job).out);
            if close {
                (*child).process.close_errors();
            }
        });
        if let Err(panic) = read {
            panic.raise(lua);
        }
        push_bytes(lua, &(*job).out);
        leave(lua, job);
        1
    }
}

/// `process_signal(process, number [, group]) -> true | nil, message, errno`: to it alone, or to its group.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn signal(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof; as in `wait`.
    unsafe {
        let child = check(lua, 1);
        let number = i32::try_from(ffi::luaL_checkinteger(lua, 2)).unwrap_or(-1);
        let group = ffi::lua_toboolean(lua, 3) != 0;
        let send = || {
            let process = &(*child).process;
            let sent = if group {
                process.signal_group(number)
            } else {
                process.signal(number)
            };
            sent.map_err(|error| error.raw_os_error().unwrap_or(0))
        };
        match guarded(send) {
            Ok(Ok(())) => {
                ffi::lua_pushboolean(lua, 1);
                1
            }
            Ok(Err(errno)) => io_failure(lua, "cannot signal the process", errno),
            Err(panic) => panic.raise(lua),
        }
    }
}
