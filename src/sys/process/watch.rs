//! The end of a child, seen by whoever waits for its bytes: a pipe that a grandchild holds open does not end with it.
//!
//! It refuses to collect the child: that is its [`super::Process`]'s matter.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use super::system;
use crate::sys::poll::{self, Ready};

/// Where a process cannot be polled, it is looked at this often.
const LOOK: Duration = Duration::from_millis(20);

/// Something that tells when a process has ended.
#[derive(Debug)]
pub enum Watch {
    /// A pidfd, which becomes readable then.
    Descriptor(OwnedFd),
    /// A child's number, which has to be asked for.
    Number(i32),
}

impl Watch {
    /// The descriptor to be polled, if there is one.
    #[must_use]
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Watch::Descriptor(fd) => Some(fd.as_fd()),
            Watch::Number(_) => None,
        }
    }

    /// As [`poll::first_of`], until the process has ended, or is seen to have.
    ///
    /// # Errors
    /// As [`poll::readable`].
    pub fn wait(
        &self,
        input: Option<BorrowedFd<'_>>,
        output: Option<BorrowedFd<'_>>,
        wake: Option<BorrowedFd<'_>>,
        timeout: Option<Duration>,
    ) -> io::Result<Ready> {
        let Watch::Number(pid) = self else {
            return poll::first_of(input, output, self.fd(), wake, timeout);
        };
        let deadline = timeout.and_then(|rest| Instant::now().checked_add(rest));
        loop {
            // Whoever is no child of ours any more was collected.
            let end = system::has_ended(*pid).unwrap_or(true);
            let rest = deadline.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()));
            let step = if end { Duration::ZERO } else { rest.min(LOOK) };
            let ready = poll::first_of(input, output, None, wake, Some(step))?;
            if end || ready.input || ready.output || ready.woken || rest <= step {
                return Ok(Ready { end, ..ready });
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sys::fd;

    #[test]
    fn what_wakes_ends_the_wait_for_a_process_that_cannot_be_polled() {
        let (reader, writer) = fd::pipe().unwrap();
        let (silent, _open) = fd::pipe().unwrap();
        fd::write(writer.as_fd(), b"!").unwrap();
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let watch = Watch::Number(i32::try_from(child.id()).unwrap());
        let ready = watch
            .wait(Some(silent.as_fd()), None, Some(reader.as_fd()), None)
            .unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(ready.woken && !ready.input && !ready.end);
    }
}
