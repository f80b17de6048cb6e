//! Files: reading one whole, renaming, giving one the present time.
//!
//! It refuses to believe a file's size: memory grows with what was read, because `/proc` says 0 and a sparse file says
//! anything.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;

use super::error::{Error, Reason};
use super::path::c_path;
use super::Base;
use crate::sys::dir;
use crate::sys::openat::CWD;
use crate::sys::stat::{self, Kind};

/// The most that is taken at once while a file is read.
const CHUNK: usize = 1 << 20;
/// The least: what a file of unknown size starts with.
const FIRST: usize = 1 << 12;

impl Base {
    /// Appends the file's bytes, `most` of them at most, to `out`.
    ///
    /// # Errors
    /// `EISDIR` for a folder, `ENOMEM`, and what open(2) and read(2) say; `out` then holds what was read.
    pub fn read(&self, path: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), Error> {
        let mut file = match self.open(path, libc::O_RDONLY | libc::O_NOCTTY, 0) {
            Ok(file) => File::from(file),
            Err(reason) => return Err(Error::new("open", path, reason)),
        };
        read_all(&mut file, most, out).map_err(|reason| Error::new("read", path, reason))
    }

    /// Gives `path` a new name, in one step; a file that has it is replaced.
    ///
    /// # Errors
    /// `EXDEV` between file systems, and what renameat(2) says.
    pub fn rename(&self, path: &[u8], new: &[u8]) -> Result<(), Error> {
        self.move_name(path, new)
            .map_err(|reason| Error::between("rename", path, Some(new), reason))
    }

    fn move_name(&self, path: &[u8], new: &[u8]) -> Result<(), Reason> {
        let (from, to) = (self.locate(path)?, self.locate(new)?);
        let moved = from.slash || to.slash;
        if moved && stat::named(from.folder(), &from.name, false)?.kind != Kind::Directory {
            return Err(Reason::errno(libc::ENOTDIR));
        }
        Ok(dir::rename(from.folder(), &from.name, to.folder(), &to.name)?)
    }

    /// Sets the times of `path`, in seconds since 1970 (`None`: now), or makes an empty file.
    ///
    /// # Errors
    /// What utimensat(2) and open(2) say.
    pub fn touch(&self, path: &[u8], accessed: Option<f64>, modified: Option<f64>) -> Result<(), Error> {
        self.set_times(path, accessed, modified)
            .map_err(|reason| Error::new("touch", path, reason))
    }

    fn set_times(&self, path: &[u8], accessed: Option<f64>, modified: Option<f64>) -> Result<(), Reason> {
        let set = match self {
            Self::Process => {
                stat::set_times(CWD, c_path(path)?.as_c_str(), true, accessed, modified).map_err(Reason::from)
            }
            _ => self.set_confined_times(path, accessed, modified),
        };
        match set {
            Err(reason) if reason.errno == libc::ENOENT => {}
            other => return other,
        }
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_NOCTTY | libc::O_NONBLOCK;
        let made = self.open(path, flags, 0o666)?;
        Ok(stat::set_open_times(made.as_fd(), accessed, modified)?)
    }

    fn set_confined_times(&self, path: &[u8], accessed: Option<f64>, modified: Option<f64>) -> Result<(), Reason> {
        // By name where there is one and it is no symlink: that needs no permission to open the file, and if it becomes
        // a symlink meanwhile the symlink gets the times.
        if let Ok(spot) = self.locate(path) {
            let found = stat::named(spot.folder(), &spot.name, false)?;
            if found.kind != Kind::Link && (!spot.slash || found.kind == Kind::Directory) {
                return Ok(stat::set_times(spot.folder(), &spot.name, false, accessed, modified)?);
            }
        }
        let file = self.open(path, libc::O_RDONLY | libc::O_NOCTTY | libc::O_NONBLOCK, 0)?;
        Ok(stat::set_open_times(file.as_fd(), accessed, modified)?)
    }
}

fn read_all(file: &mut File, most: usize, out: &mut Vec<u8>) -> Result<(), Reason> {
    // One byte more than the size, so that the end shows without another growth.
    let size = usize::try_from(stat::open(file.as_fd())?.size).unwrap_or(0);
    let mut chunk = size.saturating_add(1).clamp(FIRST, CHUNK);
    let mut left = most;
    while left > 0 {
        let wanted = chunk.min(left);
        out.try_reserve(wanted)?;
        let before = out.len();
        // The standard library reads into what was reserved, and makes interrupted calls again.
        let count = file.by_ref().take(wanted as u64).read_to_end(out)?; // OK because usize is at most 64 bits
        debug_assert_eq!(out.len() - before, count);
        left -= count;
        if count < wanted {
            break;
        }
        chunk = CHUNK;
    }
    Ok(())
}
