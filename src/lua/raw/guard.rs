//! Running Lua-free code so that a panic in it becomes a Lua error.
//!
//! It refuses to be a way of handling errors: a panic is a bug, and its error says so. It refuses to wrap calls that
//! may raise: a Lua error that passes through `catch_unwind` aborts where Lua unwinds (LuaJIT, Lua built as C++).
//!
//! # What may raise
//! [`Panic::raise`] and nothing else; it owns nothing, because what a panic carried is leaked before. What `work` of
//! [`guarded`] owns is dropped by the unwinding, which is Rust's own: no Lua frame lies between.

use mlua::ffi::{self, lua_State};
use std::panic::{catch_unwind, AssertUnwindSafe};

/// Run Lua-free code; a panic in it becomes `Err` with its text instead of crossing C frames.
///
/// `work` may call the Lua API only where the call cannot raise.
///
/// # Errors
/// That `work` has panicked.
#[inline]
#[cfg_attr(feature = "faults", track_caller)]
pub fn guarded<R>(work: impl FnOnce() -> R) -> Result<R, Panic> {
    #[cfg(feature = "faults")]
    let work = super::faults::at(std::panic::Location::caller(), work);
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        // Leaked: dropping a foreign payload could panic again, and a longjmp would skip the drop of ours.
        let payload = Box::leak(payload);
        let text = match payload.downcast_ref::<String>() {
            Some(text) => text.as_str(),
            None => payload.downcast_ref::<&str>().copied().unwrap_or("no text"),
        };
        Panic(text)
    })
}

/// A panic was caught; its text went to stderr through the panic hook, too.
#[derive(Clone, Copy, Debug)]
pub struct Panic(&'static str);

impl Panic {
    /// Raise what the Lua user is told.
    ///
    /// # Safety
    /// As [`super::state::raise`].
    #[cold]
    pub unsafe fn raise(self, lua: *mut lua_State) -> ! {
        const BEFORE: &[u8] = b"internal error: a panic in the library: ";
        const AFTER: &[u8] = b"; this is a bug, please report it";
        // SAFETY: by contract; the text is leaked.
        unsafe {
            ffi::lua_checkstack(lua, 6);
            ffi::luaL_where(lua, 1);
            for part in [BEFORE, self.0.as_bytes(), AFTER] {
                ffi::lua_pushlstring(lua, part.as_ptr().cast(), part.len());
            }
            ffi::lua_concat(lua, 4);
            ffi::lua_error(lua)
        }
    }
}
