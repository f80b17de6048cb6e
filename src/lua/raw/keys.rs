//! The key cache: object keys of up to 16 bytes that were pushed lately are fetched by number instead of hashed again.
//!
//! It refuses to cache values: measured, only keys repeat often enough. The strings themselves are in the anchors
//! table's key table at the slot's number, so that the collector sees them.

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

/// The first 16 bytes of `key`, zero-padded.
#[inline]
fn words(key: &[u8]) -> [u64; 2] {
    let mut bytes = [0u8; LONGEST];
    bytes[..key.len()].copy_from_slice(key); // OK because the caller checked the length
    let (low, high) = bytes.split_at(8);
    [
        u64::from_le_bytes(low.try_into().unwrap_or_default()),
        u64::from_le_bytes(high.try_into().unwrap_or_default()),
    ]
}

/// Push `key` as a Lua string; `table` is the stack index of the key table.
///
/// # Safety
/// Runs in a raw function with room for two more stack slots; may raise (nothing here has a destructor).
#[inline]
pub unsafe fn push(lua: *mut lua_State, state: *mut State, table: c_int, key: &[u8]) {
    if key.len() > LONGEST {
        // SAFETY: by contract.
        unsafe { push_bytes(lua, key) };
        return;
    }
    let words = words(key);
    let mixed = (words[0] ^ words[1].rotate_left(29) ^ key.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let at = (mixed >> 56) as usize; // OK because eight bits remain
                                     // SAFETY: the state outlives the call, and the reference ends before Lua runs.
    let hit = unsafe {
        let slot = &(*state).keys.slots[at]; // OK because SLOTS is 256
        slot.len == key.len() && slot.words == words
    };
    // SAFETY: by contract; the slot is filled only after the string is in the key table, so that a raised error
    // leaves the cache as it was.
    unsafe {
        if hit {
            ffi::lua_rawgeti(lua, table, at as i64 + 1);
        } else {
            push_bytes(lua, key);
            ffi::lua_pushvalue(lua, -1);
            ffi::lua_rawseti(lua, table, at as i64 + 1);
            (*state).keys.slots[at] = Slot { words, len: key.len() };
        }
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
