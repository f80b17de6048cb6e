//! Writing a file whole or not at all.
//!
//! The bytes go to a new file beside the old one, which takes the old one's name when they are on the disk: after a
//! crash, a kill or a full disk the name stands for the old contents or the new ones. It refuses to write through a
//! symlink (the symlink is replaced), and to replace what is no file.
//!
//! A process that is killed in between leaves its `.fkrpc-*.tmp` behind: nobody else can know that it is over.

use std::ffi::{CStr, CString};
use std::fs::{File, Permissions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{fchown, PermissionsExt};

use super::error::{Error, Reason};
use super::path::{c_path, parts};
use super::Base;
use crate::sys::stat::{self, Kind, Stat};
use crate::sys::{clock, dir, openat};

/// How many names are tried: that even one is taken is as likely as a random number hit twice.
const NAMES: usize = 16;

/// A file beside the target; removed unless it became the target.
struct Temporary<'a> {
    folder: BorrowedFd<'a>,
    name: CString,
    file: File,
    kept: bool,
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.kept {
            // The failure that brought us here is the one to report.
            let _ = dir::unlink(self.folder, &self.name, false);
        }
    }
}

impl Base {
    /// Makes `bytes` the contents of `path`, in one step that outlives a crash: temporary file beside it (`O_EXCL`),
    /// fsync(2), renameat(2), fsync(2) of the folder. It gets the permissions `mode`, or those (and, where allowed, the
    /// owner) of the file it replaces, or those of any new file.
    ///
    /// # Errors
    /// `ENOSPC`, `EDQUOT`, `EFBIG` and whatever else opening, writing, syncing and renaming say; the old file is then
    /// untouched and the temporary one removed. Only where the last step alone fails, syncing the folder, is the new
    /// file in place already.
    pub fn write_atomic(&self, path: &[u8], bytes: &[u8], mode: Option<u32>) -> Result<(), Error> {
        self.replace(path, bytes, mode)
            .map_err(|reason| Error::new("write", path, reason))
    }

    fn replace(&self, path: &[u8], bytes: &[u8], mode: Option<u32>) -> Result<(), Reason> {
        let end = parts(path);
        if path.is_empty() {
            return Err(Reason::errno(libc::ENOENT));
        }
        let folder = self.open(end.folder, libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
        if end.slash || !end.has_name() {
            return Err(Reason::errno(libc::EISDIR));
        }
        let name = c_path(end.name)?;
        let old = present(&folder, &name)?;
        let mut temporary = Temporary::new(folder.as_fd(), old.is_some() || mode.is_some())?;
        temporary.file.write_all(bytes)?;
        // After the bytes: writing takes the setuid bit away (write(2)).
        temporary.dress(old.as_ref(), mode)?;
        temporary.file.sync_all()?;
        dir::rename(folder.as_fd(), &temporary.name, folder.as_fd(), &name)?;
        temporary.kept = true;
        drop(temporary);
        match File::from(folder).sync_all() {
            // A file system that cannot sync folders (fsync(2)).
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
            Err(_) => Err(Reason::because(
                libc::EIO,
                "it is written, but its folder could not be synced to the disk",
            )),
            Ok(()) => Ok(()),
        }
    }
}

/// The file that is to be replaced, if there is one; what is neither a file nor a symlink is refused.
fn present(folder: &OwnedFd, name: &CStr) -> Result<Option<Stat>, Reason> {
    match stat::named(folder.as_fd(), name, false) {
        Ok(found) => match found.kind {
            Kind::File => Ok(Some(found)),
            Kind::Link => Ok(None),
            Kind::Directory => Err(Reason::errno(libc::EISDIR)),
            _ => Err(Reason::because(libc::EINVAL, "not a regular file")),
        },
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl<'a> Temporary<'a> {
    /// A new file in `folder`; for its owner alone (`private`) until it is dressed, so that nobody opens what they may
    /// not read.
    fn new(folder: BorrowedFd<'a>, private: bool) -> Result<Self, Reason> {
        let mode = if private { 0o600 } else { 0o666 };
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
        let mut last = io::Error::from_raw_os_error(libc::EEXIST);
        for _ in 0..NAMES {
            // In place: memory may be short. OK because 16 digits fit in what is left for them.
            let mut name = *b".fkrpc-0123456789abcdef.tmp";
            let _ = write!(&mut name[7..23], "{:016x}", random());
            let name = c_path(&name)?;
            match openat::open(folder, &name, flags, mode) {
                Ok(file) => {
                    return Ok(Self {
                        folder,
                        name,
                        file: File::from(file),
                        kept: false,
                    })
                }
                Err(error) if error.raw_os_error() == Some(libc::EEXIST) => last = error,
                Err(error) => return Err(error.into()),
            }
        }
        Err(last.into())
    }

    /// Gives the file the permissions that were asked for or those of the old one, and the old one's owner as far as
    /// the system lets us.
    fn dress(&self, old: Option<&Stat>, mode: Option<u32>) -> Result<(), Reason> {
        let mut wanted = mode;
        if let Some(old) = old {
            let mine = stat::open(self.file.as_fd())?;
            let strange = (mine.uid, mine.gid) != (old.uid, old.gid);
            let owned = !strange || fchown(&self.file, Some(old.uid), Some(old.gid)).is_ok();
            // Bits that run a program as its owner must not pass to another owner.
            let bits = if owned { 0o7777 } else { 0o777 };
            wanted = wanted.or(Some(old.mode & bits));
        }
        if let Some(mode) = wanted {
            self.file.set_permissions(Permissions::from_mode(mode))?;
        }
        Ok(())
    }
}

/// A number that others do not guess and two processes do not share: the standard library's keys come from the system,
/// and a forked process differs by its number and the time.
fn random() -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    hasher.write_i64(clock::monotonic_us());
    hasher.finish()
}
