//! The walk: a Lua value becomes bytes, through a [`Format`] that writes single values.
//!
//! It refuses what would not come back as it went in: functions, cycles, NaN where the format has none, and (JSON)
//! mixed and sparse tables; every refusal names the path to the value.
//!
//! # Proof
//! The whole walk runs under `guarded`, so a panic cannot reach C frames. Inside it only calls that cannot raise are
//! made: `lua_next` with a key it returned itself (and in a protected call once a hook has run, which may have changed
//! the table and lost that key), `lua_rawgeti`, `lua_rawget`, `lua_getmetatable`, `lua_tolstring` on
//! real strings, `lua_topointer`, `lua_settop`, `lua_pushvalue/nil`; `lua_checkstack` (which may raise on 5.1 and
//! LuaJIT, where [`Walk::prepare`] takes the whole room beforehand, outside `guarded`); and `lua_pcall`, which catches.
//! All memory belongs to the job.

use super::hook;
use super::state::{anchor, string, Identities, Job};
use crate::codec::ErrorKind;
use mlua::ffi::{self, lua_State};
use std::ffi::{c_int, c_void};

/// Writes one value of a format after the other. `open_*` return what `close_*` takes back.
pub trait Format: Copy {
    /// Whether a table key may be any value (CBOR) or must be a string (JSON).
    const ANY_KEY: bool;
    /// Whether values may bring their own encoded form (`__tocbor`).
    const HOOK: bool;
    /// Whether those hooks are found and called as [`hook::call_with`] does, with the encoder's second argument.
    const OPTIONS: bool;
    /// Append null.
    fn null(self, out: &mut Vec<u8>) -> Result<(), ErrorKind>;
    /// Append a boolean.
    fn boolean(self, out: &mut Vec<u8>, value: bool) -> Result<(), ErrorKind>;
    /// Append an integer.
    fn int(self, out: &mut Vec<u8>, value: i64) -> Result<(), ErrorKind>;
    /// Append an integer above `i64::MAX`.
    fn uint(self, out: &mut Vec<u8>, value: u64) -> Result<(), ErrorKind>;
    /// Append a float.
    fn float(self, out: &mut Vec<u8>, value: f64) -> Result<(), ErrorKind>;
    /// Append a string.
    fn string(self, out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), ErrorKind>;
    /// Begin an array.
    fn open_array(self, out: &mut Vec<u8>) -> Result<usize, ErrorKind>;
    /// Before item number `index` (from 0) of an array or pair of a map.
    fn separate(self, out: &mut Vec<u8>, index: usize) -> Result<(), ErrorKind>;
    /// End an array.
    fn close_array(self, out: &mut Vec<u8>, open: usize, count: usize) -> Result<(), ErrorKind>;
    /// Begin a map.
    fn open_map(self, out: &mut Vec<u8>) -> Result<usize, ErrorKind>;
    /// Append a string key.
    fn key(self, out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), ErrorKind>;
    /// End a map.
    fn close_map(self, out: &mut Vec<u8>, open: usize, count: usize) -> Result<(), ErrorKind>;
    /// Append a tag before its value (CBOR).
    fn tag(self, out: &mut Vec<u8>, tag: u64) -> Result<(), ErrorKind>;
    /// Append a simple value (CBOR).
    fn simple(self, out: &mut Vec<u8>, value: u8) -> Result<(), ErrorKind>;
}

/// Why a value cannot be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fail {
    /// The format's own reason.
    Codec(ErrorKind),
    /// A value of this Lua type.
    Type(c_int),
    /// String and number keys in one table (JSON).
    Mixed,
    /// Integer keys with holes (JSON), or a marked array with them.
    Sparse,
    /// Number keys that no array has: below 1, or fractions (JSON).
    Numbers,
    /// Other keys in a marked array.
    NotArray,
    /// A key that is neither a string nor a number (JSON).
    Key(c_int),
    /// A table inside itself.
    Cycle,
    /// A hook raised; its error value is on the Lua stack's top.
    Hook,
    /// A `tag`/`simple` field that does not fit.
    Tagged,
    /// The Lua stack is full.
    Stack,
}

impl From<ErrorKind> for Fail {
    fn from(kind: ErrorKind) -> Self {
        Fail::Codec(kind)
    }
}

/// What an encoder is told once and for all.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Containers may nest this deep.
    pub max_depth: usize,
    /// An unmarked empty table is an array.
    pub empty_array: bool,
    /// The value itself, if it is an unmarked empty table, is an array: the params of a call.
    pub root_array: bool,
    /// A table whose keys are 1..n is an array in whatever order they are stored.
    pub any_order: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    None,
    Array,
    Object,
}

/// One walk over one value.
pub struct Walk<F: Format> {
    lua: *mut lua_State,
    job: *mut Job,
    identities: Identities,
    format: F,
    policy: Policy,
    /// Stack indices up to this one are known to be free to use.
    limit: c_int,
    left: usize,
    base: c_int,
    /// Hooks that ran so far.
    hooks: usize,
}

/// Below this depth an array's keys are looked at before a table in it is written. A table that proves to be no array
/// is written twice, and so is all in it: without a limit, nesting such tables would take time that doubles each level.
const SHALLOW: usize = 4;

/// Slots that a table may need beyond its own: key, value, a copied key, and what hooks and fields take.
const LEVEL: c_int = 8;
/// Slots that are asked for at once, so that most tables ask for none.
const ROOM: c_int = 40;

impl<F: Format> Walk<F> {
    /// A walk that appends to `job.out`.
    ///
    /// # Safety
    /// In a raw function, before `guarded`; may raise.
    pub unsafe fn prepare(
        lua: *mut lua_State,
        job: *mut Job,
        identities: Identities,
        format: F,
        policy: Policy,
    ) -> Self {
        // Four slots a level: table, key, value, a copied key.
        let room = if cfg!(any(feature = "lua51", feature = "luajit")) {
            c_int::try_from(policy.max_depth * 4 + 24).unwrap_or(c_int::MAX)
        } else {
            ROOM
        };
        // SAFETY: by contract.
        let base = unsafe {
            ffi::luaL_checkstack(lua, room, c"value nested too deeply".as_ptr());
            ffi::lua_gettop(lua)
        };
        Self {
            lua,
            job,
            identities,
            format,
            policy,
            limit: base.saturating_add(room),
            left: policy.max_depth,
            base,
            hooks: 0,
        }
    }

    /// The output; taken anew for each write because a hook may have run in between.
    #[inline]
    #[allow(clippy::mut_from_ref)]
    fn out(&self) -> &mut Vec<u8> {
        // SAFETY: the job outlives the walk, and each reference ends before the next is taken.
        unsafe { &mut (*self.job).out }
    }

    /// Encode the value at `index`. On failure the path is in the job.
    ///
    /// # Safety
    /// Under `guarded`, in the raw function the walk was prepared in.
    pub unsafe fn run(&mut self, index: c_int) -> Result<(), Fail> {
        // SAFETY: by contract; `prepare` made room.
        unsafe {
            ffi::lua_pushvalue(self.lua, index);
            let result = self.value();
            if !matches!(result, Err(Fail::Hook)) {
                ffi::lua_settop(self.lua, self.base);
            }
            result
        }
    }

    /// Encode the value on top of the stack and leave the stack as it was.
    #[inline]
    unsafe fn value(&mut self) -> Result<(), Fail> {
        // SAFETY: as `run`.
        unsafe {
            let lua = self.lua;
            match ffi::lua_type(lua, -1) {
                ffi::LUA_TSTRING => self.format.string(self.out(), string(lua, -1))?,
                ffi::LUA_TNUMBER => self.number()?,
                ffi::LUA_TTABLE => return self.table(),
                ffi::LUA_TBOOLEAN => self.format.boolean(self.out(), ffi::lua_toboolean(lua, -1) != 0)?,
                ffi::LUA_TNIL => self.format.null(self.out())?,
                ffi::LUA_TLIGHTUSERDATA if ffi::lua_touserdata(lua, -1).is_null() => self.format.null(self.out())?,
                kind => return self.foreign(kind),
            }
            Ok(())
        }
    }

    #[inline]
    unsafe fn number(&mut self) -> Result<(), Fail> {
        // SAFETY: as `run`; the value is a number.
        unsafe {
            #[cfg(any(feature = "lua53", feature = "lua54", feature = "lua55"))]
            if ffi::lua_isinteger(self.lua, -1) != 0 {
                let n = ffi::lua_tointegerx(self.lua, -1, std::ptr::null_mut());
                return Ok(self.format.int(self.out(), n)?);
            }
            let n = ffi::lua_tonumberx(self.lua, -1, std::ptr::null_mut());
            // Where all numbers are doubles, integral ones are written as integers while they are exact.
            #[cfg(any(feature = "lua51", feature = "lua52", feature = "luajit"))]
            if n.fract() == 0.0 && n.abs() <= 9_007_199_254_740_992.0 && !(n == 0.0 && n.is_sign_negative()) {
                return Ok(self.format.int(self.out(), n as i64)?); // OK because |n| <= 2^53
            }
            Ok(self.format.float(self.out(), n)?)
        }
    }

    /// `lua_next` for a traversal that began after `hooks` hooks had run. A hook that runs meanwhile may change the
    /// table, and then the key on the stack may not be found again, which raises.
    #[inline]
    unsafe fn next(&self, table: c_int, hooks: usize) -> Result<bool, Fail> {
        // SAFETY: as `run`; stack: ..., key. Between the two lines no Lua code runs.
        unsafe {
            if (F::HOOK || cfg!(feature = "luajit")) && self.hooks != hooks {
                return hook::next(self.lua, table);
            }
            Ok(ffi::lua_next(self.lua, table) != 0)
        }
    }

    /// Whether the number key below the value is the integer `n`.
    #[inline]
    unsafe fn key_is(&self, n: usize) -> bool {
        // SAFETY: as `run`.
        unsafe {
            #[cfg(any(feature = "lua53", feature = "lua54", feature = "lua55"))]
            return ffi::lua_isinteger(self.lua, -2) != 0
                // OK because a table with 2^63 items does not fit in memory. Lua keeps integral float keys as integers.
                && ffi::lua_tointegerx(self.lua, -2, std::ptr::null_mut()) == n as i64;
            #[cfg(not(any(feature = "lua53", feature = "lua54", feature = "lua55")))]
            return ffi::lua_type(self.lua, -2) == ffi::LUA_TNUMBER && {
                let key = ffi::lua_tonumberx(self.lua, -2, std::ptr::null_mut());
                key == n as f64 // OK because a table with 2^53 items does not fit in memory
            };
        }
    }

    unsafe fn table(&mut self) -> Result<(), Fail> {
        // SAFETY: as `run`; stack: ..., table.
        unsafe {
            let lua = self.lua;
            let table = ffi::lua_gettop(lua);
            if self.left == 0 {
                let cycle = self.is_ancestor(ffi::lua_topointer(lua, table), table);
                return Err(if cycle { Fail::Cycle } else { ErrorKind::TooDeep.into() });
            }
            if cfg!(not(any(feature = "lua51", feature = "luajit"))) && table + LEVEL > self.limit {
                if ffi::lua_checkstack(lua, ROOM) == 0 {
                    return Err(Fail::Stack);
                }
                self.limit = table + ROOM; // OK because Lua's stack ends far below c_int::MAX
            }
            let mut mark = Mark::None;
            if ffi::lua_getmetatable(lua, table) != 0 {
                let identity = ffi::lua_topointer(lua, -1);
                if identity == self.identities.array {
                    mark = Mark::Array;
                } else if identity == self.identities.object {
                    mark = Mark::Object;
                } else if F::HOOK && self.special(table, identity)? {
                    return Ok(());
                }
                ffi::lua_settop(lua, table);
            }
            self.left -= 1;
            let result = self.members(table, mark);
            self.left += 1;
            match result {
                Ok(()) => return result,          // the last `lua_next` or `settop` left the table on top
                Err(Fail::Hook) => return result, // the error value is on top
                Err(Fail::Cycle) => self.shorten(table),
                Err(_) => {}
            }
            ffi::lua_settop(lua, table);
            result
        }
    }

    unsafe fn members(&mut self, table: c_int, mark: Mark) -> Result<(), Fail> {
        // SAFETY: as `run`.
        unsafe {
            let lua = self.lua;
            ffi::lua_pushnil(lua);
            if ffi::lua_next(lua, table) == 0 {
                return self.empty(mark);
            }
            match mark {
                Mark::Object => self.map(table, mark),
                _ if self.key_is(1) => self.sequence(table, mark),
                Mark::None if ffi::lua_type(lua, -2) == ffi::LUA_TSTRING => self.map(table, mark),
                _ => self.unordered(table, mark),
            }
        }
    }

    fn empty(&mut self, mark: Mark) -> Result<(), Fail> {
        let root = self.policy.root_array && self.left + 1 == self.policy.max_depth;
        let array = mark == Mark::Array || (mark == Mark::None && (self.policy.empty_array || root));
        let out = self.out();
        if array {
            let open = self.format.open_array(out)?;
            self.format.close_array(out, open, 0)?;
        } else {
            let open = self.format.open_map(out)?;
            self.format.close_map(out, open, 0)?;
        }
        Ok(())
    }

    /// A table whose keys come out as 1, 2, 3 ... to the end: one pass proves it and writes it. Stack: key, value.
    unsafe fn sequence(&mut self, table: c_int, mark: Mark) -> Result<(), Fail> {
        // SAFETY: as `run`.
        unsafe {
            let lua = self.lua;
            let start = self.out().len();
            let open = self.format.open_array(self.out())?;
            let hooks = self.hooks;
            let mut count = 0;
            let deep = self.policy.max_depth - self.left > SHALLOW;
            let mut proven = false;
            // The first key is known to be 1.
            loop {
                if deep && !proven && ffi::lua_type(lua, -1) == ffi::LUA_TTABLE {
                    if !self.goes_on(table, count + 1) {
                        self.out().truncate(start);
                        return self.unordered(table, mark);
                    }
                    proven = true;
                }
                self.format.separate(self.out(), count)?;
                if let Err(fail) = self.value() {
                    self.segment_index(count + 1);
                    return Err(fail);
                }
                count += 1;
                ffi::lua_settop(lua, table + 1);
                if !self.next(table, hooks)? {
                    break;
                }
                if !self.key_is(count + 1) {
                    // Not in order: forget what was written and look at the whole.
                    self.out().truncate(start);
                    return self.unordered(table, mark);
                }
            }
            Ok(self.format.close_array(self.out(), open, count)?)
        }
    }

    /// Whether the keys after the one on the stack, which is `n`, are the integers that follow it. Stack: key, value.
    unsafe fn goes_on(&self, table: c_int, mut n: usize) -> bool {
        // SAFETY: as `run`.
        unsafe {
            let lua = self.lua;
            ffi::lua_pushvalue(lua, table + 1);
            let mut ordered = true;
            while ordered && ffi::lua_next(lua, table) != 0 {
                n += 1;
                ordered = self.key_is(n);
                ffi::lua_settop(lua, table + 3);
            }
            ffi::lua_settop(lua, table + 2);
            ordered
        }
    }

    /// A table that is an array stored out of order, or none at all.
    #[cold]
    unsafe fn unordered(&mut self, table: c_int, mark: Mark) -> Result<(), Fail> {
        // SAFETY: as `run`.
        unsafe {
            let lua = self.lua;
            let (mut count, mut largest, mut numbers, mut strings) = (0usize, 0.0f64, 0usize, 0usize);
            ffi::lua_settop(lua, table);
            ffi::lua_pushnil(lua);
            while ffi::lua_next(lua, table) != 0 {
                count += 1;
                if ffi::lua_type(lua, -2) == ffi::LUA_TNUMBER {
                    let key = ffi::lua_tonumberx(lua, -2, std::ptr::null_mut());
                    if key >= 1.0 && key.fract() == 0.0 {
                        numbers += 1;
                        largest = largest.max(key);
                    }
                } else if ffi::lua_type(lua, -2) == ffi::LUA_TSTRING {
                    strings += 1;
                }
                ffi::lua_settop(lua, table + 1);
            }
            ffi::lua_settop(lua, table);
            let ordered = numbers == count && largest == count as f64;
            if ordered && (self.policy.any_order || mark == Mark::Array) {
                return self.indexed(table, count);
            }
            if mark == Mark::Array {
                return Err(if numbers == count { Fail::Sparse } else { Fail::NotArray });
            }
            if !F::ANY_KEY {
                let fail = match numbers == count {
                    true => Fail::Sparse,
                    false if strings == 0 => Fail::Numbers,
                    false => Fail::Mixed,
                };
                return Err(self.odd_key(table).unwrap_or(fail));
            }
            ffi::lua_pushnil(lua);
            ffi::lua_next(lua, table);
            self.map(table, mark)
        }
    }

    /// A key JSON has no place for at all, if there is one.
    unsafe fn odd_key(&self, table: c_int) -> Option<Fail> {
        // SAFETY: as `run`.
        unsafe {
            let lua = self.lua;
            ffi::lua_pushnil(lua);
            while ffi::lua_next(lua, table) != 0 {
                let kind = ffi::lua_type(lua, -2);
                if kind != ffi::LUA_TNUMBER && kind != ffi::LUA_TSTRING {
                    ffi::lua_settop(lua, table);
                    return Some(Fail::Key(kind));
                }
                ffi::lua_settop(lua, table + 1);
            }
            None
        }
    }

    unsafe fn indexed(&mut self, table: c_int, count: usize) -> Result<(), Fail> {
        // SAFETY: as `run`.
        unsafe {
            let open = self.format.open_array(self.out())?;
            for i in 0..count {
                self.format.separate(self.out(), i)?;
                ffi::lua_rawgeti(self.lua, table, i as i64 + 1); // OK because i counts table items
                if let Err(fail) = self.value() {
                    self.segment_index(i + 1);
                    return Err(fail);
                }
                ffi::lua_settop(self.lua, table);
            }
            Ok(self.format.close_array(self.out(), open, count)?)
        }
    }

    /// A map. Stack: the first key and value.
    unsafe fn map(&mut self, table: c_int, mark: Mark) -> Result<(), Fail> {
        // SAFETY: as `run`.
        unsafe {
            let lua = self.lua;
            let open = self.format.open_map(self.out())?;
            let hooks = self.hooks;
            let mut count = 0;
            loop {
                self.format.separate(self.out(), count)?;
                let kind = ffi::lua_type(lua, -2);
                if kind == ffi::LUA_TSTRING {
                    self.format.key(self.out(), string(lua, -2))?;
                } else if F::ANY_KEY {
                    ffi::lua_pushvalue(lua, -2);
                    self.value()?;
                    ffi::lua_settop(lua, table + 2);
                } else if kind == ffi::LUA_TNUMBER && mark == Mark::Object {
                    self.number_key()?;
                } else {
                    return Err(if kind == ffi::LUA_TNUMBER {
                        Fail::Mixed
                    } else {
                        Fail::Key(kind)
                    });
                }
                if let Err(fail) = self.value() {
                    self.segment_key(table + 1);
                    return Err(fail);
                }
                count += 1;
                ffi::lua_settop(lua, table + 1);
                if !self.next(table, hooks)? {
                    break;
                }
            }
            Ok(self.format.close_map(self.out(), open, count)?)
        }
    }

    /// A number key of a marked object, as its decimal text. The key itself must stay a number for `lua_next`.
    unsafe fn number_key(&mut self) -> Result<(), Fail> {
        // SAFETY: as `run`.
        unsafe {
            let n = ffi::lua_tonumberx(self.lua, -2, std::ptr::null_mut());
            let mut text = Vec::new();
            if n.fract() == 0.0 && n.abs() < 9_007_199_254_740_992.0 {
                crate::codec::json::writer::write_int(&mut text, n as i64)?; // OK because |n| < 2^53
            } else {
                crate::codec::json::writer::write_float(&mut text, n)?;
            }
            Ok(self.format.key(self.out(), &text)?)
        }
    }

    /// Functions, threads, userdata; cdata under LuaJIT.
    #[cold]
    unsafe fn foreign(&mut self, kind: c_int) -> Result<(), Fail> {
        // SAFETY: as `run`; `hook` calls are protected.
        unsafe {
            let lua = self.lua;
            if F::HOOK && kind == ffi::LUA_TUSERDATA {
                let at = ffi::lua_gettop(lua);
                let done = self.hook(at)?;
                ffi::lua_settop(lua, at);
                if done {
                    return Ok(());
                }
            }
            #[cfg(feature = "luajit")]
            if kind == ffi::LUA_TCDATA {
                self.hooks += 1; // as good as one: it is Lua code that reads a cdata, and finalizers may run in it
                return match hook::cdata(lua)? {
                    Some(hook::Cdata::Signed(n)) => Ok(self.format.int(self.out(), n)?),
                    Some(hook::Cdata::Unsigned(n)) => Ok(self.format.uint(self.out(), n)?),
                    None => Err(Fail::Type(kind)),
                };
            }
            Err(Fail::Type(kind))
        }
    }

    /// Tagged and simple CBOR values, and tables with an encoding hook. Stack: ..., table, metatable.
    #[cold]
    unsafe fn special(&mut self, table: c_int, identity: *const c_void) -> Result<bool, Fail> {
        // SAFETY: as `run`; the fields are read raw, `hook` calls are protected.
        unsafe {
            let lua = self.lua;
            // Options may name a hook for the metatable of tagged values, too.
            let plain = !F::OPTIONS || ffi::lua_type(lua, hook::GIVEN) == ffi::LUA_TNIL;
            if plain && identity == self.identities.tagged {
                let tag = hook::integer(lua, table, anchor::TAG).ok_or(Fail::Tagged)?;
                let tag = u64::try_from(tag).map_err(|_| Fail::Tagged)?;
                self.format.tag(self.out(), tag)?;
                hook::push_field(lua, table, anchor::VALUE);
                if self.left == 0 {
                    return Err(ErrorKind::TooDeep.into());
                }
                self.left -= 1;
                let result = self.value();
                self.left += 1;
                result?;
                ffi::lua_settop(lua, table);
                return Ok(true);
            }
            if identity == self.identities.simple {
                let value = hook::integer(lua, table, anchor::SIMPLE_NAME).ok_or(Fail::Tagged)?;
                let value = u8::try_from(value).map_err(|_| Fail::Tagged)?;
                self.format.simple(self.out(), value)?;
                ffi::lua_settop(lua, table);
                return Ok(true);
            }
            let done = self.hook(table)?;
            ffi::lua_settop(lua, table);
            Ok(done)
        }
    }

    /// Append what the value at `at` says of itself, if it does.
    #[inline]
    unsafe fn hook(&mut self, at: c_int) -> Result<bool, Fail> {
        // SAFETY: as `run`.
        unsafe {
            self.hooks += 1;
            if F::OPTIONS {
                hook::call_with(self.lua, at, self.out())
            } else {
                hook::call(self.lua, at, self.out())
            }
        }
    }

    // ---- paths: failures only -----------------------------------------------------------------------------------

    /// Whether `pointer` is one of the tables on the walk's stack below `top`.
    unsafe fn is_ancestor(&self, pointer: *const c_void, top: c_int) -> bool {
        // SAFETY: as `run`; the indices are valid.
        unsafe {
            (self.base + 1..top)
                .any(|i| ffi::lua_type(self.lua, i) == ffi::LUA_TTABLE && ffi::lua_topointer(self.lua, i) == pointer)
        }
    }

    /// On the way out of a cycle: if `table` itself is an ancestor's twin, the path starts anew below it, so that the
    /// shortest one remains.
    unsafe fn shorten(&self, table: c_int) {
        // SAFETY: as `run`.
        unsafe {
            if self.is_ancestor(ffi::lua_topointer(self.lua, table), table) {
                (*self.job).path.clear();
            }
        }
    }

    fn segment(&self, text: std::fmt::Arguments<'_>) {
        self.remember(crate::text::string(text).into_bytes());
    }

    fn remember(&self, text: Vec<u8>) {
        // SAFETY: the job outlives the walk.
        let path = unsafe { &mut (*self.job).path };
        if path.try_reserve(1).is_ok() {
            path.push(text);
        }
    }

    #[cold]
    fn segment_index(&self, index: usize) {
        self.segment(format_args!("[{index}]"));
    }

    /// The key at stack index `key` as `.name`, `[1]` or `["odd name"]`.
    #[cold]
    unsafe fn segment_key(&self, key: c_int) {
        // SAFETY: as `run`.
        unsafe {
            let lua = self.lua;
            match ffi::lua_type(lua, key) {
                ffi::LUA_TSTRING => self.remember(super::path::name(string(lua, key))),
                ffi::LUA_TNUMBER => {
                    let n = ffi::lua_tonumberx(lua, key, std::ptr::null_mut());
                    self.segment(format_args!("[{n}]"));
                }
                ffi::LUA_TBOOLEAN => self.segment(format_args!("[{}]", ffi::lua_toboolean(lua, key) != 0)),
                _ => self.segment(format_args!("[?]")),
            }
        }
    }
}
