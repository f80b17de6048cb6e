//! Who waits, who kicks, and who has been kicked: a word for each thread that waits.
//!
//! It refuses to leave a wait while a kick is on its way to it: whatever system call came next would be interrupted.
#![allow(unsafe_code)]

mod kick;
mod stub;

use super::{lookout, Reading};
use std::cell::Cell;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, AtomicU8, Ordering::SeqCst};

pub const KICKS: [libc::c_int; 1] = [kick::KICK];

/// A thread that waits: its id in the upper half, causes, and one of the states below. 0: nobody.
#[repr(align(64))]
pub struct Slot(pub AtomicU64);

/// More threads than this that wait at a time have to poll.
const SLOTS: usize = 64;
static TABLE: [Slot; SLOTS] = [const { Slot(AtomicU64::new(0)) }; SLOTS];

/// The states. It waits.
const WAITING: u64 = 1;
/// Somebody sends the thread a kick, or has.
const KICKING: u64 = 2;
/// It has returned, and waits for its kick.
const LEAVING: u64 = 3;
/// The kick has come.
const KICKED: u64 = 4;
const STATE: u64 = 0xff;

/// Whether kicks arrive in this process.
static WORKS: AtomicU8 = AtomicU8::new(UNTRIED);
const UNTRIED: u8 = 0;
const YES: u8 = 1;
const NO: u8 = 2;

thread_local! {
    /// The kernel's number of this thread once it has tried a kick; 0 before.
    static THREAD: Cell<u32> = const { Cell::new(0) };
}

#[inline]
pub fn read(fd: BorrowedFd<'_>, buffer: &mut [u8], causes: u64, is_due: impl FnOnce() -> bool) -> Reading {
    let thread = THREAD.get();
    let thread = if thread != 0 && WORKS.load(SeqCst) == YES {
        thread
    } else {
        match enlist() {
            Some(thread) => thread,
            None => return Reading::Unavailable,
        }
    };
    let word = u64::from(thread) << 32 | causes;
    let Some(slot) = claim(thread, word | WAITING) else {
        return Reading::Unavailable;
    };
    // After the claim: a cause that comes later kicks.
    let result = if is_due() {
        stub::WOKEN
    } else {
        let length = buffer.len().min(isize::MAX.unsigned_abs());
        // SAFETY: the slot is a static; the descriptor is open while it is borrowed, the buffer writable for its
        // length.
        unsafe { stub::read(&slot.0, word | WAITING, fd.as_raw_fd(), buffer.as_mut_ptr(), length) }
    };
    if slot.0.compare_exchange(word | WAITING, 0, SeqCst, SeqCst).is_err() {
        leave(slot, word);
    }
    match usize::try_from(result) {
        Ok(count) => Reading::Done(Ok(count)),
        Err(_) if result == stub::WOKEN => Reading::Woken,
        // OK because the kernel's errors lie between -4095 and -1.
        Err(_) => Reading::Done(Err(io::Error::from_raw_os_error(-result as i32))),
    }
}

/// A free slot, from now on with `word`.
#[inline]
fn claim(thread: u32, word: u64) -> Option<&'static Slot> {
    let first = thread as usize % SLOTS; // OK because u32 fits
    let (before, after) = TABLE.split_at(first);
    after
        .iter()
        .chain(before)
        .find(|slot| slot.0.compare_exchange(0, word, SeqCst, SeqCst).is_ok())
}

/// Somebody kicks: nothing goes on before that has come.
#[cold]
fn leave(slot: &Slot, word: u64) {
    let coming = slot
        .0
        .compare_exchange(word | KICKING, word | LEAVING, SeqCst, SeqCst)
        .is_ok();
    if coming && !has_come(slot, word) {
        WORKS.store(NO, SeqCst); // somebody has taken our signal since
    }
    slot.0.store(0, SeqCst);
}

/// Waits for a kick that is on its way to this thread; false: it does not come within a second.
fn has_come(slot: &Slot, word: u64) -> bool {
    kick::unblock(); // it may have been put off
    for attempt in 0..20_000 {
        if slot.0.load(SeqCst) == word | KICKED {
            return true;
        }
        match attempt {
            ..1000 => std::thread::yield_now(), // its sender is between two instructions
            _ => std::thread::sleep(std::time::Duration::from_micros(50)),
        }
    }
    false
}

/// This thread's first wait: its number, if kicks arrive.
#[cold]
fn enlist() -> Option<u32> {
    if WORKS.load(SeqCst) == NO {
        return None;
    }
    let thread = kick::this_thread();
    let word = u64::from(thread) << 32;
    let works = kick::install() && {
        let slot = claim(thread, word | LEAVING)?; // none is free: another time
        let works = kick::send(thread) && has_come(slot, word);
        slot.0.store(0, SeqCst);
        works
    };
    WORKS.store(if works { YES } else { NO }, SeqCst);
    if works {
        THREAD.set(thread);
    }
    works.then_some(thread)
}

pub fn wake(causes: u64) {
    for slot in &TABLE {
        let seen = slot.0.load(SeqCst);
        if seen & causes != 0 && seen & STATE == WAITING {
            let kicking = seen & !STATE | KICKING;
            if slot.0.compare_exchange(seen, kicking, SeqCst, SeqCst).is_ok() {
                kick::send((seen >> 32) as u32); // OK because 32 bits are left
            }
        }
    }
}

/// In the handler: `redirect` makes the read that was interrupted return, and says whether it could; `put_off` has
/// the kick come again when what was interrupted goes on.
pub fn kicked(thread: u32, redirect: impl Fn() -> bool, put_off: impl Fn()) {
    for slot in &TABLE {
        let seen = slot.0.load(SeqCst);
        let came = match seen & STATE {
            _ if seen >> 32 != u64::from(thread) => continue,
            KICKING => redirect(),
            LEAVING => true,
            _ => continue,
        };
        if came {
            slot.0.store(seen & !STATE | KICKED, SeqCst);
        } else {
            put_off();
        }
    }
}

#[inline]
pub fn may_work() -> bool {
    WORKS.load(SeqCst) != NO
}

/// Before its first wait a thread tries it anyway.
#[cold]
pub fn still_arrive() -> bool {
    if THREAD.get() == 0 || WORKS.load(SeqCst) != YES {
        return true;
    }
    let (ours, passes) = kick::arrangement();
    if !ours {
        WORKS.store(NO, SeqCst); // for every thread
    }
    ours && passes
}

/// After a fork: threads have other numbers, and only this one is left. What else the process had it may have in any
/// state: it polls.
pub extern "C" fn in_child() {
    WORKS.store(NO, SeqCst);
    lookout::leave(true);
    THREAD.set(0);
    for slot in &TABLE {
        slot.0.store(0, SeqCst);
    }
}

pub fn in_copy() {
    in_child();
    lookout::leave(false);
    lookout::forget();
    WORKS.store(UNTRIED, SeqCst);
}
