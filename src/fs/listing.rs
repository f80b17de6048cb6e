//! The entries of a folder: names and kinds, in one buffer.
//!
//! It refuses to ask about every entry: kinds come with the names, and only where the file system keeps them to itself
//! (old XFS, some network file systems) is each asked about.

use std::os::fd::{AsFd, OwnedFd};

use super::error::{Error, Reason};
use super::Base;
use crate::sys::dir::Entries;
use crate::sys::stat::{self, Kind};

/// Names and kinds.
#[derive(Debug, Default)]
pub struct Listing {
    names: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: usize,
    len: usize,
    kind: Kind,
}

impl Listing {
    /// Reads the folder, which must have been opened for reading.
    pub(super) fn read(folder: OwnedFd) -> Result<Self, Reason> {
        let place = folder.try_clone()?;
        let mut stream = Entries::new(folder)?;
        let mut listing = Self::default();
        while let Some(next) = stream.next() {
            let (name, mut kind) = next?;
            if kind == Kind::Unknown {
                match stat::named(place.as_fd(), name, false) {
                    Ok(found) => kind = found.kind,
                    // It was removed meanwhile.
                    Err(error) if error.raw_os_error() == Some(libc::ENOENT) => continue,
                    Err(error) => return Err(error.into()),
                }
            }
            let name = name.to_bytes();
            listing.names.try_reserve(name.len())?;
            listing.entries.try_reserve(1)?;
            listing.entries.push(Entry {
                start: listing.names.len(),
                len: name.len(),
                kind,
            });
            listing.names.extend_from_slice(name);
        }
        Ok(listing)
    }

    /// Entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the folder is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The name and kind of the entry at `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<(&[u8], Kind)> {
        let entry = self.entries.get(index)?;
        Some((self.names.get(entry.start..entry.start + entry.len)?, entry.kind))
    }

    /// All names and kinds, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Kind)> {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    fn sort(&mut self) {
        let names = &self.names;
        // OK because an entry's place is within the names it was made with.
        self.entries
            .sort_unstable_by_key(|entry| &names[entry.start..entry.start + entry.len]);
    }
}

impl Base {
    /// The entries of the folder `path` without `.` and `..`, hidden ones included, sorted bytewise. A symlink at its
    /// end is followed (`follow`) or refused.
    ///
    /// # Errors
    /// `ENOTDIR` when it is no folder, and what open(2) and readdir(3) say.
    pub fn list(&self, path: &[u8], follow: bool) -> Result<Listing, Error> {
        let nofollow = if follow { 0 } else { libc::O_NOFOLLOW };
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | nofollow;
        let mut listing = self
            .open(path, flags, 0)
            .and_then(Listing::read)
            .map_err(|reason| Error::new("open", path, reason))?;
        listing.sort();
        Ok(listing)
    }
}
