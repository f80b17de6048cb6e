//! A wire to a process: it ends with the process, whoever else holds its pipes open.
//!
//! It refuses to read on for ever after that end: what was in the pipe by then is read, and what somebody else writes
//! there later is not.

use super::{left, out_of_memory, Received};
use crate::frame::Inbox;
use crate::sys::fd;
use crate::sys::poll::Ready;
use crate::sys::process::Watch;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// The process at the other end.
#[derive(Debug)]
pub struct End {
    process: Watch,
    /// It has ended, and this many bytes of what it has said are not read yet.
    unread: Option<usize>,
}

impl End {
    pub(super) fn new(process: Watch) -> Self {
        Self { process, unread: None }
    }

    /// Whether the end was seen.
    pub(super) fn has_come(&self) -> bool {
        self.unread.is_some()
    }

    /// What becomes readable when it has ended.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.process.fd()
    }

    /// As [`Watch::wait`].
    pub(super) fn wait(
        &self,
        input: Option<BorrowedFd<'_>>,
        output: Option<BorrowedFd<'_>>,
        wake: Option<BorrowedFd<'_>>,
        timeout: Option<Duration>,
    ) -> io::Result<Ready> {
        self.process.wait(input, output, wake, timeout)
    }

    /// As [`super::Wire::receive`]: one poll(2) more than that has for others.
    pub(super) fn receive(
        &mut self,
        input: BorrowedFd<'_>,
        inbox: &mut Inbox,
        deadline: Option<i64>,
    ) -> io::Result<Received> {
        loop {
            let most = match self.unread {
                Some(0) => return Ok(Received::End),
                Some(count) => count,
                None => {
                    let ready = self.process.wait(Some(input), None, None, left(deadline))?;
                    if ready.end {
                        self.unread = Some(fd::unread(input));
                        continue;
                    }
                    if !ready.input {
                        return Ok(Received::TimedOut);
                    }
                    usize::MAX
                }
            };
            let room = inbox.room().map_err(out_of_memory)?;
            let most = most.min(room.len());
            match fd::read_once(input, &mut room[..most]) {
                // OK because it is at most the room's length
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.unread = self.unread.map(|_| 0),
                read => {
                    let count = read?;
                    inbox.filled(count);
                    self.unread = self.unread.map(|unread| unread.saturating_sub(count));
                    return Ok(if count == 0 { Received::End } else { Received::Bytes });
                }
            }
        }
    }
}
