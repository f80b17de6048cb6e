//! Folders: making them, going into one, where we are.
//!
//! It refuses to keep a working directory of its own: there is one, the process's.

use std::os::fd::AsFd;

use super::error::{Error, Reason};
use super::path::c_path;
use super::Base;
use crate::sys::stat::Kind;
use crate::sys::{dir, openat};

impl Base {
    /// Makes the folder `path`; with `parents` those above it, too, and one that is there already is well.
    ///
    /// # Errors
    /// `EEXIST` when something is there (with `parents`: something else than a folder), and what mkdirat(2) says.
    pub fn mkdir(&self, path: &[u8], mode: u32, parents: bool) -> Result<(), Error> {
        let made = if parents {
            self.make_all(path, mode)
        } else {
            self.make(path, mode)
        };
        made.map_err(|reason| Error::new("make folder", path, reason))
    }

    fn make(&self, path: &[u8], mode: u32) -> Result<(), Reason> {
        let spot = self.locate(path)?;
        Ok(dir::make(spot.folder(), &spot.name, mode)?)
    }

    fn make_all(&self, path: &[u8], mode: u32) -> Result<(), Reason> {
        // The usual case first: all but the last are there.
        match self.make(path, mode) {
            Err(reason) if (reason.errno == libc::ENOENT || reason == Reason::NO_NAME) && !path.is_empty() => {}
            Err(reason) => return self.is_folder(path, reason),
            made => return made,
        }
        let mut end = 0;
        while end < path.len() {
            // OK because `end` is within the path.
            let rest = &path[end..];
            let slashes = rest.iter().take_while(|&&byte| byte == b'/').count();
            let name = rest.iter().skip(slashes).take_while(|&&byte| byte != b'/').count();
            end += slashes + name;
            let upto = &path[..end];
            match self.make(upto, mode) {
                Ok(()) => {}
                Err(reason) => self.is_folder(upto, reason)?,
            }
        }
        Ok(())
    }

    /// Fine if `path` leads to a folder, else the reason why it could not be made.
    fn is_folder(&self, path: &[u8], reason: Reason) -> Result<(), Reason> {
        if reason.errno == libc::EEXIST || reason == Reason::NO_NAME {
            if let Ok(found) = self.look(path, true) {
                if found.kind == Kind::Directory {
                    return Ok(());
                }
            }
        }
        Err(reason)
    }

    /// Makes the folder `path` the process's working directory.
    ///
    /// # Errors
    /// What chdir(2) says.
    pub fn cd(&self, path: &[u8]) -> Result<(), Error> {
        self.enter(path)
            .map_err(|reason| Error::new("change to folder", path, reason))
    }

    fn enter(&self, path: &[u8]) -> Result<(), Reason> {
        match self {
            Self::Process => Ok(dir::enter(&c_path(path)?)?),
            _ => Ok(openat::enter(self.place(path)?.as_fd())?),
        }
    }

    /// The process's working directory: absolute, without symlinks (getcwd(3)).
    ///
    /// # Errors
    /// `ENOENT` when it was removed.
    pub fn pwd() -> Result<Vec<u8>, Error> {
        dir::current().map_err(|error| Error::new("find the working directory", b".", error))
    }
}
