//! Folders: reading their entries; making, removing, renaming and linking names in them.
//!
//! Every name is taken relative to an open folder. It refuses to follow a symlink at the end of a path, and knows
//! nothing of what lies below a folder.
#![allow(unsafe_code)]

use std::ffi::{CStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::ptr::NonNull;

use super::fd;
use super::stat::Kind;

// The plain names have 32-bit fields on 32-bit glibc and fail on large inode numbers there.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
use libc::readdir as read_entry;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
use libc::readdir64 as read_entry;

/// The entries of an open folder, in the order the file system has them, without `.` and `..`.
#[derive(Debug)]
pub struct Entries {
    stream: NonNull<libc::DIR>,
}

impl Entries {
    /// Reads from `folder`, which must have been opened for reading.
    ///
    /// # Errors
    /// `ENOTDIR` when it is no folder (fdopendir(3)).
    pub fn new(folder: OwnedFd) -> io::Result<Self> {
        // SAFETY: the descriptor is open.
        let stream = unsafe { libc::fdopendir(folder.as_raw_fd()) };
        let Some(stream) = NonNull::new(stream) else {
            return Err(io::Error::last_os_error());
        };
        // The stream owns it from here on, and closes it.
        let _ = folder.into_raw_fd();
        Ok(Self { stream })
    }

    /// The next entry: its name and, where the file system says so, its kind. The name is good until the next call.
    ///
    /// # Errors
    /// What readdir(3) says.
    #[allow(clippy::should_implement_trait)] // the name is borrowed from the stream
    pub fn next(&mut self) -> Option<io::Result<(&CStr, Kind)>> {
        loop {
            clear_errno();
            // SAFETY: the stream is open until `drop`; `&mut self` keeps a second caller out.
            let entry = unsafe { read_entry(self.stream.as_ptr()) };
            if entry.is_null() {
                let error = io::Error::last_os_error();
                return match error.raw_os_error() {
                    None | Some(0) => None,
                    Some(_) => Some(Err(error)),
                };
            }
            // SAFETY: the entry is good until the next call on this stream, which the borrow of `self` excludes; its
            // name ends in a NUL. The entry may be shorter than its type: no reference to the whole of it is made.
            let (name, kind) = unsafe {
                (
                    CStr::from_ptr((&raw const (*entry).d_name).cast()),
                    (&raw const (*entry).d_type).read(),
                )
            };
            if name != c"." && name != c".." {
                return Some(Ok((name, kind_of(kind))));
            }
        }
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        // SAFETY: opened by `new`, closed here alone. The answer does not matter: nothing was written.
        unsafe { libc::closedir(self.stream.as_ptr()) };
    }
}

fn kind_of(kind: u8) -> Kind {
    match kind {
        libc::DT_REG => Kind::File,
        libc::DT_DIR => Kind::Directory,
        libc::DT_LNK => Kind::Link,
        libc::DT_FIFO => Kind::Fifo,
        libc::DT_SOCK => Kind::Socket,
        libc::DT_CHR => Kind::Char,
        libc::DT_BLK => Kind::Block,
        _ => Kind::Unknown,
    }
}

/// readdir(3) tells its end from a failure by errno alone.
fn clear_errno() {
    // SAFETY: errno is a place of this thread's own.
    unsafe {
        #[cfg(target_vendor = "apple")]
        let place = libc::__error();
        #[cfg(not(target_vendor = "apple"))]
        let place = libc::__errno_location();
        *place = 0;
    }
}

/// mkdirat(2).
///
/// # Errors
/// What mkdirat(2) says: `EEXIST` whatever is there.
pub fn make(folder: BorrowedFd<'_>, name: &CStr, mode: u32) -> io::Result<()> {
    #[allow(clippy::cast_possible_truncation)] // mode_t has 16 bits on macOS, and modes have 12
    let mode = mode as libc::mode_t;
    // SAFETY: `name` ends in a NUL and lives through the call; `folder` is open while it is borrowed.
    fd::check(unsafe { libc::mkdirat(folder.as_raw_fd(), name.as_ptr(), mode) }).map(drop)
}

/// unlinkat(2): removes an empty folder, or (`folder_itself` false) a name of anything else.
///
/// # Errors
/// What unlinkat(2) says: `ENOTEMPTY` or `EEXIST` when the folder is not empty.
pub fn unlink(folder: BorrowedFd<'_>, name: &CStr, folder_itself: bool) -> io::Result<()> {
    let flags = if folder_itself { libc::AT_REMOVEDIR } else { 0 };
    // SAFETY: as `make`.
    fd::check(unsafe { libc::unlinkat(folder.as_raw_fd(), name.as_ptr(), flags) }).map(drop)
}

/// renameat(2): one step that others see whole or not at all; a file at the new name is replaced.
///
/// # Errors
/// What renameat(2) says: `EXDEV` between file systems.
pub fn rename(from: BorrowedFd<'_>, name: &CStr, to: BorrowedFd<'_>, new: &CStr) -> io::Result<()> {
    // SAFETY: as `make`, twice.
    fd::check(unsafe { libc::renameat(from.as_raw_fd(), name.as_ptr(), to.as_raw_fd(), new.as_ptr()) }).map(drop)
}

/// symlinkat(2): a symlink `name` whose text is `target`.
///
/// # Errors
/// What symlinkat(2) says: `EEXIST` whatever is there.
pub fn symlink(target: &CStr, folder: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    // SAFETY: as `make`, for both texts.
    fd::check(unsafe { libc::symlinkat(target.as_ptr(), folder.as_raw_fd(), name.as_ptr()) }).map(drop)
}

/// The text of a symlink (readlinkat(2)).
///
/// # Errors
/// `EINVAL` when it is something else; else what readlinkat(2) says.
pub fn readlink(folder: BorrowedFd<'_>, name: &CStr) -> io::Result<OsString> {
    let mut size = 256;
    loop {
        let mut text: Vec<u8> = Vec::new();
        text.try_reserve_exact(size)
            .map_err(|_| io::Error::from_raw_os_error(libc::ENOMEM))?;
        text.resize(size, 0);
        // SAFETY: as `make`; `text` is writable for `size` bytes.
        let count = unsafe { libc::readlinkat(folder.as_raw_fd(), name.as_ptr(), text.as_mut_ptr().cast(), size) };
        let Ok(count) = usize::try_from(count) else {
            return Err(io::Error::last_os_error());
        };
        // A text that fills the place may have been cut.
        if count < size {
            text.truncate(count);
            return Ok(OsString::from_vec(text));
        }
        size *= 2;
    }
}

/// Makes the folder at `path` the process's working directory (chdir(2)).
///
/// # Errors
/// What chdir(2) says.
pub fn enter(path: &CStr) -> io::Result<()> {
    // SAFETY: as `make`.
    fd::check(unsafe { libc::chdir(path.as_ptr()) }).map(drop)
}

/// The process's working directory: absolute, without symlinks (getcwd(3)).
///
/// # Errors
/// What getcwd(3) says: `ENOENT` when it was removed; `ENOMEM`.
pub fn current() -> io::Result<Vec<u8>> {
    let mut size = 256;
    loop {
        let mut text: Vec<u8> = Vec::new();
        text.try_reserve_exact(size)
            .map_err(|_| io::Error::from_raw_os_error(libc::ENOMEM))?;
        text.resize(size, 0);
        // SAFETY: `text` is writable for `size` bytes; what is written ends with a NUL.
        if !unsafe { libc::getcwd(text.as_mut_ptr().cast(), size) }.is_null() {
            text.truncate(text.iter().position(|&byte| byte == 0).unwrap_or(size));
            return Ok(text);
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::ERANGE) {
            return Err(error);
        }
        size *= 2;
    }
}
