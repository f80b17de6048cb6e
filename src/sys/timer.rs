//! A timer that ticks while one thread burns CPU, and only then: `timer_create(2)` on `CLOCK_THREAD_CPUTIME_ID` with
//! `SIGEV_THREAD_ID`. The tick is a signal on that very thread; blocked or idle it gets none.
//!
//! It refuses to take a signal that somebody else handles: it looks for a real-time signal at its default. It keeps
//! that signal's handler for good, as a tick may be on its way when the timer is stopped, and the default would end the
//! process. One timer for one thread of the process; the library must not be unmapped (it is linked `-z nodelete`).
//!
//! A child made by fork(2) has no timers of its parent's; `pthread_atfork` starts it again there.
#![allow(unsafe_code)]

use std::io;
use std::time::Duration;

/// The time of a tick, in nanoseconds of clocks that never go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// `CLOCK_MONOTONIC`.
    pub wall: u64,
    /// The CPU time of the ticking thread.
    pub cpu: u64,
}

/// Ends the process at once, from a signal handler: `message` to stderr, `reply` to `output` unless its reader does not
/// take it within `patience` milliseconds, then `_exit(status)`. Only what signal-safety(7) allows is called.
pub fn die(message: &[u8], output: libc::c_int, reply: &[u8], patience: libc::c_int, status: libc::c_int) -> ! {
    // SAFETY: write(2), poll(2) and _exit(2) on borrowed bytes; a descriptor that is not open is answered with an
    // error, which ends the loop. PIPE_BUF bytes at a time: poll(2) promises room for no more.
    unsafe {
        let said = libc::write(libc::STDERR_FILENO, message.as_ptr().cast(), message.len());
        let _ = said; // nobody is left to tell
        let mut rest = reply;
        while !rest.is_empty() {
            let mut entry = libc::pollfd {
                fd: output,
                events: libc::POLLOUT,
                revents: 0,
            };
            if libc::poll(&raw mut entry, 1, patience) != 1 || entry.revents & libc::POLLOUT == 0 {
                break;
            }
            let sent = libc::write(output, rest.as_ptr().cast(), rest.len().min(libc::PIPE_BUF));
            match usize::try_from(sent) {
                // OK because write(2) never claims more than it was given.
                Ok(sent) if sent > 0 => rest = &rest[sent..],
                _ => break,
            }
        }
        libc::_exit(status)
    }
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
mod system {
    use super::{io, Duration, Tick};

    pub fn start(_period: Duration, _on_tick: fn(Tick)) -> io::Result<()> {
        Err(io::Error::from_raw_os_error(libc::ENOSYS))
    }

    pub fn stop() {}

    #[cfg(target_os = "linux")]
    pub fn in_child() {}
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod system {
    use super::{io, Duration, Tick};
    use crate::sys::fd::check;
    use std::mem::{transmute, MaybeUninit};
    use std::ptr;
    use std::sync::atomic::{AtomicI32, AtomicI64, AtomicUsize, Ordering::Relaxed};
    use std::sync::Once;

    /// The kernel's number of the timer; -1: none.
    static TIMER: AtomicI32 = AtomicI32::new(-1);
    /// The signal; 0: none was taken yet.
    static SIGNAL: AtomicI32 = AtomicI32::new(0);
    /// The kernel's number of the ticking thread, and the C library's.
    static TID: AtomicI32 = AtomicI32::new(0);
    static THREAD: AtomicUsize = AtomicUsize::new(0);
    /// The period in nanoseconds.
    static PERIOD: AtomicI64 = AtomicI64::new(0);
    /// A `fn(Tick)`.
    static ON_TICK: AtomicUsize = AtomicUsize::new(0);

    pub fn start(period: Duration, on_tick: fn(Tick)) -> io::Result<()> {
        stop();
        take_signal()?;
        static FORKS: Once = Once::new();
        // SAFETY: the function stays mapped (`-z nodelete`). Without memory for the note a forked child has no timer.
        FORKS.call_once(|| unsafe {
            libc::pthread_atfork(None, None, Some(in_child));
        });
        ON_TICK.store(on_tick as usize, Relaxed);
        // OK because it is at most a second.
        PERIOD.store(period.as_nanos() as i64, Relaxed);
        // SAFETY: always succeeds.
        THREAD.store(unsafe { libc::pthread_self() } as usize, Relaxed);
        create()
    }

    pub fn stop() {
        let timer = TIMER.swap(-1, Relaxed);
        if timer >= 0 {
            // SAFETY: the number of a timer of ours; a wrong one would be answered with EINVAL.
            unsafe { libc::syscall(libc::SYS_timer_delete, timer) };
        }
    }

    /// Creates and starts the timer for the calling thread. The system calls are made directly: before 2.34 the C
    /// library's wrappers lay in a library of their own, and `timer_t` is its private business. On 64-bit targets
    /// its structures are the kernel's.
    fn create() -> io::Result<()> {
        // SAFETY: all-zero is a valid sigevent; the fields that SIGEV_THREAD_ID needs are set. The kernel reads the
        // structures and writes one int.
        unsafe {
            let tid = libc::syscall(libc::SYS_gettid) as libc::pid_t; // OK because thread ids are pid_t
            TID.store(tid, Relaxed);
            let mut event: libc::sigevent = MaybeUninit::zeroed().assume_init();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = SIGNAL.load(Relaxed);
            event.sigev_notify_thread_id = tid;
            let mut timer: libc::c_int = -1;
            let clock = libc::CLOCK_THREAD_CPUTIME_ID;
            let made = libc::syscall(libc::SYS_timer_create, clock, &raw mut event, &raw mut timer);
            check(made as libc::c_int)?; // OK because it is 0 or -1
            TIMER.store(timer, Relaxed);
            let nanoseconds = PERIOD.load(Relaxed);
            let period = libc::timespec {
                tv_sec: nanoseconds / 1_000_000_000,
                tv_nsec: nanoseconds % 1_000_000_000,
            };
            let every = libc::itimerspec {
                it_interval: period,
                it_value: period,
            };
            let none = ptr::null_mut::<libc::itimerspec>();
            let set = libc::syscall(libc::SYS_timer_settime, timer, 0, &raw const every, none);
            check(set as libc::c_int).map(drop) // OK as above
        }
    }

    pub extern "C" fn in_child() {
        // SAFETY: always succeeds.
        let thread = unsafe { libc::pthread_self() } as usize;
        if TIMER.swap(-1, Relaxed) >= 0 && thread == THREAD.load(Relaxed) {
            let _ = create(); // the child runs unguarded rather than not at all
        }
    }

    /// Finds a signal nobody uses, installs the handler, and lets it through to this thread.
    fn take_signal() -> io::Result<()> {
        let handler = on_signal as extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
        // SAFETY: sigaction(2) with valid structures; all-zero is a valid sigaction. The handler is safe at any
        // moment, see there. The lowest real-time signals are the C library's own, and valgrind likes the highest.
        unsafe {
            let first = SIGNAL.load(Relaxed);
            let others = (libc::SIGRTMIN() + 1..libc::SIGRTMAX()).rev();
            for signal in std::iter::once(first).chain(others).filter(|&signal| signal != 0) {
                let mut current: libc::sigaction = MaybeUninit::zeroed().assume_init();
                check(libc::sigaction(signal, ptr::null(), &raw mut current))?;
                if current.sa_sigaction != libc::SIG_DFL && current.sa_sigaction != handler as usize {
                    continue;
                }
                let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
                action.sa_sigaction = handler as usize;
                action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
                check(libc::sigaction(signal, &raw const action, ptr::null_mut()))?;
                SIGNAL.store(signal, Relaxed);
                let mut only: libc::sigset_t = MaybeUninit::zeroed().assume_init();
                libc::sigemptyset(&raw mut only);
                libc::sigaddset(&raw mut only, signal);
                libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const only, ptr::null_mut());
                return Ok(());
            }
        }
        Err(io::Error::from_raw_os_error(libc::EBUSY))
    }

    /// # Signal safety
    /// gettid(2) and clock_gettime(2) are on the list of signal-safety(7) or plain system calls; errno is put back;
    /// statics are atomics. `ON_TICK` answers for itself.
    extern "C" fn on_signal(_signal: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
        // SAFETY: `info` comes from the kernel (SA_SIGINFO); errno's place is this thread's; a non-zero ON_TICK was
        // stored from a `fn(Tick)`.
        unsafe {
            let place = libc::__errno_location();
            let errno = *place;
            let here = libc::syscall(libc::SYS_gettid) as libc::pid_t; // OK because thread ids are pid_t
            let on_tick = ON_TICK.load(Relaxed);
            // Somebody may send the signal by hand, or a tick may be late.
            let ours = (*info).si_code == libc::SI_TIMER && here == TID.load(Relaxed) && TIMER.load(Relaxed) >= 0;
            if ours && on_tick != 0 {
                let on_tick = transmute::<usize, fn(Tick)>(on_tick);
                on_tick(Tick {
                    wall: now(libc::CLOCK_MONOTONIC),
                    cpu: now(libc::CLOCK_THREAD_CPUTIME_ID),
                });
            }
            *place = errno;
        }
    }

    fn now(clock: libc::clockid_t) -> u64 {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: a valid place; both clocks exist on Linux.
        unsafe { libc::clock_gettime(clock, &raw mut time) };
        // OK because neither clock is ever negative, and nanoseconds in u64 last 584 years.
        time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
    }
}

/// Starts the ticks for the calling thread; a timer that ran before ends. `on_tick` runs in a signal handler.
///
/// # Errors
/// `EBUSY` when every real-time signal has a handler; `EAGAIN` when the kernel has no memory for a timer or the limit
/// of queued signals is reached (timer_create(2)); `ENOSYS` elsewhere than on 64-bit Linux.
pub fn start(period: Duration, on_tick: fn(Tick)) -> io::Result<()> {
    system::start(period, on_tick)
}

/// Ends the ticks. One that is on its way does nothing any more.
pub fn stop() {
    system::stop();
}

/// In a copy of this process that was made without fork(3), whose handlers start the ticks there themselves.
#[cfg(target_os = "linux")]
pub(super) fn in_copy() {
    system::in_child();
}

/// The C library's number of the calling thread: not 0, and unlike that of any other live thread.
#[inline]
#[must_use]
pub fn this_thread() -> usize {
    // SAFETY: always succeeds.
    (unsafe { libc::pthread_self() }) as usize
}
