//! The timer of the runaway guard: when it ticks, and whose signal it takes.
//!
//! One test, as there is one timer in a process and it belongs to one thread.
#![cfg(all(target_os = "linux", target_pointer_width = "64"))]
#![allow(unsafe_code, clippy::unwrap_used)]

use fkrpc::sys::timer::{self, Tick};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

static TICKS: AtomicU64 = AtomicU64::new(0);
static LAST_CPU: AtomicU64 = AtomicU64::new(0);

fn on_tick(now: Tick) {
    TICKS.fetch_add(1, SeqCst);
    LAST_CPU.store(now.cpu, SeqCst);
}

/// Burns CPU until that many ticks have come. Without them it never ends.
fn burn_until(ticks: u64) {
    while TICKS.load(SeqCst) < ticks {
        std::hint::spin_loop();
    }
}

extern "C" fn foreign(_signal: libc::c_int) {}

fn handler_of(signal: libc::c_int) -> libc::sighandler_t {
    let mut current = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a null new action only asks; zeroed is a valid value.
    unsafe {
        assert_eq!(libc::sigaction(signal, ptr::null(), current.as_mut_ptr()), 0);
        current.assume_init().sa_sigaction
    }
}

#[test]
fn it_ticks_while_its_thread_burns_cpu_until_stopped_and_leaves_foreign_signals_alone() {
    let theirs = foreign as extern "C" fn(libc::c_int) as libc::sighandler_t;
    let taken: Vec<libc::c_int> = (libc::SIGRTMAX() - 3..=libc::SIGRTMAX()).collect();
    for &signal in &taken {
        // SAFETY: the handler does nothing.
        assert_ne!(unsafe { libc::signal(signal, theirs) }, libc::SIG_ERR);
    }
    timer::start(Duration::from_millis(2), on_tick).unwrap();
    burn_until(3);
    for &signal in &taken {
        assert_eq!(handler_of(signal), theirs);
    }
    assert_ne!(handler_of(libc::SIGRTMAX() - 4), libc::SIG_DFL);
    assert!(LAST_CPU.load(SeqCst) > 0);

    // Asleep, the thread burns next to nothing.
    let before = TICKS.load(SeqCst);
    std::thread::sleep(Duration::from_millis(300));
    assert!(TICKS.load(SeqCst) <= before + 2);

    // The ticks are this thread's: another one burns without any.
    let before = TICKS.load(SeqCst);
    std::thread::spawn(|| {
        let mut sum = 0u64;
        for n in 0..200_000_000u64 {
            sum = std::hint::black_box(sum.wrapping_add(n));
        }
        sum
    })
    .join()
    .unwrap();
    assert!(TICKS.load(SeqCst) <= before + 2);

    // Starting again replaces the timer; stopping ends it.
    timer::start(Duration::from_millis(2), on_tick).unwrap();
    burn_until(TICKS.load(SeqCst) + 3);
    timer::stop();
    let stopped = TICKS.load(SeqCst);
    let mut sum = 0u64;
    for n in 0..100_000_000u64 {
        sum = std::hint::black_box(sum.wrapping_add(n));
    }
    assert!(sum > 0);
    assert_eq!(TICKS.load(SeqCst), stopped);

    // A signal sent by hand is no tick, and harms nobody.
    // SAFETY: raises a signal whose handler this process has installed.
    unsafe { libc::raise(libc::SIGRTMAX() - 4) };
    assert_eq!(TICKS.load(SeqCst), stopped);
}
