//! Stream sockets of the Unix domain (unix(7)): connecting to a path, taking an inherited descriptor, listening.
//!
//! A server's socket is for its own user (mode 0600 before anybody can connect). The file of a server that has died is
//! replaced, that of a living one is not: who is there is found out by connecting, so a living server sees one client
//! that leaves at once. Two servers that start at a time are kept apart by a lock on the folder (flock(2)).
//!
//! It refuses addresses without a file, and to take a descriptor that this process did not inherit.
#![allow(unsafe_code)]

use std::io;
use std::mem::{offset_of, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use super::{fd, poll, SysError};
use crate::text;

/// Private copies lie at this number or above, as those of stdio do.
const LEAST: RawFd = 10;
/// Clients that may wait to be accepted; the system has a limit of its own.
const BACKLOG: libc::c_int = 128;
/// How long another starting server is waited for.
const LOCK_TRIES: u32 = 100;
const LOCK_STEP: Duration = Duration::from_millis(10);

/// A path as the system takes it.
#[derive(Clone, Copy)]
struct Address {
    raw: libc::sockaddr_un,
    length: usize,
}

impl Address {
    fn new(path: &[u8]) -> io::Result<Self> {
        // SAFETY: zeroed is a valid value of this plain struct.
        let mut raw: libc::sockaddr_un = unsafe { MaybeUninit::zeroed().assume_init() };
        let most = raw.sun_path.len() - 1; // OK because the field is an array of about a hundred
        if path.is_empty() || path.contains(&0) {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        if path.len() > most {
            return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
        }
        raw.sun_family = libc::AF_UNIX as libc::sa_family_t; // OK because the constant is small
        for (to, from) in raw.sun_path.iter_mut().zip(path) {
            *to = *from as libc::c_char; // OK because both are a byte
        }
        let length = path.len();
        Ok(Self { raw, length })
    }

    fn parts(&self) -> (*const libc::sockaddr, libc::socklen_t) {
        let size = offset_of!(libc::sockaddr_un, sun_path) + self.length + 1;
        let size = libc::socklen_t::try_from(size).unwrap_or(0); // OK because it is about a hundred at most
        ((&raw const self.raw).cast(), size)
    }

    /// The path, ended by NUL as the rest of the field is zeros.
    fn path(&self) -> *const libc::c_char {
        self.raw.sun_path.as_ptr()
    }

    /// The path up to its last slash, or the folder we are in.
    fn folder(&self) -> Self {
        let slash = self.raw.sun_path[..self.length]
            .iter()
            .rposition(|byte| *byte == b'/' as libc::c_char);
        let mut folder = *self;
        folder.length = slash.map_or(1, |at| at.max(1));
        folder.raw.sun_path[folder.length..].fill(0);
        if slash.is_none() {
            folder.raw.sun_path[0] = b'.' as libc::c_char;
        }
        folder
    }
}

/// A socket of ours, close-on-exec and above descriptor 2.
fn stream() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_STREAM;
    #[cfg(not(target_vendor = "apple"))]
    let kind = kind | libc::SOCK_CLOEXEC;
    // SAFETY: no memory is involved.
    let number = fd::check(unsafe { libc::socket(libc::AF_UNIX, kind, 0) })?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows of it.
    let socket = unsafe { OwnedFd::from_raw_fd(number) };
    #[cfg(target_vendor = "apple")]
    fd::set_flags(socket.as_raw_fd(), libc::FD_CLOEXEC)?;
    fd::above_stdio(socket)
}

fn connect_to(address: &Address) -> io::Result<OwnedFd> {
    let socket = stream()?;
    let (raw, size) = address.parts();
    loop {
        // SAFETY: `raw` points to an address of at least `size` bytes that outlives the call.
        match fd::check(unsafe { libc::connect(socket.as_raw_fd(), raw, size) }) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map(|_| socket),
        }
    }
}

/// Connect to whoever listens at `path`.
///
/// # Errors
/// `ENOENT` where nothing is, `ECONNREFUSED` where nobody listens any more, `ENAMETOOLONG` for a path that has no room
/// in an address, and whatever else connect(2) says.
pub fn connect(path: &[u8]) -> Result<OwnedFd, SysError> {
    let connected = Address::new(path).and_then(|address| connect_to(&address));
    connected.map_err(|error| failure("connect to", path, &error))
}

/// Take the stream socket with this number: a close-on-exec copy is made and the number itself closed.
///
/// # Errors
/// `EBADF` for a number that is not open, `EINVAL` for 0 to 2 and for a descriptor that is close-on-exec, which was not
/// inherited and has an owner here; `ENOTSOCK` and `EPROTOTYPE` for what is no stream socket.
pub fn adopt(number: RawFd) -> Result<OwnedFd, SysError> {
    let refuse = |errno, advice| {
        let what = text::string(format_args!("cannot take descriptor {number}"));
        SysError::new(&what, &io::Error::from_raw_os_error(errno), advice)
    };
    if (0..=libc::STDERR_FILENO).contains(&number) {
        return Err(refuse(
            libc::EINVAL,
            "0 to 2 are stdin, stdout and stderr: fkrpc.stdio serves at them",
        ));
    }
    let errno = |error: io::Error| error.raw_os_error().unwrap_or(libc::EINVAL);
    match fd::flags(number) {
        Err(error) => {
            return Err(refuse(
                errno(error),
                "whoever started this process did not leave it open",
            ))
        }
        Ok(flags) if flags & libc::FD_CLOEXEC != 0 => {
            return Err(refuse(
                libc::EINVAL,
                "it is close-on-exec, so it was not inherited and belongs to somebody here",
            ));
        }
        Ok(_) => {}
    }
    // SAFETY: `flags` has just found it open, and the borrow ends with the copy.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    match socket_type(borrowed) {
        Ok(libc::SOCK_STREAM) => {}
        Ok(_) => return Err(refuse(libc::EPROTOTYPE, "a stream socket is wanted")),
        Err(error) => return Err(refuse(errno(error), "a stream socket is wanted")),
    }
    let copy = fd::dup_cloexec(borrowed, LEAST).map_err(|error| refuse(errno(error), ""))?;
    // SAFETY: nobody here owns it, since all that we and the standard library open is close-on-exec; whoever started
    // this process handed it over for us to take.
    unsafe { libc::close(number) };
    Ok(copy)
}

fn socket_type(socket: BorrowedFd<'_>) -> io::Result<libc::c_int> {
    let mut kind: libc::c_int = 0;
    // OK because it is 4
    let mut size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: `kind` has room for the `size` bytes that are written.
    fd::check(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TYPE,
            (&raw mut kind).cast(),
            &raw mut size,
        )
    })?;
    Ok(kind)
}

/// A server's socket; its file goes when it is dropped, if it is still its own and this the process that made it.
pub struct Listener {
    socket: UnixListener,
    address: Address,
    /// Device and number of the file.
    identity: (libc::dev_t, libc::ino_t),
    process: u32,
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Listener {
    /// Listen at `path`.
    ///
    /// # Errors
    /// `EADDRINUSE` where somebody listens already, or something is that is no socket; `ENAMETOOLONG`; what bind(2) says.
    pub fn bind(path: &[u8]) -> Result<Self, SysError> {
        let bound = Address::new(path).and_then(|address| Self::bind_to(&address));
        bound.map_err(|error| failure("listen at", path, &error))
    }

    fn bind_to(address: &Address) -> io::Result<Self> {
        let _lock = lock_folder(address);
        if is_stale(address) {
            // SAFETY: the path is ended by NUL.
            fd::check(unsafe { libc::unlink(address.path()) })?;
        }
        let socket = stream()?;
        let (raw, size) = address.parts();
        // SAFETY: `raw` points to an address of at least `size` bytes that outlives the call.
        fd::check(unsafe { libc::bind(socket.as_raw_fd(), raw, size) })?;
        let listening = Self {
            socket: UnixListener::from(socket),
            address: *address,
            identity: status(address).map(identity).ok_or_else(io::Error::last_os_error)?,
            process: std::process::id(),
        };
        // Nobody can connect before listen(2), so nobody does before this.
        // SAFETY: the path is ended by NUL.
        fd::check(unsafe { libc::chmod(address.path(), 0o600) })?;
        // SAFETY: no memory is involved.
        fd::check(unsafe { libc::listen(listening.socket.as_raw_fd(), BACKLOG) })?;
        // Its description is ours alone. A client that leaves between poll and accept must not block us.
        listening.socket.set_nonblocking(true)?;
        Ok(listening)
    }

    /// Its descriptor, for another process to listen on: the file stays.
    #[cfg(target_os = "linux")]
    pub(super) fn leave(mut self) -> io::Result<OwnedFd> {
        let socket = fd::dup_cloexec(self.socket.as_fd(), LEAST)?;
        self.process = 0;
        Ok(socket)
    }

    /// The next client, close-on-exec; `None` when `timeout` has passed.
    ///
    /// # Errors
    /// `EMFILE` and what else accept(2) says.
    pub fn accept(&self, timeout: Option<Duration>) -> io::Result<Option<OwnedFd>> {
        let deadline = timeout.and_then(|rest| Instant::now().checked_add(rest));
        loop {
            let rest = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if !poll::readable(self.socket.as_fd(), rest)? {
                return Ok(None);
            }
            match self.socket.accept() {
                Ok((client, _)) => return fd::above_stdio(client.into()).map(Some),
                Err(error) => match error.raw_os_error() {
                    Some(libc::EAGAIN | libc::EINTR | libc::ECONNABORTED) => {}
                    _ => return Err(error),
                },
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if std::process::id() == self.process && status(&self.address).map(identity) == Some(self.identity) {
            // SAFETY: the path is ended by NUL.
            unsafe { libc::unlink(self.address.path()) };
        }
    }
}

/// What is at the path, symbolic links not followed.
fn status(address: &Address) -> Option<libc::stat> {
    let mut found = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the path is ended by NUL, and `found` has room for the answer.
    fd::check(unsafe { libc::lstat(address.path(), found.as_mut_ptr()) }).ok()?;
    // SAFETY: zeroed is a valid value, and the call has filled it in.
    Some(unsafe { found.assume_init() })
}

/// Device and number of a file.
fn identity(found: libc::stat) -> (libc::dev_t, libc::ino_t) {
    (found.st_dev, found.st_ino)
}

/// Whether a socket is at the path that has no server any more.
fn is_stale(address: &Address) -> bool {
    status(address).is_some_and(|found| found.st_mode & libc::S_IFMT == libc::S_IFSOCK)
        && connect_to(address).is_err_and(|error| error.raw_os_error() == Some(libc::ECONNREFUSED))
}

/// A lock on the folder of a path while a server starts there; none where it cannot be had in time.
fn lock_folder(address: &Address) -> Option<OwnedFd> {
    let folder = address.folder();
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: the path is ended by NUL.
    let number = fd::check(unsafe { libc::open(folder.path(), flags) }).ok()?;
    // SAFETY: the kernel has just made this descriptor, and nobody else knows of it.
    let folder = unsafe { OwnedFd::from_raw_fd(number) };
    for _ in 0..LOCK_TRIES {
        // SAFETY: no memory is involved.
        match fd::check(unsafe { libc::flock(folder.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }) {
            Ok(_) => return Some(folder),
            Err(error) if error.raw_os_error() == Some(libc::EWOULDBLOCK) => std::thread::sleep(LOCK_STEP),
            Err(_) => return None,
        }
    }
    None
}

fn failure(doing: &str, path: &[u8], error: &io::Error) -> SysError {
    let what = text::string(format_args!("cannot {doing} \"{}\"", text::lossy(path)));
    // SAFETY: zeroed is a valid value of this plain struct, of which the size alone is used.
    let most = unsafe { MaybeUninit::<libc::sockaddr_un>::zeroed().assume_init() }
        .sun_path
        .len()
        - 1;
    let advice = match error.raw_os_error() {
        Some(libc::ENAMETOOLONG) => text::string(format_args!(
            "the path of a socket has at most {most} bytes, this one {}",
            path.len()
        )),
        Some(libc::EINVAL) if path.is_empty() || path.contains(&0) => text::copy("a path without NUL bytes is wanted"),
        Some(libc::ECONNREFUSED) => text::copy("nobody listens there any more, or it is no socket"),
        Some(libc::EADDRINUSE) => text::copy("somebody listens there, or it is no socket"),
        Some(libc::ENOENT) if doing.starts_with("listen") => text::copy("the folder must exist"),
        Some(libc::ENOENT) => text::copy("nobody has listened there"),
        _ => String::new(),
    };
    SysError::new(&what, error, &advice)
}
