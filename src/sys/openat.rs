//! Opening by a path that starts at an open folder: openat(2), and openat2(2), which keeps the path below it.
//!
//! It refuses to hand out 0, 1 or 2, and every descriptor it makes is close-on-exec. It refuses to decide what to do
//! where the kernel has no openat2: [`open_beneath`] fails with `ENOSYS` there.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use super::fd;

/// The process's working directory in place of an open folder.
// SAFETY: `BorrowedFd` excludes -1 alone; every call in this layer takes AT_FDCWD where it takes a folder.
pub const CWD: BorrowedFd<'static> = unsafe { BorrowedFd::borrow_raw(libc::AT_FDCWD) };

/// The flag for a descriptor that only stands for a place (`O_PATH`); where there is none, one that can be read.
pub const PLACE: libc::c_int = if cfg!(target_os = "linux") {
    O_PATH
} else {
    libc::O_RDONLY
};

#[cfg(target_os = "linux")]
const O_PATH: libc::c_int = libc::O_PATH;
#[cfg(not(target_os = "linux"))]
const O_PATH: libc::c_int = 0;

/// openat(2). An interrupted call is made again.
///
/// # Errors
/// What openat(2) says.
pub fn open(folder: BorrowedFd<'_>, path: &CStr, flags: libc::c_int, mode: u32) -> io::Result<OwnedFd> {
    loop {
        // SAFETY: `path` ends in a NUL and lives through the call; `folder` is open while it is borrowed.
        let number = unsafe {
            libc::openat(
                folder.as_raw_fd(),
                path.as_ptr(),
                flags | libc::O_CLOEXEC,
                libc::c_uint::from(mode),
            )
        };
        if let Some(made) = owned(number) {
            return made;
        }
    }
}

/// How often [`open_beneath`] tries again while folders are renamed around it.
#[cfg(target_os = "linux")]
const TRIES: usize = 128;

/// openat2(2) with `RESOLVE_BENEATH` and `RESOLVE_NO_MAGICLINKS`: the kernel itself refuses, at every step of the path,
/// to leave `folder`, by `..`, an absolute path or a symlink, whatever others rename meanwhile.
///
/// # Errors
/// `EXDEV` when the path leads out; `ENOSYS` where there is no openat2 (Linux before 5.6, other systems); `EAGAIN` when
/// others kept renaming folders; else what openat(2) says.
#[cfg(target_os = "linux")]
pub fn open_beneath(folder: BorrowedFd<'_>, path: &CStr, flags: libc::c_int, mode: u32) -> io::Result<OwnedFd> {
    // SAFETY: all-zero is a valid open_how: no flags, no mode, no restrictions.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    // OK because flags are small non-negative bits.
    how.flags = u64::from((flags | libc::O_CLOEXEC).unsigned_abs());
    how.mode = if flags & libc::O_CREAT != 0 { u64::from(mode) } else { 0 };
    how.resolve = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_MAGICLINKS;
    let mut tries = 0;
    loop {
        // SAFETY: `path` ends in a NUL, `how` is initialised, both live through the call, and the size is its own.
        let number = unsafe {
            libc::syscall(
                libc::SYS_openat2,
                folder.as_raw_fd(),
                path.as_ptr(),
                &raw const how,
                size_of::<libc::open_how>(),
            )
        };
        match owned(RawFd::try_from(number).unwrap_or(-1)) {
            // "A race occurred with a '..' component": the call may be made again (openat2(2)).
            Some(Err(error)) if error.raw_os_error() == Some(libc::EAGAIN) && tries < TRIES => tries += 1,
            Some(made) => return made,
            None => {}
        }
    }
}

/// There is no openat2(2) here.
///
/// # Errors
/// `ENOSYS`, always.
#[cfg(not(target_os = "linux"))]
pub fn open_beneath(_folder: BorrowedFd<'_>, _path: &CStr, _flags: libc::c_int, _mode: u32) -> io::Result<OwnedFd> {
    Err(io::Error::from_raw_os_error(libc::ENOSYS))
}

/// Makes the open folder the process's working directory (fchdir(2)).
///
/// # Errors
/// What fchdir(2) says.
pub fn enter(folder: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the call takes a descriptor, which is open while it is borrowed, and no memory.
    fd::check(unsafe { libc::fchdir(folder.as_raw_fd()) }).map(drop)
}

/// The result of an opening call; `None` when a signal interrupted it.
fn owned(number: RawFd) -> Option<io::Result<OwnedFd>> {
    if number >= 0 {
        // SAFETY: the kernel has just made this descriptor, and nobody else knows of it.
        return Some(fd::above_stdio(unsafe { OwnedFd::from_raw_fd(number) }));
    }
    let error = io::Error::last_os_error();
    (error.kind() != io::ErrorKind::Interrupted).then_some(Err(error))
}
