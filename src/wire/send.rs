//! Sending over a wire, with both directions open: while a write would block, what arrives is read.
//!
//! It refuses to change a descriptor that others share (see [`crate::sys::output`]), and to wait for ever where it is
//! told how long.

use super::{left, out_of_memory, Wire};
use crate::frame::Inbox;
use crate::outbox::Outbox;
use crate::sys::{clock, fd, poll, signals};
use std::io;
use std::os::fd::AsFd;

/// How long a message may take to be sent, and what is taken in meanwhile.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patience {
    /// Leave it unsent at this time, in microseconds of the monotonic clock.
    pub deadline: Option<i64>,
    /// Give the other end up when it neither reads nor writes for this long, in microseconds.
    pub unmoved: Option<i64>,
    /// Bytes that may wait in the inbox; above this nothing more is read before the message is sent.
    pub ahead: usize,
    /// Leave it unsent as soon as a signal has come that is heard of.
    pub heed: bool,
}

impl Patience {
    /// As a blocking write(2), but for reading what arrives meanwhile.
    pub const ENDLESS: Self = Self {
        deadline: None,
        unmoved: None,
        ahead: usize::MAX,
        heed: false,
    };
}

impl Wire {
    /// Send `bytes` after what waits in `outbox`, in one `write(2)` where the descriptor takes them. While it does not,
    /// what arrives is read to `inbox`: two ends that both have much to say do not wait for each other. `false`: the
    /// deadline passed or a signal came, and what was not sent waits in `outbox`.
    ///
    /// # Errors
    /// What `write(2)` says (`BrokenPipe` when nobody reads any more); `TimedOut` as [`Patience`] says; `OutOfMemory`.
    #[inline(always)]
    pub fn send(
        &mut self,
        bytes: &[u8],
        outbox: &mut Outbox,
        inbox: &mut Inbox,
        patience: Patience,
    ) -> io::Result<bool> {
        let sent = match outbox.is_empty() {
            true => self.write_here(bytes)?,
            false => 0,
        };
        if sent == bytes.len() && outbox.is_empty() {
            return Ok(true);
        }
        self.send_slowly(&bytes[sent..], outbox, inbox, patience) // OK because no more was sent than there was
    }

    #[cold]
    fn send_slowly(
        &mut self,
        bytes: &[u8],
        outbox: &mut Outbox,
        inbox: &mut Inbox,
        patience: Patience,
    ) -> io::Result<bool> {
        if !outbox.is_empty() && !self.flush(outbox, inbox, patience)? {
            outbox.push(bytes).map_err(|_| io::ErrorKind::OutOfMemory)?;
            return Ok(false);
        }
        let sent = self.pump(bytes, inbox, patience)?;
        if sent < bytes.len() {
            outbox.push(&bytes[sent..]).map_err(|_| io::ErrorKind::OutOfMemory)?;
        }
        Ok(sent == bytes.len())
    }

    /// Send what waits in `outbox`; `false`: not all of it by the deadline.
    ///
    /// # Errors
    /// As [`Wire::send`].
    pub fn flush(&mut self, outbox: &mut Outbox, inbox: &mut Inbox, patience: Patience) -> io::Result<bool> {
        let sent = self.pump(outbox.bytes(), inbox, patience)?;
        outbox.advance(sent);
        Ok(outbox.is_empty())
    }

    /// Write until all is written, the deadline passes or a signal comes, and read meanwhile; how much was written.
    fn pump(&mut self, bytes: &[u8], inbox: &mut Inbox, patience: Patience) -> io::Result<usize> {
        let mut sent = 0;
        let mut listening = true;
        let mut moved = clock::monotonic_us();
        loop {
            let written = self.write(&bytes[sent..])?; // OK because no more is written than there is
            sent += written;
            if sent == bytes.len() {
                return Ok(sent);
            }
            let now = clock::monotonic_us();
            if written > 0 {
                moved = now;
            }
            let given_up = patience.unmoved.map(|limit| moved.saturating_add(limit));
            let Wire::Descriptors { input, output, end, .. } = self else {
                return Ok(sent);
            };
            let reads = listening && inbox.len() < patience.ahead;
            let until = [patience.deadline, given_up].into_iter().flatten().min();
            if patience.heed && signals::pending().is_some() {
                return Ok(sent);
            }
            let (from, to) = (reads.then(|| input.as_fd()), output.as_ref().map(AsFd::as_fd));
            let wake = signals::waker().filter(|_| patience.heed);
            let ready = match end {
                Some(end) => end.wait(from, to, wake, left(until))?,
                None => poll::first_of(from, to, None, wake, left(until))?,
            };
            if ready.end && !ready.output {
                return Err(io::Error::from_raw_os_error(libc::EPIPE)); // nobody is left to read it
            }
            if ready.input {
                // Its end, or an error, is found again by whoever reads next.
                match fd::read(input.as_fd(), inbox.room().map_err(out_of_memory)?) {
                    Ok(0) => listening = false,
                    Ok(n) => {
                        inbox.filled(n);
                        moved = clock::monotonic_us();
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => listening = false,
                }
            } else if !ready.output {
                if patience.heed && signals::pending().is_none() {
                    signals::drain(); // a byte whose signal was taken in the meantime
                }
                if patience.deadline.is_some_and(|at| at <= clock::monotonic_us()) {
                    return Ok(sent);
                }
                if given_up.is_some_and(|at| at <= clock::monotonic_us()) {
                    return Err(io::Error::from(io::ErrorKind::TimedOut));
                }
            }
        }
    }

    /// Write what is taken without waiting.
    ///
    /// # Errors
    /// What `write(2)` says, but for `EAGAIN`; `EPIPE` when the direction is closed.
    #[inline(never)]
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_here(bytes)
    }

    /// [`Wire::write`] where every message passes.
    #[inline(always)]
    fn write_here(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Wire::Descriptors {
            output: Some(output), ..
        } = self
        {
            return match output.write(bytes) {
                Ok(0) if !bytes.is_empty() => Err(io::Error::from_raw_os_error(libc::EIO)),
                Ok(written) => Ok(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
                Err(error) => Err(error),
            };
        }
        self.write_elsewhere(bytes)
    }

    /// The same where there is no descriptor.
    #[inline(never)]
    fn write_elsewhere(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Memory { link, side } => {
                let mut link = link.borrow_mut();
                if link.closed[1 - *side] {
                    return Err(io::Error::from_raw_os_error(libc::EPIPE));
                }
                let buffer = &mut link.bytes[*side]; // OK because a side is 0 or 1
                buffer
                    .try_reserve(bytes.len())
                    .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
                buffer.extend_from_slice(bytes);
                link.wake(1 - *side);
                Ok(bytes.len())
            }
            Wire::Descriptors { .. } | Wire::Closed => Err(io::Error::from_raw_os_error(libc::EPIPE)),
        }
    }
}
