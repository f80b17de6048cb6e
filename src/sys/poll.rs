//! Waiting until a descriptor can be read, another one written.
//!
//! It refuses to watch more than these two, a process's end and what wakes: the loop that does is another file. Where
//! only the wire is watched, block in
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
    either(Some(fd), None, timeout).map(|ready| ready.input)
}

/// Waits until `fd` takes bytes, or never will.
pub(super) fn writable(fd: BorrowedFd<'_>) -> io::Result<()> {
    either(None, Some(fd), None).map(drop)
}

/// What can be done without blocking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// Bytes, an end or an error can be read.
    pub input: bool,
    /// Bytes are taken, or never will be.
    pub output: bool,
    /// The third descriptor can be read.
    pub end: bool,
    /// Bytes have arrived where they wake.
    pub woken: bool,
}

/// Waits until one of two descriptors is ready: `input` to be read, `output` to be written to. Neither: `timeout` has
/// passed.
///
/// # Errors
/// As [`readable`].
pub fn either(
    input: Option<BorrowedFd<'_>>,
    output: Option<BorrowedFd<'_>>,
    timeout: Option<Duration>,
) -> io::Result<Ready> {
    first_of(input, output, None, None, timeout)
}

/// The same, or until `end` can be read: what stands for a process whose end is waited for, too. Bytes that arrive at
/// `wake`, which are left there, end the wait, too.
///
/// # Errors
/// As [`readable`].
pub fn first_of(
    input: Option<BorrowedFd<'_>>,
    output: Option<BorrowedFd<'_>>,
    end: Option<BorrowedFd<'_>>,
    wake: Option<BorrowedFd<'_>>,
    timeout: Option<Duration>,
) -> io::Result<Ready> {
    // poll(2) passes over negative numbers.
    let entry = |fd: Option<BorrowedFd<'_>>, events| libc::pollfd {
        fd: fd.map_or(-1, |fd| fd.as_raw_fd()),
        events,
        revents: 0,
    };
    let mut entries = [
        entry(input, libc::POLLIN),
        entry(end, libc::POLLIN),
        entry(output, libc::POLLOUT),
        entry(wake, libc::POLLIN),
    ];
    // Each one costs, and most waits are for the first or the first two.
    let used = match (wake, output, end) {
        (Some(_), _, _) => 4,
        (None, Some(_), _) => 3,
        (None, None, Some(_)) => 2,
        (None, None, None) => 1,
    };
    if !wait(&mut entries[..used], timeout)? {
        return Ok(Ready::default());
    }
    Ok(Ready {
        input: entries[0].revents != 0,
        output: entries[2].revents != 0,
        end: entries[1].revents != 0,
        woken: entries[3].revents != 0,
    })
}

/// poll(2): `false` when the time is over. The entries are filled in even where one is not open, which is an error.
pub(super) fn wait(entries: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<bool> {
    // A time too far away for the clock is for ever.
    let deadline = timeout.and_then(|rest| Instant::now().checked_add(rest));
    loop {
        let rest = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let number = entries.len() as libc::nfds_t; // OK because they are few
                                                    // SAFETY: `entries` are that many pollfds, alive for the call.
        let count = unsafe { libc::poll(entries.as_mut_ptr(), number, rest.map_or(-1, milliseconds)) };
        if count > 0 {
            return if entries.iter().all(|entry| entry.revents & libc::POLLNVAL == 0) {
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
