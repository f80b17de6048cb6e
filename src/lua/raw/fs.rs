//! Files and folders: one raw function for each operation of [`crate::fs`].
//!
//! The same functions serve the process and every root: upvalue 3 is nil, or the userdata of a root.
//!
//! # What may raise
//! Taking arguments, `enter` and pushing results. Arguments are read first: that raises, and owns nothing. The work
//! runs under `guarded` and calls no Lua function that raises; its results are left in the job or are `Copy`. Only then
//! values are pushed, from the job.

pub mod arguments;
pub mod result;
pub mod root;

use super::state::{push_bytes, Job};
use crate::fs::{Base, Error, Kind};
use arguments::Arguments;
use mlua::ffi::{self, lua_CFunction, lua_State};
use result::{push_bool, push_out, push_stat, push_tape, push_true, run};
use std::ffi::{c_int, CStr};

/// The functions of a base, by name. `entries` is for the prelude.
const FUNCTIONS: &[(&CStr, lua_CFunction)] = &[
    (c"cd", cd),
    (c"ls", ls),
    (c"pwd", pwd),
    (c"exists", exists),
    (c"is_dir", is_dir),
    (c"stat", stat),
    (c"mkdir", mkdir),
    (c"remove", remove),
    (c"rename", rename),
    (c"read", read),
    (c"write_atomic", write_atomic),
    (c"touch", touch),
    (c"readlink", readlink),
    (c"symlink", symlink),
    (c"entries", entries),
];

/// `fs_functions() -> table`: the functions for the process's own paths.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn functions(lua: *mut lua_State) -> c_int {
    // SAFETY: may raise; owns nothing.
    unsafe { push_functions(lua, 0) }
}

/// Push a table of the functions whose upvalue 3 is the value at `base` (0: nil), and `kinds`, the names of kinds.
unsafe fn push_functions(lua: *mut lua_State, base: c_int) -> c_int {
    // SAFETY: may raise; owns nothing.
    unsafe {
        ffi::lua_createtable(lua, 0, c_int::try_from(FUNCTIONS.len()).unwrap_or(0) + 4);
        for &(name, function) in FUNCTIONS {
            super::open::push_function(lua, function, base);
            ffi::lua_setfield(lua, -2, name.as_ptr());
        }
        ffi::lua_createtable(lua, c_int::try_from(Kind::NAMES.len()).unwrap_or(0), 0);
        for (place, name) in (0..).zip(Kind::NAMES) {
            push_bytes(lua, name.as_bytes());
            ffi::lua_rawseti(lua, -2, place);
        }
        ffi::lua_setfield(lua, -2, c"kinds".as_ptr());
        1
    }
}

/// `cd(path) -> true`
unsafe extern "C-unwind" fn cd(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof, as for every function below.
    unsafe {
        let path = Arguments::of(lua).path(1);
        run(lua, |base, _| base.cd(path), push_true)
    }
}

/// `ls([path]) -> names`
unsafe extern "C-unwind" fn ls(lua: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        let path = Arguments::of(lua).optional_path(1).unwrap_or(b".");
        run(lua, |base, job| list(base, job, path, true, false), push_tape)
    }
}

/// `entries(path, follow) -> { name, kind, name, kind ... }`, kinds as places in `kinds`.
unsafe extern "C-unwind" fn entries(lua: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        let path = Arguments::of(lua).path(1);
        let follow = ffi::lua_toboolean(lua, 2) != 0;
        run(lua, |base, job| list(base, job, path, follow, true), push_tape)
    }
}

/// The folder's names on the job's tape, each with its kind if asked for.
fn list(base: &Base, job: &mut Job, path: &[u8], follow: bool, kinds: bool) -> Result<(), Error> {
    let listing = base.list(path, follow)?;
    let no_memory = |_| Error::no_memory(path);
    let open = job.tape.open_array().map_err(no_memory)?;
    for (name, kind) in listing.iter() {
        let start = job.tape.scratch_mut().len();
        job.tape
            .scratch_mut()
            .try_reserve(name.len())
            .map_err(|_| Error::no_memory(path))?;
        job.tape.scratch_mut().extend_from_slice(name);
        job.tape.scratch_str(start).map_err(no_memory)?;
        if kinds {
            job.tape.small(kind as i32).map_err(no_memory)?;
        }
    }
    let count = listing.len() * (1 + usize::from(kinds));
    job.tape.close(open, count);
    Ok(())
}

/// `pwd() -> path`
unsafe extern "C-unwind" fn pwd(lua: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        run(
            lua,
            |_, job| {
                job.out = Base::pwd()?;
                Ok(())
            },
            push_out,
        )
    }
}

/// `exists(path) -> boolean`
unsafe extern "C-unwind" fn exists(lua: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        let path = Arguments::of(lua).path(1);
        run(lua, |base, _| Ok(base.exists(path)), push_bool)
    }
}

/// `is_dir(path) -> boolean`
unsafe extern "C-unwind" fn is_dir(lua: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        let path = Arguments::of(lua).path(1);
        run(lua, |base, _| base.is_dir(path), push_bool)
    }
}

/// `stat(path [, { follow = true }]) -> table`
unsafe extern "C-unwind" fn stat(lua: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        let arguments = Arguments::of(lua);
        let path = arguments.path(1);
        arguments.options(2, &[c"follow"]);
        let follow = arguments.flag(2, c"follow", true);
        run(lua, |base, _| base.stat(path, follow), push_stat)
    }
}

/// `mkdir(path [, { parents = false, mode = 0o777 less the umask }]) -> true`
unsafe extern "C-unwind" fn mkdir(lua: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        let arguments = Arguments::of(lua);
        let path = arguments.path(1);
        arguments.options(2, &[c"parents", c"mode"]);
        let parents = arguments.flag(2, c"parents", false);
        let mode = arguments.mode(2).unwrap_or(0o777);
        run(lua, |base, _| base.mkdir(path, mode, parents), push_true)
    }
}

/// `remove(path [, { recursive = false }]) -> true`
unsafe extern "C-unwind" fn remove(lua: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        let arguments = Arguments::of(lua);
        let path = arguments.path(1);
        arguments.options(2, &[c"recursive"]);
        let recursive = arguments.flag(2, c"recursive", false);
        run(lua, |base, _| base.remove(path, recursive), push_true)
    }
}

/// `rename(path, new) -> true`
unsafe extern "C-unwind" fn rename(lua: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        let arguments = Arguments::of(lua);
        let (path, new) = (arguments.path(1), arguments.path(2));
        run(lua, |base, _| base.rename(path, new), push_true)
    }
}

/// `read(path [, max]) -> bytes`
unsafe extern "C-unwind" fn read(lua: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        let arguments = Arguments::of(lua);
        let path = arguments.path(1);
        let most = arguments.optional_size(2).unwrap_or(usize::MAX);
        run(lua, |base, job| base.read(path, most, &mut job.out), push_out)
    }
}

/// `write_atomic(path, bytes [, { mode = number }]) -> true`
unsafe extern "C-unwind" fn write_atomic(lua: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        let arguments = Arguments::of(lua);
        let (path, bytes) = (arguments.path(1), arguments.path(2));
        arguments.options(3, &[c"mode"]);
        let mode = arguments.mode(3);
        run(lua, |base, _| base.write_atomic(path, bytes, mode), push_true)
    }
}

/// `touch(path [, { atime = seconds, mtime = seconds }]) -> true`
unsafe extern "C-unwind" fn touch(lua: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        let arguments = Arguments::of(lua);
        let path = arguments.path(1);
        arguments.options(2, &[c"atime", c"mtime"]);
        let (accessed, modified) = (arguments.number(2, c"atime"), arguments.number(2, c"mtime"));
        run(lua, |base, _| base.touch(path, accessed, modified), push_true)
    }
}

/// `readlink(path) -> target`
unsafe extern "C-unwind" fn readlink(lua: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        let path = Arguments::of(lua).path(1);
        run(
            lua,
            |base, job| {
                job.out = base.readlink(path)?;
                Ok(())
            },
            push_out,
        )
    }
}

/// `symlink(target, path) -> true`
unsafe extern "C-unwind" fn symlink(lua: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe {
        let arguments = Arguments::of(lua);
        let (target, path) = (arguments.path(1), arguments.path(2));
        run(lua, |base, _| base.symlink(target, path), push_true)
    }
}
