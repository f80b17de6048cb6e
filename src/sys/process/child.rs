//! A child's process id from its start until its end was seen, and not a moment longer.
//!
//! It refuses to use the number once it was waited for: the kernel may have given it to somebody else.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use super::system::{has_ended, kill, pidfd_open, pidfd_send_signal, wait4};
use super::{abandoned, Exit, Watch};
use crate::sys::{fd, poll};

#[derive(Clone, Copy, Debug)]
enum State {
    /// Running, or a zombie: the number is ours.
    Ours,
    Ended(Exit),
    /// Somebody else has collected it.
    Lost,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Child {
    pid: libc::pid_t,
    /// Names the process, not the number; becomes readable at its end, and is closed when that was seen.
    pidfd: Option<OwnedFd>,
    state: State,
}

impl Child {
    /// Takes charge of `pid`, a child of this process that nobody has waited for.
    pub(super) fn new(pid: libc::pid_t) -> Self {
        Self {
            pid,
            pidfd: pidfd_open(pid),
            state: State::Ours,
        }
    }

    pub(super) fn pid(&self) -> libc::pid_t {
        self.pid
    }

    pub(super) fn end_fd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(AsFd::as_fd)
    }

    pub(super) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Option<Exit>> {
        let Some(timeout) = timeout else { return self.collect(0) };
        let ended = self.collect(libc::WNOHANG)?;
        if ended.is_some() || timeout.is_zero() {
            return Ok(ended);
        }
        if let Some(pidfd) = &self.pidfd {
            if !poll::readable(pidfd.as_fd(), Some(timeout))? {
                return Ok(None);
            }
            return self.collect(libc::WNOHANG);
        }
        self.wait_in_steps(timeout)
    }

    /// For systems that cannot poll a process: looks again after 1, 2, 4, 8, 8 ... ms.
    fn wait_in_steps(&mut self, timeout: Duration) -> io::Result<Option<Exit>> {
        let deadline = Instant::now().checked_add(timeout);
        let mut step = Duration::from_millis(1);
        loop {
            let rest = deadline.map_or(step, |at| at.saturating_duration_since(Instant::now()));
            std::thread::sleep(step.min(rest));
            let ended = self.collect(libc::WNOHANG)?;
            if ended.is_some() || rest <= step {
                return Ok(ended);
            }
            step = (step * 2).min(Duration::from_millis(8));
        }
    }

    fn collect(&mut self, options: libc::c_int) -> io::Result<Option<Exit>> {
        match self.state {
            State::Ended(exit) => return Ok(Some(exit)),
            State::Lost => return Err(io::Error::from_raw_os_error(libc::ECHILD)),
            State::Ours => {}
        }
        match wait4(self.pid, options) {
            Ok(None) => Ok(None),
            Ok(Some(exit)) => {
                self.state = State::Ended(exit);
                self.pidfd = None; // whoever waited may not be collected for long
                Ok(Some(exit))
            }
            Err(error) => {
                if error.raw_os_error() == Some(libc::ECHILD) {
                    self.state = State::Lost;
                    self.pidfd = None;
                }
                Err(error)
            }
        }
    }

    pub(super) fn signal(&self, signal: libc::c_int) -> io::Result<()> {
        if !matches!(self.state, State::Ours) {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        match &self.pidfd {
            Some(pidfd) => pidfd_send_signal(pidfd.as_fd(), signal),
            None => kill(self.pid, signal),
        }
    }

    pub(super) fn signal_group(&self, signal: libc::c_int) -> io::Result<()> {
        self.signal(0)?; // the group's number is the child's, and ours as long as the child was not collected
        kill(-self.pid, signal)?;
        if signal == libc::SIGTERM {
            let _ = kill(-self.pid, libc::SIGCONT); // what is stopped does not hear
        }
        Ok(())
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self.state, State::Ours)
    }

    /// Waits for the end and leaves it to be waited for again; `false`: it still runs.
    pub(super) fn watch_end(&self, timeout: Duration) -> io::Result<bool> {
        if !self.is_running() || has_ended(self.pid)? {
            return Ok(true);
        }
        if timeout.is_zero() {
            return Ok(false);
        }
        Ok(self.watch()?.wait(None, None, None, Some(timeout))?.end)
    }

    pub(super) fn watch(&self) -> io::Result<Watch> {
        match &self.pidfd {
            Some(pidfd) => fd::dup_cloexec(pidfd.as_fd(), libc::STDERR_FILENO + 1).map(Watch::Descriptor),
            None => Ok(Watch::Number(self.pid)),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if matches!(self.state, State::Ours) {
            abandoned::add(self.pid, self.pidfd.take());
        }
    }
}
