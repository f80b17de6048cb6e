//! What makes of a copy a process like one that was just started: descriptors, group, signals, settings.
//!
//! It refuses to go on half settled: a copy that cannot have what was asked for says why on its stderr and ends with
//! [`BROKEN`].
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::ptr::null_mut;

use super::packet::Descriptors;
use super::server::BROKEN;
use super::settings;
use crate::sys::error::describe;
use crate::sys::{fd, stderr};
use crate::text;

/// In the copy. `kept` are the script's descriptors, in ascending order; every other but 0 to 2 is closed. With `zygote`,
/// the process it must not outlive.
pub(super) fn settle(mut fds: Descriptors, kept: &[RawFd], mask: &libc::sigset_t, zygote: Option<libc::pid_t>) {
    let mut from = [-1; 3];
    for (place, slot) in fds.iter().take(3).enumerate() {
        from[place] = slot.as_ref().map_or(-1, AsRawFd::as_raw_fd); // OK because there are three
    }
    let settings = fds[4].take();
    if let Err(error) = steps(from, fds[3].as_ref(), settings.as_ref(), kept, zygote) {
        let message = text::string(format_args!(
            "fkrpc: a process copied from a zygote cannot start: {}\n",
            describe(&error)
        ));
        stderr::log(message.as_bytes());
        // SAFETY: ends the process at once.
        unsafe { libc::_exit(BROKEN) }
    }
    // All are closed by now, by number; closing them again would hit others that were opened since.
    std::mem::forget((fds, settings));
    // SAFETY: the mask is a valid one, that of the process when it became a zygote.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask, null_mut()) };
}

fn steps(
    from: [RawFd; 3],
    folder: Option<&OwnedFd>,
    settings: Option<&OwnedFd>,
    kept: &[RawFd],
    zygote: Option<libc::pid_t>,
) -> io::Result<()> {
    // SAFETY: numbers alone. The descriptors of the request lie above 2, as 0 to 2 are open in a zygote, so that none is
    // overwritten before it is copied.
    unsafe {
        // stderr first: there is where everything after it is told.
        for (place, from) in from.into_iter().enumerate().rev() {
            fd::check(libc::dup2(from, place as RawFd))?; // OK because it is 0 to 2
        }
        libc::setpgid(0, 0);
        if let Some(zygote) = zygote {
            // The zygote has one thread, to which this is bound, so that it means the process here (prctl(2)).
            fd::check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
            if libc::getppid() != zygote {
                libc::_exit(BROKEN);
            }
        }
        if let Some(folder) = folder {
            fd::check(libc::fchdir(folder.as_raw_fd()))?;
        }
    }
    if let Some(settings) = settings {
        settings::apply(settings.as_fd())?;
    }
    close_all_but(kept);
    Ok(())
}

/// Closes every descriptor above 2 that is not in the list, which is in ascending order.
fn close_all_but(kept: &[RawFd]) {
    let mut first = libc::STDERR_FILENO + 1;
    for &number in kept.iter().chain([&RawFd::MAX]) {
        if first < number {
            close_range(first, number - 1);
        }
        first = number.saturating_add(1);
    }
}

fn close_range(first: RawFd, last: RawFd) {
    // SAFETY: close_range(2) takes three ints; whoever owned what it closes is gone with the zygote.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } == 0;
    if !done {
        // Linux before 5.9.
        // SAFETY: as above; sysconf(3) takes a number.
        unsafe {
            let limit = libc::sysconf(libc::_SC_OPEN_MAX).clamp(0, 1 << 16) as RawFd; // OK because it was clamped
            for number in first..=last.min(limit) {
                libc::close(number);
            }
        }
    }
}
