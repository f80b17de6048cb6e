//! The system calls behind a child process: wait4, kill, pidfds, and what runs between fork and exec.
//!
//! It refuses to remember anything: whose a number is, the callers know.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

use super::Exit;
use crate::sys::fd;

/// wait4(2) for one child, made again when a signal interrupts it. `Ok(None)` only with `WNOHANG`: it still runs.
pub(super) fn wait4(pid: libc::pid_t, options: libc::c_int) -> io::Result<Option<Exit>> {
    let mut status: libc::c_int = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: both places are writable for the call.
        match unsafe { libc::wait4(pid, &raw mut status, options, usage.as_mut_ptr()) } {
            0 => return Ok(None),
            -1 => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
            _ => break,
        }
    }
    // SAFETY: zeroed is a valid rusage, and the call has filled it in.
    let usage = unsafe { usage.assume_init() };
    Ok(Some(Exit {
        code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
        user_us: microseconds(usage.ru_utime),
        system_us: microseconds(usage.ru_stime),
        max_rss_bytes: max_rss_bytes(&usage),
    }))
}

// The fields are of different widths from system to system.
#[allow(clippy::unnecessary_cast)]
fn microseconds(time: libc::timeval) -> i64 {
    time.tv_sec as i64 * 1_000_000 + time.tv_usec as i64
}

/// `ru_maxrss` counts KiB, on macOS bytes (getrusage(2)).
#[allow(clippy::unnecessary_cast)]
fn max_rss_bytes(usage: &libc::rusage) -> i64 {
    let unit = if cfg!(target_vendor = "apple") { 1 } else { 1024 };
    (usage.ru_maxrss as i64).saturating_mul(unit)
}

/// Whether a child has ended; it stays to be waited for (waitid(2), `WNOWAIT`).
///
/// # Errors
/// `ECHILD` when it is not our child, or somebody else has collected it.
pub(super) fn has_ended(pid: libc::pid_t) -> io::Result<bool> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `info` has room for the answer; all zeros are a valid one, and say that nothing has ended.
    fd::check(unsafe { libc::waitid(libc::P_PID, pid.unsigned_abs(), info.as_mut_ptr(), options) })?;
    // SAFETY: as above.
    Ok(unsafe { info.assume_init().si_pid() } != 0)
}

/// In a child: every signal does what it does by default, and none is held back. Async-signal-safe.
pub(super) fn forget_handlers() {
    // SAFETY: all-zero is a valid sigaction: default, empty mask, no flags. Numbers that may not be set are refused.
    unsafe {
        let default: libc::sigaction = MaybeUninit::zeroed().assume_init();
        for number in 1..=LAST_SIGNAL {
            libc::sigaction(number, &raw const default, std::ptr::null_mut());
        }
        let mut none = MaybeUninit::<libc::sigset_t>::zeroed();
        libc::sigemptyset(none.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
    }
}

/// signal(7): there are 64 on Linux; macOS has 31.
const LAST_SIGNAL: libc::c_int = if cfg!(target_os = "linux") { 64 } else { 31 };

/// kill(2) for one process, or the group of a negative number, that is known to be ours.
pub(super) fn kill(pid: libc::pid_t, signal: libc::c_int) -> io::Result<()> {
    // SAFETY: no memory is involved; that the number is ours is the caller's word.
    fd::check(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// A descriptor that stands for the process, close-on-exec by itself; `None` where there is no such thing.
#[cfg(target_os = "linux")]
pub(super) fn pidfd_open(pid: libc::pid_t) -> Option<OwnedFd> {
    use std::os::fd::FromRawFd;
    // SAFETY: pidfd_open(2) takes two ints and touches no memory of ours.
    let number = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let number = RawFd::try_from(number).ok().filter(|&number| number >= 0)?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows of it.
    fd::above_stdio(unsafe { OwnedFd::from_raw_fd(number) }).ok()
}

/// Nothing of the kind here.
#[cfg(not(target_os = "linux"))]
pub(super) fn pidfd_open(_pid: libc::pid_t) -> Option<OwnedFd> {
    None
}

/// kill(2) by descriptor: it can never hit another process (pidfd_send_signal(2)).
#[cfg(target_os = "linux")]
pub(super) fn pidfd_send_signal(pidfd: BorrowedFd<'_>, signal: libc::c_int) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    // SAFETY: a null siginfo is allowed and means what kill(2) would send.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Never called: there is no pidfd here.
#[cfg(not(target_os = "linux"))]
pub(super) fn pidfd_send_signal(_pidfd: BorrowedFd<'_>, _signal: libc::c_int) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(libc::ENOSYS))
}

/// How far [`close_others`] has to look where it must look at every number: the limit, within reason.
pub(super) fn highest_number() -> RawFd {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` has room for the answer.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0;
    let most: RawFd = 65_536;
    if known {
        RawFd::try_from(limit.rlim_cur).map_or(most, |limit| limit.min(most))
    } else {
        most
    }
}

/// Between fork and exec: everything above 2 is closed by the exec. Not closed here, because the pipe that reports a
/// failed exec is among them. Async-signal-safe: system calls only, no memory is taken.
pub(super) fn close_others(highest: RawFd) {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: close_range(2) takes three ints and touches no memory of ours; with this flag it only sets flags.
        let done = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
        if done == 0 {
            return;
        }
    }
    for number in libc::STDERR_FILENO + 1..highest {
        // Most of them are not open: EBADF is the usual answer.
        let _ = fd::set_flags(number, libc::FD_CLOEXEC);
    }
}
