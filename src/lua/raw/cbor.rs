//! `cbor.encode` and `cbor.decode`.
//!
//! # What may raise
//! As for [`super::json`]. Tag handlers run inside the builder, which owns nothing; the table of handlers and that of
//! simple values are upvalues, which they cannot take away.

use super::builder::Builder;
use super::encode;
use super::state::{enter_of, guarded, leave, state, string, State, OPTIONS};
use super::walk::{Format, Policy};
use crate::codec::cbor::{self, ScanOptions};
use crate::codec::{CodecError, ErrorKind};
use crate::text;
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;

/// Upvalue 4 of a CBOR codec's functions: its table of tag handlers, or nil.
const HANDLERS: c_int = ffi::lua_upvalueindex(4);
/// Upvalue 5 of a CBOR codec's functions: its table of simple values, or nil.
const SIMPLES: c_int = ffi::lua_upvalueindex(5);

/// What a CBOR codec was made with; the contents of a userdata, upvalue 3 of its functions.
#[derive(Clone, Copy)]
pub struct Options {
    /// The state of the functions.
    pub owner: *mut State,
    /// For decoding.
    pub scan: ScanOptions,
    /// For encoding.
    pub policy: Policy,
    /// How strings and floats are written.
    pub format: Cbor,
    /// Longest input that is decoded.
    pub max_size: usize,
}

/// CBOR as a walk writes it; `SORTED`: maps in the order of RFC 8949, section 4.2.1, bytewise by their encoded keys.
#[derive(Clone, Copy)]
pub struct Cbor<const SORTED: bool = false> {
    /// Strings that are valid UTF-8 become text strings; otherwise all are byte strings.
    pub text: bool,
    /// Floats take the smallest exact width; otherwise always eight bytes.
    pub shortest: bool,
}

impl<const SORTED: bool> Format for Cbor<SORTED> {
    const HOT: bool = !SORTED;
    const ANY_KEY: bool = true;
    const HOOK: bool = true;
    const OPTIONS: bool = false;
    const STYLED: bool = SORTED;

    fn sorted(self) -> bool {
        SORTED
    }
    fn null(self, out: &mut Vec<u8>) -> Result<(), ErrorKind> {
        cbor::writer::write_null(out)
    }
    fn boolean(self, out: &mut Vec<u8>, value: bool) -> Result<(), ErrorKind> {
        cbor::writer::write_bool(out, value)
    }
    #[inline(always)]
    fn int(self, out: &mut Vec<u8>, value: i64) -> Result<(), ErrorKind> {
        cbor::writer::write_int(out, value)
    }
    fn uint(self, out: &mut Vec<u8>, value: u64) -> Result<(), ErrorKind> {
        cbor::writer::write_uint(out, value)
    }
    #[inline(always)]
    fn float(self, out: &mut Vec<u8>, value: f64) -> Result<(), ErrorKind> {
        cbor::writer::write_float(out, value, self.shortest)
    }
    #[inline(always)]
    fn string(self, out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), ErrorKind> {
        if self.text && simdutf8::basic::from_utf8(bytes).is_ok() {
            cbor::writer::write_text(out, bytes)
        } else {
            cbor::writer::write_bytes(out, bytes)
        }
    }
    fn bytes(self, out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), ErrorKind> {
        cbor::writer::write_bytes(out, bytes)
    }
    #[inline(always)]
    fn open_array(self, out: &mut Vec<u8>) -> Result<usize, ErrorKind> {
        cbor::writer::open_array(out)
    }
    #[inline(always)]
    fn separate(self, _out: &mut Vec<u8>, _index: usize) -> Result<(), ErrorKind> {
        Ok(())
    }
    #[inline(always)]
    fn close_array(self, out: &mut Vec<u8>, open: usize, count: usize) -> Result<(), ErrorKind> {
        cbor::writer::close_array(out, open, count)
    }
    #[inline(always)]
    fn open_map(self, out: &mut Vec<u8>) -> Result<usize, ErrorKind> {
        cbor::writer::open_map(out)
    }
    #[inline(always)]
    fn key(self, out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), ErrorKind> {
        self.string(out, bytes)
    }
    #[inline(always)]
    fn close_map(self, out: &mut Vec<u8>, open: usize, count: usize) -> Result<(), ErrorKind> {
        cbor::writer::close_map(out, open, count)
    }
    fn tag(self, out: &mut Vec<u8>, tag: u64) -> Result<(), ErrorKind> {
        cbor::writer::write_tag(out, tag)
    }
    fn simple(self, out: &mut Vec<u8>, value: u8) -> Result<(), ErrorKind> {
        cbor::writer::write_simple(out, value)
    }
}

/// `encode(value) -> bytes | nil, message`
///
/// # Safety
/// Called by Lua; a CBOR codec's function.
pub unsafe extern "C-unwind" fn encode(lua: *mut lua_State) -> c_int {
    // SAFETY: upvalue 3 is the codec's Options; see the module's proof for the rest.
    unsafe {
        encode::check_value(lua);
        let options = *ffi::lua_touserdata(lua, OPTIONS).cast::<Options>();
        encode::value(lua, options.owner, options.format, options.policy)
    }
}

/// [`encode`] with [`Cbor`]'s `SORTED`.
///
/// # Safety
/// Called by Lua; a CBOR codec's function.
unsafe extern "C-unwind" fn encode_sorted(lua: *mut lua_State) -> c_int {
    // SAFETY: as `encode`.
    unsafe {
        encode::check_value(lua);
        let options = *ffi::lua_touserdata(lua, OPTIONS).cast::<Options>();
        let Cbor { text, shortest } = options.format;
        encode::value(lua, options.owner, Cbor::<true> { text, shortest }, options.policy)
    }
}

/// `decode(bytes [, start]) -> value, next | nil, message, position`
///
/// # Safety
/// Called by Lua; a CBOR codec's function.
pub unsafe extern "C-unwind" fn decode(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: as `encode`. The bytes stay at stack index 1 while they are used.
    unsafe {
        let start = encode::text_and_start(lua);
        let bytes = string(lua, 1);
        let options = *ffi::lua_touserdata(lua, OPTIONS).cast::<Options>();
        let job = enter_of(lua, options.owner, &marker);
        let scanned = guarded(|| {
            if bytes.len() > options.max_size {
                return Err(CodecError::new(ErrorKind::TooLarge, options.max_size));
            }
            let end = cbor::scan_item(bytes, start.unwrap_or(0), &mut (*job).tape, &options.scan)?;
            if start.is_none() && end < bytes.len() {
                return Err(CodecError::new(ErrorKind::TrailingGarbage, end));
            }
            Ok(end)
        });
        match scanned {
            Ok(Ok(next)) => {
                ffi::lua_settop(lua, 1);
                let table = |index| {
                    if ffi::lua_type(lua, index) == ffi::LUA_TTABLE {
                        index
                    } else {
                        0
                    }
                };
                let builder = Builder::new(lua, job, bytes).with(table(HANDLERS), table(SIMPLES));
                builder.push_at_entry(0);
                leave(lua, job);
                ffi::lua_pushinteger(lua, next as i64 + 1); // OK because a string is shorter than i64::MAX
                2
            }
            Ok(Err(error)) => {
                let (kind, byte) = (error.kind, error.offset + 1);
                let made = guarded(|| (*job).message = text::string(format_args!("{kind} at byte {byte}")));
                if let Err(panic) = made {
                    panic.raise(lua);
                }
                encode::failure(lua, job, error.offset)
            }
            Err(panic) => panic.raise(lua),
        }
    }
}

/// `cbor_codec(utf8, big, depth, empty_array, max_size, text, shortest, integral, any_order, tags, simples,
/// sorted) -> encode, decode`: for the prelude, which checks options.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn codec(lua: *mut lua_State) -> c_int {
    // SAFETY: arguments are plain values; the userdata holds a Copy struct without destructor.
    unsafe {
        ffi::lua_settop(lua, 12);
        let encode = match ffi::lua_toboolean(lua, 12) {
            0 => encode as ffi::lua_CFunction,
            _ => encode_sorted,
        };
        let options = options(lua, 1);
        let place = ffi::lua_newuserdata(lua, size_of::<Options>());
        place.cast::<Options>().write(options);
        for function in [encode, decode] {
            super::open::push_upvalues(lua, 13);
            ffi::lua_pushvalue(lua, 10);
            ffi::lua_pushvalue(lua, 11);
            ffi::lua_pushcclosure(lua, function, 5);
        }
        2
    }
}

/// The options at stack indices `first`..: see [`codec`].
///
/// # Safety
/// In a raw function called by the prelude.
pub unsafe fn options(lua: *mut lua_State, first: c_int) -> Options {
    // SAFETY: conversions of plain values.
    unsafe {
        let flag = |index: c_int| ffi::lua_toboolean(lua, first + index) != 0;
        let max_depth = encode::size(lua, first + 2);
        Options {
            owner: state(lua),
            scan: ScanOptions {
                max_depth,
                big: encode::big(lua, first + 1),
                integers: encode::INTEGERS,
                integral_floats: flag(7),
                utf8: flag(0),
            },
            policy: Policy {
                max_depth,
                root_array: false,
                empty_array: flag(3),
                any_order: flag(8),
            },
            format: Cbor {
                text: flag(5),
                shortest: flag(6),
            },
            max_size: encode::size(lua, first + 4),
        }
    }
}
