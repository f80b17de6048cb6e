//! The walk: a Lua value becomes bytes, through a [`Format`] that writes single values.
//!
//! It refuses what would not come back as it went in: functions, cycles, NaN where the format has none, and (JSON)
//! mixed and sparse tables; every refusal names the path to the value.
//!
//! # What may raise
//! [`Walk::prepare`] alone. The whole walk runs under `guarded`, so a panic cannot reach C frames. Inside it only calls
//! that cannot raise are made: `lua_next` with a key it returned itself (and in a protected call once a hook has run,
//! which may have changed the table and lost that key), `lua_rawgeti`, `lua_rawget`, `lua_getmetatable`,
//! `lua_tolstring` on real strings, `lua_topointer`, `lua_settop`, `lua_pushvalue/nil`; `lua_checkstack` (which may
//! raise on 5.1 and LuaJIT, where [`Walk::prepare`] takes the whole room beforehand, outside `guarded`); and
//! `lua_pcall`, which catches. All memory belongs to the job; a walk itself owns nothing (asserted below).

mod foreign;
mod format;
mod numbered;
mod odd;
mod sorted;
mod trail;

use super::hook;
use super::state::{string, Identities, Job};
use crate::codec::ErrorKind;
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    None,
    Array,
    Object,
}

pub use format::{Fail, Format, Policy, Sparse};

/// One walk over one value.
pub struct Walk<F: Format> {
    lua: *mut lua_State,
    job: *mut Job,
    identities: *const Identities,
    format: F,
    policy: Policy,
    /// Stack indices up to this one are known to be free to use.
    limit: c_int,
    left: usize,
    base: c_int,
    /// Hooks that ran so far.
    hooks: usize,
}

// Nothing that a longjmp could skip: see the module's proof.
const _: () = assert!(!std::mem::needs_drop::<Walk<super::json::Json>>() && !std::mem::needs_drop::<Fail>());

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
    pub unsafe fn prepare(lua: *mut lua_State, job: *mut Job, format: F, policy: Policy) -> Self {
        // SAFETY: the job's owner, a state, stays where it is while its functions run.
        let identities = unsafe { &raw const (*(*job).owner).identities };
        // SAFETY: by contract.
        let base = unsafe { ffi::lua_gettop(lua) };
        let mut limit = ffi::LUA_MINSTACK; // what every C function has
        if cfg!(any(feature = "lua51", feature = "luajit")) {
            // Four slots a level: table, key, value, a copied key.
            let room = c_int::try_from(policy.max_depth * 4 + 24).unwrap_or(c_int::MAX);
            // SAFETY: by contract.
            unsafe { ffi::luaL_checkstack(lua, room, c"value nested too deeply".as_ptr()) };
            limit = base.saturating_add(room);
        }
        Self {
            lua,
            job,
            identities,
            format,
            policy,
            limit,
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
            if ffi::lua_type(self.lua, index) == ffi::LUA_TBOOLEAN {
                // What many results are: nothing is put on the stack for it.
                let value = ffi::lua_toboolean(self.lua, index) != 0;
                return Ok(self.format.boolean(self.out(), value)?);
            }
            ffi::lua_pushvalue(self.lua, index);
            let result = self.value();
            if !matches!(result, Err(Fail::Hook)) {
                ffi::lua_settop(self.lua, self.base);
            }
            result
        }
    }

    /// [`Walk::run`] for whoever returns next: the stack is left with whatever is on it.
    ///
    /// # Safety
    /// As [`Walk::run`].
    pub unsafe fn run_last(&mut self, index: c_int) -> Result<(), Fail> {
        // SAFETY: as `run`.
        unsafe {
            ffi::lua_pushvalue(self.lua, index);
            self.value()
        }
    }

    /// Encode the value on top of the stack and leave the stack as it was: what most values are needs no call.
    #[inline(always)]
    unsafe fn value(&mut self) -> Result<(), Fail> {
        // SAFETY: as `run`.
        unsafe {
            if F::HOT {
                self.value_here()
            } else {
                self.value_there()
            }
        }
    }

    #[inline(never)]
    unsafe fn value_there(&mut self) -> Result<(), Fail> {
        // SAFETY: as `run`.
        unsafe { self.value_here() }
    }

    #[inline(always)]
    unsafe fn value_here(&mut self) -> Result<(), Fail> {
        // SAFETY: as `run`.
        unsafe {
            match ffi::lua_type(self.lua, -1) {
                ffi::LUA_TSTRING => Ok(self.format.string(self.out(), string(self.lua, -1))?),
                ffi::LUA_TNUMBER => self.number(),
                kind => self.other(kind),
            }
        }
    }

    /// [`Walk::value`] for what is neither a string nor a number.
    #[inline(never)]
    unsafe fn other(&mut self, kind: c_int) -> Result<(), Fail> {
        // SAFETY: as `run`.
        unsafe {
            let lua = self.lua;
            match kind {
                ffi::LUA_TTABLE => return self.table(),
                ffi::LUA_TBOOLEAN => self.format.boolean(self.out(), ffi::lua_toboolean(lua, -1) != 0)?,
                ffi::LUA_TNIL => self.format.null(self.out())?,
                ffi::LUA_TLIGHTUSERDATA if ffi::lua_touserdata(lua, -1).is_null() => self.format.null(self.out())?,
                kind => return self.foreign(kind),
            }
            Ok(())
        }
    }

    #[inline(always)]
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
            if F::STYLED && self.is_null() {
                return Ok(self.format.null(self.out())?);
            }
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
                if identity == (*self.identities).array {
                    mark = Mark::Array;
                } else if identity == (*self.identities).object {
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

    /// A map. Stack: the first key and value.
    unsafe fn map(&mut self, table: c_int, mark: Mark) -> Result<(), Fail> {
        // SAFETY: as `run`.
        unsafe {
            let lua = self.lua;
            if F::STYLED && self.format.sorted() {
                return self.sorted_map(table, mark);
            }
            let open = self.format.open_map(self.out())?;
            let hooks = self.hooks;
            let mut count = 0;
            let mut checked = false;
            loop {
                self.format.separate(self.out(), count)?;
                self.member_key(table, mark, &mut checked)?;
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
}
