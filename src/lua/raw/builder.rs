//! The builder: a tape becomes Lua values.
//!
//! # What may raise
//! Every call of the Lua API here: memory, a full stack, what a tag handler or a `__index` raises. No frame between the
//! entry point and Lua holds a value with a destructor: only raw pointers, integers and `Copy` nodes (asserted below).
//! The tape and the source belong to a job of the state (or the source is a Lua string on the entry's stack), so they
//! outlive the call whatever nested calls (finalizers, tag handlers) do. A raised error leaves partial tables on the
//! Lua stack, which Lua drops.
//!
//! So nothing here can run under `guarded`, and nothing here may panic: there is no index, no `unwrap`, no allocation
//! of Rust's, and no arithmetic that leaves a tape's length.
//!
//! Words are read without a bounds check: the tape was completed by a scanner, so that every head is whole, a
//! container's `count` values (or pairs) follow it, and `end` is the index after them. Reading starts at the index of a
//! value and only goes where heads say.

mod tagged;

use super::keys;
use super::state::{anchor, push_bytes, raise, Job, State, ANCHORS};
use crate::codec::tape::Node;
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;

// Nothing that a longjmp could skip: see the module's proof.
const _: () = assert!(!std::mem::needs_drop::<Builder>() && !std::mem::needs_drop::<Node>());

/// What the builder needs to know; copied freely, owns nothing.
///
/// A `PLAIN` one makes what Lua programs make of JSON and CBOR by themselves: arrays without metatable, null as a
/// value of the caller's choice, and what handlers see and when as older decoders have it.
#[derive(Clone, Copy)]
pub struct Builder<const PLAIN: bool = false> {
    lua: *mut lua_State,
    state: *mut State,
    words: *const u64,
    source: *const u8,
    len: usize,
    scratch: *const u8,
    scratch_len: usize,
    keys: c_int,
    /// Stack index of the table of tag handlers, or 0.
    handlers: c_int,
    /// Stack index of the table of simple values (`[number] = value`), or 0.
    simples: c_int,
    /// Stack index of what null becomes, or (unless `PLAIN`) 0.
    null: c_int,
    /// `PLAIN`: stack index of a table of tag handlers that are asked first, or 0.
    first: c_int,
}

impl Builder {
    /// A builder over `job`'s tape, whose strings lie in `source`. Pushes the key table: the stack is one higher.
    ///
    /// # Safety
    /// In a raw function; `source` and `job` outlive the builder's use. May raise.
    #[inline]
    pub unsafe fn new(lua: *mut lua_State, job: *const Job, source: &[u8]) -> Self {
        // SAFETY: by contract.
        unsafe { Self::over(lua, job, source, keys::push_table(lua)) }
    }

    /// The same with the key table at stack index `keys`; 0 will do for a value without keys.
    /// # Safety
    /// As [`Builder::new`].
    #[inline]
    pub unsafe fn over(lua: *mut lua_State, job: *const Job, source: &[u8], keys: c_int) -> Self {
        // SAFETY: by contract; nothing is appended to the tape any more, so its vectors stay where they are.
        let (tape, state) = unsafe { (&(*job).tape, (*job).owner) };
        Self {
            lua,
            state,
            words: tape.words().as_ptr(),
            source: source.as_ptr(),
            len: source.len(),
            scratch: tape.scratch().as_ptr(),
            scratch_len: tape.scratch().len(),
            keys,
            handlers: 0,
            simples: 0,
            null: 0,
            first: 0,
        }
    }

    /// The same builder, plain: null becomes the value at stack index `null`, and `first` (0: none) is a table of
    /// handlers that go before the others.
    #[inline]
    pub fn plain(self, null: c_int, first: c_int) -> Builder<true> {
        Builder {
            lua: self.lua,
            state: self.state,
            words: self.words,
            source: self.source,
            len: self.len,
            scratch: self.scratch,
            scratch_len: self.scratch_len,
            keys: self.keys,
            handlers: self.handlers,
            simples: self.simples,
            null,
            first,
        }
    }

    /// The same builder; null becomes the value at stack index `null`.
    #[inline]
    pub fn with_null(mut self, null: c_int) -> Self {
        self.null = null;
        self
    }

    /// The same builder with tables of tag handlers and simple values at these stack indices (0: none).
    #[inline]
    pub fn with(mut self, handlers: c_int, simples: c_int) -> Self {
        self.handlers = handlers;
        self.simples = simples;
        self
    }
}

impl<const PLAIN: bool> Builder<PLAIN> {
    /// The value at `at`; its head's successor.
    ///
    /// # Safety
    /// `at` is the index of a value on the complete tape.
    #[inline(always)]
    unsafe fn node(&self, at: usize) -> (Node, usize) {
        // SAFETY: `at` is the index of a value on a complete tape (see the module's proof), so its head is there.
        let (node, words) = unsafe { Node::read(*self.words.add(at), || *self.words.add(at + 1)) };
        (node, at + words)
    }

    /// The bytes of a string at `offset` of the source or the scratch buffer, and how many can be read there: at least
    /// its own.
    ///
    /// # Safety
    /// The string is one of the tape, which tells where it lies.
    #[inline(always)]
    pub(super) unsafe fn bytes<'a>(&self, scratch: bool, offset: usize, len: usize) -> (&'a [u8], usize) {
        let (base, end) = if scratch {
            (self.scratch, self.scratch_len)
        } else {
            (self.source, self.len)
        };
        debug_assert!(offset + len <= end);
        // SAFETY: a string node's place was within the source (or scratch) when it was scanned, neither has changed
        // since: nested calls work on jobs of their own.
        unsafe { (std::slice::from_raw_parts(base.add(offset), len), end - offset) }
    }

    /// Push the value at `at` and return the index of the next one.
    ///
    /// # Safety
    /// May raise; the caller's frames own nothing.
    #[inline]
    pub unsafe fn push(&self, at: usize) -> usize {
        // SAFETY: by contract; nothing is known of the stack's room.
        unsafe { self.value(at, 0) }
    }

    /// [`Builder::push`] where `room` stack slots are known to be free.
    ///
    /// # Safety
    /// As [`Builder::push`].
    #[inline]
    pub unsafe fn push_with_room(&self, at: usize, room: c_int) -> usize {
        // SAFETY: by contract.
        unsafe { self.value(at, room) }
    }

    /// [`Builder::push`] in a function that has used at most three of the stack slots that every C function has beyond
    /// its arguments.
    ///
    /// # Safety
    /// As [`Builder::push`].
    #[inline]
    pub unsafe fn push_at_entry(&self, at: usize) -> usize {
        const FREE: c_int = ffi::LUA_MINSTACK - 3;
        // SAFETY: by contract.
        unsafe { self.value(at, FREE) }
    }

    /// [`Builder::value`] for the items of containers: what most of them are needs no call.
    ///
    /// # Safety
    /// As [`Builder::push`].
    #[inline(always)]
    unsafe fn item(&self, at: usize, room: c_int) -> usize {
        // SAFETY: as `value`; `at` is the index of a value, so that its head's first word is there.
        unsafe {
            let word = *self.words.add(at);
            if let Some((offset, len)) = Node::short_str(word) {
                push_bytes(self.lua, self.bytes(false, offset, len).0);
                return at + 1;
            }
            if let Some(n) = Node::small_int(word) {
                self.push_int(n);
                return at + 1;
            }
            if Node::is_float(word) {
                ffi::lua_pushnumber(self.lua, f64::from_bits(*self.words.add(at + 1)));
                return at + 2;
            }
            self.value(at, room)
        }
    }

    /// [`Builder::push`] where `room` stack slots are known to be free.
    ///
    /// # Safety
    /// As [`Builder::push`].
    #[inline(never)]
    unsafe fn value(&self, at: usize, room: c_int) -> usize {
        // SAFETY: the contract is `push`'s; stack room is checked before each container's children.
        unsafe {
            let lua = self.lua;
            let (node, next) = self.node(at);
            match node {
                Node::Str { offset, len } => push_bytes(lua, self.bytes(false, offset, len).0),
                Node::Scratch { offset, len } => push_bytes(lua, self.bytes(true, offset, len).0),
                Node::Int(n) => self.push_int(n),
                Node::Float(f) => ffi::lua_pushnumber(lua, f),
                Node::Bool(b) => ffi::lua_pushboolean(lua, c_int::from(b)),
                Node::Null if PLAIN || self.null != 0 => ffi::lua_pushvalue(lua, self.null),
                Node::Null => ffi::lua_pushlightuserdata(lua, std::ptr::null_mut()),
                Node::Array { count, end } => {
                    self.push_array(count, next, room);
                    return end;
                }
                Node::Object { count, end } => {
                    self.push_object(count, next, room);
                    return end;
                }
                Node::Uint(n) => self.push_cdata(n, true),
                Node::Tag(tag) if PLAIN => return self.push_plain_tagged(tag, next),
                Node::Tag(tag) => return self.push_tagged(tag, next),
                Node::Simple(value) => self.push_simple(value),
            }
            next
        }
    }

    /// # Safety
    /// As [`Builder::push`].
    #[inline]
    unsafe fn push_int(&self, n: i64) {
        // SAFETY: as `push`.
        unsafe {
            #[cfg(any(feature = "lua51", feature = "lua52", feature = "luajit"))]
            if !crate::codec::Integers::Double.holds(n) {
                #[cfg(feature = "luajit")]
                return self.push_cdata(n as u64, false); // OK because the other side reads the same bits
                #[cfg(not(feature = "luajit"))]
                return ffi::lua_pushnumber(self.lua, n as f64); // OK because only wrapping lets one through
            }
            ffi::lua_pushinteger(self.lua, n);
        }
    }

    /// An integer beyond 2^53 under LuaJIT; elsewhere scanners never put one there.
    ///
    /// # Safety
    /// As [`Builder::push`].
    #[cold]
    unsafe fn push_cdata(&self, bits: u64, unsigned: bool) {
        let lua = self.lua;
        // SAFETY: as `push`; the halves fit a double exactly.
        unsafe {
            self.room(5);
            ffi::lua_rawgeti(lua, ANCHORS, anchor::MAKE_CDATA);
            if ffi::lua_type(lua, -1) != ffi::LUA_TFUNCTION {
                ffi::lua_settop(lua, -2);
                ffi::lua_pushnumber(lua, if unsigned { bits as f64 } else { bits as i64 as f64 });
                return;
            }
            ffi::lua_pushnumber(lua, (bits >> 32) as f64);
            ffi::lua_pushnumber(lua, (bits & 0xFFFF_FFFF) as f64);
            ffi::lua_pushboolean(lua, c_int::from(unsigned));
            ffi::lua_call(lua, 3, 1);
        }
    }

    /// # Safety
    /// As [`Builder::push`].
    #[inline]
    unsafe fn room(&self, slots: c_int) {
        // SAFETY: as `push`.
        unsafe {
            if ffi::lua_checkstack(self.lua, slots) == 0 {
                raise(self.lua, b"nested too deeply for the Lua stack");
            }
        }
    }

    /// Make sure that a container has room, given how much is known to be; what its children have.
    ///
    /// # Safety
    /// As [`Builder::push`].
    #[inline]
    unsafe fn descend(&self, room: c_int) -> c_int {
        // The container itself, a key, a copy of the key or a value, a metatable.
        const LEVEL: c_int = 6;
        const ROOM: c_int = 40;
        if room >= LEVEL {
            return room - 2;
        }
        // SAFETY: as `push`.
        unsafe { self.room(ROOM) };
        ROOM - 2
    }

    /// # Safety
    /// As [`Builder::push`].
    unsafe fn push_array(&self, count: usize, mut at: usize, room: c_int) {
        let lua = self.lua;
        // SAFETY: as `push`.
        unsafe {
            let room = self.descend(room);
            ffi::lua_createtable(lua, clamp(count), 0);
            for i in 1..=count {
                at = self.item(at, room);
                ffi::lua_rawseti(lua, -2, i as _); // OK because a tape has fewer words than i64::MAX
            }
            if !PLAIN {
                ffi::lua_rawgeti(lua, ANCHORS, anchor::ARRAY);
                ffi::lua_setmetatable(lua, -2);
            }
        }
    }

    /// # Safety
    /// As [`Builder::push`].
    unsafe fn push_object(&self, count: usize, mut at: usize, room: c_int) {
        let lua = self.lua;
        // SAFETY: as `push`; keys are never nil, and scanners refuse NaN.
        unsafe {
            let room = self.descend(room);
            ffi::lua_createtable(lua, 0, clamp(count));
            for _ in 0..count {
                let next = match Node::short_str(*self.words.add(at)) {
                    Some((offset, len)) => {
                        let (key, readable) = self.bytes(false, offset, len);
                        keys::push(lua, self.state, self.keys, key, readable);
                        at + 1
                    }
                    None => self.push_key(at, room),
                };
                at = self.item(next, room);
                ffi::lua_rawset(lua, -3);
            }
        }
    }

    /// Push a key that is no short string of the source, and return the index of its value.
    ///
    /// # Safety
    /// As [`Builder::push`].
    #[inline(never)]
    unsafe fn push_key(&self, at: usize, room: c_int) -> usize {
        // SAFETY: as `push`.
        unsafe {
            let (key, next) = self.node(at);
            let (scratch, offset, len) = match key {
                Node::Str { offset, len } => (false, offset, len),
                Node::Scratch { offset, len } => (true, offset, len),
                _ => {
                    let next = self.value(at, room);
                    self.check_key();
                    return next;
                }
            };
            let (key, readable) = self.bytes(scratch, offset, len);
            keys::push(self.lua, self.state, self.keys, key, readable);
            next
        }
    }

    /// A tag handler can make a key of anything; nil and NaN are none.
    ///
    /// # Safety
    /// As [`Builder::push`].
    #[cold]
    unsafe fn check_key(&self) {
        let lua = self.lua;
        // SAFETY: as `push`.
        unsafe {
            let kind = ffi::lua_type(lua, -1);
            if kind == ffi::LUA_TNIL || (kind == ffi::LUA_TNUMBER && ffi::lua_tonumber(lua, -1).is_nan()) {
                raise(lua, b"fkrpc.cbor.decode: a map key became nil or NaN in a tag handler");
            }
        }
    }
}

/// A size hint for `lua_createtable`.
#[inline]
fn clamp(count: usize) -> c_int {
    c_int::try_from(count).unwrap_or(c_int::MAX)
}
