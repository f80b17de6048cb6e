//! The key cache: object keys of up to 16 bytes that were pushed lately are fetched by number instead of hashed again.
//!
//! It refuses to cache values: measured, only keys repeat often enough. The strings themselves are in the anchors
//! table's key table at the slot's number, so that the collector sees them.
//!
//! # What may raise
//! [`push`], wherever a string is made or put into the key table. Nothing is owned: a key is a slice of the job's or of
//! a Lua string, and the slot is filled after the string is in the table. The cache is written without a Lua call
//! between reading and writing a slot, so that a finalizer which decodes finds it whole.

use super::state::{anchor, push_bytes, State, ANCHORS};
use mlua::ffi::{self, lua_State};
use std::ffi::c_int;

const SLOTS: usize = 256;
const LONGEST: usize = 16;

#[derive(Clone, Copy)]
struct Slot {
    words: [u64; 2],
    len: usize,
}

/// A direct-mapped cache of short strings.
pub struct KeyCache {
    slots: [Slot; SLOTS],
}

impl Default for KeyCache {
    fn default() -> Self {
        Self::new()
    }
}

impl KeyCache {
    /// An empty cache.
    pub const fn new() -> Self {
        Self {
            slots: [Slot {
                words: [0, 0],
                len: usize::MAX,
            }; SLOTS],
        }
    }
}

/// What is kept of 16 bytes for a key of each length.
const MASKS: [[u64; 2]; LONGEST + 1] = {
    let mut masks = [[0; 2]; LONGEST + 1];
    let mut len = 1;
    while len <= LONGEST {
        masks[len] = masks[len - 1];
        masks[len][(len - 1) / 8] |= 0xff << (8 * ((len - 1) % 8));
        len += 1;
    }
    masks
};

/// The bytes of `key`, zero-padded.
///
/// # Safety
/// `readable` bytes from the key's first on are readable.
#[inline(always)]
unsafe fn words(key: &[u8], readable: usize) -> [u64; 2] {
    let mask = MASKS[key.len()]; // OK because the caller checked the length
    if readable < LONGEST {
        return last_words(key);
    }
    // SAFETY: by contract 16 bytes are readable.
    let (low, high) = unsafe {
        let words = key.as_ptr().cast::<u64>();
        (words.read_unaligned(), words.add(1).read_unaligned())
    };
    [u64::from_le(low) & mask[0], u64::from_le(high) & mask[1]]
}

/// The same for a key near the end of what can be read.
#[inline(never)]
fn last_words(key: &[u8]) -> [u64; 2] {
    let mut bytes = [0; LONGEST];
    bytes[..key.len()].copy_from_slice(key); // OK because the caller checked the length
    let value = u128::from_le_bytes(bytes);
    [value as u64, (value >> 64) as u64] // OK because these are its halves
}

/// Push `key` as a Lua string; `table` is the stack index of the key table.
///
/// # Safety
/// Runs in a raw function with room for two more stack slots; may raise (nothing here has a destructor). `readable`
/// bytes from the key's first on must be readable: its own length at least.
#[inline(always)]
pub unsafe fn push(lua: *mut lua_State, state: *mut State, table: c_int, key: &[u8], readable: usize) {
    if key.len() > LONGEST {
        // SAFETY: by contract.
        unsafe { push_bytes(lua, key) };
        return;
    }
    // SAFETY: by contract.
    let words = unsafe { words(key, readable) };
    let mixed = (words[0] ^ words[1].rotate_left(29) ^ key.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let at = (mixed >> 56) as usize; // OK because eight bits remain, and SLOTS is 256

    // SAFETY: the state outlives the call, and the reference ends before Lua runs.
    let hit = unsafe {
        let slot = &(*state).keys.slots[at];
        slot.len == key.len() && slot.words == words
    };
    // SAFETY: by contract.
    unsafe {
        if hit {
            ffi::lua_rawgeti(lua, table, at as i64 + 1);
        } else {
            remember(lua, state, table, key, at, words);
        }
    }
}

/// Push a key that is not in the cache, and put it there.
///
/// # Safety
/// As [`push`].
#[inline(never)]
unsafe fn remember(lua: *mut lua_State, state: *mut State, table: c_int, key: &[u8], at: usize, words: [u64; 2]) {
    // SAFETY: by contract; the slot is filled only after the string is in the key table, so that a raised error
    // leaves the cache as it was.
    unsafe {
        push_bytes(lua, key);
        ffi::lua_pushvalue(lua, -1);
        ffi::lua_rawseti(lua, table, at as i64 + 1);
        (*state).keys.slots[at] = Slot { words, len: key.len() };
    }
}

/// Push the key table and return its index.
///
/// # Safety
/// As [`push`].
#[inline]
pub unsafe fn push_table(lua: *mut lua_State) -> c_int {
    // SAFETY: by contract.
    unsafe {
        ffi::lua_rawgeti(lua, ANCHORS, anchor::KEYS_TABLE);
        ffi::lua_gettop(lua)
    }
}
