//! What is done when the process ends by `exit(3)`: by `os.exit`, by falling off the end of the program.
//!
//! It refuses to promise more: `_exit(2)`, a signal and a crash run nothing. A child of fork(2) that calls `exit(3)` is
//! not the process that registered, and runs nothing either.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

/// The function's address; 0: none.
static WORK: AtomicUsize = AtomicUsize::new(0);
/// Who registered it.
static PROCESS: AtomicI32 = AtomicI32::new(0);

/// Call `work` at exit, once for however many calls of this function. The library stays mapped until then
/// (`-z nodelete`).
pub fn run_at_exit(work: fn()) {
    // SAFETY: getpid(2) cannot fail.
    PROCESS.store(unsafe { libc::getpid() }, Ordering::Relaxed);
    if WORK.swap(work as usize, Ordering::AcqRel) == 0 {
        // SAFETY: `run` has the signature that is asked for. Where there is no room for one more, nothing is run.
        unsafe { libc::atexit(run) };
    }
}

extern "C" fn run() {
    let work = WORK.swap(0, Ordering::AcqRel);
    // SAFETY: getpid(2) cannot fail.
    if work != 0 && PROCESS.load(Ordering::Relaxed) == unsafe { libc::getpid() } {
        // SAFETY: the only thing ever stored beside 0 is a `fn()`, in `run_at_exit`.
        let work = unsafe { std::mem::transmute::<usize, fn()>(work) };
        let _ = std::panic::catch_unwind(work); // OK because nobody is left to tell
    }
}
