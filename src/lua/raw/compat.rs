//! Codecs with the values, rules and errors of modules that FreeKill programs were written for: rxi's `json` and the
//! game's `server.rpc.cbor`.
//!
//! They refuse nothing themselves: what the scanners or this Lua's stack refuse goes to a function of the prelude that
//! knows the old decoder's leniencies, and what the walk refuses is raised.
//!
//! # What may raise
//! As for [`super::json`]: arguments first, scanning and walking under `guarded`, results from the job. The job is
//! given back before the prelude's function is called. The hook finder, which `lua_pcall` calls in the middle of a
//! walk, may raise and owns nothing.

use super::builder::Builder;
use super::cbor::Cbor;
use super::hook::FINDER;
use super::json::Json;
use super::open::push_upvalues;
use super::state::{enter, enter_of, guarded, leave, push_bytes, state, string};
use super::walk::{Fail, Format, Policy, Walk};
use super::{encode, path};
use crate::codec::{cbor, json, Big, CodecError, ErrorKind};
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;

/// Containers may nest this deep before the prelude's decoders take over.
const MAX_DEPTH: usize = 1000;

/// Upvalue 3 of a decoder and of JSON's encoder: the prelude's function, called with the same arguments, or nil.
const LENIENT: c_int = ffi::lua_upvalueindex(3);
/// Upvalue 4 of JSON's encoder: whether an empty table is an array.
const EMPTY_ARRAY: c_int = ffi::lua_upvalueindex(4);
/// Upvalue 4 of JSON's decoder: what null decodes to.
const JSON_NULL: c_int = ffi::lua_upvalueindex(4);
/// Upvalue 4 of the CBOR decoder: its table of tag handlers.
const HANDLERS: c_int = ffi::lua_upvalueindex(4);
/// Upvalue 5 of the CBOR decoder: its table of simple values.
const SIMPLES: c_int = ffi::lua_upvalueindex(5);
/// Upvalue 6 of the CBOR decoder: what null decodes to.
const NULL: c_int = ffi::lua_upvalueindex(6);
/// Upvalue 1 of the hook finder: the prelude's encoder for tables that bring their own iteration.
const ITERATE: c_int = ffi::lua_upvalueindex(1);

const POLICY: Policy = Policy {
    max_depth: MAX_DEPTH,
    root_array: false,
    empty_array: true,
    any_order: true,
};

const JSON: Json = Json {
    utf8: false,
    whole: true,
};

const JSON_SCAN: json::ScanOptions = json::ScanOptions {
    max_depth: MAX_DEPTH,
    utf8: false,
    big: Big::Float,
    integers: encode::INTEGERS,
    nan: false,
};

const CBOR_SCAN: cbor::ScanOptions = cbor::ScanOptions {
    max_depth: MAX_DEPTH,
    big: Big::Wrap,
    integers: encode::INTEGERS,
    integral_floats: true,
    utf8: false,
};

/// As `Cbor`, with hooks that get the encoder's options.
#[derive(Clone, Copy)]
struct GameCbor;

const CBOR: Cbor = Cbor {
    text: false,
    shortest: false,
};

impl Format for GameCbor {
    const ANY_KEY: bool = true;
    const HOOK: bool = true;
    const OPTIONS: bool = true;

    fn null(self, out: &mut Vec<u8>) -> Result<(), ErrorKind> {
        CBOR.null(out)
    }
    fn boolean(self, out: &mut Vec<u8>, value: bool) -> Result<(), ErrorKind> {
        CBOR.boolean(out, value)
    }
    #[inline(always)]
    fn int(self, out: &mut Vec<u8>, value: i64) -> Result<(), ErrorKind> {
        CBOR.int(out, value)
    }
    fn uint(self, out: &mut Vec<u8>, value: u64) -> Result<(), ErrorKind> {
        CBOR.uint(out, value)
    }
    fn float(self, out: &mut Vec<u8>, value: f64) -> Result<(), ErrorKind> {
        CBOR.float(out, value)
    }
    #[inline(always)]
    fn string(self, out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), ErrorKind> {
        CBOR.string(out, bytes)
    }
    #[inline(always)]
    fn open_array(self, out: &mut Vec<u8>) -> Result<usize, ErrorKind> {
        CBOR.open_array(out)
    }
    #[inline(always)]
    fn separate(self, _out: &mut Vec<u8>, _index: usize) -> Result<(), ErrorKind> {
        Ok(())
    }
    #[inline(always)]
    fn close_array(self, out: &mut Vec<u8>, open: usize, count: usize) -> Result<(), ErrorKind> {
        CBOR.close_array(out, open, count)
    }
    #[inline(always)]
    fn open_map(self, out: &mut Vec<u8>) -> Result<usize, ErrorKind> {
        CBOR.open_map(out)
    }
    #[inline(always)]
    fn key(self, out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), ErrorKind> {
        CBOR.string(out, bytes)
    }
    #[inline(always)]
    fn close_map(self, out: &mut Vec<u8>, open: usize, count: usize) -> Result<(), ErrorKind> {
        CBOR.close_map(out, open, count)
    }
    fn tag(self, out: &mut Vec<u8>, tag: u64) -> Result<(), ErrorKind> {
        CBOR.tag(out, tag)
    }
    fn simple(self, out: &mut Vec<u8>, value: u8) -> Result<(), ErrorKind> {
        CBOR.simple(out, value)
    }
}

/// Encode argument 1 and return the string; what cannot be encoded is left to `LENIENT` or raised.
#[inline]
unsafe fn encode_or_raise<F: Format>(lua: *mut lua_State, format: F, policy: Policy, who: &[u8]) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof; `prepare` may raise and comes before anything else.
    unsafe {
        match ffi::lua_gettop(lua) {
            1 => ffi::lua_pushnil(lua), // most calls; cheaper than settop
            2 => {}
            _ => ffi::lua_settop(lua, 2),
        }
        let job = enter_of(lua, state(lua), &marker);
        let mut walk = Walk::prepare(lua, job, format, policy);
        match guarded(|| walk.run_last(1)) {
            Ok(Ok(())) => {
                push_bytes(lua, &(*job).out);
                leave(lua, job);
                1
            }
            Ok(Err(Fail::Hook)) => {
                leave(lua, job);
                ffi::lua_error(lua) // the hook's own error, which is on top of the stack
            }
            Ok(Err(_)) if !F::OPTIONS && ffi::lua_type(lua, LENIENT) == ffi::LUA_TFUNCTION => {
                leave(lua, job);
                lenient(lua)
            }
            Ok(Err(fail)) => {
                if let Err(panic) = guarded(|| (*job).out = path::text(&*job, "", fail)) {
                    panic.raise(lua);
                }
                ffi::luaL_where(lua, 1);
                push_bytes(lua, who);
                push_bytes(lua, &(*job).out);
                ffi::lua_concat(lua, 3);
                leave(lua, job);
                ffi::lua_error(lua)
            }
            Err(panic) => panic.raise(lua),
        }
    }
}

/// Let the prelude's function have the call.
#[cold]
unsafe fn lenient(lua: *mut lua_State) -> c_int {
    // SAFETY: may raise; nothing is owned.
    unsafe {
        ffi::lua_settop(lua, 2);
        ffi::lua_pushvalue(lua, LENIENT);
        ffi::lua_insert(lua, 1);
        ffi::lua_call(lua, 2, 1);
        1
    }
}

/// `encode(value) -> text`
unsafe extern "C-unwind" fn json_encode(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        let policy = Policy {
            empty_array: ffi::lua_toboolean(lua, EMPTY_ARRAY) != 0,
            ..POLICY
        };
        encode_or_raise(lua, JSON, policy, b"json.encode: ")
    }
}

/// `decode(text) -> value`
unsafe extern "C-unwind" fn json_decode(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof. The text stays at stack index 1 while its bytes are used.
    unsafe {
        if ffi::lua_type(lua, 1) != ffi::LUA_TSTRING {
            return lenient(lua);
        }
        ffi::lua_settop(lua, 1);
        let text = string(lua, 1);
        let job = enter(lua, &marker);
        match guarded(|| json::scan(text, &mut (*job).tape, &JSON_SCAN)) {
            Ok(Ok(())) => {
                let builder = Builder::new(lua, job, text).plain(JSON_NULL, 0);
                builder.push(0);
                leave(lua, job);
                1
            }
            Ok(Err(_)) => {
                leave(lua, job);
                lenient(lua)
            }
            Err(panic) => panic.raise(lua),
        }
    }
}

/// `compat_json(null, empty_array, decode, encode) -> encode, decode`: what null decodes to, whether an empty table is
/// an array, and the prelude's functions for what is not JSON and (or nil) for values that JSON does not have.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn json_codec(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        ffi::lua_settop(lua, 4);
        push_upvalues(lua, 4);
        ffi::lua_pushvalue(lua, 2);
        ffi::lua_pushcclosure(lua, json_encode, 4);
        push_upvalues(lua, 3);
        ffi::lua_pushvalue(lua, 1);
        ffi::lua_pushcclosure(lua, json_decode, 4);
        2
    }
}

/// `encode(value [, options]) -> bytes`
unsafe extern "C-unwind" fn cbor_encode(lua: *mut lua_State) -> c_int {
    const STRICT: Policy = Policy {
        any_order: false,
        ..POLICY
    };
    // SAFETY: see the module's proof; upvalue 4 is the hook finder.
    unsafe { encode_or_raise(lua, GameCbor, STRICT, b"cbor.encode: ") }
}

/// Whether the CBOR decoder's options (index 2) name more than tag handlers.
unsafe fn unusual(lua: *mut lua_State) -> bool {
    // SAFETY: may raise; nothing is owned.
    unsafe {
        if ffi::lua_type(lua, 2) == ffi::LUA_TNIL {
            return false;
        }
        if ffi::lua_type(lua, 2) != ffi::LUA_TTABLE {
            return true;
        }
        ffi::lua_getfield(lua, 2, c"more".as_ptr());
        ffi::lua_getfield(lua, 2, c"simple".as_ptr());
        let unusual = ffi::lua_toboolean(lua, -1) != 0 || ffi::lua_toboolean(lua, -2) != 0;
        ffi::lua_settop(lua, 2);
        unusual
    }
}

/// `decode(bytes [, options]) -> value`: the first item; what follows it is ignored.
unsafe extern "C-unwind" fn cbor_decode(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: see the module's proof. The bytes stay at stack index 1 while they are used.
    unsafe {
        ffi::lua_settop(lua, 2);
        if ffi::lua_type(lua, 1) != ffi::LUA_TSTRING || unusual(lua) {
            return lenient(lua);
        }
        let bytes = string(lua, 1);
        let job = enter(lua, &marker);
        let scanned =
            guarded(|| -> Result<(), CodecError> { cbor::scan_item(bytes, 0, &mut (*job).tape, &CBOR_SCAN).map(drop) });
        match scanned {
            Ok(Ok(())) => {
                let first = if ffi::lua_type(lua, 2) == ffi::LUA_TNIL { 0 } else { 2 };
                let builder = Builder::new(lua, job, bytes).with(HANDLERS, SIMPLES).plain(NULL, first);
                builder.push(0);
                leave(lua, job);
                1
            }
            Ok(Err(_)) => {
                leave(lua, job);
                lenient(lua)
            }
            Err(panic) => panic.raise(lua),
        }
    }
}

/// `finder(value, options) -> bytes | nil`: `options[metatable]` or the metatable's `__tocbor`, called with both; for
/// a table with `__pairs` or `__len` of its own what the prelude's encoder says; nil for all else.
unsafe extern "C-unwind" fn finder(lua: *mut lua_State) -> c_int {
    // SAFETY: may raise; nothing is owned. Called by `lua_pcall` in a walk, or by anybody.
    unsafe {
        ffi::lua_settop(lua, 2);
        if ffi::lua_getmetatable(lua, 1) == 0 {
            return 0;
        }
        let is_table = ffi::lua_type(lua, 1) == ffi::LUA_TTABLE;
        if is_table {
            // What getmetatable says counts.
            push_bytes(lua, b"__metatable");
            ffi::lua_rawget(lua, 3);
            if ffi::lua_type(lua, 4) == ffi::LUA_TNIL {
                ffi::lua_settop(lua, 3);
            } else {
                ffi::lua_insert(lua, 3);
                ffi::lua_settop(lua, 3);
            }
        }
        if ffi::lua_toboolean(lua, 3) != 0 {
            if ffi::lua_toboolean(lua, 2) != 0 {
                ffi::lua_pushvalue(lua, 3);
                ffi::lua_gettable(lua, 2);
                if ffi::lua_toboolean(lua, -1) == 0 {
                    ffi::lua_settop(lua, 3);
                }
            }
            if ffi::lua_gettop(lua) == 3 {
                ffi::lua_getfield(lua, 3, c"__tocbor".as_ptr());
            }
            if ffi::lua_toboolean(lua, -1) != 0 {
                ffi::lua_pushvalue(lua, 1);
                ffi::lua_pushvalue(lua, 2);
                ffi::lua_call(lua, 2, 1);
                if ffi::lua_type(lua, -1) != ffi::LUA_TSTRING {
                    return ffi::luaL_error(lua, c"__tocbor must return a string of CBOR".as_ptr());
                }
                return 1;
            }
        }
        let own = is_table
            && (ffi::luaL_getmetafield(lua, 1, c"__pairs".as_ptr()) != 0
                || ffi::luaL_getmetafield(lua, 1, c"__len".as_ptr()) != 0);
        if !own {
            return 0;
        }
        ffi::lua_pushvalue(lua, ITERATE);
        ffi::lua_pushvalue(lua, 1);
        ffi::lua_pushvalue(lua, 2);
        ffi::lua_call(lua, 2, 1);
        1
    }
}

/// `compat_cbor(lenient, handlers, simples, null, iterate) -> encode, decode`: `lenient` decodes what native code does
/// not, `simples[n]` (also by `__index`) is what simple value n becomes, `iterate` encodes tables that bring their own
/// iteration.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn cbor_codec(lua: *mut lua_State) -> c_int {
    // SAFETY: see the module's proof.
    unsafe {
        ffi::lua_settop(lua, 5);
        push_upvalues(lua, 0);
        ffi::lua_pushvalue(lua, 5);
        ffi::lua_pushcclosure(lua, finder, 1);
        debug_assert!(FINDER == ffi::lua_upvalueindex(4));
        ffi::lua_pushcclosure(lua, cbor_encode, 4);
        push_upvalues(lua, 1);
        for index in 2..=4 {
            ffi::lua_pushvalue(lua, index);
        }
        ffi::lua_pushcclosure(lua, cbor_decode, 6);
        2
    }
}
