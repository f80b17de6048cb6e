//! What carries a conversation's bytes: a pair of descriptors, or a pair of buffers in memory.
//!
//! It refuses to know messages: bytes in, bytes out.

mod ended;
mod send;

pub use ended::End;
pub use send::Patience;

use crate::codec::{CodecError, ErrorKind};
use crate::frame::Inbox;
use crate::sys::output::Output;
use crate::sys::poller::Interest;
use crate::sys::process::Watch;
use crate::sys::shared::Shared;
use crate::sys::signal::SigpipeGuard;
use crate::sys::{clock, fd, poll};
use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// What a wait for bytes ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Bytes were added to the inbox.
    Bytes,
    /// The other end closed.
    End,
    /// The deadline passed.
    TimedOut,
    /// Memory only: there is nothing, and only the other end can change that.
    Nothing,
}

/// The two directions of a pair in memory.
#[derive(Default)]
pub struct Link {
    bytes: [Vec<u8>; 2],
    closed: [bool; 2],
    /// Who is told when something arrives at a side.
    interests: [Option<Shared<Interest>>; 2],
}

impl Link {
    fn wake(&self, side: usize) {
        // OK because a side is 0 or 1
        if let Some(interest) = &self.interests[side] {
            interest.set_at_once(true);
        }
    }
}

/// One end's transport.
pub enum Wire {
    /// Two descriptors of ours.
    Descriptors {
        /// Read from.
        input: OwnedFd,
        /// Written to; `None` once it is closed alone.
        output: Option<Output>,
        /// Turns a write to a closed pipe into an error instead of the process's death.
        sigpipe: SigpipeGuard,
        /// The process at the other end, whose end is the wire's, too.
        end: Option<End>,
    },
    /// One side of a pair in memory.
    Memory {
        /// Shared with the other side.
        link: Shared<RefCell<Link>>,
        /// 0 or 1.
        side: usize,
    },
    /// Closed by us.
    Closed,
}

impl Wire {
    /// A wire over two descriptors.
    ///
    /// # Errors
    /// If SIGPIPE cannot be taken care of.
    pub fn descriptors(input: OwnedFd, output: OwnedFd) -> io::Result<Self> {
        Ok(Wire::Descriptors {
            input,
            output: Some(Output::new(output)),
            sigpipe: SigpipeGuard::install()?,
            end: None,
        })
    }

    /// The wire ends when this process has, even where somebody else holds its pipes open.
    pub fn ends_with(&mut self, process: Watch) {
        if let Wire::Descriptors { end, .. } = self {
            *end = Some(End::new(process));
        }
    }

    /// What tells that the other end's process has ended, if that can be polled.
    #[must_use]
    pub fn end_fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Wire::Descriptors { end: Some(end), .. } => end.fd(),
            _ => None,
        }
    }

    /// Two wires, each the other's end.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn pair() -> Result<(Self, Self), ErrorKind> {
        let link = Shared::try_new(RefCell::new(Link::default())).map_err(|_| ErrorKind::OutOfMemory)?;
        let other = link.clone();
        Ok((Wire::Memory { link, side: 0 }, Wire::Memory { link: other, side: 1 }))
    }

    /// Wait until bytes arrive and add them to the inbox; `deadline` in microseconds of the monotonic clock.
    ///
    /// # Errors
    /// What `read(2)` (`EINTR`, too) or `poll(2)` says; `OutOfMemory` when the inbox cannot grow.
    pub fn receive(&mut self, inbox: &mut Inbox, deadline: Option<i64>) -> io::Result<Received> {
        match self {
            Wire::Descriptors {
                input, end: Some(end), ..
            } => end.receive(input.as_fd(), inbox, deadline),
            Wire::Descriptors { input, .. } => {
                let mut wait = deadline.is_some();
                loop {
                    if wait && !poll::readable(input.as_fd(), left(deadline))? {
                        return Ok(Received::TimedOut);
                    }
                    match fd::read_once(input.as_fd(), inbox.room().map_err(out_of_memory)?) {
                        // Whoever started this process made the descriptor non-blocking, or read it before us.
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait = true,
                        read => {
                            let n = read?;
                            inbox.filled(n);
                            return Ok(if n == 0 { Received::End } else { Received::Bytes });
                        }
                    }
                }
            }
            Wire::Memory { link, side } => {
                let mut link = link.borrow_mut();
                let other = 1 - *side; // OK because a side is 0 or 1
                if link.bytes[other].is_empty() {
                    return Ok(if link.closed[other] {
                        Received::End
                    } else {
                        Received::Nothing
                    });
                }
                inbox.append(&link.bytes[other]).map_err(out_of_memory)?;
                link.bytes[other].clear();
                Ok(Received::Bytes)
            }
            Wire::Closed => Ok(Received::End),
        }
    }

    /// The same for bytes that poll(2) has said are there, or, with `ended`, for what is left of them when the process at
    /// the other end has: this does not wait.
    ///
    /// # Errors
    /// As [`Wire::receive`].
    pub fn take_in(&mut self, inbox: &mut Inbox, ended: bool) -> io::Result<Received> {
        let input = match self {
            Wire::Descriptors { end: Some(end), .. } if ended || end.has_come() => return self.receive(inbox, Some(0)),
            Wire::Descriptors { input, .. } => input,
            _ => return self.receive(inbox, None),
        };
        match fd::read_once(input.as_fd(), inbox.room().map_err(out_of_memory)?) {
            Ok(0) => Ok(Received::End),
            Ok(n) => {
                inbox.filled(n);
                Ok(Received::Bytes)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Ok(Received::Nothing)
            }
            Err(error) => Err(error),
        }
    }

    /// Memory only: who is told when something arrives; `true` if this is memory.
    pub fn tell(&mut self, interest: Option<Shared<Interest>>) -> bool {
        let Wire::Memory { link, side } = self else {
            return false;
        };
        link.borrow_mut().interests[*side] = interest; // OK because a side is 0 or 1
        true
    }

    /// A message has arrived in part: let its writer write the rest, if it only waits for this CPU.
    ///
    /// FreeKill's server writes a packet in four pieces and more. Where both run on one CPU, the first piece wakes the
    /// reader, which without this goes to sleep again for each of the others.
    pub fn let_writer_finish(&self) {
        if matches!(self, Wire::Descriptors { .. }) {
            std::thread::yield_now();
        }
    }

    /// The descriptor that is read from, if there is one.
    #[must_use]
    pub fn input(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Wire::Descriptors { input, .. } => Some(input.as_fd()),
            _ => None,
        }
    }

    /// The descriptor that is written to, if there is one.
    #[must_use]
    pub fn output(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Wire::Descriptors { output, .. } => output.as_ref().map(AsFd::as_fd),
            _ => None,
        }
    }

    /// Whether the other end's process has ended, where that cannot be polled; `None` where it can, or there is none.
    #[must_use]
    pub fn unseen_end(&self) -> Option<bool> {
        match self {
            Wire::Descriptors { end: Some(end), .. } if end.fd().is_none() => Some(
                end.wait(None, None, None, Some(Duration::ZERO))
                    .is_ok_and(|ready| ready.end),
            ),
            _ => None,
        }
    }

    /// Memory only: move what has arrived to `out`, past the inbox.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn take(&mut self, out: &mut Vec<u8>) -> Result<(), ErrorKind> {
        let Wire::Memory { link, side } = self else {
            return Ok(());
        };
        let arrived = &mut link.borrow_mut().bytes[1 - *side]; // OK because a side is 0 or 1
        out.try_reserve(arrived.len()).map_err(|_| ErrorKind::OutOfMemory)?;
        out.append(arrived);
        Ok(())
    }

    /// Close the sending direction only: the other end reads to its end, we still read.
    pub fn close_output(&mut self) {
        match self {
            Wire::Descriptors { output, .. } => *output = None,
            Wire::Memory { link, side } => {
                let mut link = link.borrow_mut();
                link.closed[*side] = true;
                link.wake(1 - *side); // OK because a side is 0 or 1
            }
            Wire::Closed => {}
        }
    }

    /// Whether the sending direction was closed by us.
    #[must_use]
    #[inline(always)]
    pub fn is_output_closed(&self) -> bool {
        match self {
            Wire::Descriptors { output, .. } => output.is_none(),
            Wire::Memory { link, side } => link.borrow().closed[*side], // OK because a side is 0 or 1
            Wire::Closed => true,
        }
    }

    /// Close both directions.
    pub fn close(&mut self) {
        self.close_output();
        *self = Wire::Closed;
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.close_output();
    }
}

/// The time from now to a deadline; `None`: for ever.
fn left(deadline: Option<i64>) -> Option<Duration> {
    deadline.map(|at| {
        let left = at.saturating_sub(clock::monotonic_us());
        Duration::from_micros(u64::try_from(left).unwrap_or(0))
    })
}

fn out_of_memory(_: CodecError) -> io::Error {
    io::Error::from(io::ErrorKind::OutOfMemory)
}
