//! Files and folders: one raw function for each operation of [`crate::fs`].
//!
//! The same functions serve the process and every root: upvalue 3 is nil, or the userdata of a root.
//!
//! # Proof
//! Arguments are read first: that raises, and owns nothing. The work runs under `guarded` and calls no Lua function that
//! raises; its results are left in the job or are `Copy`. Only then values are pushed, from the job.

pub mod arguments;
pub mod root;

use super::builder::Builder;
use super::state::{enter, guarded, leave, push_bytes, raise, Job, Panic};
use crate::fs::{Base, Error, Kind, Stat};
use arguments::Arguments;
use mlua::ffi::{self, lua_CFunction, lua_State};
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

/// Run `work` on the running function's base and push what it returns; `nil, message, errno` where it fails.
unsafe fn run<R: Copy>(
    lua: *mut lua_State,
    work: impl FnOnce(&Base, &mut Job) -> Result<R, Error>,
    push: unsafe fn(*mut lua_State, *mut Job, R) -> c_int,
) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof. `work` captures arguments alone: it owns nothing when `enter` raises.
    unsafe {
        let job = enter(lua, &marker);
        let base = root::base(lua);
        let done = guarded(|| {
            work(&*base, &mut *job).map_err(|error| {
                (*job).out = error.message;
                error.errno
            })
        });
        match done {
            Ok(Ok(result)) => {
                let count = push(lua, job, result);
                leave(lua, job);
                count
            }
            Ok(Err(errno)) => {
                ffi::lua_pushnil(lua);
                push_bytes(lua, &(*job).out);
                ffi::lua_pushinteger(lua, i64::from(errno));
                leave(lua, job);
                3
            }
            Err(Panic) => raise(lua, Panic::TEXT),
        }
    }
}

unsafe fn push_true(lua: *mut lua_State, job: *mut Job, (): ()) -> c_int {
    // SAFETY: as `push_bool`.
    unsafe { push_bool(lua, job, true) }
}

unsafe fn push_bool(lua: *mut lua_State, _job: *mut Job, value: bool) -> c_int {
    // SAFETY: a C function has room for its results.
    unsafe { ffi::lua_pushboolean(lua, c_int::from(value)) };
    1
}

/// Push what the job has in its `out`.
unsafe fn push_out(lua: *mut lua_State, job: *mut Job, (): ()) -> c_int {
    // SAFETY: may raise; the bytes are the job's.
    unsafe { push_bytes(lua, &(*job).out) };
    1
}

/// Push what the job has on its tape, whose strings are in its `source`.
unsafe fn push_tape(lua: *mut lua_State, job: *mut Job, (): ()) -> c_int {
    // SAFETY: may raise; tape and source are the job's, which nested calls do not touch.
    unsafe {
        Builder::new(lua, job, &(*job).source).push(0);
    }
    1
}

unsafe fn push_stat(lua: *mut lua_State, _job: *mut Job, found: Stat) -> c_int {
    // SAFETY: may raise; owns nothing.
    unsafe {
        ffi::lua_createtable(lua, 0, 14);
        push_bytes(lua, found.kind.name().as_bytes());
        ffi::lua_setfield(lua, -2, c"type".as_ptr());
        // OK because numbers of devices and files above i64::MAX keep their bits, as everywhere in Lua.
        let integers: [(&CStr, i64); 10] = [
            (c"size", found.size),
            (c"mode", i64::from(found.mode)),
            (c"nlink", found.links as i64),
            (c"uid", i64::from(found.uid)),
            (c"gid", i64::from(found.gid)),
            (c"dev", found.dev as i64),
            (c"ino", found.ino as i64),
            (c"rdev", found.rdev as i64),
            (c"blocks", found.blocks),
            (c"blksize", found.block_size),
        ];
        for (name, value) in integers {
            ffi::lua_pushinteger(lua, value);
            ffi::lua_setfield(lua, -2, name.as_ptr());
        }
        for (name, value) in [
            (c"atime", found.atime),
            (c"mtime", found.mtime),
            (c"ctime", found.ctime),
        ] {
            ffi::lua_pushnumber(lua, value);
            ffi::lua_setfield(lua, -2, name.as_ptr());
        }
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

/// The folder's names on the job's tape; the names themselves in its source.
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
