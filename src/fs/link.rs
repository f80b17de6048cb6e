//! Symlinks: making one, reading one.
//!
//! It refuses to judge a symlink's text: a root lets one be made that points anywhere, and follows none that leads out.

use super::error::{Error, Reason};
use super::path::c_path;
use super::Base;
use crate::sys::dir;
use std::os::unix::ffi::OsStringExt;

impl Base {
    /// Makes a symlink at `path` that holds `target`.
    ///
    /// # Errors
    /// `EEXIST` when something is there, and what symlinkat(2) says.
    pub fn symlink(&self, target: &[u8], path: &[u8]) -> Result<(), Error> {
        let made = || -> Result<(), Reason> {
            let target = c_path(target)?;
            let spot = self.locate(path)?;
            if spot.slash {
                return Err(Reason::errno(libc::ENOTDIR));
            }
            Ok(dir::symlink(&target, spot.folder(), &spot.name)?)
        };
        made().map_err(|reason| Error::between("link", path, Some(target), reason))
    }

    /// What the symlink at `path` holds.
    ///
    /// # Errors
    /// `EINVAL` when it is something else, and what readlinkat(2) says.
    pub fn readlink(&self, path: &[u8]) -> Result<Vec<u8>, Error> {
        let read = || -> Result<Vec<u8>, Reason> {
            let spot = self.locate(path).map_err(|reason| {
                // `.` and `..` are folders.
                if reason == Reason::NO_NAME {
                    NO_SYMLINK
                } else {
                    reason
                }
            })?;
            if spot.slash {
                spot.stat()?;
            }
            let text = dir::readlink(spot.folder(), &spot.name);
            text.map(OsStringExt::into_vec).map_err(|error| {
                if error.raw_os_error() == Some(libc::EINVAL) {
                    NO_SYMLINK
                } else {
                    error.into()
                }
            })
        };
        read().map_err(|reason| Error::new("read link", path, reason))
    }
}

/// The system says "Invalid argument".
const NO_SYMLINK: Reason = Reason::because(libc::EINVAL, "not a symbolic link");
