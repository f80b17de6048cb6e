//! The switch that makes the protocol's two descriptors private.
//!
//! A JSON-RPC server over stdio dies of one stray `print`. After [`take`] the wire is on two descriptors that nobody
//! else knows and no child inherits; descriptor 0 is /dev/null and descriptor 1 is stderr, so that whatever C, Lua,
//! `os.execute` or `io.popen` print goes to the log.
//!
//! It refuses to be undone or toggled: bytes that are still in somebody's buffer would reach the wire. It refuses a
//! half-done switch: when a step fails, descriptors 0, 1 and 2 are what they were. It cannot catch what was flushed
//! before it ran, nor who opens `/proc/self/fd/<n>` on purpose.
#![allow(unsafe_code)]

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use super::{c_streams, fd, SysError};
use crate::text;

/// The private copies lie at this number or above, out of the way of programs that count descriptors from 3.
const LEAST: RawFd = 10;

/// The wire. Both descriptors are close-on-exec.
#[derive(Debug)]
pub struct Stdio {
    /// What descriptor 0 was.
    pub input: OwnedFd,
    /// What descriptor 1 was.
    pub output: OwnedFd,
    /// What C's stdin had read and nobody had asked for: it comes before anything that `input` still holds.
    pub leftover: Vec<u8>,
}

/// Moves the wire from descriptors 0 and 1 to private ones; see the module. Where stderr is the wire itself (`2>&1`,
/// not on a terminal), 1 and 2 become /dev/null: a log on the wire is worse than no log. A closed descriptor 2 becomes
/// /dev/null, too.
///
/// What C's stdout held goes where descriptor 1 leads by then; stdout is line-buffered from here on. C's stdin is at
/// its end. Call it once: a second call would take /dev/null for its input and stderr for its output, and cannot know.
/// Call it while no other thread uses 0, 1, 2 or C's stdio.
///
/// # Errors
/// `EBADF` when descriptor 0 or 1 is closed; `EMFILE` or `EINVAL` when there is no descriptor above 9 to be had;
/// whatever opening /dev/null says. The text names the step; nothing has changed then, except that stdout may have been
/// flushed to stderr and be line-buffered.
pub fn take() -> Result<Stdio, SysError> {
    // Nothing visible happens before the last thing that can run out has been had: both copies, /dev/null, memory.
    // The guards put back in reverse order what was moved, when one of the later steps returns early.
    let input = Moved::save(0).map_err(|error| refuse("standard input (descriptor 0)", &error))?;
    let output = Moved::save(1).map_err(|error| refuse("standard output (descriptor 1)", &error))?;
    let error_output = match Moved::save(2) {
        Err(error) if error.raw_os_error() == Some(libc::EBADF) => Moved {
            target: 2,
            before: Before::Closed,
        },
        saved => saved.map_err(|error| refuse("standard error (descriptor 2)", &error))?,
    };
    let null = open_null().map_err(|error| step("opening /dev/null", &error))?;
    let mut leftover = Vec::new();
    c_streams::reserve(&mut leftover).map_err(|error| step("making room for what stdin has buffered", &error))?;

    let no_log = matches!(error_output.before, Before::Closed) || is_wire(2);
    place(null.as_raw_fd(), 0).map_err(|error| step("pointing descriptor 0 at /dev/null", &error))?;
    if no_log {
        place(null.as_raw_fd(), 2).map_err(|error| step("pointing descriptor 2 at /dev/null", &error))?;
    }
    place(2, 1).map_err(|error| step("pointing descriptor 1 at stderr", &error))?;
    // Only now: flushed before the switch, what stdio holds would reach the wire.
    c_streams::flush_all();
    c_streams::line_buffer_stdout();
    c_streams::drain_stdin(&mut leftover).map_err(|error| step("reading what stdin has buffered", &error))?;

    error_output.keep();
    match (input.keep(), output.keep()) {
        (Some(input), Some(output)) => Ok(Stdio {
            input,
            output,
            leftover,
        }),
        // Not reached: only descriptor 2 is ever taken for closed.
        _ => Err(step("keeping the copies", &io::Error::from_raw_os_error(libc::EBADF))),
    }
}

/// A standard descriptor as it was; goes back to that when dropped before [`Moved::keep`].
struct Moved {
    target: RawFd,
    before: Before,
}

enum Before {
    /// A private copy, and the descriptor's own flags.
    Open(OwnedFd, libc::c_int),
    Closed,
    Kept,
}

impl Moved {
    fn save(target: RawFd) -> io::Result<Self> {
        let flags = fd::flags(target)?;
        // SAFETY: `flags` has just found it open, and the borrow ends with the copy.
        let copy = fd::dup_cloexec(unsafe { BorrowedFd::borrow_raw(target) }, LEAST)?;
        Ok(Self {
            target,
            before: Before::Open(copy, flags),
        })
    }

    /// The move is final: the copy of what was there, if anything was.
    fn keep(mut self) -> Option<OwnedFd> {
        match std::mem::replace(&mut self.before, Before::Kept) {
            Before::Open(copy, _) => Some(copy),
            Before::Closed | Before::Kept => None,
        }
    }
}

impl Drop for Moved {
    fn drop(&mut self) {
        match &self.before {
            Before::Open(copy, flags) => {
                // OK because the target was open a moment ago: neither call can fail for a reason within our reach.
                let _ = place(copy.as_raw_fd(), self.target).and_then(|()| fd::set_flags(self.target, *flags));
            }
            Before::Closed => {
                // SAFETY: nothing was open at this number before we put /dev/null there, so nobody else counts on it.
                unsafe { libc::close(self.target) };
            }
            Before::Kept => {}
        }
    }
}

/// dup2(2): the result is not close-on-exec, as children expect of 0, 1 and 2.
fn place(from: RawFd, to: RawFd) -> io::Result<()> {
    loop {
        // SAFETY: no memory is involved. What `to` named before is replaced on purpose; a copy of it is kept.
        match fd::check(unsafe { libc::dup2(from, to) }) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map(drop),
        }
    }
}

/// /dev/null above descriptor 2: where 2 is closed the kernel would hand out just that, close-on-exec.
fn open_null() -> io::Result<OwnedFd> {
    fd::above_stdio(OpenOptions::new().read(true).write(true).open("/dev/null")?.into())
}

/// Whether `number` is the same open object as descriptor 0 or 1, and not a terminal, where sharing is normal.
fn is_wire(number: RawFd) -> bool {
    // SAFETY: isatty(3) takes a number and touches no memory of ours.
    let terminal = unsafe { libc::isatty(number) } == 1;
    let this = identity(number);
    !terminal && this.is_some() && (this == identity(0) || this == identity(1))
}

/// Device and inode (fstat(2)); `None` where they are unknown: closed, or the zero inode that macOS shows for a pipe.
fn identity(number: RawFd) -> Option<(libc::dev_t, libc::ino_t)> {
    let mut stat = std::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: `stat` has room for the answer; zeroed it is a valid value already.
    let stat = unsafe {
        if libc::fstat(number, stat.as_mut_ptr()) == -1 {
            return None;
        }
        stat.assume_init()
    };
    (stat.st_ino != 0).then_some((stat.st_dev, stat.st_ino))
}

/// The error for a standard descriptor that is closed or cannot be copied.
fn refuse(stream: &str, error: &io::Error) -> SysError {
    if error.raw_os_error() != Some(libc::EBADF) {
        return step(&text::string(format_args!("copying {stream}")), error);
    }
    let what = text::string(format_args!("cannot serve over stdio: {stream} is closed"));
    SysError::new(
        &what,
        error,
        "start this program with a pipe, a socket or /dev/null there",
    )
}

fn step(doing: &str, error: &io::Error) -> SysError {
    let advice = match error.raw_os_error() {
        Some(libc::EMFILE | libc::EINVAL) => "there is no free descriptor: close some, or raise \"ulimit -n\"",
        _ => "",
    };
    SysError::new(
        &text::string(format_args!("cannot make stdin and stdout private: {doing} failed")),
        error,
        advice,
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_moved_descriptor_goes_back_to_what_it_was_with_its_flags() {
        let (reader, writer) = fd::pipe().unwrap();
        let target = writer.as_raw_fd();
        let before = identity(target);
        let moved = Moved::save(target).unwrap();
        let null = open_null().unwrap();
        place(null.as_raw_fd(), target).unwrap();
        assert_ne!(identity(target), before);
        assert_eq!(fd::flags(target).unwrap(), 0);
        drop(moved);
        assert_eq!(identity(target), before);
        assert_eq!(fd::flags(target).unwrap(), libc::FD_CLOEXEC);
        fd::write_all(writer.as_fd(), b"again").unwrap();
        let mut buffer = [0; 8];
        assert_eq!(fd::read(reader.as_fd(), &mut buffer).unwrap(), 5);
    }

    #[test]
    fn a_descriptor_that_was_closed_is_closed_again() {
        let null = open_null().unwrap();
        let target = fd::dup_cloexec(null.as_fd(), 700).unwrap().as_raw_fd();
        let moved = Moved {
            target,
            before: Before::Closed,
        };
        place(null.as_raw_fd(), target).unwrap();
        assert_eq!(identity(target), identity(null.as_raw_fd()));
        drop(moved);
        assert_eq!(identity(target), None);
    }

    #[test]
    fn a_kept_move_is_final_and_yields_the_copy() {
        let (reader, writer) = fd::pipe().unwrap();
        let target = writer.as_raw_fd();
        let pipe = identity(target);
        let moved = Moved::save(target).unwrap();
        let null = open_null().unwrap();
        place(null.as_raw_fd(), target).unwrap();
        let copy = moved.keep().unwrap();
        assert_eq!(identity(target), identity(null.as_raw_fd()));
        assert_eq!(identity(copy.as_raw_fd()), pipe);
        assert!(copy.as_raw_fd() >= LEAST);
        drop(reader);
    }

    #[test]
    fn an_error_names_the_step_and_the_way_out() {
        let error = step("opening /dev/null", &io::Error::from_raw_os_error(libc::EMFILE));
        assert_eq!(
            error.to_string(),
            "cannot make stdin and stdout private: opening /dev/null failed: Too many open files (errno 24); \
             there is no free descriptor: close some, or raise \"ulimit -n\""
        );
    }
}
