//! Random generators as userdata: the classes of `fkrpc.random` and of `freekill-qrandomgen`, and their constructors.
//!
//! A generator lies in its userdata whole, so that the collector sees its 2.5 KB and there is nothing to finalize. No
//! name is taken in the registry: another module's `luaL_newmetatable(L, "QRandomGenerator")` gets its own metatable.
//!
//! # What may raise
//! As for [`super::random`]; constructors have their class's metatable as their third upvalue. The words of a long seed
//! lie in a userdata while they are read, and the system's refusal leaves its guarded section as an errno.

use super::argument::{self, check_integer, is_absent};
use super::open::push_function;
use super::random::{check, generator, mark, random, Held, METHODS, NAME};
use super::state::{guarded, push_bytes, string, OPTIONS};
use crate::random::state::TEXT_LENGTH;
use crate::random::QRandomGenerator;
use mlua::ffi::{self, lua_CFunction, lua_State};
use rand_core::SeedableRng;
use std::ffi::{c_int, CStr};

/// The metatable of the running function's class.
const METATABLE: c_int = OPTIONS;

/// Push a userdata of the function's class that holds the generator.
unsafe fn push_generator(lua: *mut lua_State, generator: *const QRandomGenerator) -> c_int {
    // SAFETY: see the module's proof: the userdata is not reachable before it is whole.
    unsafe {
        let held = ffi::lua_newuserdata(lua, size_of::<Held>()).cast::<Held>();
        (&raw mut (*held).mark).write(mark());
        std::ptr::copy_nonoverlapping(generator, &raw mut (*held).generator, 1);
        ffi::lua_pushvalue(lua, METATABLE);
        ffi::lua_setmetatable(lua, -2);
        1
    }
}

/// `g:clone()`: another generator that continues with the same numbers.
unsafe extern "C-unwind" fn clone(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof; the copy is made after the allocation, which may run finalizers.
    unsafe {
        let generator = check(lua);
        push_generator(lua, generator)
    }
}

/// `g:state()`: the state as a string for `restore`.
unsafe extern "C-unwind" fn state(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let mut text = [0; TEXT_LENGTH];
        let generator = check(lua);
        if let Err(panic) = guarded(|| (*generator).write_text(&mut text)) {
            panic.raise(lua);
        }
        push_bytes(lua, &text);
        1
    }
}

/// `g:restore(state) -> g`: continue where the generator of the string was.
unsafe extern "C-unwind" fn restore(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let generator = check(lua);
        ffi::luaL_checktype(lua, 2, ffi::LUA_TSTRING);
        let text = string(lua, 2);
        let restored = match guarded(|| QRandomGenerator::from_text(text)) {
            Ok(Some(restored)) => restored,
            Ok(None) => argument::error(lua, 2, c"not a state of a generator"),
            Err(panic) => panic.raise(lua),
        };
        *generator = restored;
        ffi::lua_settop(lua, 1);
        1
    }
}

/// `__eq`: equal states.
unsafe extern "C-unwind" fn equal(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let (one, other) = (generator(lua, 1), generator(lua, 2));
        let equal = !one.is_null() && !other.is_null() && *one == *other;
        ffi::lua_pushboolean(lua, c_int::from(equal));
        1
    }
}

/// `__tostring`.
unsafe extern "C-unwind" fn to_string(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let generator = check(lua);
        ffi::lua_pushfstring(lua, c"%s: %p".as_ptr(), NAME.as_ptr(), generator);
        1
    }
}

/// Push a generator with the sequence at `index`, a table of numbers that are cut to 32 bits each.
unsafe fn push_sequence(lua: *mut lua_State, index: c_int) -> c_int {
    // SAFETY: see the module's proof; the scratch userdata is large enough, aligned and on the stack.
    unsafe {
        let count = ffi::lua_rawlen(lua, index);
        let Some(size) = count.checked_mul(size_of::<u32>()) else {
            argument::error(lua, 1, c"too many words")
        };
        let words = ffi::lua_newuserdata(lua, size.max(1)).cast::<u32>();
        for place in 0..count {
            ffi::lua_rawgeti(lua, index, place as i64 + 1); // OK because a table's length fits
            let Some(word) = argument::integer(lua, -1) else {
                argument::error(lua, 1, c"integers expected in the table of words")
            };
            words.add(place).write(word as u32); // OK because it is meant to be cut
            ffi::lua_settop(lua, -2);
        }
        let words = std::slice::from_raw_parts(words, count);
        match guarded(|| QRandomGenerator::from_words(words)) {
            Ok(generator) => push_generator(lua, &generator),
            Err(panic) => panic.raise(lua),
        }
    }
}

/// `class([seed])`, called with the callable first: a generator with that seed, cut to 32 bits; with the sequence of
/// words in a table; with a seed of the system.
unsafe extern "C-unwind" fn construct(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        if is_absent(lua, 2) {
            let seeded =
                guarded(|| QRandomGenerator::try_from_os_rng().map_err(|error| error.raw_os_error().unwrap_or(0)));
            return match seeded {
                Ok(Ok(generator)) => push_generator(lua, &generator),
                Ok(Err(code)) => ffi::luaL_error(lua, c"the system gave no random seed (errno %d)".as_ptr(), code),
                Err(panic) => panic.raise(lua),
            };
        }
        if ffi::lua_type(lua, 2) == ffi::LUA_TTABLE {
            return push_sequence(lua, 2);
        }
        let seed = check_integer(lua, 2, 1) as u32; // OK because it is meant to be cut
        push_seeded(lua, seed)
    }
}

/// Push a generator with this seed.
unsafe fn push_seeded(lua: *mut lua_State, seed: u32) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        match guarded(|| QRandomGenerator::new(seed)) {
            Ok(generator) => push_generator(lua, &generator),
            Err(panic) => panic.raise(lua),
        }
    }
}

/// `new([seed = 1])` of `freekill-qrandomgen`.
unsafe extern "C-unwind" fn construct_plain(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let seed = argument::optional_integer(lua, 1).unwrap_or(1) as u32; // OK because it is meant to be cut
        push_seeded(lua, seed)
    }
}

/// Push a function of the class whose metatable is at `metatable`, and set it in the table below.
unsafe fn set(lua: *mut lua_State, metatable: c_int, name: &CStr, function: lua_CFunction) {
    // SAFETY: see the module's proof.
    unsafe {
        push_function(lua, function, metatable);
        ffi::lua_setfield(lua, -2, name.as_ptr());
    }
}

/// Push a new metatable with `__name`; its index.
unsafe fn push_metatable(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        ffi::lua_settop(lua, 0);
        ffi::lua_createtable(lua, 0, 8);
        ffi::lua_pushstring(lua, NAME.as_ptr());
        ffi::lua_setfield(lua, 1, c"__name".as_ptr());
        1
    }
}

/// `random_class() -> construct`: the class of `fkrpc.random`.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn random_class(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let metatable = push_metatable(lua);
        set(lua, metatable, c"__eq", equal);
        set(lua, metatable, c"__tostring", to_string);
        // Hide the metatable: who could fetch it could give it to another userdata.
        ffi::lua_pushboolean(lua, 0);
        ffi::lua_setfield(lua, metatable, c"__metatable".as_ptr());
        ffi::lua_createtable(lua, 0, 16);
        for &(name, function) in METHODS {
            set(lua, metatable, name, function);
        }
        set(lua, metatable, c"clone", clone);
        set(lua, metatable, c"state", state);
        set(lua, metatable, c"restore", restore);
        ffi::lua_setfield(lua, metatable, c"__index".as_ptr());
        push_function(lua, construct, metatable);
        1
    }
}

/// `qrandomgen_class() -> new, metatable`: the class of `freekill-qrandomgen`, which has `random` alone and shows its
/// metatable.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn qrandomgen_class(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let metatable = push_metatable(lua);
        set(lua, metatable, c"random", random);
        if argument::FLOATS_ALONE {
            set(lua, metatable, c"__tostring", to_string); // the other Luas read `__name`
        }
        ffi::lua_pushvalue(lua, metatable);
        ffi::lua_setfield(lua, metatable, c"__index".as_ptr());
        push_function(lua, construct_plain, metatable);
        ffi::lua_pushvalue(lua, metatable);
        2
    }
}
