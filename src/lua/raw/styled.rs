//! JSON codecs with a style: indentation, sorted keys, rules of their own for null, NaN, sparse tables and floats.
//!
//! They refuse to be fast: a codec without any of these options is [`super::json`]'s, which asks about none of them.
//! What holds there holds here too, because it is the same walk, scanner and builder.
//!
//! # What may raise
//! As for [`super::json`].

use super::builder::Builder;
use super::encode;
use super::json::{self, Json};
use super::open::push_upvalues;
use super::state::{clear, enter_of, guarded, leave, string, OPTIONS};
use super::walk::{Format, Sparse};
use crate::codec::json::{indent, order, scan, scan_value};
use crate::codec::{CodecError, ErrorKind};
use mlua::ffi::{self, lua_State};
use std::cmp::Ordering;
use std::ffi::c_int;

/// Upvalue 4 of the functions: what null decodes to. A table, function or userdata is also encoded as null.
const NULL: c_int = ffi::lua_upvalueindex(4);
/// Longest indentation of a level, in bytes.
const INDENT: usize = 16;

/// What becomes of NaN and the infinities.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NotFinite {
    Refuse,
    Null,
    Literal,
}

/// JSON as a walk with style writes it.
#[derive(Clone, Copy)]
struct Styled {
    json: Json,
    sorted: bool,
    not_finite: NotFinite,
    sparse: Sparse,
}

/// The contents of a userdata, upvalue 3 of the functions.
#[derive(Clone, Copy)]
struct Style {
    options: json::Options,
    format: Styled,
    indent: [u8; INDENT],
    indent_len: usize,
}

impl Format for Styled {
    const HOT: bool = false;
    const ANY_KEY: bool = false;
    const HOOK: bool = false;
    const OPTIONS: bool = false;
    const STYLED: bool = true;

    fn sorted(self) -> bool {
        self.sorted
    }
    fn compare(self, one: &[u8], other: &[u8]) -> Ordering {
        order::compare(one, other)
    }
    fn sparse(self) -> Sparse {
        self.sparse
    }
    fn null_value(self) -> c_int {
        NULL
    }
    fn null(self, out: &mut Vec<u8>) -> Result<(), ErrorKind> {
        self.json.null(out)
    }
    fn boolean(self, out: &mut Vec<u8>, value: bool) -> Result<(), ErrorKind> {
        self.json.boolean(out, value)
    }
    fn int(self, out: &mut Vec<u8>, value: i64) -> Result<(), ErrorKind> {
        self.json.int(out, value)
    }
    fn uint(self, out: &mut Vec<u8>, value: u64) -> Result<(), ErrorKind> {
        self.json.uint(out, value)
    }
    fn float(self, out: &mut Vec<u8>, value: f64) -> Result<(), ErrorKind> {
        if value.is_finite() || self.not_finite == NotFinite::Refuse {
            return self.json.float(out, value);
        }
        let text: &[u8] = match (self.not_finite, value.is_nan(), value > 0.0) {
            (NotFinite::Null, ..) => b"null",
            (_, true, _) => b"NaN",
            (_, false, true) => b"Infinity",
            (_, false, false) => b"-Infinity",
        };
        out.try_reserve(text.len()).map_err(|_| ErrorKind::OutOfMemory)?;
        out.extend_from_slice(text);
        Ok(())
    }
    fn string(self, out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), ErrorKind> {
        self.json.string(out, bytes)
    }
    fn open_array(self, out: &mut Vec<u8>) -> Result<usize, ErrorKind> {
        self.json.open_array(out)
    }
    fn separate(self, out: &mut Vec<u8>, index: usize) -> Result<(), ErrorKind> {
        self.json.separate(out, index)
    }
    fn close_array(self, out: &mut Vec<u8>, open: usize, count: usize) -> Result<(), ErrorKind> {
        self.json.close_array(out, open, count)
    }
    fn open_map(self, out: &mut Vec<u8>) -> Result<usize, ErrorKind> {
        self.json.open_map(out)
    }
    fn key(self, out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), ErrorKind> {
        self.json.key(out, bytes)
    }
    fn close_map(self, out: &mut Vec<u8>, open: usize, count: usize) -> Result<(), ErrorKind> {
        self.json.close_map(out, open, count)
    }
    fn tag(self, out: &mut Vec<u8>, tag: u64) -> Result<(), ErrorKind> {
        self.json.tag(out, tag)
    }
    fn simple(self, out: &mut Vec<u8>, value: u8) -> Result<(), ErrorKind> {
        self.json.simple(out, value)
    }
}

/// `encode(value) -> text | nil, message`
unsafe extern "C-unwind" fn encode(lua: *mut lua_State) -> c_int {
    // SAFETY: upvalue 3 is the codec's Style; see the module's proof for the rest.
    unsafe {
        encode::check_value(lua);
        let style = *ffi::lua_touserdata(lua, OPTIONS).cast::<Style>();
        encode::value_then(
            lua,
            style.options.owner,
            style.format,
            style.options.policy,
            move |job| {
                let Some(unit) = style.indent.get(..style.indent_len).filter(|unit| !unit.is_empty()) else {
                    return Ok(());
                };
                indent::indent(&job.out, unit, &mut job.source)?;
                std::mem::swap(&mut job.out, &mut job.source);
                clear(&mut job.source); // a large one is not needed while Lua copies the other
                Ok(())
            },
        )
    }
}

/// `decode(text [, start]) -> value [, next] | nil, message, position`
unsafe extern "C-unwind" fn decode(lua: *mut lua_State) -> c_int {
    let marker = 0u8;
    // SAFETY: as `encode`. The text stays at stack index 1 while its bytes are used.
    unsafe {
        let start = encode::text_and_start(lua);
        let text = string(lua, 1);
        let style = *ffi::lua_touserdata(lua, OPTIONS).cast::<Style>();
        let options = style.options;
        let job = enter_of(lua, options.owner, &marker);
        let scanned = guarded(|| {
            let tape = &mut (*job).tape;
            if text.len() > options.max_size {
                return Err(CodecError::new(ErrorKind::TooLarge, options.max_size));
            }
            let next = match start {
                None => scan(text, tape, &options.scan).map(|()| text.len())?,
                Some(start) => scan_value(text, start, tape, &options.scan)?,
            };
            if style.format.json.whole {
                tape.make_integral(0, options.scan.integers);
            }
            Ok(next)
        });
        match scanned {
            Ok(Ok(next)) => {
                let builder = Builder::new(lua, job, text).with_null(NULL);
                builder.push(0);
                leave(lua, job);
                if start.is_none() {
                    return 1;
                }
                ffi::lua_pushinteger(lua, next as i64 + 1); // OK because a string is shorter than i64::MAX
                2
            }
            Ok(Err(error)) => json::refuse(lua, job, text, error),
            Err(panic) => panic.raise(lua),
        }
    }
}

/// `json_styled(utf8, big, depth, empty_array, max_size, indent, sorted, nan, sparse, integral, null)
/// -> encode, decode`: for the prelude, which checks options. `nan` is 0 (error), 1 (null) or 2 (literal), `sparse` 0
/// (error), -1 (object) or how many places may come on each item.
///
/// # Safety
/// Called by the prelude.
pub unsafe extern "C-unwind" fn codec(lua: *mut lua_State) -> c_int {
    // SAFETY: arguments are plain values; the userdata holds a Copy struct without destructor.
    unsafe {
        ffi::lua_settop(lua, 11);
        let mut options = json::options(lua, 1);
        let mut unit = [0; INDENT];
        let mut indent_len = 0;
        if ffi::lua_type(lua, 6) == ffi::LUA_TSTRING {
            for (place, byte) in unit.iter_mut().zip(string(lua, 6)) {
                *place = *byte;
                indent_len += 1;
            }
        }
        let not_finite = match ffi::lua_tointeger(lua, 8) {
            1 => NotFinite::Null,
            2 => NotFinite::Literal,
            _ => NotFinite::Refuse,
        };
        options.scan.nan = not_finite == NotFinite::Literal;
        let sparse = match ffi::lua_tointeger(lua, 9) {
            0 => Sparse::Refuse,
            ratio => u32::try_from(ratio).map_or(Sparse::Object, Sparse::Fill),
        };
        let format = Styled {
            json: Json {
                utf8: options.scan.utf8,
                whole: ffi::lua_toboolean(lua, 10) != 0,
            },
            sorted: ffi::lua_toboolean(lua, 7) != 0,
            not_finite,
            sparse,
        };
        let place = ffi::lua_newuserdata(lua, size_of::<Style>());
        place.cast::<Style>().write(Style {
            options,
            format,
            indent: unit,
            indent_len,
        });
        for function in [encode as ffi::lua_CFunction, decode] {
            push_upvalues(lua, 12);
            ffi::lua_pushvalue(lua, 11);
            ffi::lua_pushcclosure(lua, function, 4);
        }
        2
    }
}
