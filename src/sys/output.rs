//! Writing without ever blocking, whatever kind of descriptor it is.
//!
//! `poll(2)` promises one free page at best, and not even that on a terminal, so a blocking `write(2)` after it can
//! still block. And `O_NONBLOCK` belongs to the open file description, which an inherited descriptor shares with
//! processes that know nothing of us: it refuses to set that. What is used is found out once:
//!
//! | descriptor | way |
//! |---|---|
//! | socket | `send(2)` with `MSG_DONTWAIT` |
//! | pipe, FIFO | the same pipe opened anew through `/proc/self/fd` (proc(5)), non-blocking for us alone |
//! | the same where that fails | `pwritev2(2)` with `RWF_NOWAIT`, Linux 6.4 and later |
//! | the same where the kernel is older | `poll(2)` and at most `PIPE_BUF` bytes (pipe(7)) |
//! | terminal | opened anew, or else as it is |
//! | regular file and the rest | as it is: they do not wait for readers |
#![allow(unsafe_code)]

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::{fd, poll};

/// POSIX: a pipe that poll(2) calls writable takes this many bytes (pipe(7); 4096 on Linux, at least 512 everywhere).
const PIPE_BUF: usize = if cfg!(target_os = "linux") { 4096 } else { 512 };

/// How a descriptor is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `write(2)` on a description of ours that is non-blocking.
    Reopened,
    /// `send(2)`, `MSG_DONTWAIT`.
    Socket,
    /// `pwritev2(2)`, `RWF_NOWAIT`.
    NoWait,
    /// `poll(2)`, then no more than a pipe takes.
    Sliced,
    /// `write(2)` on what does not wait for a reader.
    Plain,
}

/// A descriptor to write to.
#[derive(Debug)]
pub struct Output {
    fd: OwnedFd,
    way: Cell<Way>,
}

impl Output {
    /// Take `fd` and find out how to write to it.
    #[must_use]
    pub fn new(fd: OwnedFd) -> Self {
        let (fd, way) = match kind(fd.as_fd()) {
            libc::S_IFSOCK => (fd, Way::Socket),
            libc::S_IFIFO => match reopened(fd.as_fd()) {
                Some(own) => (own, Way::Reopened),
                None if cfg!(target_os = "linux") => (fd, Way::NoWait),
                None => (fd, Way::Sliced),
            },
            libc::S_IFCHR if is_terminal(fd.as_fd()) => match reopened(fd.as_fd()) {
                Some(own) => (own, Way::Reopened),
                None => (fd, Way::Plain),
            },
            _ => (fd, Way::Plain),
        };
        Self {
            fd,
            way: Cell::new(way),
        }
    }

    /// The same descriptor written to in another way: what older systems are left with.
    #[must_use]
    pub fn with_way(fd: OwnedFd, way: Way) -> Self {
        Self {
            fd,
            way: Cell::new(way),
        }
    }

    /// How it is written to.
    #[must_use]
    pub fn way(&self) -> Way {
        self.way.get()
    }

    /// Write as many of `bytes` as are taken without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if none are; else what the system says.
    #[inline(always)]
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.way.get() {
            Way::Reopened | Way::Plain => fd::write(self.fd.as_fd(), bytes),
            way => self.write_by(way, bytes),
        }
    }

    #[inline(never)]
    fn write_by(&self, way: Way, bytes: &[u8]) -> io::Result<usize> {
        match way {
            Way::Reopened | Way::Plain => fd::write(self.fd.as_fd(), bytes),
            Way::Socket => self.send(bytes),
            Way::NoWait => match self.write_no_wait(bytes) {
                // The kernel, or what lies behind the descriptor, does not know the flag.
                Err(error) if is_unknown(&error) => {
                    self.way.set(Way::Sliced);
                    self.write_slice(bytes)
                }
                written => written,
            },
            Way::Sliced => self.write_slice(bytes),
        }
    }

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        fd::retry(|| {
            // SAFETY: the descriptor is open, and `bytes` is readable for its length. SIGPIPE is the guard's matter.
            unsafe {
                libc::send(
                    self.fd.as_raw_fd(),
                    bytes.as_ptr().cast(),
                    bytes.len(),
                    libc::MSG_DONTWAIT,
                )
            }
        })
        .map(isize::unsigned_abs)
    }

    #[cfg(target_os = "linux")]
    fn write_no_wait(&self, bytes: &[u8]) -> io::Result<usize> {
        let part = libc::iovec {
            iov_base: bytes.as_ptr().cast_mut().cast(),
            iov_len: bytes.len(),
        };
        fd::retry(|| {
            // SAFETY: the descriptor is open, `part` is readable for its length, and the call only reads from it.
            unsafe { libc::pwritev2(self.fd.as_raw_fd(), &raw const part, 1, -1, libc::RWF_NOWAIT) }
        })
        .map(isize::unsigned_abs)
    }

    #[cfg(not(target_os = "linux"))]
    fn write_no_wait(&self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::from_raw_os_error(libc::ENOSYS))
    }

    fn write_slice(&self, bytes: &[u8]) -> io::Result<usize> {
        if !poll::either(None, Some(self.fd.as_fd()), Some(std::time::Duration::ZERO))?.output {
            return Err(io::Error::from(io::ErrorKind::WouldBlock));
        }
        fd::write(self.fd.as_fd(), &bytes[..bytes.len().min(PIPE_BUF)])
    }
}

/// Write what `number` takes of `bytes` without waiting; the rest is dropped, and so is all of it where nothing is open.
/// SIGPIPE must be blocked or handled.
pub(super) fn offer(number: i32, bytes: &[u8]) {
    // SAFETY: borrowed for this call only; where it is closed the system says EBADF.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    let Ok(copy) = fd::dup_cloexec(fd, libc::STDERR_FILENO + 1) else {
        return;
    };
    let way = match kind(fd) {
        libc::S_IFSOCK => Way::Socket,
        libc::S_IFREG => Way::Plain,
        _ if cfg!(target_os = "linux") => Way::NoWait,
        _ => Way::Sliced,
    };
    let output = Output::with_way(copy, way);
    let mut rest = bytes;
    while let (false, Ok(count @ 1..)) = (rest.is_empty(), output.write(rest)) {
        rest = rest.get(count..).unwrap_or_default();
    }
}

impl AsFd for Output {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The file type bits, or zero if they cannot be had.
fn kind(fd: BorrowedFd<'_>) -> libc::mode_t {
    let mut stat = std::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: `stat` has room for the answer; all zeros are a valid stat.
    let stat = unsafe {
        libc::fstat(fd.as_raw_fd(), stat.as_mut_ptr());
        stat.assume_init()
    };
    stat.st_mode & libc::S_IFMT
}

fn is_terminal(fd: BorrowedFd<'_>) -> bool {
    // SAFETY: the descriptor is open.
    unsafe { libc::isatty(fd.as_raw_fd()) == 1 }
}

/// The same file, opened for writing once more, non-blocking and close-on-exec.
#[cfg(target_os = "linux")]
fn reopened(fd: BorrowedFd<'_>) -> Option<OwnedFd> {
    use std::io::Write;
    let mut path = [0u8; 40];
    write!(&mut path[..39], "/proc/self/fd/{}", fd.as_raw_fd()).ok()?;
    let flags = libc::O_WRONLY | libc::O_NONBLOCK | libc::O_CLOEXEC | libc::O_NOCTTY;
    // SAFETY: `path` ends with a zero byte: 39 bytes at most were written.
    let number = unsafe { libc::open(path.as_ptr().cast(), flags) };
    if number < 0 {
        return None;
    }
    // SAFETY: the kernel has just made this descriptor, and nobody else knows of it.
    fd::above_stdio(unsafe { OwnedFd::from_raw_fd(number) }).ok()
}

/// Elsewhere `/dev/fd` duplicates the description instead of opening a new one.
#[cfg(not(target_os = "linux"))]
fn reopened(_: BorrowedFd<'_>) -> Option<OwnedFd> {
    None
}

fn is_unknown(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EOPNOTSUPP | libc::ENOSYS | libc::EINVAL)
    )
}
