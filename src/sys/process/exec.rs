//! fork(2) and execvp(3): everything is made ready before the fork, since the child may make system calls and nothing
//! else until it is another program.
//!
//! It refuses to go on in a child that could not become the program: that one tells why by a pipe, and ends.
#![allow(unsafe_code)]

use std::ffi::{c_char, CStr, OsStr};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr::{null, null_mut};

use super::command::Command;
use super::system;
use crate::sys::fd;

/// Run `command` with these ends of pipes as its stdin and stdout; the child's pid.
///
/// # Errors
/// What made a string unusable (`EINVAL`), memory, what fork(2) says, or what the child could not do.
pub(super) fn start(command: &Command<'_>, input: OwnedFd, output: OwnedFd) -> io::Result<libc::pid_t> {
    let program = c_string(&[command.program.as_bytes()])?;
    let mut arguments = Strings::default();
    arguments.push(&[command.program.as_bytes()])?;
    for argument in &command.args {
        arguments.push(&[argument.as_bytes()])?;
    }
    let mut environment = Strings::default();
    if !command.env.is_empty() {
        changed(&mut environment, command)?;
    }
    let directory = match command.cwd {
        Some(directory) => Some(c_string(&[directory.as_os_str().as_bytes()])?),
        None => None,
    };
    let ready = Ready {
        program: program.as_ptr().cast(),
        arguments: arguments.pointers()?,
        environment: if command.env.is_empty() {
            None
        } else {
            Some(environment.pointers()?)
        },
        directory: directory.as_ref().map(|directory| directory.as_ptr().cast()),
        input: input.as_raw_fd(),
        output: output.as_raw_fd(),
        highest: system::highest_number(),
    };
    let (failure, report) = fd::pipe()?;
    // SAFETY: the child makes async-signal-safe calls only and never returns from `become_program`.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let errno = ready.become_program();
        let _ = fd::write(report.as_fd(), &errno.to_ne_bytes());
        // SAFETY: ends the process at once: no destructor, no atexit handler, no flush of the parent's buffers.
        unsafe { libc::_exit(127) }
    }
    if pid == -1 {
        return Err(io::Error::last_os_error());
    }
    drop(report);
    let mut errno = [0; size_of::<libc::c_int>()];
    // A write of so few bytes is whole; the end of the stream means that the exec has closed the other end.
    if fd::read(failure.as_fd(), &mut errno)? == 0 {
        return Ok(pid);
    }
    // Where the host ignores its children, the kernel has collected it.
    let _ = system::wait4(pid, 0);
    Err(io::Error::from_raw_os_error(libc::c_int::from_ne_bytes(errno)))
}

/// What the child needs, as the system calls want it. The strings belong to `start`'s frame.
struct Ready {
    program: *const c_char,
    arguments: Vec<*const c_char>,
    environment: Option<Vec<*const c_char>>,
    directory: Option<*const c_char>,
    input: RawFd,
    output: RawFd,
    highest: RawFd,
}

impl Ready {
    /// In the child: become the program, or return the errno of what could not be done.
    fn become_program(&self) -> libc::c_int {
        // SAFETY: async-signal-safe calls (signal-safety(7)), and `execvp`, which takes no memory in the C libraries of
        // Linux and macOS; all pointers are to strings and lists that end with a null, made before the fork. There is
        // one thread, so that nobody else looks at the environment.
        unsafe {
            if libc::dup2(self.input, libc::STDIN_FILENO) == -1 || libc::dup2(self.output, libc::STDOUT_FILENO) == -1 {
                return errno();
            }
            if let Some(directory) = self.directory {
                if libc::chdir(directory) == -1 {
                    return errno();
                }
            }
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::signal(libc::SIGPIPE, libc::SIG_DFL);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, null_mut());
            system::close_others(self.highest);
            if let Some(environment) = &self.environment {
                *environ() = environment.as_ptr();
            }
            libc::execvp(self.program, self.arguments.as_ptr());
            errno()
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

    /// Their addresses and a null, as execve(2) wants them.
    fn pointers(&self) -> io::Result<Vec<*const c_char>> {
        let mut pointers = Vec::new();
        pointers.try_reserve_exact(self.owned.len() + 1)?;
        pointers.extend(self.owned.iter().map(|string| string.as_ptr().cast::<c_char>()));
        pointers.push(null());
        Ok(pointers)
    }
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
