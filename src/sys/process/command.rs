//! Starting a program with pipes for its stdin and stdout.
//!
//! It refuses to run a shell, and to let the program inherit any descriptor but 0, 1 and 2: Lua's own files and pipes
//! are not close-on-exec, and a pipe that leaks into a child never ends. It refuses to return a process whose program
//! could not be executed: that is an error here, with its errno.

#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{abandoned, errors, exec, Child, Errors, Limits, Process};
use crate::sys::{fd, SysError};
use crate::text;

/// What to run, and how.
#[derive(Clone, Debug)]
pub struct Command<'a> {
    /// A path when it has a slash, else a name to look for along `PATH` (the child's own, where `env` sets it).
    pub program: &'a OsStr,
    /// The arguments after the program's name.
    pub args: Vec<&'a OsStr>,
    /// Changes to the environment, in order; `None` removes. The rest is inherited.
    pub env: Vec<(&'a OsStr, Option<&'a OsStr>)>,
    /// The working directory; a relative `program` path counts from there. `None`: this process's own.
    pub cwd: Option<&'a Path>,
    /// Where its stderr goes.
    pub errors: Errors,
    /// What it may use.
    pub limits: Limits,
}

/// Starts `command` with pipes for its stdin and stdout, close-on-exec on our side. The child has a process group of
/// its own and starts with an empty signal mask and every signal at its default.
///
/// # Errors
/// The errno of what failed, at once: `ENOENT` when there is no such program or directory, `EACCES` when it may not be
/// executed, `EINVAL` for a NUL byte or an impossible variable name, `EMFILE`, `EAGAIN` ... The text names the program
/// and says where it was looked for.
pub fn spawn(command: &Command<'_>) -> Result<Process, SysError> {
    abandoned::reap();
    for (name, _) in &command.env {
        if name.is_empty() || name.as_bytes().contains(&b'=') {
            let what = command.what();
            return Err(SysError {
                message: text::string(format_args!(
                    "{what}: {name:?} cannot name a variable; a name is not empty and has no \"=\""
                )),
                errno: libc::EINVAL,
            });
        }
    }
    start(command).map_err(|failure| match failure {
        exec::Failure::Start(error) => command.failure(&error),
        exec::Failure::Limit(name, error) => {
            let what = text::string(format_args!("{}: limit '{name}'", command.what()));
            SysError::new(&what, &error, "a limit can be lowered by anybody, and raised by root")
        }
    })
}

/// Starts `command` with `socket` for its stdin, and with its stderr for its stdout; `input` is our end, if there is one.
#[cfg(target_os = "linux")]
pub(in crate::sys) fn with_socket(
    command: &Command<'_>,
    socket: OwnedFd,
    input: Option<OwnedFd>,
) -> Result<Process, SysError> {
    abandoned::reap();
    let fail = |error: io::Error| command.failure(&error);
    let (reader, errors) = command.errors.open().map_err(fail)?;
    // SAFETY: 2 is borrowed for this one call; where it is closed the copy fails.
    let own = unsafe { BorrowedFd::borrow_raw(libc::STDERR_FILENO) };
    let output = fd::dup_cloexec(errors.as_ref().map_or(own, AsFd::as_fd), libc::STDERR_FILENO + 1).map_err(fail)?;
    let streams = exec::Streams {
        input: socket,
        output,
        errors,
    };
    let pid = exec::start(command, streams).map_err(|failure| match failure {
        exec::Failure::Start(error) | exec::Failure::Limit(_, error) => fail(error),
    })?;
    Process::of(pid, input, None, reader, command.errors).map_err(fail)
}

fn start(command: &Command<'_>) -> Result<Process, exec::Failure> {
    let (child_input, input) = fd::pipe()?;
    let (output, child_output) = fd::pipe()?;
    let (errors, child_errors) = command.errors.open()?;
    let streams = exec::Streams {
        input: child_input,
        output: child_output,
        errors: child_errors,
    };
    let child = Child::new(exec::start(command, streams)?);
    Ok(Process {
        input: Some(input),
        output: Some(output),
        // Without a thread to read them there is no end of what could go wrong later: better now.
        errors: match errors {
            Some(reader) => Some(errors::follow(reader, command.errors == Errors::Relay)?),
            None => None,
        },
        child,
    })
}

impl Command<'_> {
    fn what(&self) -> String {
        text::string(format_args!("cannot run {:?}", self.program))
    }

    /// The error with what the kernel leaves out: ENOENT and EACCES do not say whether the directory, the program or
    /// the interpreter in its first line is meant. This is a look afterwards, for the text alone.
    fn failure(&self, error: &io::Error) -> SysError {
        let errno = error.raw_os_error();
        if !matches!(errno, Some(libc::ENOENT | libc::EACCES | libc::ENOTDIR)) {
            return SysError::new(&self.what(), error, "");
        }
        if let Some(directory) = self.cwd {
            if !directory.is_dir() {
                let what = text::string(format_args!("cannot run {:?} in {directory:?}", self.program));
                return SysError::new(&what, error, "the working directory must exist and be a directory");
            }
        }
        if errno == Some(libc::ENOENT) && self.args.is_empty() && self.program.as_bytes().contains(&b' ') {
            let advice = "a program and its arguments are texts of their own: { \"lua5.4\", \"entry.lua\" }";
            return SysError::new(&self.what(), error, advice);
        }
        if self.program.as_bytes().contains(&b'/') {
            let path = self
                .cwd
                .map_or_else(|| self.program.into(), |directory| directory.join(self.program));
            let advice = match (errno, path.exists()) {
                (Some(libc::ENOENT), true) => "the file is there, its interpreter (#! line) or loader is not",
                (Some(libc::EACCES), true) => "it must be an executable file (chmod +x)",
                _ => "check the path",
            };
            return SysError::new(&self.what(), error, advice);
        }
        let own = self
            .env
            .iter()
            .rev()
            .find(|(name, _)| *name == "PATH")
            .map(|(_, value)| value.map(OsStr::to_os_string));
        let advice = match own.unwrap_or_else(|| std::env::var_os("PATH")) {
            Some(path) => text::string(format_args!("PATH={}", text::lossy(path.as_bytes()))),
            None => text::copy("PATH is not set"),
        };
        SysError::new(&self.what(), error, &advice)
    }
}
