//! Giving the text of a prelude module to Lua, piece by piece as it is unpacked.
//!
//! It takes no memory of its own and leaves the module uncalled.
//!
//! # What may raise
//! The reader, which passes a panic on: `lua_load` catches what is raised in it and returns a status. What is read lies
//! on the stack and owns nothing (asserted below).

use super::state::guarded;
use crate::lua::modules;
use mlua::ffi::{self, lua_State};
use std::ffi::{c_char, c_int, c_void};

/// Bytes of a module's text that Lua is given at a time; words are far shorter (`LONGEST` in `src/prelude/pack.rs`).
const PIECE: usize = 1024;

/// A module's text on its way to Lua.
struct Reading {
    text: modules::Unpacker<'static>,
    piece: [u8; PIECE],
}

const _: () = assert!(!std::mem::needs_drop::<Reading>());

/// Push the module as a function, or an error; the status, as `lua_load` has it.
///
/// # Safety
/// With a valid state.
#[cfg_attr(target_os = "linux", link_section = ".text_load")]
pub unsafe fn load(lua: *mut lua_State, module: &modules::Module) -> c_int {
    let mut reading = Reading {
        text: module.source(),
        piece: [0; PIECE],
    };
    let data = (&raw mut reading).cast::<c_void>();
    // SAFETY: `reading` lives until the call is over and owns nothing. The call catches what is raised in it.
    unsafe {
        #[cfg(any(feature = "lua51", feature = "luajit"))]
        return ffi::lua_load(lua, read, data, module.chunk.as_ptr());
        #[cfg(not(any(feature = "lua51", feature = "luajit")))]
        ffi::lua_load(lua, read, data, module.chunk.as_ptr(), c"t".as_ptr())
    }
}

/// A `lua_Reader`: the next piece.
#[cfg_attr(target_os = "linux", link_section = ".text_load")]
unsafe extern "C-unwind" fn read(lua: *mut lua_State, data: *mut c_void, size: *mut usize) -> *const c_char {
    // SAFETY: `data` is what `load` gave to `lua_load`, which reads a piece before it asks for the next one.
    unsafe {
        let reading = &mut *data.cast::<Reading>();
        *size = match guarded(|| reading.text.fill(&mut reading.piece)) {
            Ok(size) => size,
            Err(panic) => panic.raise(lua),
        };
        reading.piece.as_ptr().cast()
    }
}
