//! From a command to a running program: everything is made ready beforehand, since the child may make system calls and
//! nothing else until it is another program.
//!
//! On Linux the child borrows this process's memory until then (clone(2): `CLONE_VM`, `CLONE_VFORK`), so that a start
//! takes the same time whatever the heap's size; elsewhere it is fork(2). While memory is shared every signal is held
//! back in the starting thread, and the child takes all handlers away before it lets a signal in: none of ours ever runs
//! there. It refuses to go on in a child that could not become the program: that one tells why by a pipe, and ends.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_void, CStr, OsStr};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr::{null, null_mut};

use super::command::Command;
use super::{limits, system};
use crate::sys::fd;

/// What the child's three standard streams are to be; `None`: what ours is.
pub(super) struct Streams {
    pub input: OwnedFd,
    pub output: OwnedFd,
    pub errors: Option<OwnedFd>,
}

/// What a child failed at.
pub(super) enum Failure {
    /// Getting as far as the program, or the program itself.
    Start(io::Error),
    /// Setting this limit, by its name.
    Limit(&'static str, io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Start(error)
    }
}

/// What the child reports: the place of the limit that could not be set, or -1, and errno.
const REPORT: usize = 2 * size_of::<libc::c_int>();

/// The stack of a child that borrows our memory; its few frames are small.
#[cfg(target_os = "linux")]
const STACK: usize = 64 << 10;

/// Run `command` with these streams, in a process group of its own; the child's pid.
///
/// # Errors
/// What made a string unusable (`EINVAL`), memory, what clone(2) says, or what the child could not do.
pub(super) fn start(command: &Command<'_>, streams: Streams) -> Result<libc::pid_t, Failure> {
    let mut candidates = Strings::default();
    places(&mut candidates, command)?;
    let mut arguments = Strings::default();
    arguments.push(&[command.program.as_bytes()])?;
    for argument in &command.args {
        arguments.push(&[argument.as_bytes()])?;
    }
    let mut environment = Strings::default();
    let changed = !command.env.is_empty();
    if changed {
        self::changed(&mut environment, command)?;
    }
    let environment = if changed { Some(environment.list()?) } else { None };
    let directory = match command.cwd {
        Some(directory) => Some(c_string(&[directory.as_os_str().as_bytes()])?),
        None => None,
    };
    let arguments = arguments.list()?;
    let candidates = candidates.list()?;
    let (failure, report) = fd::pipe()?;
    let ready = Ready {
        candidates: &candidates.pointers,
        arguments: arguments.pointers.as_ptr(),
        // SAFETY: reads the address of the list; who changes it in another thread breaks getenv(3) for all, too.
        environment: environment
            .as_ref()
            .map_or_else(|| unsafe { *environ() }, |list| list.pointers.as_ptr()),
        directory: directory.as_ref().map(|directory| directory.as_ptr().cast()),
        input: streams.input.as_raw_fd(),
        output: streams.output.as_raw_fd(),
        errors: streams.errors.as_ref().map(AsRawFd::as_raw_fd),
        limits: &command.limits,
        highest: system::highest_number(),
        report: report.as_raw_fd(),
    };
    let pid = launch(&ready)?;
    drop((report, streams));
    let mut told = [0; REPORT];
    // A write of so few bytes is whole; the end of the stream means that the exec has closed the other end.
    if fd::read(failure.as_fd(), &mut told)? == 0 {
        return Ok(pid);
    }
    // Where the host ignores its children, the kernel has collected it.
    let _ = system::wait4(pid, 0);
    let (place, errno) = told.split_at(REPORT / 2); // OK because it is half of the array
    let number = |bytes: &[u8]| libc::c_int::from_ne_bytes(bytes.try_into().unwrap_or_default());
    let error = io::Error::from_raw_os_error(number(errno));
    Err(match usize::try_from(number(place)).ok().and_then(limits::name) {
        Some(name) => Failure::Limit(name, error),
        None => Failure::Start(error),
    })
}

/// A process that runs [`child`].
#[cfg(target_os = "linux")]
fn launch(ready: &Ready<'_>) -> io::Result<libc::pid_t> {
    let mut stack: Vec<MaybeUninit<u128>> = Vec::new();
    stack.try_reserve_exact(STACK / size_of::<u128>())?;
    let mut all = MaybeUninit::<libc::sigset_t>::zeroed();
    let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the stack's end is aligned, and its memory outlives the child's use of it, as do `ready` and what it
    // points to: this thread waits until the child has become another program or ended. The child makes system calls
    // only and writes to nothing but its stack; no handler runs there, see the module. The sets are initialised by the
    // calls that get them first.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        let end = stack.as_mut_ptr().add(STACK / size_of::<u128>());
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        let pid = libc::clone(child, end.cast(), flags, (&raw const *ready).cast_mut().cast());
        let error = io::Error::last_os_error();
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), null_mut());
        if pid == -1 {
            return Err(error);
        }
        Ok(pid)
    }
}

/// A process that runs [`child`].
#[cfg(not(target_os = "linux"))]
fn launch(ready: &Ready<'_>) -> io::Result<libc::pid_t> {
    // SAFETY: the child makes async-signal-safe calls only and never returns.
    match unsafe { libc::fork() } {
        0 => loop {
            child((&raw const *ready).cast_mut().cast());
        },
        pid => fd::check(pid),
    }
}

/// In the child, which never leaves it: the program, or a report and the end.
extern "C" fn child(ready: *mut c_void) -> libc::c_int {
    // SAFETY: `launch` gives us its argument. _exit(2) ends this process at once: no destructor, no atexit handler, no
    // flush of the parent's buffers. The report's descriptor is open until the exec.
    unsafe {
        let ready = &*ready.cast::<Ready<'_>>();
        let (place, errno) = ready.become_program();
        let told = [place, errno];
        let written = libc::write(ready.report, told.as_ptr().cast(), REPORT);
        let _ = written; // nobody is left to tell
        libc::_exit(127)
    }
}

/// What the child needs, as the system calls want it. All of it belongs to `start`'s frame.
struct Ready<'a> {
    /// Ends with a null, as the other lists do.
    candidates: &'a [*const c_char],
    arguments: *const *const c_char,
    environment: *const *const c_char,
    directory: Option<*const c_char>,
    input: RawFd,
    output: RawFd,
    errors: Option<RawFd>,
    limits: &'a limits::Limits,
    highest: RawFd,
    report: RawFd,
}

impl Ready<'_> {
    /// In the child: become the program, or return what could not be done: the limit's place or -1, and errno.
    fn become_program(&self) -> (libc::c_int, libc::c_int) {
        // SAFETY: async-signal-safe calls (signal-safety(7)) that take no memory; all pointers are to strings and lists
        // that end with a null, made before. Our streams are above 2, so that no dup2 overwrites another's source.
        unsafe {
            system::forget_handlers();
            let moved = libc::dup2(self.input, libc::STDIN_FILENO) != -1
                && libc::dup2(self.output, libc::STDOUT_FILENO) != -1
                && self
                    .errors
                    .is_none_or(|errors| libc::dup2(errors, libc::STDERR_FILENO) != -1)
                && libc::setpgid(0, 0) != -1
                && self.directory.is_none_or(|directory| libc::chdir(directory) != -1);
            if !moved {
                return (-1, errno());
            }
            system::close_others(self.highest);
            if let Err(place) = self.limits.apply() {
                return (place, errno());
            }
            let mut denied = false;
            for &candidate in self.candidates.iter().take_while(|place| !place.is_null()) {
                libc::execve(candidate, self.arguments, self.environment);
                // As execvp(3): the next folder may have it.
                match errno() {
                    libc::EACCES => denied = true,
                    libc::ENOENT | libc::ENOTDIR => {}
                    other => return (-1, other),
                }
            }
            (-1, if denied { libc::EACCES } else { libc::ENOENT })
        }
    }
}

fn errno() -> libc::c_int {
    // OK because an error of the system has its number
    io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL)
}

/// The variable that holds the environment (environ(7)).
#[cfg(not(target_vendor = "apple"))]
fn environ() -> *mut *const *const c_char {
    extern "C" {
        static mut environ: *const *const c_char;
    }
    &raw mut environ
}

/// The variable that holds the environment: libraries of macOS cannot name it.
#[cfg(target_vendor = "apple")]
fn environ() -> *mut *const *const c_char {
    // SAFETY: the function takes nothing and returns the address of a variable.
    unsafe { libc::_NSGetEnviron().cast() }
}

/// This process's environment with the command's changes.
fn changed(environment: &mut Strings, command: &Command<'_>) -> io::Result<()> {
    // SAFETY: null, or a list of strings that ends with a null. Who changes it in another thread at this moment breaks
    // getenv(3) in the whole process, too.
    unsafe {
        let mut next = *environ();
        while !next.is_null() && !(*next).is_null() {
            let variable = CStr::from_ptr(*next).to_bytes();
            let name = variable.split(|&byte| byte == b'=').next().unwrap_or_default();
            if !command.env.iter().any(|(changed, _)| changed.as_bytes() == name) {
                environment.push(&[variable])?;
            }
            next = next.add(1);
        }
    }
    for (place, (name, value)) in command.env.iter().enumerate() {
        let later = command.env.iter().skip(place + 1).any(|(later, _)| later == name);
        if let (false, Some(value)) = (later, value) {
            environment.push(&[name.as_bytes(), b"=", OsStr::as_bytes(value)])?;
        }
    }
    Ok(())
}

/// Strings for the system, and their addresses.
#[derive(Default)]
struct Strings {
    owned: Vec<Vec<u8>>,
}

impl Strings {
    fn push(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        self.owned.try_reserve(1)?;
        self.owned.push(c_string(parts)?);
        Ok(())
    }

    /// They and their addresses.
    fn list(self) -> io::Result<List> {
        let mut pointers = Vec::new();
        pointers.try_reserve_exact(self.owned.len() + 1)?;
        pointers.extend(self.owned.iter().map(|string| string.as_ptr().cast::<c_char>()));
        pointers.push(null());
        Ok(List {
            pointers,
            _owned: self.owned,
        })
    }
}

/// Addresses and a null, as execve(2) wants them, with the strings that lie there.
struct List {
    pointers: Vec<*const c_char>,
    _owned: Vec<Vec<u8>>,
}

/// Where the program may be: the path it is, or its name in each folder of the child's `PATH`, as execvp(3) looks for it.
fn places(candidates: &mut Strings, command: &Command<'_>) -> io::Result<()> {
    let name = command.program.as_bytes();
    if name.is_empty() || name.contains(&b'/') {
        return candidates.push(&[name]);
    }
    let own = command.env.iter().rev().find(|(name, _)| *name == "PATH");
    let path = match own {
        Some((_, path)) => path.map(|path| path.as_bytes()),
        // SAFETY: null, or a string that ends with a NUL byte. As for `environ`: nobody may change it meanwhile.
        None => unsafe {
            let path = libc::getenv(c"PATH".as_ptr());
            (!path.is_null()).then(|| CStr::from_ptr(path).to_bytes())
        },
    };
    let path = path.unwrap_or(b"/bin:/usr/bin");
    for folder in path.split(|&byte| byte == b':') {
        match folder {
            b"" => candidates.push(&[b"./", name])?,
            folder => candidates.push(&[folder, b"/", name])?,
        }
    }
    Ok(())
}

/// The parts as one string that ends with a NUL byte.
fn c_string(parts: &[&[u8]]) -> io::Result<Vec<u8>> {
    let mut string = Vec::new();
    for part in parts {
        if part.contains(&0) {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        string.try_reserve(part.len() + 1)?;
        string.extend_from_slice(part);
    }
    string.push(0);
    Ok(string)
}
