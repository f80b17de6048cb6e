//! A folder that no path leads out of.
//!
//! Where the kernel has openat2(2) it resolves paths itself under `RESOLVE_BENEATH`: symlinks that stay below the root
//! are followed, and a folder that is swapped for a symlink meanwhile changes nothing. Elsewhere (Linux before 5.6,
//! other systems, sandboxes that forbid the call) the path is walked name by name with `O_NOFOLLOW`, and every symlink
//! is refused. It refuses absolute paths, `..` above the root and magic links (`/proc/self/fd/3`) in both.
//!
//! What is *not* kept out: whoever can move a folder that lies below the root out of it, mount over it or make hard
//! links in it decides what lies below the root.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::error::Reason;
use super::path::{c_path, parts};
use crate::sys::openat::{self, PLACE};
use crate::sys::stat::{self, Kind, Stat};

/// Who resolves the paths below a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolver {
    /// The kernel, where it can.
    Kernel,
    /// This library, name by name; no symlink is followed.
    Walk,
}

/// An open folder that paths start at and do not leave.
#[derive(Debug)]
pub struct Root {
    folder: OwnedFd,
    resolver: Resolver,
}

/// What the end of a walked path is.
enum End<'a> {
    /// A folder that the path passes into: it ends in `.` or `..`, or is the root.
    Inside(OwnedFd),
    /// A name in a folder.
    Name(OwnedFd, &'a [u8]),
}

impl Root {
    /// The folder as a root. Where `resolver` is the kernel it is tried once: a kernel or sandbox without openat2(2)
    /// makes the library walk.
    #[must_use]
    pub fn new(folder: OwnedFd, resolver: Resolver) -> Self {
        let works = || openat::open_beneath(folder.as_fd(), c".", PLACE | libc::O_DIRECTORY, 0).is_ok();
        let resolver = if resolver == Resolver::Kernel && works() {
            Resolver::Kernel
        } else {
            Resolver::Walk
        };
        Self { folder, resolver }
    }

    /// Who resolves its paths.
    #[must_use]
    pub fn resolver(&self) -> Resolver {
        self.resolver
    }

    pub(super) fn open(&self, path: &[u8], flags: libc::c_int, mode: u32) -> Result<OwnedFd, Reason> {
        match self.resolver {
            Resolver::Kernel => {
                let opened = openat::open_beneath(self.folder.as_fd(), c_path(path)?.as_c_str(), flags, mode);
                opened.map_err(|error| outside(error.into()))
            }
            Resolver::Walk => match self.walk(path)? {
                End::Inside(folder) => Ok(openat::open(folder.as_fd(), c".", flags, mode)?),
                End::Name(folder, name) => {
                    let directory = if parts(path).slash { libc::O_DIRECTORY } else { 0 };
                    open_name(folder.as_fd(), name, flags | directory, mode)
                }
            },
        }
    }

    /// Opens the folder `path` to stand for a place.
    pub(super) fn place(&self, path: &[u8]) -> Result<OwnedFd, Reason> {
        self.open(path, PLACE | libc::O_DIRECTORY, 0)
    }

    pub(super) fn look(&self, path: &[u8], follow: bool) -> Result<Stat, Reason> {
        if self.resolver == Resolver::Kernel {
            let end = parts(path);
            // Something to follow, or a path that ends inside a folder. O_PATH needs no permission and has no effects.
            if follow || end.slash || !end.has_name() {
                return Ok(stat::open(self.open(path, PLACE, 0)?.as_fd())?);
            }
            let folder = self.place(end.folder)?;
            return Ok(stat::named(folder.as_fd(), c_path(end.name)?.as_c_str(), false)?);
        }
        match self.walk(path)? {
            End::Inside(folder) => Ok(stat::open(folder.as_fd())?),
            End::Name(folder, name) => {
                let found = stat::named(folder.as_fd(), c_path(name)?.as_c_str(), false)?;
                let slash = parts(path).slash;
                match found.kind {
                    Kind::Link if follow || slash => Err(Reason::SYMLINK),
                    kind if slash && kind != Kind::Directory => Err(Reason::errno(libc::ENOTDIR)),
                    _ => Ok(found),
                }
            }
        }
    }

    /// Walks `path` down to the folder that holds its last name, which is not touched.
    fn walk<'a>(&self, path: &'a [u8]) -> Result<End<'a>, Reason> {
        if path.contains(&0) {
            return Err(Reason::NUL);
        }
        if path.is_empty() {
            return Err(Reason::errno(libc::ENOENT));
        }
        if path.first() == Some(&b'/') {
            return Err(Reason::LEADS_OUT);
        }
        let names = || {
            path.split(|&byte| byte == b'/')
                .filter(|name| !matches!(*name, b"" | b"."))
        };
        // The folders passed on the way, so that `..` goes back to what was passed and not to what lies above it now.
        // Kept only where there is a `..`: each costs a descriptor until the end of the call.
        let mut passed: Vec<OwnedFd> = Vec::new();
        let back = names().any(|name| name == b"..");
        let mut names = names().peekable();
        // A path that ends in `.` ends inside a folder.
        let inside = parts(path).name == b".";
        while let Some(name) = names.next() {
            if name == b".." {
                passed.pop().ok_or(Reason::LEADS_OUT)?;
                continue;
            }
            let here = passed.last().unwrap_or(&self.folder);
            if names.peek().is_none() && !inside {
                return Ok(End::Name(here.try_clone()?, name));
            }
            let next = open_name(here.as_fd(), name, PLACE | libc::O_DIRECTORY, 0)?;
            if !back {
                passed.clear();
            }
            passed.try_reserve(1)?;
            passed.push(next);
        }
        match passed.pop() {
            Some(folder) => Ok(End::Inside(folder)),
            None => Ok(End::Inside(self.folder.try_clone()?)),
        }
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}

impl AsRawFd for Root {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.folder.as_raw_fd()
    }
}

/// Opens a single name; a symlink is refused in words of our own.
fn open_name(folder: BorrowedFd<'_>, name: &[u8], flags: libc::c_int, mode: u32) -> Result<OwnedFd, Reason> {
    let name = c_path(name)?;
    match openat::open(folder, &name, flags | libc::O_NOFOLLOW, mode) {
        Ok(opened) => {
            // Without O_DIRECTORY, O_PATH opens the symlink itself.
            if flags & PLACE != 0 && stat::open(opened.as_fd())?.kind == Kind::Link {
                return Err(Reason::SYMLINK);
            }
            Ok(opened)
        }
        // Which of the three is a matter of the system and the flags.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ELOOP | libc::ENOTDIR | libc::EMLINK)) => {
            match stat::named(folder, &name, false) {
                Ok(found) if found.kind == Kind::Link => Err(Reason::SYMLINK),
                _ => Err(error.into()),
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// openat2(2) says `EXDEV` for a path that leads out.
fn outside(reason: Reason) -> Reason {
    if reason.errno == libc::EXDEV {
        return Reason::LEADS_OUT;
    }
    reason
}
