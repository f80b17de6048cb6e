//! What the library keeps per Lua state: scratch buffers ("jobs"), the key cache, identities of its metatables.
//!
//! It holds no Lua value itself: those live in the anchors table, which every raw function has as an upvalue.
//!
//! # Why jobs
//! A Lua error is a longjmp (or a foreign unwind): it skips every Rust destructor on its way. So no raw function owns
//! memory; it borrows a [`Job`] of the state. Calls nest (an encoding hook, a tag handler, a finalizer that the
//! collector runs inside `lua_pushlstring` may call the codec again), so each nested call has a job of its own, and a
//! job whose call was left by a longjmp must be recognised. All frames of one Lua state live on one C stack, which
//! grows downwards: a job that was entered at an address *below* the present frame belongs to a call that is over.
//!
//! # What may raise
//! [`enter`] and [`raise`], [`push_bytes`]; [`leave`] and [`string`] do not. A reference to the [`State`] or to a job
//! ends before Lua is called, and jobs are boxed: nested calls may make the list of jobs longer meanwhile. `enter`
//! raises with a static text when it holds nothing.

pub use super::anchor;
pub use super::guard::guarded;
use super::keys::KeyCache;
use super::watchdog::Claim;
use crate::codec::Tape;
use crate::sys::heap;
use mlua::ffi::{self, lua_State};
use std::ffi::{c_int, c_void};

/// Upvalue 1 of every raw function: the [`State`] userdata.
pub const STATE: c_int = ffi::lua_upvalueindex(1);
/// Upvalue 2 of every raw function: the anchors table.
pub const ANCHORS: c_int = ffi::lua_upvalueindex(2);
/// Upvalue 3 of every raw function: the options userdata of a codec, or nil.
pub const OPTIONS: c_int = ffi::lua_upvalueindex(3);

/// The buffers of one call.
pub struct Job {
    /// The state that the job is of; its place in memory never changes.
    pub owner: *mut State,
    frame: usize,
    index: usize,
    /// Bytes of C stack between the outermost call it is nested in and this one.
    stack: usize,
    /// What the call scans to.
    pub tape: Tape,
    /// What the call writes to.
    pub out: Vec<u8>,
    /// The bytes behind the tape where they are not a Lua string: a received frame.
    pub source: Vec<u8>,
    /// Segments of the path to a value that cannot be encoded, innermost first; then error texts.
    pub path: Vec<Vec<u8>>,
    /// An error text.
    pub message: String,
}

/// Buffers above this go back to the system when their call is over.
const KEEP_BYTES: usize = 1 << 18;

impl Job {
    /// The address of the frame that entered.
    pub fn frame(&self) -> usize {
        self.frame
    }

    #[inline(always)]
    fn clear(&mut self) {
        self.tape.reset();
        clear(&mut self.out);
        clear(&mut self.source);
        if !self.path.is_empty() {
            self.forget_path();
        }
        self.message.clear();
    }

    #[cold]
    fn forget_path(&mut self) {
        self.path.clear();
    }

    const fn new() -> Self {
        Self {
            owner: std::ptr::null_mut(),
            frame: 0,
            index: 0,
            stack: 0,
            tape: Tape::new(),
            out: Vec::new(),
            source: Vec::new(),
            path: Vec::new(),
            message: String::new(),
        }
    }
}

/// Empty `bytes`; memory taken for a giant goes back to the system.
#[inline(always)]
pub fn clear(bytes: &mut Vec<u8>) {
    bytes.clear();
    if bytes.capacity() > KEEP_BYTES {
        give_back(bytes);
    }
}

#[cold]
fn give_back(bytes: &mut Vec<u8>) {
    heap::give_back(bytes);
}

/// Identities (`lua_topointer`) of metatables, compared without touching the stack.
#[derive(Clone, Copy)]
pub struct Identities {
    /// Of arrays.
    pub array: *const c_void,
    /// Of objects.
    pub object: *const c_void,
    /// Of error objects.
    pub error: *const c_void,
    /// Of tagged CBOR values.
    pub tagged: *const c_void,
    /// Of simple CBOR values.
    pub simple: *const c_void,
    /// Of connections.
    pub connection: *const c_void,
    /// Of processes.
    pub process: *const c_void,
}

/// The library's memory for one Lua state; the contents of a userdata.
pub struct State {
    jobs: Vec<Box<[Job]>>,
    live: usize,
    /// The userdata was finalized: memory goes back after each call, as nothing comes later that could free it.
    finalized: bool,
    /// Short object keys that were seen lately.
    pub keys: KeyCache,
    /// Metatable identities.
    pub identities: Identities,
    /// What this Lua state has of the watchdog.
    pub watchdog: Claim,
    /// The connection that was asked for last, and how many had been collected then.
    pub connection: (*const c_void, usize),
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// An empty state.
    pub const fn new() -> Self {
        Self {
            jobs: Vec::new(),
            live: 0,
            finalized: false,
            keys: KeyCache::new(),
            watchdog: Claim::new(),
            connection: (std::ptr::null(), 0),
            identities: Identities {
                array: std::ptr::null(),
                object: std::ptr::null(),
                error: std::ptr::null(),
                tagged: std::ptr::null(),
                simple: std::ptr::null(),
                connection: std::ptr::null(),
                process: std::ptr::null(),
            },
        }
    }

    /// A cleared job for the call whose frame holds `frame`, or why there is none.
    #[inline(always)]
    fn enter(&mut self, frame: usize) -> Result<*mut Job, &'static [u8]> {
        // Most calls are nested in no other.
        if self.live == 0 {
            if let Some(job) = self.jobs.first_mut().and_then(|job| job.first_mut()) {
                (job.frame, job.index, job.stack) = (frame, 0, 0);
                self.live = 1;
                return Ok(job);
            }
        }
        self.enter_nested(frame)
    }

    #[inline(never)]
    fn enter_nested(&mut self, frame: usize) -> Result<*mut Job, &'static [u8]> {
        while self.live > 0 && self.jobs[self.live - 1][0].frame <= frame {
            self.live -= 1; // that call was left by a Lua error
            self.jobs[self.live][0].clear();
        }
        let stack = match self.live {
            0 => 0,
            live => nested_stack(&self.jobs[live - 1][0], frame)?,
        };
        if self.live == self.jobs.len() {
            let no_memory = |_| &b"not enough memory"[..];
            self.jobs.try_reserve(1).map_err(no_memory)?;
            let mut one = Vec::new();
            one.try_reserve_exact(1).map_err(no_memory)?;
            one.push(Job::new());
            self.jobs.push(one.into_boxed_slice());
        }
        let job = &mut self.jobs[self.live][0];
        job.frame = frame;
        job.index = self.live;
        job.stack = stack;
        self.live += 1;
        Ok(job)
    }

    /// End the job at `index` and those that nested calls left behind above it.
    #[inline(always)]
    fn leave(&mut self, index: usize) {
        if self.live != index + 1 || self.finalized {
            return self.leave_nested(index);
        }
        self.live = index;
        if let Some(job) = self.jobs.get_mut(index).and_then(|job| job.first_mut()) {
            job.clear();
        }
    }

    #[inline(never)]
    fn leave_nested(&mut self, index: usize) {
        while self.live > index {
            self.live -= 1;
            self.jobs[self.live][0].clear();
        }
        if self.finalized && self.live == 0 {
            self.jobs = Vec::new();
        }
    }

    /// Give all memory back. The state remains one that works: `lua_close` calls the finalizers of objects that are
    /// older than the library after the library's own, and they may still encode and decode.
    pub fn finalize(&mut self) {
        self.finalized = true;
        self.watchdog.close();
        self.live = 0;
        self.jobs = Vec::new();
    }
}

/// The C stack that calls may take which are nested in each other (tag handlers and hooks that call the codec again).
/// Lua itself allows 200 of them, each of which may recurse through 1000 levels of a value: far more than the 8 MB that
/// a stack has, and a document can ask for it. The innermost call may take as much as one value needs on top of this.
const NESTED_STACK: usize = 768 << 10;

/// What a call whose frame holds `frame` has in [`Job::stack`], nested in `outer`.
#[cold]
fn nested_stack(outer: &Job, frame: usize) -> Result<usize, &'static [u8]> {
    let between = outer.frame.saturating_sub(frame);
    // No value takes that much: `outer` was left by an error, or belongs to another thread's stack.
    if between > NESTED_STACK {
        return Ok(0);
    }
    match outer.stack + between {
        stack if stack > NESTED_STACK => Err(b"codec calls nested too deeply"),
        stack => Ok(stack),
    }
}

/// The state behind the running raw function.
///
/// # Safety
/// Only in a C function that was made by [`super::open::push_function`]: upvalue 1 is the state's userdata.
#[inline(always)]
pub unsafe fn state(lua: *mut lua_State) -> *mut State {
    // SAFETY: by the function's contract upvalue 1 is a userdata that holds a State.
    unsafe { ffi::lua_touserdata(lua, STATE).cast() }
}

/// Take a job for the running call. The pointer stays good until [`leave`], whatever nested calls do: jobs are boxed.
///
/// # Safety
/// As [`state`]. `marker` must be the address of a local of the entry point, so that it lies in its frame. Raises a
/// Lua error when memory or the C stack is short: nothing with a destructor may be on the caller's stack.
#[inline(never)]
pub unsafe fn enter(lua: *mut lua_State, marker: *const u8) -> *mut Job {
    // SAFETY: by contract.
    unsafe { enter_of(lua, state(lua), marker) }
}

/// [`enter`] where the running function's state is known.
///
/// # Safety
/// As [`enter`]; `owner` is what [`state`] returns.
#[inline(always)]
pub unsafe fn enter_of(lua: *mut lua_State, owner: *mut State, marker: *const u8) -> *mut Job {
    // SAFETY: `owner` is valid by contract; the reference ends before anything else can touch the State, and the job
    // that comes back is nobody else's.
    let job = unsafe { (*owner).enter(marker as usize).inspect(|job| (**job).owner = owner) };
    match job {
        Ok(job) => job,
        // SAFETY: raising is allowed by the contract.
        Err(text) => unsafe { raise(lua, text) },
    }
}

/// Give the running call's job back.
///
/// # Safety
/// As [`state`]; `job` is what [`enter`] returned and is not used afterwards.
#[inline]
pub unsafe fn leave(_lua: *mut lua_State, job: *mut Job) {
    // SAFETY: the job is boxed and alive until the state, its owner, is collected.
    unsafe {
        let index = (*job).index;
        (*(*job).owner).leave(index);
    }
}

/// Raise `text` with the position of the calling Lua line, as `luaL_error` does.
///
/// # Safety
/// Nothing with a destructor may be on the stack of the callers up to Lua. Runs with the C function's own stack.
#[cold]
pub unsafe fn raise(lua: *mut lua_State, text: &[u8]) -> ! {
    // SAFETY: allowed by the contract; lua_checkstack's result is not needed for three slots at the end of a function.
    unsafe {
        ffi::lua_checkstack(lua, 4);
        ffi::luaL_where(lua, 1);
        ffi::lua_pushlstring(lua, text.as_ptr().cast(), text.len());
        ffi::lua_concat(lua, 2);
        ffi::lua_error(lua)
    }
}

/// Push bytes as a Lua string.
///
/// # Safety
/// May raise: nothing with a destructor may be on the stack of the callers.
#[inline(always)]
pub unsafe fn push_bytes(lua: *mut lua_State, bytes: &[u8]) {
    // SAFETY: pointer and length come from a slice.
    unsafe {
        ffi::lua_pushlstring(lua, bytes.as_ptr().cast(), bytes.len());
    }
}

/// The bytes of the string at `index`, which must be a string (a number would be converted in place).
///
/// # Safety
/// The value at `index` is a string and stays on the stack (or otherwise referenced) while the slice is used.
#[inline(always)]
pub unsafe fn string<'a>(lua: *mut lua_State, index: c_int) -> &'a [u8] {
    let mut len = 0;
    // SAFETY: a real string is not converted, so this neither allocates nor raises.
    unsafe {
        let bytes = ffi::lua_tolstring(lua, index, &mut len);
        std::slice::from_raw_parts(bytes.cast(), len)
    }
}
