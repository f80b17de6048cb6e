//! One child process: its two pipes, its end, its signals.
//!
//! It refuses to signal a number that may belong to somebody else by now, to kill behind the caller's back, and to
//! block in `drop`. A [`Process`] that is dropped before its end was seen closes its pipes, which is the child's cue to
//! end, and goes on the list of the abandoned: the thread that reads children's stderr collects them, and so does every
//! later `spawn`, wait and drop, where there is no such thread or process cannot be polled.

mod abandoned;
mod child;
mod command;
pub mod errors;
mod exec;
mod limits;
mod system;
mod watch;

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

pub use abandoned::reap as reap_abandoned;
#[cfg(target_os = "linux")]
pub(super) use command::with_socket;
pub use command::{spawn, Command};
pub use errors::Errors;
pub use limits::Limits;
pub use watch::Watch;

use child::Child;
use errors::Tail;

/// How a process ended, and what it used: wait4(2), getrusage(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The exit code, when it ended by itself.
    pub code: Option<i32>,
    /// The signal that ended it, otherwise.
    pub signal: Option<i32>,
    /// CPU time in user space, its own and of the children it has waited for, in microseconds.
    pub user_us: i64,
    /// CPU time in the kernel, likewise, in microseconds.
    pub system_us: i64,
    /// The largest resident size, of it or of a child it has waited for, in bytes. Linux counts from the fork on, so
    /// it is never less than what this process had at the time.
    pub max_rss_bytes: i64,
}

/// A child process and the two pipes to it. The pipes are closed first when it is dropped; see the module for the rest.
#[derive(Debug)]
pub struct Process {
    /// The write end of its stdin. `take()` and drop it to say that nothing more comes.
    pub input: Option<OwnedFd>,
    /// The read end of its stdout, until somebody takes it.
    pub output: Option<OwnedFd>,
    errors: Option<Tail>,
    // Last, so that a drop closes the pipes before it looks whether the child has ended.
    child: Child,
}

impl Process {
    /// Takes charge of a child of this process that somebody else has started, with our ends of its streams.
    #[cfg(target_os = "linux")]
    pub(super) fn of(
        pid: i32,
        input: Option<OwnedFd>,
        output: Option<OwnedFd>,
        reader: Option<OwnedFd>,
        errors: Errors,
    ) -> io::Result<Self> {
        let child = Child::new(pid);
        let errors = match reader {
            Some(reader) => Some(errors::follow(reader, errors == Errors::Relay)?),
            None => None,
        };
        Ok(Self {
            input,
            output,
            errors,
            child,
        })
    }

    /// The process id. After the end was seen it may belong to somebody else.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.child.pid()
    }

    /// A descriptor that becomes readable when the process ends (pidfd_open(2)), to be polled with others. `None` where
    /// the system has no such thing (macOS, Linux before 5.3, some sandboxes) and once the end was seen.
    #[must_use]
    pub fn end_fd(&self) -> Option<BorrowedFd<'_>> {
        self.child.end_fd()
    }

    /// Waits for the end, at most `timeout` (monotonic; `None`: for ever). `Ok(None)`: it still runs. Once the end was
    /// seen, every further call returns it again.
    ///
    /// Nothing is read meanwhile: a child that blocks on a full stdout does not end.
    ///
    /// # Errors
    /// `ECHILD` when somebody else has collected the child (the host waits for every child, or ignores `SIGCHLD`); the
    /// result is lost then, and every further call says so again.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Option<Exit>> {
        abandoned::reap();
        self.child.wait(timeout)
    }

    /// Waits until it has ended, at most `timeout`, and leaves it to be waited for: its number, and that of its group,
    /// are its own until then. `false`: it still runs.
    ///
    /// # Errors
    /// `ECHILD` as for [`Process::wait`].
    pub fn watch_end(&self, timeout: Duration) -> io::Result<bool> {
        self.child.watch_end(timeout)
    }

    /// Something that tells of its end, for somebody else to keep.
    ///
    /// # Errors
    /// `EMFILE` when descriptors have run out.
    pub fn watch(&self) -> io::Result<Watch> {
        self.child.watch()
    }

    /// The last of what it has written to stderr so far, added to `out`; nothing where that is not read here.
    pub fn last_words(&self, out: &mut Vec<u8>) {
        if let Some(tail) = &self.errors {
            tail.text(out);
        }
    }

    /// Reads its stderr no longer: whoever still writes there finds it closed.
    pub fn close_errors(&mut self) {
        self.errors = None;
    }

    /// [`Process::wait`] that does not wait.
    ///
    /// # Errors
    /// As for [`Process::wait`].
    pub fn try_wait(&mut self) -> io::Result<Option<Exit>> {
        self.wait(Some(Duration::ZERO))
    }

    /// Sends `signal` to the process itself, not to its children; 0 only asks whether it is there (kill(2)). A process
    /// that has ended and was not waited for is still there.
    ///
    /// # Errors
    /// `ESRCH` when it was waited for: nothing is sent then, whoever has the number now. `EINVAL` for no signal.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        self.child.signal(signal)
    }

    /// The same to its process group: itself and those of its children that have not left it.
    ///
    /// # Errors
    /// As [`Process::signal`].
    pub fn signal_group(&self, signal: i32) -> io::Result<()> {
        self.child.signal_group(signal)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let (Some(tail), true) = (self.errors.take(), self.child.is_running()) {
            tail.abandon();
        }
    }
}
