//! Sleeping while signals come: a handled signal ends nanosleep(2), and must not end our sleep.
#![allow(unsafe_code)]

use fkrpc::sys::clock::{monotonic_us, sleep};
use std::sync::atomic::{AtomicI32, Ordering};

static HANDLED: AtomicI32 = AtomicI32::new(0);

extern "C" fn count(_signal: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn a_sleep_is_not_cut_short_by_signals() {
    // SAFETY: all-zero is a valid sigaction without SA_RESTART; the handler only counts.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = count as extern "C" fn(libc::c_int) as libc::sighandler_t;
        assert_eq!(
            libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()),
            0
        );
    }
    // SAFETY: the thread lives until the end of the scope.
    let sleeper = unsafe { libc::pthread_self() };
    let start = monotonic_us();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..20 {
                std::thread::sleep(std::time::Duration::from_millis(5));
                // SAFETY: as above.
                assert_eq!(unsafe { libc::pthread_kill(sleeper, libc::SIGUSR1) }, 0);
            }
        });
        while HANDLED.load(Ordering::Relaxed) == 0 {
            sleep(0.05);
        }
        let before = monotonic_us();
        sleep(0.3);
        assert!(monotonic_us() - before >= 300_000);
    });
    assert!(monotonic_us() - start >= 300_000);
    assert!(HANDLED.load(Ordering::Relaxed) >= 2);
}
