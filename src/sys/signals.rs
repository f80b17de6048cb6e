//! Signals that a program wants to hear of instead of being ended by them.
//!
//! The handler keeps the signal in a word, kicks those who read ([`interrupt`]), and writes a byte to a pipe of ours;
//! who polls, polls that pipe beside its own descriptors, so that none is missed between looking and waiting. It refuses
//! to run anybody's code in the handler.
//!
//! A signal that comes again before anybody has asked for the first does what it does by default: a program that does
//! not ask any more can still be ended.
//!
//! A program that is exec'd has the default again (signal(7)).
#![allow(unsafe_code)]

use super::{fd, interrupt};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The signals one may hear of, by name.
pub const NAMES: [(&str, libc::c_int); 6] = [
    ("TERM", libc::SIGTERM),
    ("INT", libc::SIGINT),
    ("HUP", libc::SIGHUP),
    ("QUIT", libc::SIGQUIT),
    ("USR1", libc::SIGUSR1),
    ("USR2", libc::SIGUSR2),
];

/// Those that came and were not asked for, a bit for each place in [`NAMES`].
static PENDING: AtomicU32 = AtomicU32::new(0);
/// The pipe's ends, which stay open once they are made; -1: none yet.
static READER: AtomicI32 = AtomicI32::new(-1);
static WRITER: AtomicI32 = AtomicI32::new(-1);

/// How many guards want each signal, and what they have replaced.
struct Installed {
    wanted: [usize; NAMES.len()],
    replaced: [Option<libc::sigaction>; NAMES.len()],
}

static INSTALLED: Mutex<Installed> = Mutex::new(Installed {
    wanted: [0; NAMES.len()],
    replaced: [None; NAMES.len()],
});

/// While it lives, its signals are heard of.
#[derive(Debug)]
pub struct Guard {
    /// A bit for each place in [`NAMES`].
    signals: u32,
}

impl Guard {
    /// Hear of these signals: a bit for each place in [`NAMES`].
    ///
    /// # Errors
    /// `EMFILE` when there are no descriptors for the pipe; what sigaction(2) says.
    pub fn install(signals: u32) -> io::Result<Self> {
        let mut installed = lock();
        make_pipe()?;
        let mut guard = Self { signals: 0 };
        for (place, &(_, number)) in NAMES.iter().enumerate() {
            if signals & 1 << place == 0 {
                continue;
            }
            // OK because both arrays have a place for each name.
            if installed.wanted[place] == 0 {
                let mut action = default();
                action.sa_sigaction = on_signal as extern "C" fn(libc::c_int) as libc::sighandler_t;
                action.sa_flags = libc::SA_RESTART;
                for &kick in interrupt::KICKS {
                    // SAFETY: the set is a valid one.
                    unsafe { libc::sigaddset(&raw mut action.sa_mask, kick) };
                }
                match exchange(number, &action) {
                    Ok(before) => installed.replaced[place] = Some(before),
                    Err(error) => {
                        drop(installed);
                        drop(guard); // puts back those before
                        return Err(error);
                    }
                }
            }
            installed.wanted[place] += 1;
            guard.signals |= 1 << place;
        }
        Ok(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut installed = lock();
        for (place, &(_, number)) in NAMES.iter().enumerate() {
            if self.signals & 1 << place == 0 {
                continue;
            }
            installed.wanted[place] = installed.wanted[place].saturating_sub(1);
            if installed.wanted[place] > 0 {
                continue;
            }
            PENDING.fetch_and(!(1 << place), SeqCst);
            let Some(before) = installed.replaced[place].take() else {
                continue;
            };
            // Somebody else's handler, put there meanwhile, stays.
            if let Ok(current) = exchange(number, &before) {
                if current.sa_sigaction != on_signal as extern "C" fn(libc::c_int) as libc::sighandler_t {
                    let _ = exchange(number, &current); // OK because it was there a moment ago
                }
            }
        }
    }
}

/// The name of a signal that came, the first of [`NAMES`] if there are several.
#[inline]
#[must_use]
pub fn pending() -> Option<&'static str> {
    let pending = PENDING.load(SeqCst);
    NAMES
        .get(usize::try_from(pending.trailing_zeros()).unwrap_or(usize::MAX))
        .map(|(name, _)| *name)
}

/// The same; it is heard of now.
pub fn take() -> Option<&'static str> {
    let name = pending()?;
    let place = NAMES.iter().position(|(known, _)| *known == name)?;
    PENDING.fetch_and(!(1 << place), SeqCst);
    drain(); // the byte of one that comes now may go, too: who waits looks at PENDING before
    Some(name)
}

/// What can be read when a signal has come, for those who poll; there is none before the first guard.
#[must_use]
pub fn waker() -> Option<BorrowedFd<'static>> {
    let reader = READER.load(SeqCst);
    // SAFETY: the pipe's end stays open once it is made.
    (reader >= 0).then(|| unsafe { BorrowedFd::borrow_raw(reader) })
}

/// The descriptor that can be read when a signal has come; -1 before anybody has wanted one.
#[must_use]
pub fn reader() -> libc::c_int {
    READER.load(SeqCst)
}

/// Empty the pipe. A signal is pending only after the pipe was made.
pub fn drain() {
    let reader = READER.load(SeqCst);
    if reader >= 0 {
        let mut bytes = [0u8; 64];
        // SAFETY: the pipe's end stays open once it is made.
        let _ = fd::read(unsafe { BorrowedFd::borrow_raw(reader) }, &mut bytes);
        // OK because bytes mean nothing
    }
}

/// # Signal safety
/// Atomics, write(2) on a descriptor that does not block, tgkill(2), sigaction(2) and raise(3), system calls or on the
/// list of signal-safety(7); errno is put back.
extern "C" fn on_signal(number: libc::c_int) {
    let Some(place) = NAMES.iter().position(|(_, known)| *known == number) else {
        return;
    };
    // SAFETY: see above; the place of errno is this thread's.
    unsafe {
        let errno_place = errno_place();
        let errno = *errno_place;
        if PENDING.fetch_or(1 << place, SeqCst) & 1 << place == 0 {
            let said = libc::write(WRITER.load(SeqCst), [0u8].as_ptr().cast(), 1);
            let _ = said; // a full pipe wakes as well
            interrupt::wake(interrupt::SIGNAL);
        } else {
            let default = default();
            libc::sigaction(number, &raw const default, ptr::null_mut());
            libc::raise(number); // takes effect when this returns: the signal is blocked meanwhile
        }
        *errno_place = errno;
    }
}

#[cfg(not(target_vendor = "apple"))]
unsafe fn errno_place() -> *mut libc::c_int {
    // SAFETY: always succeeds.
    unsafe { libc::__errno_location() }
}

#[cfg(target_vendor = "apple")]
unsafe fn errno_place() -> *mut libc::c_int {
    // SAFETY: always succeeds.
    unsafe { libc::__error() }
}

/// The pipe that wakes, made once for the process. `O_NONBLOCK` on both ends: they are our own.
fn make_pipe() -> io::Result<()> {
    if READER.load(SeqCst) >= 0 {
        return Ok(());
    }
    let (reader, writer) = fd::pipe()?;
    for end in [&reader, &writer] {
        // SAFETY: F_SETFL takes an int; both descriptors are open.
        fd::check(unsafe { libc::fcntl(end.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) })?;
    }
    WRITER.store(writer.into_raw_fd(), SeqCst);
    READER.store(reader.into_raw_fd(), SeqCst);
    Ok(())
}

fn default() -> libc::sigaction {
    // SAFETY: all-zero is a valid sigaction: default handler, empty mask, no flags.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// Set the disposition of a signal; the one that was there.
fn exchange(number: libc::c_int, action: &libc::sigaction) -> io::Result<libc::sigaction> {
    let mut before = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: both structures are valid; what `action` calls is safe at any moment, or was there before.
    fd::check(unsafe { libc::sigaction(number, action, before.as_mut_ptr()) })?;
    // SAFETY: zeroed is a valid value, and the call has filled it in.
    Ok(unsafe { before.assume_init() })
}

fn lock() -> MutexGuard<'static, Installed> {
    // OK because nothing between lock and unlock leaves a half-written state.
    INSTALLED.lock().unwrap_or_else(PoisonError::into_inner)
}
