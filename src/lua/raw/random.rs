//! The methods of random generators that draw; [`super::random_class`] makes the generators.
//!
//! They refuse ranges that are empty or too wide with an error, where Qt's build aborts the process.
//!
//! # What may raise
//! Arguments, and metamethods of a table that is shuffled. Generators have no destructor (asserted below), so that a
//! longjmp can skip none. They are told by what their userdata holds, its size and its mark, and not by a metatable:
//! that is two calls instead of four, and a metatable that was given to another userdata (by the debug library) opens
//! nothing. A pointer to a generator is good while its userdata is an argument, also across metamethods; no reference
//! to it lives while Lua runs.

use super::argument::{self, check_integer, optional_integer, push_integer, FLOATS_ALONE};
use super::state::guarded;
use crate::random::{game, Draw, QRandomGenerator, RangeError};
use mlua::ffi::{self, lua_CFunction, lua_State};
use std::ffi::{c_int, CStr};

// Nothing that a longjmp could skip: see the module's proof.
const _: () = assert!(!std::mem::needs_drop::<Held>());

/// The name of both classes.
pub const NAME: &CStr = c"QRandomGenerator";

/// The methods that draw.
pub const METHODS: &[(&CStr, lua_CFunction)] = &[
    (c"random", random),
    (c"generate", generate),
    (c"generate64", generate64),
    (c"double", double),
    (c"bounded", bounded),
    (c"bounded64", bounded64),
    (c"bounded_double", bounded_double),
    (c"discard", discard),
    (c"shuffle", shuffle),
];

/// What the userdata of a generator holds.
#[repr(C)]
pub struct Held {
    /// [`mark`], which tells generators from other userdata of their size.
    pub mark: usize,
    /// The generator.
    pub generator: QRandomGenerator,
}

/// An address that nothing else has.
static MARK: u8 = 0;

/// What [`Held::mark`] is.
#[inline]
pub fn mark() -> usize {
    (&raw const MARK) as usize // OK because it is an address
}

/// The generator at `index`, or null.
///
/// # Safety
/// In a raw function.
#[inline]
pub unsafe fn generator(lua: *mut lua_State, index: c_int) -> *mut QRandomGenerator {
    // SAFETY: a full userdata of that size holds a mark's worth of bytes; light ones have the length 0, and what is no
    // userdata has no pointer. The pointer is good as long as the userdata is.
    unsafe {
        let held = ffi::lua_touserdata(lua, index).cast::<Held>();
        if held.is_null() || ffi::lua_rawlen(lua, index) != size_of::<Held>() || (*held).mark != mark() {
            return std::ptr::null_mut();
        }
        &raw mut (*held).generator
    }
}

/// The generator that is the first argument, or an error.
///
/// # Safety
/// In a raw function that owns nothing.
#[inline]
pub unsafe fn check(lua: *mut lua_State) -> *mut QRandomGenerator {
    // SAFETY: by contract.
    unsafe {
        let generator = generator(lua, 1);
        if generator.is_null() {
            argument::type_error(lua, 1, 1, NAME);
        }
        generator
    }
}

/// Raise that the range whose upper end is argument `index` has no numbers.
#[cold]
unsafe fn range_error(lua: *mut lua_State, index: c_int, error: RangeError) -> ! {
    // SAFETY: nothing is owned.
    unsafe {
        argument::error(
            lua,
            index,
            match error {
                RangeError::Empty => c"interval is empty",
                RangeError::TooWide => c"interval too large",
            },
        )
    }
}

/// The arguments of `random`, cut to 32 bits as C cuts them.
#[inline]
unsafe fn limits(lua: *mut lua_State) -> (i32, i32) {
    let cut = |number: i64| number as i32; // OK because it is meant to be cut
                                           // SAFETY: by contract. The common forms first, with as few calls as will do.
    unsafe {
        if let Some(high) = argument::integer(lua, 3) {
            if let Some(low) = argument::integer(lua, 2) {
                return (cut(low), cut(high));
            }
        } else {
            match ffi::lua_gettop(lua) {
                1 => return (game::ABSENT, game::ABSENT),
                2 => {
                    if let Some(low) = argument::integer(lua, 2) {
                        return (cut(low), game::ABSENT);
                    }
                }
                _ => {}
            }
        }
        odd_limits(lua)
    }
}

/// The arguments of `random` with nil among them, or an error.
#[cold]
unsafe fn odd_limits(lua: *mut lua_State) -> (i32, i32) {
    // SAFETY: nothing is owned.
    unsafe {
        let limit = |index| optional_integer(lua, index).map_or(game::ABSENT, |number| number as i32); // OK as above
        (limit(2), limit(3))
    }
}

/// `g:random([low [, high]])`: see [`QRandomGenerator::random`].
///
/// # Safety
/// Called by Lua.
pub unsafe extern "C-unwind" fn random(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let generator = check(lua);
        let (low, high) = limits(lua);
        match guarded(|| (*generator).random(low, high)) {
            Ok(Ok(Draw::Integer(number))) => push_integer(lua, number.into()),
            Ok(Ok(Draw::Float(number))) => ffi::lua_pushnumber(lua, number),
            Ok(Err(error)) => range_error(lua, 3, error),
            Err(panic) => panic.raise(lua),
        }
        1
    }
}

/// What `draw` takes from the generator at index 1.
#[inline]
unsafe fn drawn<R>(lua: *mut lua_State, draw: impl FnOnce(&mut QRandomGenerator) -> R) -> R {
    // SAFETY: see the module's proof: the reference ends before Lua is called again.
    unsafe {
        let generator = check(lua);
        match guarded(|| draw(&mut *generator)) {
            Ok(drawn) => drawn,
            Err(panic) => panic.raise(lua),
        }
    }
}

/// `g:generate()`: the next 32-bit word.
unsafe extern "C-unwind" fn generate(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let word = drawn(lua, QRandomGenerator::generate);
        push_integer(lua, word.into());
        1
    }
}

/// `g:generate64()`: 64 bits as an integer; the low and the high word where there are no integers.
unsafe extern "C-unwind" fn generate64(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let number = drawn(lua, QRandomGenerator::generate64);
        if FLOATS_ALONE {
            push_integer(lua, (number & 0xffff_ffff) as i64); // OK because 32 bits fit
            push_integer(lua, (number >> 32) as i64); // OK because 32 bits fit
            return 2;
        }
        push_integer(lua, number as i64); // OK because it is meant to wrap
        1
    }
}

/// `g:double()`: a number of [0, 1).
unsafe extern "C-unwind" fn double(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let number = drawn(lua, QRandomGenerator::generate_double);
        ffi::lua_pushnumber(lua, number);
        1
    }
}

/// The two forms `(end)` and `(start, end)`, and the argument that is the end.
unsafe fn range(lua: *mut lua_State) -> (i64, i64, c_int) {
    // SAFETY: see the module's proof.
    unsafe {
        let first = check_integer(lua, 2, 2);
        match optional_integer(lua, 3) {
            Some(end) => (first, end, 3),
            None => (0, first, 2),
        }
    }
}

/// Push a number that was drawn from a range with its upper end at `index`.
unsafe fn push_drawn(lua: *mut lua_State, drawn: Result<i64, RangeError>, index: c_int) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        match drawn {
            Ok(number) => push_integer(lua, number),
            Err(error) => range_error(lua, index, error),
        }
        1
    }
}

/// `g:bounded(end)`, `g:bounded(start, end)`, the end exclusive: Qt's 32-bit form if both fit, else the 64-bit one.
unsafe extern "C-unwind" fn bounded(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let generator = check(lua);
        let (start, end, index) = range(lua);
        let (Ok(start), Ok(end)) = (i32::try_from(start), i32::try_from(end)) else {
            return bounded64(lua);
        };
        match guarded(|| (*generator).bounded_i32_range(start, end)) {
            Ok(drawn) => push_drawn(lua, drawn.map(i64::from), index),
            Err(panic) => panic.raise(lua),
        }
    }
}

/// `g:bounded64(end)`, `g:bounded64(start, end)`: Qt's 64-bit form.
unsafe extern "C-unwind" fn bounded64(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let generator = check(lua);
        let (start, end, index) = range(lua);
        let exact = 1 << 53;
        if FLOATS_ALONE && (start < -exact || end > exact) {
            argument::error(lua, index, c"beyond 2^53, where this Lua's numbers are not exact");
        }
        match guarded(|| (*generator).bounded_i64_range(start, end)) {
            Ok(drawn) => push_drawn(lua, drawn, index),
            Err(panic) => panic.raise(lua),
        }
    }
}

/// `g:bounded_double(factor)`: `double()` times the factor.
unsafe extern "C-unwind" fn bounded_double(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let generator = check(lua);
        let factor = ffi::luaL_checknumber(lua, 2);
        match guarded(|| (*generator).bounded_f64(factor)) {
            Ok(number) => ffi::lua_pushnumber(lua, number),
            Err(panic) => panic.raise(lua),
        }
        1
    }
}

/// `g:discard(count) -> g`: skip words.
unsafe extern "C-unwind" fn discard(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let generator = check(lua);
        let Ok(count) = u64::try_from(check_integer(lua, 2, 2)) else {
            argument::error(lua, 2, c"a count cannot be negative")
        };
        if let Err(panic) = guarded(|| (*generator).discard(count)) {
            panic.raise(lua);
        }
        ffi::lua_settop(lua, 1);
        1
    }
}

/// `g:shuffle(t) -> t`: in place, as the game's `table.shuffle` does (see [`QRandomGenerator::exchange`]).
unsafe extern "C-unwind" fn shuffle(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof: metamethods may run and raise.
    unsafe {
        let generator = check(lua);
        ffi::luaL_checktype(lua, 2, ffi::LUA_TTABLE);
        ffi::lua_settop(lua, 2);
        let length = ffi::luaL_len(lua, 2).max(0);
        let Ok(count) = i32::try_from(length).map(i32::unsigned_abs) else {
            argument::error(lua, 2, c"too many elements")
        };
        for place in (2..=count).rev() {
            let other = match guarded(|| (*generator).exchange(count, place)) {
                Ok(other) => other,
                Err(panic) => panic.raise(lua),
            };
            if other != place {
                ffi::lua_geti(lua, 2, place.into());
                ffi::lua_geti(lua, 2, other.into());
                ffi::lua_seti(lua, 2, place.into());
                ffi::lua_seti(lua, 2, other.into());
            }
        }
        1
    }
}
