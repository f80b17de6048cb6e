//! Waiting until one descriptor can be read or written.
//!
//! It refuses to watch more than one: the loop that does is another file. Where only the wire is watched, block in
//! [`super::fd::read`] instead, a poll before every read costs as much as a tenth of an answer.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Waits until `fd` can be read without blocking: bytes, the end of the stream, a writer that has gone, an error.
/// `false`: `timeout` has passed; `None` waits for ever. Runs on the monotonic clock, in steps of a millisecond rounded
/// up, and goes on with the rest of the time after a signal.
///
/// # Errors
/// `EBADF` when `fd` is not open, else what poll(2) says.
pub fn readable(fd: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<bool> {
    wait(fd, libc::POLLIN, timeout)
}

/// Waits until `fd` takes bytes, or never will.
pub(super) fn writable(fd: BorrowedFd<'_>) -> io::Result<()> {
    wait(fd, libc::POLLOUT, None).map(drop)
}

fn wait(fd: BorrowedFd<'_>, events: libc::c_short, timeout: Option<Duration>) -> io::Result<bool> {
    // A time too far away for the clock is for ever.
    let deadline = timeout.and_then(|rest| Instant::now().checked_add(rest));
    let mut entry = libc::pollfd {
        fd: fd.as_raw_fd(),
        events,
        revents: 0,
    };
    loop {
        let rest = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        // SAFETY: `entry` is one pollfd, alive for the call.
        let count = unsafe { libc::poll(&raw mut entry, 1, rest.map_or(-1, milliseconds)) };
        if count == 1 {
            return if entry.revents & libc::POLLNVAL == 0 {
                Ok(true)
            } else {
                Err(io::Error::from_raw_os_error(libc::EBADF))
            };
        }
        if count == -1 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        } else if rest.is_some_and(|rest| rest.is_zero()) || deadline.is_some_and(|at| at <= Instant::now()) {
            return Ok(false);
        }
    }
}

/// What poll(2) takes: rounded up, so that nothing ends before its time; longer times are waited for in parts.
fn milliseconds(rest: Duration) -> libc::c_int {
    libc::c_int::try_from(rest.as_nanos().div_ceil(1_000_000)).unwrap_or(libc::c_int::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_millisecond_is_rounded_up_and_months_are_waited_for_in_parts() {
        assert_eq!(milliseconds(Duration::ZERO), 0);
        assert_eq!(milliseconds(Duration::from_nanos(1)), 1);
        assert_eq!(milliseconds(Duration::from_micros(1_001)), 2);
        assert_eq!(milliseconds(Duration::from_secs(60 * 86_400)), libc::c_int::MAX);
    }
}
