//! What the file system knows of a file: kind, size, mode, owner and times (fstatat(2)); setting the times.
//!
//! It refuses to open anything: asking has no side effects, not even on a FIFO or a device.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::fd;

// The plain names have 32-bit fields on 32-bit glibc and fail on large files there.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
use libc::{fstat as stat_open, fstatat as stat_name, stat as RawStat};
#[cfg(all(target_os = "linux", target_env = "gnu"))]
use libc::{fstat64 as stat_open, fstatat64 as stat_name, stat64 as RawStat};

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A symlink.
    Link,
    /// A FIFO.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    Char,
    /// A block device.
    Block,
    /// Something else, or not known without asking.
    Unknown,
}

impl Kind {
    /// The names of the kinds, in their order.
    pub const NAMES: [&'static str; 8] = [
        "file",
        "directory",
        "link",
        "fifo",
        "socket",
        "char",
        "block",
        "unknown",
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize] // OK because there are as many names as kinds
    }
}

/// The answer of fstatat(2), in the widest types.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stat {
    /// What it is.
    pub kind: Kind,
    /// Permission bits with setuid, setgid and sticky: 0 to 0o7777.
    pub mode: u32,
    /// Bytes; of a symlink the length of its text.
    pub size: i64,
    /// Names of it.
    pub links: u64,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// The file system.
    pub dev: u64,
    /// Its number in the file system.
    pub ino: u64,
    /// Of a device: which one.
    pub rdev: u64,
    /// Allocated units of 512 bytes.
    pub blocks: i64,
    /// The preferred size of reads and writes, in bytes.
    pub block_size: i64,
    /// Last read, in seconds since 1970.
    pub atime: f64,
    /// Last change of the contents, in seconds since 1970.
    pub mtime: f64,
    /// Last change of what is written here, in seconds since 1970.
    pub ctime: f64,
}

/// Asks about `name` in `folder`; a symlink at its end is followed or asked about itself.
///
/// # Errors
/// What fstatat(2) says.
pub fn named(folder: BorrowedFd<'_>, name: &CStr, follow: bool) -> io::Result<Stat> {
    let flags = if follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
    let mut raw = MaybeUninit::<RawStat>::zeroed();
    // SAFETY: `name` ends in a NUL and lives through the call, `raw` has room for the answer, `folder` is open while it
    // is borrowed.
    fd::check(unsafe { stat_name(folder.as_raw_fd(), name.as_ptr(), raw.as_mut_ptr(), flags) })?;
    // SAFETY: zeroed is a valid value, and the call has filled it in.
    Ok(convert(unsafe { raw.assume_init_ref() }))
}

/// Asks about what is open.
///
/// # Errors
/// What fstat(2) says.
pub fn open(file: BorrowedFd<'_>) -> io::Result<Stat> {
    let mut raw = MaybeUninit::<RawStat>::zeroed();
    // SAFETY: as `named`.
    fd::check(unsafe { stat_open(file.as_raw_fd(), raw.as_mut_ptr()) })?;
    // SAFETY: as `named`.
    Ok(convert(unsafe { raw.assume_init_ref() }))
}

// The fields are of different widths and signs from system to system. OK because each is converted to the widest.
#[allow(
    clippy::unnecessary_cast,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::cast_lossless
)]
fn convert(raw: &RawStat) -> Stat {
    let seconds = |whole: i64, nanoseconds: i64| whole as f64 + nanoseconds as f64 / 1e9;
    Stat {
        kind: match raw.st_mode & libc::S_IFMT {
            libc::S_IFREG => Kind::File,
            libc::S_IFDIR => Kind::Directory,
            libc::S_IFLNK => Kind::Link,
            libc::S_IFIFO => Kind::Fifo,
            libc::S_IFSOCK => Kind::Socket,
            libc::S_IFCHR => Kind::Char,
            libc::S_IFBLK => Kind::Block,
            _ => Kind::Unknown,
        },
        mode: raw.st_mode as u32 & 0o7777,
        size: raw.st_size as i64,
        links: raw.st_nlink as u64,
        uid: raw.st_uid,
        gid: raw.st_gid,
        dev: raw.st_dev as u64,
        ino: raw.st_ino as u64,
        rdev: raw.st_rdev as u64,
        blocks: raw.st_blocks as i64,
        block_size: raw.st_blksize as i64,
        atime: seconds(raw.st_atime as i64, raw.st_atime_nsec as i64),
        mtime: seconds(raw.st_mtime as i64, raw.st_mtime_nsec as i64),
        ctime: seconds(raw.st_ctime as i64, raw.st_ctime_nsec as i64),
    }
}

/// Sets the times of last read and last change of `name` in `folder`, in seconds since 1970; `None` is now. A symlink
/// at its end is followed or given the times itself.
///
/// # Errors
/// `EINVAL` for a time that is no number or beyond what the system can express; else what utimensat(2) says.
pub fn set_times(
    folder: BorrowedFd<'_>,
    name: &CStr,
    follow: bool,
    accessed: Option<f64>,
    modified: Option<f64>,
) -> io::Result<()> {
    let times = [moment(accessed)?, moment(modified)?];
    let flags = if follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
    // SAFETY: as `named`; `times` holds the two moments the call reads.
    fd::check(unsafe { libc::utimensat(folder.as_raw_fd(), name.as_ptr(), times.as_ptr(), flags) }).map(drop)
}

/// As [`set_times`], of what is open (futimens(3)).
///
/// # Errors
/// As [`set_times`].
pub fn set_open_times(file: BorrowedFd<'_>, accessed: Option<f64>, modified: Option<f64>) -> io::Result<()> {
    let times = [moment(accessed)?, moment(modified)?];
    // SAFETY: as `set_times`.
    fd::check(unsafe { libc::futimens(file.as_raw_fd(), times.as_ptr()) }).map(drop)
}

fn moment(seconds: Option<f64>) -> io::Result<libc::timespec> {
    let Some(seconds) = seconds else {
        return Ok(libc::timespec {
            tv_sec: 0,
            tv_nsec: libc::UTIME_NOW,
        });
    };
    let whole = seconds.floor();
    // Years up to 9999, and as many before 1970.
    if whole.is_nan() || whole.abs() > 253_402_300_799.0 {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    // OK because the range was checked (time_t of 32 bits saturates), and a fraction of a second is below 1e9.
    #[allow(clippy::cast_possible_truncation)]
    Ok(libc::timespec {
        tv_sec: whole as libc::time_t,
        tv_nsec: ((seconds - whole) * 1e9).min(999_999_999.0) as _,
    })
}
