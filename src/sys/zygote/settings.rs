//! What a copy takes over from whoever asked for it, beside its descriptors: environment, umask, limits.
//!
//! They travel as a file without a name (memfd_create(2)), so that there is no limit to an environment and the zygote
//! itself has nothing to read. It refuses to fail where a limit cannot be raised: that stays the zygote's.
#![allow(unsafe_code)]

use std::ffi::{CStr, OsStr};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use crate::sys::fd;
use crate::sys::process::Limits;

/// Added to a niceness, so that it is a positive number.
const NICE: i32 = 1000;

/// Settings on their way: items that end with a NUL byte, of which the first byte says what they are.
#[derive(Debug, Default)]
pub(super) struct Settings {
    bytes: Vec<u8>,
}

impl Settings {
    fn push(&mut self, kind: u8, parts: &[&[u8]]) -> io::Result<()> {
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        self.bytes.try_reserve(length + 2)?;
        self.bytes.push(kind);
        for part in parts {
            if part.contains(&0) {
                return Err(io::Error::from_raw_os_error(libc::EINVAL));
            }
            self.bytes.extend_from_slice(part);
        }
        self.bytes.push(0);
        Ok(())
    }

    /// A change of the environment.
    pub(super) fn variable(&mut self, name: &OsStr, value: Option<&OsStr>) -> io::Result<()> {
        let name = name.as_bytes();
        if name.is_empty() || name.contains(&b'=') {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        match value {
            Some(value) => self.push(b'=', &[name, b"=", value.as_bytes()]),
            None => self.push(b'-', &[name]),
        }
    }

    /// This process's own environment in the place of the zygote's, its umask and its limits.
    pub(super) fn own(&mut self) -> io::Result<()> {
        extern "C" {
            static environ: *const *const libc::c_char;
        }
        self.push(b'c', &[])?;
        // SAFETY: null, or a list of strings that ends with a null (environ(7)); one thread alone is here.
        unsafe {
            let mut next = environ;
            while !next.is_null() && !(*next).is_null() {
                self.push(b'=', &[CStr::from_ptr(*next).to_bytes()])?;
                next = next.add(1);
            }
        }
        // SAFETY: umask(2) cannot fail; the second call puts back what the first has replaced.
        let mask = unsafe {
            let mask = libc::umask(0o077);
            libc::umask(mask);
            mask
        };
        self.numbers(b'u', &[mask.into()])?;
        for resource in 0..16u32 {
            let mut limit = libc::rlimit {
                rlim_cur: 0,
                rlim_max: 0,
            };
            // SAFETY: `limit` has room for the answer; a resource that there is not is answered with EINVAL.
            if unsafe { libc::getrlimit(resource as _, &raw mut limit) } == 0 {
                #[allow(clippy::unnecessary_cast)] // it has another width elsewhere
                self.numbers(b'r', &[resource as u64, limit.rlim_cur as u64, limit.rlim_max as u64])?;
            }
        }
        Ok(())
    }

    /// Limits that the copy must have.
    pub(super) fn limits(&mut self, limits: &Limits) -> io::Result<()> {
        let nice = limits.nice.filter(|&nice| nice != 0);
        if nice.is_none() && limits.resources.iter().all(Option::is_none) {
            return Ok(());
        }
        // Counted from 1, so that 0 is none.
        let number = |limit: Option<u64>| limit.map_or(0, |limit| limit.saturating_add(1));
        let [memory, cpu, files, processes] = limits.resources.map(number);
        let nice = nice.map_or(0, |nice| nice.saturating_add(NICE).unsigned_abs());
        self.numbers(b'l', &[memory, cpu, files, processes, nice.into()])
    }

    fn numbers(&mut self, kind: u8, numbers: &[u64]) -> io::Result<()> {
        let mut text = [0u8; 128];
        let mut rest = &mut text[..];
        for number in numbers {
            write!(rest, "{number} ")?;
        }
        let left = rest.len();
        self.push(kind, &[&text[..128 - left]]) // OK because `rest` is the end of it
    }

    /// As a file; `None` where there are none.
    pub(super) fn file(&self) -> io::Result<Option<OwnedFd>> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        // SAFETY: the name is ended by NUL; the kernel has just made what comes back, and nobody else knows of it.
        let file = unsafe {
            OwnedFd::from_raw_fd(fd::check(libc::memfd_create(
                c"fkrpc settings".as_ptr(),
                libc::MFD_CLOEXEC,
            ))?)
        };
        fd::write_all(file.as_fd(), &self.bytes)?;
        Ok(Some(file))
    }
}

/// Make the settings of the file this process's own.
pub(super) fn apply(file: BorrowedFd<'_>) -> io::Result<()> {
    let bytes = read(file)?;
    let mut limits = Limits::default();
    for item in bytes.split_inclusive(|&byte| byte == 0) {
        let (Some(kind), Ok(text)) = (
            item.first(),
            CStr::from_bytes_with_nul(item.get(1..).unwrap_or_default()),
        ) else {
            continue; // the end, which is no item
        };
        // SAFETY: strings that end with NUL; setenv(3) copies them. One thread alone is here.
        unsafe {
            match kind {
                b'c' => drop(libc::clearenv()),
                b'-' => drop(libc::unsetenv(text.as_ptr())),
                b'=' => set(text),
                b'u' => drop(libc::umask(libc::mode_t::try_from(number(text, 0)).unwrap_or(0o077))),
                b'r' => {
                    let limit = libc::rlimit {
                        rlim_cur: number(text, 1) as _,
                        rlim_max: number(text, 2) as _,
                    };
                    libc::setrlimit(number(text, 0) as _, &raw const limit); // OK as it is one of sixteen, or EINVAL
                }
                b'l' => {
                    for (place, limit) in limits.resources.iter_mut().enumerate() {
                        *limit = number(text, place).checked_sub(1);
                    }
                    let nice = i32::try_from(number(text, 4)).unwrap_or(0);
                    limits.nice = (nice != 0).then_some(nice - NICE); // OK because it is small
                }
                _ => {}
            }
        }
    }
    // Last: what comes before may need what they forbid.
    limits.apply().map_err(|_| io::Error::last_os_error())
}

/// The number at `place` of a text of numbers; 0 where there is none.
fn number(text: &CStr, place: usize) -> u64 {
    let text = text.to_str().unwrap_or_default();
    text.split(' ')
        .nth(place)
        .and_then(|word| word.parse().ok())
        .unwrap_or(0)
}

/// `NAME=VALUE`
fn set(text: &CStr) {
    let bytes = text.to_bytes_with_nul();
    let Some(at) = bytes.iter().position(|&byte| byte == b'=') else {
        return;
    };
    let mut name = Vec::new();
    if at == 0 || name.try_reserve_exact(at + 1).is_err() {
        return;
    }
    name.extend_from_slice(&bytes[..at]); // OK because that is where it was found
    name.push(0);
    // SAFETY: both strings end with NUL: the value's is the text's.
    unsafe { libc::setenv(name.as_ptr().cast(), bytes[at + 1..].as_ptr().cast(), 1) };
}

fn read(file: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        bytes.try_reserve(1 << 16)?;
        let offset = bytes.len() as libc::off_t; // OK because it is in memory
        let room = bytes.spare_capacity_mut();
        // SAFETY: `room` is writable for its whole length, and pread(2) says how much of it it has written.
        let count = unsafe {
            let count = fd::retry(|| libc::pread(file.as_raw_fd(), room.as_mut_ptr().cast(), room.len(), offset))?;
            bytes.set_len(bytes.len() + count.unsigned_abs());
            count
        };
        if count == 0 {
            return Ok(bytes);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn settings_travel_as_items_in_a_file() {
        let mut settings = Settings::default();
        assert!(settings.file().unwrap().is_none());
        settings.variable(OsStr::new("A"), Some(OsStr::new("b=c"))).unwrap();
        settings.variable(OsStr::new("GONE"), None).unwrap();
        let limits = Limits {
            resources: [None, Some(0), Some(77), None],
            nice: Some(-2),
        };
        settings.limits(&limits).unwrap();
        let file = settings.file().unwrap().unwrap();
        let bytes = read(file.as_fd()).unwrap();
        assert_eq!(bytes, b"=A=b=c\0-GONE\0l0 1 78 0 998 \0");
    }

    #[test]
    fn a_name_that_is_none_and_a_zero_byte_are_refused() {
        let mut settings = Settings::default();
        for (name, value) in [("", "x"), ("A=B", "x"), ("A", "x\0y"), ("A\0", "x")] {
            let error = settings
                .variable(OsStr::new(name), Some(OsStr::new(value)))
                .unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{name:?}");
        }
    }

    #[test]
    fn numbers_are_read_by_their_place_and_missing_ones_are_zero() {
        assert_eq!(number(c"1 18446744073709551615 ", 1), u64::MAX);
        assert_eq!(number(c"1 x", 1), 0);
        assert_eq!(number(c"", 3), 0);
    }
}
