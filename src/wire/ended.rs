//! A wire to a process: it ends with the process, whoever else holds its pipes open.
//!
//! It refuses to read on for ever after that end: what was in the pipe by then is read, and what somebody else writes
//! there later is not.

use super::{out_of_memory, Received};
use crate::frame::Inbox;
use crate::sys::fd;
use crate::sys::interrupt::lookout::{self, Watched};
use crate::sys::poll::Ready;
use crate::sys::process::Watch;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// The process at the other end.
#[derive(Debug)]
pub struct End {
    // Before what it watches.
    watched: Option<Watched>,
    /// How many ends had been seen when this one was looked for.
    seen: u32,
    process: Watch,
    /// It has ended, and this many bytes of what it has said are not read yet.
    unread: Option<usize>,
}

impl End {
    pub(super) fn new(process: Watch) -> Self {
        Self {
            watched: None,
            seen: 0,
            process,
            unread: None,
        }
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

    /// Whether it is looked out for; from now on it is, where that can be done.
    #[inline]
    pub(super) fn is_watched(&mut self) -> bool {
        self.watched.is_some() || self.watch()
    }

    #[cold]
    fn watch(&mut self) -> bool {
        let Some(process) = self.process.fd() else { return false };
        self.seen = lookout::ends();
        self.watched = lookout::watch(process).ok();
        self.watched.is_some()
    }

    /// Whether somebody's end has come since this one was looked for.
    #[inline]
    pub(super) fn may_have_come(&self) -> bool {
        self.seen != lookout::ends()
    }

    /// Look whether it has come.
    pub(super) fn look(&mut self, input: BorrowedFd<'_>) -> io::Result<()> {
        if self.may_have_come() {
            self.seen = lookout::ends();
            if self.wait(None, None, None, Some(Duration::ZERO))?.end {
                self.come(input);
            }
        }
        Ok(())
    }

    /// It has come.
    pub(super) fn come(&mut self, input: BorrowedFd<'_>) {
        self.unread = Some(fd::unread(input));
    }

    /// What is left to be read when it has come; `None`: it has not.
    #[inline]
    pub(super) fn rest(&mut self, input: BorrowedFd<'_>, inbox: &mut Inbox) -> io::Result<Option<Received>> {
        match self.unread {
            None => Ok(None),
            Some(unread) => self.read_rest(unread, input, inbox).map(Some),
        }
    }

    #[cold]
    fn read_rest(&mut self, unread: usize, input: BorrowedFd<'_>, inbox: &mut Inbox) -> io::Result<Received> {
        if unread == 0 {
            return Ok(Received::End);
        }
        let room = inbox.room().map_err(out_of_memory)?;
        let most = unread.min(room.len());
        // OK because it is at most the room's length
        match fd::read_once(input, &mut room[..most]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.unread = Some(0);
                Ok(Received::End)
            }
            read => {
                let count = read?;
                inbox.filled(count);
                self.unread = Some(unread.saturating_sub(count));
                Ok(if count == 0 { Received::End } else { Received::Bytes })
            }
        }
    }
}
