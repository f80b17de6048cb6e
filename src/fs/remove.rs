//! Removing: a file, an empty folder, or a folder with all that is in it.
//!
//! It refuses to follow a symlink, at the end of the path or anywhere below: the symlink itself is removed. Below the
//! top it goes by open folders alone, never by a path, so a folder that is swapped for a symlink meanwhile is an error
//! or gone, never a way out. It holds one descriptor whatever the depth: the way back up is `..`, and only if that is
//! the very folder it came from.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::error::{Error, Reason};
use super::listing::Listing;
use super::path::{c_path, join};
use super::Base;
use crate::sys::stat::{self, Kind};
use crate::sys::{dir, openat};
use crate::text::append;

/// A folder that is being emptied.
struct Level {
    device: u64,
    inode: u64,
    listing: Listing,
    /// The entry after the one that is being removed.
    next: usize,
}

impl Base {
    /// Removes what `path` names: a file, a symlink (not what it leads to), an empty folder; with `recursive` a folder
    /// and all that is in it. On a failure a part may be gone; the message names what could not be removed.
    ///
    /// # Errors
    /// `ENOENT` when there is nothing, `ENOTEMPTY` without `recursive`, and what unlinkat(2) says.
    pub fn remove(&self, path: &[u8], recursive: bool) -> Result<(), Error> {
        let fail = |reason| Error::new("remove", path, reason);
        let spot = self.locate(path).map_err(fail)?;
        let folder_itself = spot.stat().map_err(fail)?.kind == Kind::Directory;
        match dir::unlink(spot.folder(), &spot.name, folder_itself) {
            Ok(()) => Ok(()),
            Err(error) if recursive && folder_itself && is_not_empty(&error) => {
                let mut whole = Vec::new();
                append(&mut whole, path);
                empty(spot.folder(), &spot.name, &mut whole).map_err(|reason| Error::new("remove", &whole, reason))?;
                dir::unlink(spot.folder(), &spot.name, true).map_err(|error| fail(error.into()))
            }
            Err(error) => Err(fail(error.into())),
        }
    }
}

/// Removes all that is in the folder `name`, whose path for texts is `path`; that of what could not be removed then.
fn empty(parent: BorrowedFd<'_>, name: &CStr, path: &mut Vec<u8>) -> Result<(), Reason> {
    let mut levels: Vec<Level> = Vec::new();
    let result = empty_levels(parent, name, &mut levels);
    result.inspect_err(|_| {
        let at = |level: &'_ Level| level.next.checked_sub(1);
        for level in &levels {
            if let Some((name, _)) = at(level).and_then(|index| level.listing.get(index)) {
                join(path, name);
            }
        }
    })
}

fn empty_levels(parent: BorrowedFd<'_>, name: &CStr, levels: &mut Vec<Level>) -> Result<(), Reason> {
    let (mut here, top) = enter(parent, name)?;
    levels.try_reserve(1)?;
    levels.push(top);
    while let Some(level) = levels.last_mut() {
        let Some((name, kind)) = level.listing.get(level.next) else {
            if levels.len() > 1 {
                levels.pop();
                // OK because one is left.
                here = leave(&here, levels.last())?;
            } else {
                levels.pop();
            }
            continue;
        };
        let name = c_path(name)?;
        level.next += 1;
        if removed(here.as_fd(), &name, kind)? {
            continue;
        }
        let (below, next) = enter(here.as_fd(), &name)?;
        levels.try_reserve(1)?;
        levels.push(next);
        here = below;
    }
    Ok(())
}

/// Removes the entry, unless it is a folder with something in it.
fn removed(folder: BorrowedFd<'_>, name: &CStr, kind: Kind) -> Result<bool, Reason> {
    match dir::unlink(folder, name, kind == Kind::Directory) {
        Ok(()) => Ok(true),
        // Somebody else was faster.
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(true),
        Err(error) if kind == Kind::Directory && is_not_empty(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Opens the folder `name`, which is no symlink, and lists it.
fn enter(parent: BorrowedFd<'_>, name: &CStr) -> Result<(OwnedFd, Level), Reason> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW;
    let here = openat::open(parent, name, flags, 0)?;
    let found = stat::open(here.as_fd())?;
    let listing = Listing::read(here.try_clone()?)?;
    let level = Level {
        device: found.dev,
        inode: found.ino,
        listing,
        next: 0,
    };
    Ok((here, level))
}

/// Goes up from an emptied folder to the one it was found in, and removes it there.
fn leave(here: &OwnedFd, level: Option<&Level>) -> Result<OwnedFd, Reason> {
    let level = level.ok_or(Reason::errno(libc::ENOENT))?;
    let up = openat::open(here.as_fd(), c"..", libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
    let found = stat::open(up.as_fd())?;
    if (found.dev, found.ino) != (level.device, level.inode) {
        return Err(Reason::because(
            libc::EAGAIN,
            "the folder was moved while it was being removed",
        ));
    }
    let emptied = level.next.checked_sub(1).and_then(|index| level.listing.get(index));
    if let Some((name, _)) = emptied {
        removed(up.as_fd(), c_path(name)?.as_c_str(), Kind::Directory)?
            .then_some(())
            .ok_or(Reason::errno(libc::ENOTEMPTY))?;
    }
    Ok(up)
}

fn is_not_empty(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOTEMPTY | libc::EEXIST))
}
