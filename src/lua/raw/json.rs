//! `json.encode` and `json.decode`.
//!
//! # What may raise
//! Arguments, [`enter`], `Walk::prepare`, the builder and the pushes of results. Arguments are taken before anything is
//! owned; scanning, walking and the texts of errors run under `guarded`; results are pushed from the job's buffers, so
//! an error raised by a push skips nothing. The job of a call that is left by an error is found and cleared by the next
//! call (see [`super::state`]).

use super::builder::Builder;
use super::encode;

use super::state::{enter_of, guarded, leave, state, string, Job, State, OPTIONS};
use super::walk::{Format, Policy};
use crate::codec::json::{self, ScanOptions};
use crate::codec::simd::{append_known, append_quoted};
use crate::codec::{CodecError, ErrorKind, Excerpt};
use crate::text;
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;

/// What a JSON codec was made with; the contents of a userdata, upvalue 3 of its functions.
#[derive(Clone, Copy)]
pub struct Options {
    /// The state of the functions.
    pub owner: *mut State,
    /// For decoding.
    pub scan: ScanOptions,
    /// For encoding.
    pub policy: Policy,
    /// Longest text that is decoded.
    pub max_size: usize,
}

/// JSON as a walk writes it.
#[derive(Clone, Copy)]
pub struct Json {
    /// Strings must be UTF-8.
    pub utf8: bool,
    /// Floats with an integral value are written without fraction or exponent, as C's `%.14g` does.
    pub whole: bool,
}

/// Above this not every integer is a double.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Append one byte.
#[inline(always)]
fn byte(out: &mut Vec<u8>, byte: u8) -> Result<(), ErrorKind> {
    if out.len() == out.capacity() {
        out.try_reserve(64).map_err(|_| ErrorKind::OutOfMemory)?;
    }
    out.push(byte);
    Ok(())
}

/// Append bytes.
#[inline]
fn bytes(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), ErrorKind> {
    out.try_reserve(bytes.len()).map_err(|_| ErrorKind::OutOfMemory)?;
    out.extend_from_slice(bytes);
    Ok(())
}

impl Format for Json {
    const ANY_KEY: bool = false;
    const HOOK: bool = false;
    const OPTIONS: bool = false;

    fn null(self, out: &mut Vec<u8>) -> Result<(), ErrorKind> {
        bytes(out, b"null")
    }
    fn boolean(self, out: &mut Vec<u8>, value: bool) -> Result<(), ErrorKind> {
        let appended = match value {
            true => append_known(out, b"true"),
            false => append_known(out, b"false"),
        };
        appended.map_err(|_| ErrorKind::OutOfMemory)
    }
    #[inline(always)]
    fn int(self, out: &mut Vec<u8>, value: i64) -> Result<(), ErrorKind> {
        json::writer::write_int(out, value)
    }
    fn uint(self, out: &mut Vec<u8>, value: u64) -> Result<(), ErrorKind> {
        json::writer::write_uint(out, value)
    }
    #[inline(always)]
    fn float(self, out: &mut Vec<u8>, value: f64) -> Result<(), ErrorKind> {
        if self.whole && value.fract() == 0.0 && value.abs() <= EXACT && value.to_bits() != (-0.0f64).to_bits() {
            return json::writer::write_int(out, value as i64); // OK because |value| <= 2^53
        }
        json::writer::write_float(out, value)
    }
    #[inline(always)]
    fn string(self, out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), ErrorKind> {
        if append_quoted::<false>(out, bytes) {
            return Ok(());
        }
        json::writer::write_str(out, bytes, self.utf8)
    }
    #[inline(always)]
    fn open_array(self, out: &mut Vec<u8>) -> Result<usize, ErrorKind> {
        byte(out, b'[').map(|()| 0)
    }
    #[inline(always)]
    fn separate(self, out: &mut Vec<u8>, index: usize) -> Result<(), ErrorKind> {
        if index == 0 {
            return Ok(());
        }
        byte(out, b',')
    }
    #[inline(always)]
    fn close_array(self, out: &mut Vec<u8>, _open: usize, _count: usize) -> Result<(), ErrorKind> {
        byte(out, b']')
    }
    #[inline(always)]
    fn open_map(self, out: &mut Vec<u8>) -> Result<usize, ErrorKind> {
        byte(out, b'{').map(|()| 0)
    }
    #[inline(always)]
    fn key(self, out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), ErrorKind> {
        if append_quoted::<true>(out, bytes) {
            return Ok(());
        }
        json::writer::write_str(out, bytes, self.utf8)?;
        byte(out, b':')
    }
    #[inline(always)]
    fn close_map(self, out: &mut Vec<u8>, _open: usize, _count: usize) -> Result<(), ErrorKind> {
        byte(out, b'}')
    }
    /// JSON has no tags: the tagged value stands alone.
    fn tag(self, _out: &mut Vec<u8>, _tag: u64) -> Result<(), ErrorKind> {
        Ok(())
    }
    fn simple(self, out: &mut Vec<u8>, _value: u8) -> Result<(), ErrorKind> {
        self.null(out)
    }
}

/// `encode(value) -> text | nil, message`
///
/// # Safety
/// Called by Lua; a JSON codec's function.
pub unsafe extern "C-unwind" fn encode(lua: *mut lua_State) -> c_int {
    // SAFETY: upvalue 3 is the codec's Options; see the module's proof for the rest.
    unsafe {
        encode::check_value(lua);
        let options = *ffi::lua_touserdata(lua, OPTIONS).cast::<Options>();
        let format = Json {
            utf8: options.scan.utf8,
            whole: false,
        };
        encode::value(lua, options.owner, format, options.policy)
    }
}

/// `decode(text [, start]) -> value [, next] | nil, message, position`
///
/// # Safety
/// Called by Lua; a JSON codec's function.
pub unsafe extern "C-unwind" fn decode(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: as `encode`. The text stays at stack index 1 while its bytes are used.
    unsafe {
        let start = encode::text_and_start(lua);
        let text = string(lua, 1);
        let options = *ffi::lua_touserdata(lua, OPTIONS).cast::<Options>();
        let job = enter_of(lua, options.owner, &marker);
        let scanned = guarded(|| {
            let tape = &mut (*job).tape;
            if text.len() > options.max_size {
                return Err(CodecError::new(ErrorKind::TooLarge, options.max_size));
            }
            match start {
                None => json::scan(text, tape, &options.scan).map(|()| text.len()),
                Some(start) => json::scan_value(text, start, tape, &options.scan),
            }
        });
        match scanned {
            Ok(Ok(next)) => {
                let builder = Builder::new(lua, job, text);
                builder.push_at_entry(0);
                leave(lua, job);
                if start.is_none() {
                    return 1;
                }
                ffi::lua_pushinteger(lua, next as i64 + 1); // OK because a string is shorter than i64::MAX
                2
            }
            Ok(Err(error)) => refuse(lua, job, text, error),
            Err(panic) => panic.raise(lua),
        }
    }
}

/// `nil, message, position` of an error in `text`; ends the job.
///
/// # Safety
/// In a raw function whose frame owns nothing.
#[cold]
pub unsafe fn refuse(lua: *mut lua_State, job: *mut Job, text: &[u8], error: CodecError) -> c_int {
    // SAFETY: by contract; the message is the job's before anything can raise.
    unsafe {
        let made = guarded(|| {
            let (line, column) = error.line_column(text);
            let (kind, byte) = (error.kind, error.offset + 1);
            let near = Excerpt {
                text,
                offset: error.offset,
            };
            (*job).message = text::string(format_args!("{kind} at line {line} col {column} (byte {byte}){near}"));
        });
        if let Err(panic) = made {
            panic.raise(lua);
        }
        encode::failure(lua, job, error.offset)
    }
}

/// `json_codec(utf8, big, depth, empty_array, max_size) -> encode, decode`: for the prelude, which checks options.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn codec(lua: *mut lua_State) -> c_int {
    // SAFETY: arguments are plain values; the userdata holds a Copy struct without destructor.
    unsafe {
        let options = options(lua, 1);
        let place = ffi::lua_newuserdata(lua, size_of::<Options>());
        place.cast::<Options>().write(options);
        let at = ffi::lua_gettop(lua);
        super::open::push_function(lua, encode, at);
        super::open::push_function(lua, decode, at);
        2
    }
}

/// The options at stack indices `first`..: utf8, big, depth, empty_array, max_size.
///
/// # Safety
/// In a raw function called by the prelude.
pub unsafe fn options(lua: *mut lua_State, first: c_int) -> Options {
    // SAFETY: conversions of plain values; `luaL_check*` may raise, nothing is owned.
    unsafe {
        let utf8 = ffi::lua_toboolean(lua, first) != 0;
        let big = encode::big(lua, first + 1);
        let max_depth = encode::size(lua, first + 2);
        Options {
            owner: state(lua),
            scan: ScanOptions {
                max_depth,
                utf8,
                big,
                integers: encode::INTEGERS,
                nan: false,
            },
            policy: Policy {
                max_depth,
                root_array: false,
                empty_array: ffi::lua_toboolean(lua, first + 3) != 0,
                any_order: true,
            },
            max_size: encode::size(lua, first + 4),
        }
    }
}
