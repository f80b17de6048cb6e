//! A stand-in: the process that somebody has started, in front of the copy of a zygote that does its work.
//!
//! It hands over its descriptors 0 to 2, working directory, environment, umask and limits, passes on signals, and ends
//! as its copy does: with its exit code, or by the same signal. When it ends first, the copy is killed.
//!
//! It refuses to take a zygote of another user's, and to hand over input that the copy may have read already: [`run`]
//! comes back only while nothing has been taken from it.
#![allow(unsafe_code)]

use std::ffi::{CStr, OsStr};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr::null_mut;
use std::time::{Duration, Instant};

use super::client::folder;
use super::control;
use super::packet::{self, Descriptors, Kind, Packet};
use super::server::request;
use super::settings::Settings;
use crate::sys::process::{self, Command, Errors, Limits};
use crate::sys::socket::{self, Listener};
use crate::sys::{fd, poll, stderr, SysError};
use crate::text;

/// What it ends with when its zygote has gone, and with that its copy.
pub const LOST: i32 = 111;

/// The signals that are passed on.
const SIGNALS: [libc::c_int; 9] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGTERM,
    libc::SIGCONT,
    libc::SIGTSTP,
];

/// What a stand-in looks for.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// Where its zygote listens.
    pub path: &'a [u8],
    /// What that must know.
    pub key: u64,
    /// How to start one where there is none: what [`control::VARIABLE`] is to be, then the command.
    pub variable: &'a OsStr,
    /// See above.
    pub command: Vec<&'a OsStr>,
    /// How long a script may take to load.
    pub patience: Duration,
}

/// Becomes a stand-in, for good. This returns only where there is no zygote to be had: nothing was handed over then,
/// and the process can do its work itself.
pub fn run(wanted: &Wanted<'_>) -> SysError {
    let what = "there is no zygote to be had";
    match hand_over(wanted) {
        Ok((socket, pid, signals)) => stand_in(&socket, pid, &signals),
        Err(Failure::Told(error)) => error,
        Err(Failure::System(error)) => SysError::new(what, &error, ""),
    }
}

enum Failure {
    Told(SysError),
    System(io::Error),
}

impl From<SysError> for Failure {
    fn from(error: SysError) -> Self {
        Self::Told(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

fn errno(number: i32) -> Failure {
    Failure::System(io::Error::from_raw_os_error(number))
}

/// A connection to the zygote, which is started if there is none.
fn connect(wanted: &Wanted<'_>) -> Result<OwnedFd, Failure> {
    for _ in 0..3 {
        match socket::connect(wanted.path) {
            Ok(found) => return Ok(found),
            Err(error) if matches!(error.errno, libc::ENOENT | libc::ECONNREFUSED) => {}
            Err(error) => return Err(error.into()),
        }
        let listener = match Listener::bind(wanted.path) {
            Ok(listener) => listener.leave()?,
            Err(error) if error.errno == libc::EADDRINUSE => continue, // somebody else was faster
            Err(error) => return Err(error.into()),
        };
        let Some((program, args)) = wanted.command.split_first() else {
            return Err(errno(libc::EINVAL));
        };
        let mut command = Command {
            program,
            args: Vec::new(),
            env: Vec::new(),
            cwd: None,
            errors: Errors::Inherit,
            limits: Limits::default(),
        };
        let no_memory = |_| errno(libc::ENOMEM);
        command.args.try_reserve_exact(args.len()).map_err(no_memory)?;
        command.args.extend_from_slice(args);
        command.env.try_reserve_exact(1).map_err(no_memory)?;
        command
            .env
            .push((OsStr::from_bytes(control::VARIABLE.to_bytes()), Some(wanted.variable)));
        // It is nobody's child for long.
        drop(process::with_socket(&command, listener, None)?);
    }
    Err(errno(libc::EADDRINUSE))
}

/// Hands everything over: the connection, the copy's pid, and the signals that have come since.
fn hand_over(wanted: &Wanted<'_>) -> Result<(OwnedFd, libc::pid_t, Signals), Failure> {
    for stream in 0..=libc::STDERR_FILENO {
        fd::flags(stream)?;
    }
    let socket = connect(wanted)?;
    // SAFETY: geteuid(2) cannot fail.
    if control::peer(socket.as_fd())?.uid != unsafe { libc::geteuid() } {
        return Err(errno(libc::EPERM));
    }
    let mut settings = Settings::default();
    settings.own()?;
    let (folder, settings) = (folder(None)?, settings.file()?);
    let settings = settings.as_ref().map_or(-1, AsRawFd::as_raw_fd);
    // Before the copy can be there: whoever hears of it may send a signal at once.
    let signals = Signals::hold()?;
    request(socket.as_fd(), wanted.key, &[0, 1, 2, folder.as_raw_fd(), settings])?;
    match begun(&socket, &signals, wanted.patience)? {
        Some(packet) if packet.is(Kind::Taken) => {}
        Some(packet) if packet.is(Kind::Failed) => return Err(errno(packet.a)),
        _ => return Err(errno(libc::ECONNRESET)), // the script could not be loaded, or not be copied
    }
    match packet::receive(socket.as_fd(), &mut Descriptors::default()) {
        Ok(Some(packet)) if packet.is(Kind::Started) => Ok((socket, packet.a, signals)),
        Ok(Some(packet)) if packet.is(Kind::Failed) => Err(errno(packet.a)),
        _ => lost(),
    }
}

/// What the zygote says first; `None` at its end. When the time is over it is told so, unless it has just begun. Signals
/// do meanwhile what they always did here.
fn begun(socket: &OwnedFd, signals: &Signals, patience: Duration) -> io::Result<Option<Packet>> {
    let deadline = Instant::now().checked_add(patience);
    loop {
        let rest = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        let (said, signal) = readable(socket.as_fd(), signals.fd.as_fd(), rest)?;
        if signal && !said {
            signals.let_through();
            continue;
        }
        if !said {
            // SAFETY: no memory is involved. From here on the zygote cannot tell us that it begins, so it does not.
            unsafe { libc::shutdown(socket.as_raw_fd(), libc::SHUT_RD) };
        }
        return packet::receive(socket.as_fd(), &mut Descriptors::default());
    }
}

fn lost() -> ! {
    stderr::log(b"fkrpc: the zygote has gone, and the process that was copied from it\n");
    // SAFETY: ends the process at once; the script has not run here.
    unsafe { libc::_exit(LOST) }
}

/// Until the copy ends.
fn stand_in(socket: &OwnedFd, pid: libc::pid_t, signals: &Signals) -> ! {
    name(pid);
    // SAFETY: the path is ended by NUL. The copy has the streams; who waits for their ends must not wait for us.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        if null >= 0 {
            libc::dup2(null, libc::STDIN_FILENO);
            libc::dup2(null, libc::STDOUT_FILENO);
        }
    }
    loop {
        let Ok(ready) = readable(socket.as_fd(), signals.fd.as_fd(), None) else {
            lost()
        };
        if ready.0 {
            match packet::receive(socket.as_fd(), &mut Descriptors::default()) {
                Ok(Some(packet)) if packet.is(Kind::Ended) => end(packet.a),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => lost(),
            }
        }
        if ready.1 {
            pass_on(socket.as_fd(), signals.fd.as_fd());
        }
    }
}

/// Waits until one of the two can be read: which of them; neither when the time is over.
fn readable(one: BorrowedFd<'_>, other: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<(bool, bool)> {
    let entry = |fd: BorrowedFd<'_>| libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let mut entries = [entry(one), entry(other)];
    poll::wait(&mut entries, timeout)?;
    Ok((entries[0].revents != 0, entries[1].revents != 0))
}

/// The signals that are passed on, held back and as a descriptor (signalfd(2)); let through again when it is dropped.
struct Signals {
    fd: OwnedFd,
    set: libc::sigset_t,
    before: libc::sigset_t,
}

impl Signals {
    fn hold() -> io::Result<Self> {
        let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
        let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: places of ours; zeroed is a valid set. The kernel has just made the descriptor.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for signal in SIGNALS {
                libc::sigaddset(set.as_mut_ptr(), signal);
            }
            let fd = OwnedFd::from_raw_fd(fd::check(libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC))?);
            libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), before.as_mut_ptr());
            Ok(Self {
                fd,
                set: set.assume_init(),
                before: before.assume_init(),
            })
        }
    }

    /// What was held back takes effect, here.
    fn let_through(&self) {
        // SAFETY: both sets are valid.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, null_mut());
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const self.set, null_mut());
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // SAFETY: the set is valid.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, null_mut()) };
    }
}

/// One signal. To stop is what both do.
fn pass_on(socket: BorrowedFd<'_>, signals: BorrowedFd<'_>) {
    let mut bytes = [0u8; 128]; // a signalfd_siginfo, which begins with the number
    if fd::read(signals, &mut bytes).is_err() {
        return;
    }
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[..4]);
    let number = i32::from_ne_bytes(number);
    let stop = number == libc::SIGTSTP;
    let meant = if stop { libc::SIGSTOP } else { number };
    // OK because the next receive notices.
    let _ = packet::send(socket, Packet::new(Kind::Signal, meant, 0), &[]);
    if stop {
        // SAFETY: to this process itself.
        unsafe { libc::raise(libc::SIGSTOP) };
    }
}

/// The name by which others see who stands behind: `standin:1234` in /proc/<pid>/comm.
fn name(pid: libc::pid_t) {
    let name = text::string(format_args!("standin:{pid}\0"));
    if let Ok(name) = CStr::from_bytes_with_nul(name.as_bytes()) {
        // SAFETY: a string that ends with NUL; what is longer than 15 bytes is cut.
        unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
    }
}

/// Ends as the copy has ended.
fn end(status: i32) -> ! {
    if libc::WIFSIGNALED(status) {
        let signal = libc::WTERMSIG(status);
        let none = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: numbers and places of ours. One core file is enough, and that is the copy's.
        unsafe {
            libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
            let mut only = MaybeUninit::<libc::sigset_t>::zeroed();
            libc::sigemptyset(only.as_mut_ptr());
            libc::sigaddset(only.as_mut_ptr(), signal);
            libc::signal(signal, libc::SIG_DFL);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, only.as_ptr(), null_mut());
            libc::raise(signal);
            libc::_exit(128 + signal)
        }
    }
    // SAFETY: ends the process at once.
    unsafe { libc::_exit(libc::WEXITSTATUS(status)) }
}

/// The folder for sockets whose place nobody has named: `base` with this user's number, for this user alone.
///
/// # Errors
/// `EPERM` where somebody else has made it, or others may look into it; what mkdir(2) says.
pub fn own_folder(base: &[u8]) -> Result<Vec<u8>, SysError> {
    // SAFETY: geteuid(2) cannot fail.
    let user = unsafe { libc::geteuid() };
    let name = text::string(format_args!("/fkrpc-{user}"));
    let mut path = text::joined(&[base, name.as_bytes(), b"\0"]);
    let fail = |error: io::Error| SysError::new("there is no folder for sockets to be had", &error, "");
    if path.is_empty() || base.contains(&0) {
        return Err(fail(io::Error::from_raw_os_error(libc::ENOMEM)));
    }
    let mut stat = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the path is ended by NUL, and `stat` has room for the answer; zeroed it is a valid value.
    let stat = unsafe {
        libc::mkdir(path.as_ptr().cast(), 0o700); // OK if it is there: it is looked at
        fd::check(libc::lstat(path.as_ptr().cast(), stat.as_mut_ptr())).map_err(fail)?;
        stat.assume_init()
    };
    if stat.st_uid != user || stat.st_mode & (libc::S_IFMT | 0o077) != libc::S_IFDIR {
        return Err(fail(io::Error::from_raw_os_error(libc::EPERM)));
    }
    path.pop();
    Ok(path)
}
