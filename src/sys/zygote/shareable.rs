//! Whether this process can be copied: what is asked before the first request is served.
//!
//! It refuses, with the reason: a second thread, which would be missing in the copy with every lock it holds; pipes,
//! sockets and the kernel's other objects without a name, as two processes cannot have one conversation. Files, folders
//! and devices that the script has opened are shared, as after every fork(2).
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::sys::dir::Entries;
use crate::sys::interrupt::lookout;
use crate::sys::{fd, SysError};
use crate::text;

const WHAT: &str = "this process cannot be a zygote";

/// The descriptors above 2 that the script has open, without `own`, in ascending order.
///
/// # Errors
/// `EBUSY` with the reason.
pub(super) fn check(own: RawFd) -> Result<Vec<RawFd>, SysError> {
    let busy = |what: &str, advice: &str| SysError::new(what, &io::Error::from_raw_os_error(libc::EBUSY), advice);
    lookout::forget_times();
    let threads = threads().map_err(|error| SysError::new(WHAT, &error, ""))?;
    if threads != 1 {
        let what = text::string(format_args!("{WHAT}: it has {threads} threads"));
        return Err(busy(
            &what,
            "start threads after fkrpc.stdio, in the process that serves",
        ));
    }
    let found = numbers(own).map_err(|error| SysError::new(WHAT, &error, ""))?;
    for &number in &found {
        if let Some(kind) = conversation(number) {
            let what = text::string(format_args!("{WHAT}: its descriptor {number} is {kind}"));
            return Err(busy(
                &what,
                "open such things after fkrpc.stdio, in the process that serves",
            ));
        }
    }
    Ok(found)
}

/// The number of threads: /proc/self/task has a link for each, and two more.
fn threads() -> io::Result<u64> {
    for attempt in 0.. {
        let mut stat = std::mem::MaybeUninit::<libc::stat>::zeroed();
        // SAFETY: `stat` has room for the answer; zeroed it is a valid value already.
        let links = unsafe {
            fd::check(libc::stat(c"/proc/self/task".as_ptr(), stat.as_mut_ptr()))?;
            stat.assume_init().st_nlink
        };
        // One that was joined a moment ago may still be seen.
        if links == 3 || attempt == 50 {
            #[allow(clippy::unnecessary_cast)] // it has another width elsewhere
            return Ok((links as u64).saturating_sub(2));
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    Ok(0)
}

fn numbers(own: RawFd) -> io::Result<Vec<RawFd>> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: the path is ended by NUL; the kernel has just made what comes back.
    let folder = unsafe { OwnedFd::from_raw_fd(fd::check(libc::open(c"/proc/self/fd".as_ptr(), flags))?) };
    let listing = folder.as_raw_fd();
    let mut entries = Entries::new(folder)?;
    let mut found = Vec::new();
    while let Some(entry) = entries.next() {
        let number = entry?.0.to_str().ok().and_then(|name| name.parse().ok()).unwrap_or(-1);
        if number > libc::STDERR_FILENO && number != own && number != listing {
            found.try_reserve(1)?;
            found.push(number);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// What a descriptor is if no two processes can share it.
fn conversation(number: RawFd) -> Option<&'static str> {
    let mut stat = std::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: as in `threads`; a number that is not open is answered with EBADF.
    let mode = unsafe {
        if libc::fstat(number, stat.as_mut_ptr()) == -1 {
            return None;
        }
        stat.assume_init().st_mode
    };
    match mode & libc::S_IFMT {
        libc::S_IFSOCK => Some("a socket"),
        libc::S_IFIFO => Some("a pipe"),
        0 => Some("an object of the kernel without a name (epoll, eventfd ...)"),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_process_with_a_second_thread_is_refused_and_told_how_many() {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || wait.recv());
        let error = check(-1).unwrap_err();
        assert_eq!(error.errno, libc::EBUSY);
        assert!(
            error.message.contains("this process cannot be a zygote: it has "),
            "{error}"
        );
        drop(go);
        assert!(thread.join().unwrap().is_err());
    }

    #[test]
    fn pipes_sockets_and_nameless_objects_are_conversations_and_files_are_not() {
        let (reader, _writer) = fd::pipe().unwrap();
        let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        // SAFETY: two numbers; the kernel has just made what comes back.
        let event = unsafe { OwnedFd::from_raw_fd(fd::check(libc::eventfd(0, libc::EFD_CLOEXEC)).unwrap()) };
        let file = std::fs::File::open("/proc/self/status").unwrap();
        let device = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(conversation(reader.as_raw_fd()), Some("a pipe"));
        assert_eq!(conversation(socket.as_raw_fd()), Some("a socket"));
        assert!(conversation(event.as_raw_fd()).is_some_and(|kind| kind.contains("eventfd")));
        assert_eq!(conversation(file.as_fd().as_raw_fd()), None);
        assert_eq!(conversation(device.as_raw_fd()), None);
    }
}
