//! Maps whose members come in the order of their keys, and a value of the caller's that is null.
//!
//! Members are written in Lua's order first and their bytes are put in order then: no Lua value has to be kept or found
//! again, whatever hooks do, and CBOR's order is one of encoded keys (RFC 8949, section 4.2.1) anyway. It refuses to
//! move members that are in order already, so that nesting alone costs nothing; other members are copied once for each
//! map around them, of which there are at most as many as tables may nest.
//!
//! # What may raise
//! Nothing: it is part of the walk, whose proof it is under. What is owned here is skipped by no error, because a hook's
//! is caught by `lua_pcall`.

use super::{Fail, Format, Mark, Walk};
use crate::codec::ErrorKind;
use mlua::ffi;
use std::ffi::c_int;

/// Where a member was written: its key is `start..value`, its value `value..end`.
#[derive(Clone, Copy)]
struct Member {
    start: usize,
    value: usize,
    end: usize,
}

impl<F: Format> Walk<F> {
    /// Whether the value on top of the stack is the one that stands for null.
    pub(super) unsafe fn is_null(&self) -> bool {
        let null = self.format.null_value();
        // SAFETY: as `run`; the format's index is one of the running function's.
        null != 0 && unsafe { ffi::lua_rawequal(self.lua, -1, null) != 0 }
    }

    /// A map in the order of its keys. Stack: the first key and value.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn sorted_map(&mut self, table: c_int, mark: Mark) -> Result<(), Fail> {
        // SAFETY: as `run`.
        unsafe {
            let lua = self.lua;
            let open = self.format.open_map(self.out())?;
            let hooks = self.hooks;
            let mut members = Vec::new();
            let mut checked = false;
            loop {
                self.format.separate(self.out(), members.len())?;
                let start = self.out().len();
                self.member_key(table, mark, &mut checked)?;
                let value = self.out().len();
                if let Err(fail) = self.value_there() {
                    self.segment_key(table + 1);
                    return Err(fail);
                }
                let end = self.out().len();
                members.try_reserve(1).map_err(|_| ErrorKind::OutOfMemory)?;
                members.push(Member { start, value, end });
                ffi::lua_settop(lua, table + 1);
                if !self.next(table, hooks)? {
                    break;
                }
            }
            self.reorder(&mut members)?;
            Ok(self.format.close_map(self.out(), open, members.len())?)
        }
    }

    /// Put the members, which are the end of the output, in order; what stands between two of them stays there.
    fn reorder(&self, members: &mut [Member]) -> Result<(), ErrorKind> {
        let (format, out) = (self.format, self.out());
        let [first, second, ..] = *members else {
            return Ok(());
        };
        let order = |one: &Member, other: &Member| {
            // OK because members are places in the output, one after the other.
            format
                .compare(&out[one.start..one.value], &out[other.start..other.value])
                .then_with(|| out[one.value..one.end].cmp(&out[other.value..other.end]))
        };
        if members.is_sorted_by(|one, other| order(one, other).is_le()) {
            return Ok(());
        }
        members.sort_unstable_by(order);
        let mut sorted = Vec::new();
        let all = out.len() - first.start; // OK because the first member begins within the output
        sorted.try_reserve_exact(all).map_err(|_| ErrorKind::OutOfMemory)?;
        for (index, member) in members.iter().enumerate() {
            if index > 0 {
                sorted.extend_from_slice(&out[first.end..second.start]);
            }
            sorted.extend_from_slice(&out[member.start..member.end]);
        }
        out[first.start..].copy_from_slice(&sorted);
        Ok(())
    }
}
