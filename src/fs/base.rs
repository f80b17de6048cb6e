//! Where paths start: the process's working directory, or a [`Root`].
//!
//! Whatever makes, removes or renames a name goes through [`Base::locate`], which finds the folder that holds the name
//! and leaves the name itself alone; whatever needs the thing itself goes through [`Base::open`]. It refuses to look at
//! a path's text to decide what it means.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::error::{Error, Reason};
use super::path::{c_path, parts};
use super::root::Root;
use crate::sys::openat::{self, CWD, PLACE};
use crate::sys::stat::{self, Kind, Stat};

/// Where the paths of a call start, with every operation as a method.
#[derive(Debug)]
pub enum Base {
    /// The working directory, or `/` for absolute paths; symlinks are followed anywhere.
    Process,
    /// A folder that no path leads out of.
    Root(Root),
    /// A root that was closed: every operation fails with `EBADF`.
    Closed,
}

/// A name, and the folder that holds it or is to hold it.
#[derive(Debug)]
pub(super) struct Spot {
    /// `None`: the working directory.
    pub folder: Option<OwnedFd>,
    pub name: CString,
    /// Whether the path said, by a slash at its end, that this is a folder.
    pub slash: bool,
}

impl Spot {
    pub fn folder(&self) -> BorrowedFd<'_> {
        self.folder.as_ref().map_or(CWD, AsFd::as_fd)
    }

    /// What the name itself stands for: symlinks are not followed.
    pub fn stat(&self) -> Result<Stat, Reason> {
        let found = stat::named(self.folder(), &self.name, false)?;
        if self.slash && found.kind != Kind::Directory {
            return Err(Reason::errno(libc::ENOTDIR));
        }
        Ok(found)
    }
}

impl Base {
    /// Opens `path`. Symlinks are followed, within a root as far as it allows; `O_NOFOLLOW` refuses one at the end.
    pub(super) fn open(&self, path: &[u8], flags: libc::c_int, mode: u32) -> Result<OwnedFd, Reason> {
        match self {
            Self::Process => Ok(openat::open(CWD, c_path(path)?.as_c_str(), flags, mode)?),
            Self::Root(root) => root.open(path, flags, mode),
            Self::Closed => Err(Reason::CLOSED),
        }
    }

    /// Opens the folder `path` to stand for a place.
    pub(super) fn place(&self, path: &[u8]) -> Result<OwnedFd, Reason> {
        self.open(path, PLACE | libc::O_DIRECTORY, 0)
    }

    /// The folder and the name at the end of `path`, which must end in one; whether anything is there is not asked.
    pub(super) fn locate(&self, path: &[u8]) -> Result<Spot, Reason> {
        let parts = parts(path);
        if path.is_empty() {
            return Err(Reason::errno(libc::ENOENT));
        }
        let folder = match self {
            Self::Process => None,
            Self::Root(root) => Some(root.place(parts.folder)?),
            Self::Closed => return Err(Reason::CLOSED),
        };
        if !parts.has_name() {
            return Err(Reason::NO_NAME);
        }
        // OK because slashes at the end are all that is cut off.
        let bare = &path[..path.len() - path.iter().rev().take_while(|&&byte| byte == b'/').count()];
        Ok(Spot {
            name: c_path(if folder.is_some() { parts.name } else { bare })?,
            folder,
            slash: parts.slash,
        })
    }

    /// What `path` stands for; of a symlink at its end what it leads to (`follow`), or the symlink itself.
    pub(super) fn look(&self, path: &[u8], follow: bool) -> Result<Stat, Reason> {
        match self {
            Self::Process => Ok(stat::named(CWD, c_path(path)?.as_c_str(), follow)?),
            Self::Root(root) => root.look(path, follow),
            Self::Closed => Err(Reason::CLOSED),
        }
    }

    /// What the file system knows of `path`.
    ///
    /// # Errors
    /// `ENOENT` when there is nothing, and what fstatat(2) says.
    pub fn stat(&self, path: &[u8], follow: bool) -> Result<Stat, Error> {
        self.look(path, follow)
            .map_err(|reason| Error::new("stat", path, reason))
    }

    /// Whether `path` leads to something; symlinks are followed. False, too, where that cannot be known.
    #[must_use]
    pub fn exists(&self, path: &[u8]) -> bool {
        self.look(path, true).is_ok()
    }

    /// Whether `path` leads to a folder; symlinks are followed.
    ///
    /// # Errors
    /// `ENOENT` when there is nothing, and what fstatat(2) says.
    pub fn is_dir(&self, path: &[u8]) -> Result<bool, Error> {
        Ok(self.stat(path, true)?.kind == Kind::Directory)
    }

    /// The folder `path` as a root of its own, opened from this base.
    ///
    /// # Errors
    /// What open(2) says: `ENOTDIR` when it is no folder.
    pub fn root(&self, path: &[u8], resolver: super::Resolver) -> Result<Root, Error> {
        match self.place(path) {
            Ok(folder) => Ok(Root::new(folder, resolver)),
            Err(reason) => Err(Error::new("open", path, reason)),
        }
    }
}
