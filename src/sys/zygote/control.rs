//! The zygote's end of its control socket: taken away from the script before that runs, kept until it would serve.
//!
//! It refuses what is no stream socket of the Unix domain: an environment variable may have been inherited by somebody
//! it was not meant for.
#![allow(unsafe_code)]

use std::io;
use std::mem::{size_of, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::sys::fd;

/// The variable that makes a zygote of a program: `descriptor:key:milliseconds`.
pub const VARIABLE: &std::ffi::CStr = c"FKRPC_ZYGOTE";

/// What a zygote was given.
#[derive(Debug)]
pub struct Control {
    /// A connection to the one who started it, or a socket that stand-ins connect to.
    pub(super) socket: OwnedFd,
    /// It is the latter.
    pub(super) listening: bool,
    /// What requests must know.
    pub(super) key: u64,
    /// How long it waits for the next stand-in when there is none.
    pub(super) idle: Duration,
}

static CONTROL: Mutex<Option<Control>> = Mutex::new(None);

/// Takes the control socket, so that neither the script nor what it starts can reach it. Where stand-ins connect to it,
/// descriptors 1 and 2 become a log file beside it: nobody else may wait for the zygote's end.
///
/// # Errors
/// `ENOTSOCK` and what else shows that it is none; `EMFILE`.
pub fn take(number: RawFd, key: u64, idle: Duration) -> io::Result<()> {
    fd::flags(number)?;
    // SAFETY: `flags` has just found it open, and the borrow ends with the copy.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    if option(borrowed, libc::SO_DOMAIN)? != libc::AF_UNIX || option(borrowed, libc::SO_TYPE)? != libc::SOCK_STREAM {
        return Err(io::Error::from_raw_os_error(libc::EPROTOTYPE));
    }
    let listening = option(borrowed, libc::SO_ACCEPTCONN)? != 0;
    let socket = fd::dup_cloexec(borrowed, 10)?;
    let flags = libc::O_RDWR | libc::O_CLOEXEC;
    // SAFETY: the path is ended by NUL; the kernel has just made what comes back. Whoever started this process has put
    // the socket at `number` for us to take.
    unsafe {
        let null = OwnedFd::from_raw_fd(fd::check(libc::open(c"/dev/null".as_ptr(), flags))?);
        fd::check(libc::dup2(null.as_raw_fd(), number))?;
        if number > libc::STDERR_FILENO {
            libc::close(number);
        }
        libc::unsetenv(VARIABLE.as_ptr());
        if listening {
            let log = log(socket.as_fd()).unwrap_or(null);
            for stream in [libc::STDOUT_FILENO, libc::STDERR_FILENO] {
                fd::check(libc::dup2(log.as_raw_fd(), stream))?;
            }
        }
    }
    *lock() = Some(Control {
        socket,
        listening,
        key,
        idle,
    });
    Ok(())
}

/// What [`take`] has taken, once.
pub(super) fn taken() -> Option<Control> {
    lock().take()
}

fn lock() -> std::sync::MutexGuard<'static, Option<Control>> {
    // OK because nothing between lock and unlock leaves a half-written state.
    CONTROL.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn option(socket: BorrowedFd<'_>, name: libc::c_int) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    // OK because it is 4
    let mut size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: `value` has room for the `size` bytes that are written.
    fd::check(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            name,
            (&raw mut value).cast(),
            &raw mut size,
        )
    })?;
    Ok(value)
}

/// Who is at the other end: pid and user (unix(7), `SO_PEERCRED`).
pub(super) fn peer(socket: BorrowedFd<'_>) -> io::Result<libc::ucred> {
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    // OK because it is 12
    let mut size = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: `peer` has room for the `size` bytes that are written.
    fd::check(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut size,
        )
    })?;
    Ok(peer)
}

/// The path that a socket is bound to, ended by NUL, with `ending`; `None` where there is none.
pub(super) fn path(socket: BorrowedFd<'_>, ending: &[u8]) -> Option<Vec<u8>> {
    let mut address = MaybeUninit::<libc::sockaddr_un>::zeroed();
    // OK because it is about a hundred
    let mut size = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    // SAFETY: `address` has room for `size` bytes; zeroed it is a valid value already.
    let address = unsafe {
        fd::check(libc::getsockname(
            socket.as_raw_fd(),
            address.as_mut_ptr().cast(),
            &raw mut size,
        ))
        .ok()?;
        address.assume_init()
    };
    let mut path = Vec::new();
    path.try_reserve_exact(address.sun_path.len() + ending.len() + 1).ok()?;
    // OK because both are a byte
    path.extend(
        address
            .sun_path
            .iter()
            .map(|&byte| byte as u8)
            .take_while(|&byte| byte != 0),
    );
    if path.is_empty() {
        return None;
    }
    path.extend_from_slice(ending);
    path.push(0);
    Some(path)
}

/// The log: a file beside the socket, for its owner alone, made anew.
fn log(socket: BorrowedFd<'_>) -> Option<OwnedFd> {
    let path = path(socket, b".log")?;
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // SAFETY: the path is ended by NUL; the kernel has just made what comes back.
    unsafe {
        let number = fd::check(libc::open(path.as_ptr().cast(), flags, 0o600)).ok()?;
        Some(OwnedFd::from_raw_fd(number))
    }
}
