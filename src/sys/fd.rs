//! Descriptors: reading, writing, duplicating, pipes.
//!
//! It refuses to change a flag of an open file description (`O_NONBLOCK`): an inherited descriptor shares it with
//! processes that know nothing of us. And it never hands out 0, 1 or 2: what lies there is taken for stdio by the next
//! program.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use super::poll;

/// Linux moves at most this many bytes in one call (read(2)); macOS fails with EINVAL above `INT_MAX`.
const MOST_PER_CALL: usize = 0x7fff_f000;

/// One read(2) into `buffer`; 0 is the end of the stream. An interrupted call is made again.
///
/// # Errors
/// What read(2) says, `EAGAIN` on a non-blocking descriptor included.
pub fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let length = buffer.len().min(MOST_PER_CALL);
    // SAFETY: `fd` is open while it is borrowed, and `buffer` is writable for `length` bytes, which is at most its own.
    let count = retry(|| unsafe { libc::read(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), length) })?;
    Ok(count.unsigned_abs())
}

/// The same; an interrupted call is not made again.
///
/// # Errors
/// As [`read`], and `EINTR`.
#[inline(always)]
pub fn read_once(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let length = buffer.len().min(MOST_PER_CALL);
    // SAFETY: as in `read`.
    let count = unsafe { libc::read(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), length) };
    if count < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(count.unsigned_abs())
}

/// How many bytes of a pipe can be read without waiting (ioctl(2), `FIONREAD`); 0 where that cannot be known.
pub fn unread(fd: BorrowedFd<'_>) -> usize {
    let mut count: libc::c_int = 0;
    // SAFETY: the call writes one int.
    unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut count) };
    usize::try_from(count).unwrap_or(0)
}

/// Writes all of `bytes`: short writes are continued, interrupted ones made again, and where a descriptor that somebody
/// made non-blocking is full this waits until it takes more.
///
/// # Errors
/// What write(2) says; a part may have been written by then. `EPIPE` only where `SIGPIPE` does not kill first: hold a
/// [`super::signal::SigpipeGuard`].
pub fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match write(fd, bytes) {
            Ok(0) => return Err(io::Error::from_raw_os_error(libc::EIO)),
            // OK because write(2) never claims more than it was given.
            Ok(count) => bytes = &bytes[count..],
            // The answer does not matter: when the reader has gone, the next write says so.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => poll::writable(fd)?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// One write(2); an interrupted call is made again.
pub(super) fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let length = bytes.len().min(MOST_PER_CALL);
    // SAFETY: `fd` is open while it is borrowed, and `bytes` is readable for `length` bytes, which is at most its own.
    let count = retry(|| unsafe { libc::write(fd.as_raw_fd(), bytes.as_ptr().cast(), length) })?;
    Ok(count.unsigned_abs())
}

/// A close-on-exec copy of `fd` with the lowest free number that is at least `least` (fcntl(2), `F_DUPFD_CLOEXEC`).
///
/// # Errors
/// `EMFILE` when no number is free, `EINVAL` when `least` is not below the limit (`ulimit -n`) or negative.
pub fn dup_cloexec(fd: BorrowedFd<'_>, least: i32) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes an int and touches no memory of ours.
    let copy = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) })?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// A pipe: the end to read from and the end to write to, both close-on-exec and both above 2.
///
/// # Errors
/// `EMFILE` and `ENFILE` when descriptors have run out (pipe(2)).
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends: [RawFd; 2] = [-1; 2];
    // SAFETY: `ends` has room for the two descriptors.
    #[cfg(not(target_vendor = "apple"))]
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    // SAFETY: as above. macOS has no pipe2(2): a fork of another thread between the two calls inherits the ends.
    #[cfg(target_vendor = "apple")]
    check(unsafe { libc::pipe(ends.as_mut_ptr()) })?;
    // SAFETY: the kernel has just made both, and nobody else knows of them.
    let (reader, writer) = unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) };
    #[cfg(target_vendor = "apple")]
    for end in [&reader, &writer] {
        set_flags(end.as_raw_fd(), libc::FD_CLOEXEC)?;
    }
    Ok((above_stdio(reader)?, above_stdio(writer)?))
}

/// `fd` itself, or a copy above 2 where it took the place of a closed standard stream.
pub(super) fn above_stdio(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > libc::STDERR_FILENO {
        return Ok(fd);
    }
    dup_cloexec(fd.as_fd(), libc::STDERR_FILENO + 1)
}

/// The descriptor flags (`FD_CLOEXEC` or 0) of a number; `EBADF` when nothing is open there.
pub(super) fn flags(number: RawFd) -> io::Result<libc::c_int> {
    // SAFETY: F_GETFD takes no argument; a number that is not open is answered with EBADF.
    check(unsafe { libc::fcntl(number, libc::F_GETFD) })
}

/// Sets the descriptor flags of a number.
pub(super) fn set_flags(number: RawFd, flags: libc::c_int) -> io::Result<()> {
    // SAFETY: F_SETFD takes an int; a number that is not open is answered with EBADF.
    check(unsafe { libc::fcntl(number, libc::F_SETFD, flags) }).map(drop)
}

/// The result of a system call, or errno where it is -1.
pub(super) fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

/// The same for calls without a wrapper (syscall(2)).
#[cfg(target_os = "linux")]
pub(super) fn check_long(result: libc::c_long) -> io::Result<libc::c_long> {
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

pub(super) fn retry(mut call: impl FnMut() -> libc::ssize_t) -> io::Result<libc::ssize_t> {
    loop {
        let result = call();
        if result >= 0 {
            return Ok(result);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
