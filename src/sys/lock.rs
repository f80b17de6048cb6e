//! Record locks (fcntl(2), `F_SETLK`) and hard links (link(2)): what file libraries of Lua have beside plain files.
//!
//! It refuses to wait for a lock: who cannot have it now is told so.
#![allow(unsafe_code)]

use super::fd;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Shared with other readers.
    Read,
    /// Exclusive.
    Write,
    /// Give it back.
    Free,
}

/// Lock or free `length` bytes from `start` on (0: to the end, however far it moves). The lock belongs to the process.
///
/// # Errors
/// What fcntl(2) says: `EAGAIN` or `EACCES` where another process holds a lock, `EBADF` where the file is not open for
/// that kind of use.
pub fn record(file: BorrowedFd<'_>, lock: Lock, start: i64, length: i64) -> io::Result<()> {
    let kind = match lock {
        Lock::Read => libc::F_RDLCK,
        Lock::Write => libc::F_WRLCK,
        Lock::Free => libc::F_UNLCK,
    };
    // SAFETY: zeroed is a valid value of this plain struct.
    let mut request: libc::flock = unsafe { std::mem::zeroed() };
    request.l_type = kind as _; // OK because the three constants fit every platform's type of the field
    request.l_whence = libc::SEEK_SET as _; // OK because it is 0
    request.l_start = start as _; // OK because off_t has 64 bits where this library is built
    request.l_len = length as _; // OK as above
                                 // SAFETY: `file` is open while it is borrowed, and `request` lives through the call.
    fd::check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLK, &raw const request) })?;
    Ok(())
}

/// Another name for a file.
///
/// # Errors
/// What link(2) says.
pub fn hard_link(path: &[u8], name: &[u8]) -> io::Result<()> {
    std::fs::hard_link(OsStr::from_bytes(path), OsStr::from_bytes(name))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_lock_can_be_had_and_given_back_and_a_pipe_has_none() {
        let folder = std::env::temp_dir().join(format!("fkrpc-lock-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (path, name) = (folder.join("a"), folder.join("b"));
        let file = std::fs::File::create(&path).unwrap();
        record(file.as_fd(), Lock::Write, 0, 0).unwrap();
        record(file.as_fd(), Lock::Free, 0, 0).unwrap();
        assert_eq!(
            record(file.as_fd(), Lock::Read, 0, 0).unwrap_err().raw_os_error(),
            Some(libc::EBADF)
        );
        hard_link(path.as_os_str().as_bytes(), name.as_os_str().as_bytes()).unwrap();
        assert!(name.exists());
        let again = hard_link(path.as_os_str().as_bytes(), name.as_os_str().as_bytes());
        assert_eq!(again.unwrap_err().raw_os_error(), Some(libc::EEXIST));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
