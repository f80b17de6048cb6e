//! `SIGPIPE`: a write to somebody who has gone must be an error, not the end of the process.
//!
//! It refuses to ignore the signal: a program that is exec'd inherits "ignored" but not a handler, and `yes | head`
//! inside it would never end (signal(7)). It refuses to touch a disposition that somebody else has chosen.
//!
//! The handler lives in this library, so the library must not be unmapped while a guard lives: it is linked
//! `-z nodelete` on Linux.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::fd::check;

/// While at least one lives, a write to a closed pipe or socket fails with `EPIPE` instead of killing the process.
///
/// Where `SIGPIPE` is at its default a handler that does nothing is installed; the last guard puts back what was there,
/// unless somebody else has changed the disposition meanwhile. A foreign handler and `SIG_IGN` are left alone: they
/// keep the process alive just as well.
#[derive(Debug)]
pub struct SigpipeGuard {
    // Private, so that only `install` makes one.
    _counted: (),
}

/// Guards alive, and what the first of them replaced.
struct Installed {
    guards: usize,
    /// The handler as the kernel knows it, and the disposition it replaced.
    replaced: Option<(libc::sighandler_t, libc::sigaction)>,
}

static INSTALLED: Mutex<Installed> = Mutex::new(Installed {
    guards: 0,
    replaced: None,
});

impl SigpipeGuard {
    /// Installs the handler where it is needed, and counts.
    ///
    /// # Errors
    /// What sigaction(2) says; with these arguments it has no reason to.
    pub fn install() -> io::Result<Self> {
        let mut installed = lock();
        let current = disposition()?;
        // Asked again for every guard: somebody may have gone back to the default since the first.
        if current.sa_sigaction == libc::SIG_DFL {
            let handler = do_nothing as extern "C" fn(libc::c_int) as libc::sighandler_t;
            // SAFETY: all-zero is a valid sigaction: default handler, empty mask, no flags.
            let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
            action.sa_sigaction = handler;
            // Reads and writes under way are not disturbed by a SIGPIPE that another thread or `kill` sends.
            action.sa_flags = libc::SA_RESTART;
            // SAFETY: `action` is initialised, and the handler does nothing, so it is safe at any moment.
            check(unsafe { libc::sigaction(libc::SIGPIPE, &raw const action, ptr::null_mut()) })?;
            installed.replaced = Some((handler, current));
        }
        // OK because every guard takes an `install`: usize::MAX of them do not happen.
        installed.guards += 1;
        Ok(Self { _counted: () })
    }
}

impl Drop for SigpipeGuard {
    fn drop(&mut self) {
        let mut installed = lock();
        // OK because `install` counted this guard.
        installed.guards -= 1;
        if installed.guards > 0 {
            return;
        }
        if let Some((handler, before)) = installed.replaced.take() {
            if disposition().is_ok_and(|current| current.sa_sigaction == handler) {
                // SAFETY: `before` is what the kernel gave us, with the default for its handler.
                unsafe { libc::sigaction(libc::SIGPIPE, &raw const before, ptr::null_mut()) };
            }
        }
    }
}

extern "C" fn do_nothing(_signal: libc::c_int) {}

fn lock() -> MutexGuard<'static, Installed> {
    // OK because nothing between lock and unlock leaves a half-written state.
    INSTALLED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn disposition() -> io::Result<libc::sigaction> {
    let mut current = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null new action only asks; `current` has room for the answer.
    check(unsafe { libc::sigaction(libc::SIGPIPE, ptr::null(), current.as_mut_ptr()) })?;
    // SAFETY: zeroed is a valid value, and the call has filled it in.
    Ok(unsafe { current.assume_init() })
}

/// Runs `work` with `SIGPIPE` held back in this thread and takes away the one it may have raised. For a single write
/// outside any guard's life; needs no disposition at all. A `SIGPIPE` that was already waiting goes on waiting.
pub(super) fn without_sigpipe<T>(work: impl FnOnce() -> T) -> T {
    let mut only = MaybeUninit::<libc::sigset_t>::zeroed();
    let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
    let waited = sigpipe_waits();
    // SAFETY: sigemptyset initialises `only`; SIGPIPE is a valid signal; `before` receives this thread's mask.
    let blocked = unsafe {
        libc::sigemptyset(only.as_mut_ptr());
        libc::sigaddset(only.as_mut_ptr(), libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, only.as_ptr(), before.as_mut_ptr()) == 0
    };
    let result = work();
    if blocked {
        // SAFETY: sigemptyset and the first pthread_sigmask have initialised both sets.
        unsafe {
            if !waited && sigpipe_waits() {
                take_sigpipe(&only.assume_init());
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
        }
    }
    result
}

/// Takes the waiting `SIGPIPE`; without waiting where the system can, in case another thread has just taken it.
fn take_sigpipe(only: &libc::sigset_t) {
    // SAFETY: `only` is an initialised set, and no details are asked for.
    #[cfg(not(target_vendor = "apple"))]
    unsafe {
        let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        libc::sigtimedwait(only, ptr::null_mut(), &raw const at_once);
    }
    // SAFETY: as above, with room for the signal's number. macOS has no sigtimedwait(2).
    #[cfg(target_vendor = "apple")]
    unsafe {
        let mut taken: libc::c_int = 0;
        libc::sigwait(only, &raw mut taken);
    }
}

fn sigpipe_waits() -> bool {
    let mut pending = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: `pending` has room for the answer, and zeroed it is a valid (empty) set.
    unsafe {
        libc::sigpending(pending.as_mut_ptr());
        libc::sigismember(pending.as_ptr(), libc::SIGPIPE) == 1
    }
}
