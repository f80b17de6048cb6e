//! The signal that kicks a waiting thread, and its handler.
//!
//! `SIGSTKFLT`, which nothing uses (signal(7)): a real-time signal cannot be sent when the queue is full. It refuses to
//! take it from somebody: only where it is at its default. The handler stays for good, as the default would end the
//! process.
#![allow(unsafe_code)]

use super::{in_child, kicked, stub};
use crate::sys::fd;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, Once, PoisonError};

pub const KICK: libc::c_int = libc::SIGSTKFLT;

/// Installs the handler if it is not; false: the signal is somebody else's.
pub fn install() -> bool {
    static INSTALLING: Mutex<()> = Mutex::new(());
    static FORKS: Once = Once::new();
    static NOTED: AtomicBool = AtomicBool::new(false);
    let _lock = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner); // OK because it guards nothing else
    FORKS.call_once(|| {
        // SAFETY: the function stays mapped (`-z nodelete`).
        let noted = unsafe { libc::pthread_atfork(None, None, Some(in_child)) } == 0;
        NOTED.store(noted, SeqCst);
    });
    if !NOTED.load(SeqCst) {
        return false; // a forked child would wait for what does not come
    }
    let handler = on_kick as extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
    // SAFETY: sigaction(2) with valid structures; all-zero is a valid sigaction. The handler is safe at any moment.
    unsafe {
        let mut current: libc::sigaction = MaybeUninit::zeroed().assume_init();
        if libc::sigaction(KICK, ptr::null(), &raw mut current) != 0 {
            return false;
        }
        if current.sa_sigaction == handler as usize {
            return true;
        }
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        current.sa_sigaction == libc::SIG_DFL && libc::sigaction(KICK, &raw const action, ptr::null_mut()) == 0
    }
}

/// Whether the handler is ours, and whether this thread lets the signal through.
pub fn arrangement() -> (bool, bool) {
    let handler = on_kick as extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
    let mut blocked = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: sigaction(2) and sigprocmask(2) fill in what they are given and change nothing; all-zero is valid for
    // both.
    unsafe {
        let mut current: libc::sigaction = MaybeUninit::zeroed().assume_init();
        let asked = libc::sigaction(KICK, ptr::null(), &raw mut current) == 0;
        let masked = libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), blocked.as_mut_ptr()) != 0
            || libc::sigismember(blocked.as_ptr(), KICK) != 0;
        (asked && current.sa_sigaction == handler as usize, !masked)
    }
}

/// The kernel's number of this thread.
pub fn this_thread() -> u32 {
    // SAFETY: gettid(2) takes nothing and cannot fail.
    (unsafe { libc::syscall(libc::SYS_gettid) }) as u32 // OK because thread ids are positive pid_t
}

/// Sends it to a thread of this process, which is inside a wait. Nothing is queued, and so nothing is lacking.
pub fn send(thread: u32) -> bool {
    // SAFETY: numbers alone. tgkill(2) takes both ids, so that it hits no other process's thread.
    fd::check_long(unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, KICK) }).is_ok()
}

/// Lets it through to this thread.
pub fn unblock() {
    let mut only = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: sigemptyset initialises the set.
    unsafe {
        libc::sigemptyset(only.as_mut_ptr());
        libc::sigaddset(only.as_mut_ptr(), KICK);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, only.as_ptr(), ptr::null_mut());
    }
}

/// Where the thread is not in the read, it may be in another signal's handler, from which it comes back to the read: so
/// the kick is held back in what was interrupted, and sent again. It comes when that handler returns, or when the wait
/// is left, which lets it through. (Valgrind does not look at a context's mask: there a handler that lets kicks through
/// would not come to its end. Ours holds them back.)
///
/// # Signal safety
/// Atomics, gettid(2), getpid(2) and tgkill(2); errno is put back.
extern "C" fn on_kick(_signal: libc::c_int, _info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let context = context.cast::<libc::ucontext_t>();
    // SAFETY: the context is the kernel's (SA_SIGINFO), and used by this thread alone; errno's place is this thread's.
    unsafe {
        let place = libc::__errno_location();
        let errno = *place;
        let thread = this_thread();
        kicked(
            thread,
            || stub::redirect(context),
            || {
                libc::sigaddset(&raw mut (*context).uc_sigmask, KICK);
                send(thread);
            },
        );
        *place = errno;
    }
}
