//! A channel: a wire as lines, data items and bytes, for programs that do their own JSON-RPC.
//!
//! It refuses to know messages, and to write before it is told to: what is written is kept until it is flushed, so that
//! a packet made of many pieces leaves in one `write(2)`.

use crate::codec::{CodecError, ErrorKind};
use crate::frame::{Framing, Inbox};
use crate::outbox::Outbox;
use crate::sys::clock;
use crate::wire::{Patience, Received, Wire};
use std::io;

/// Data items may nest this deep.
pub const MAX_DEPTH: usize = 1000;

/// How long one wait on a descriptor that is non-blocking lasts, in microseconds; then the next begins.
const WAIT: i64 = 3_600_000_000;

/// Both directions, with what was read and not asked for, and what was written and not flushed.
pub struct Channel {
    wire: Wire,
    inbox: Inbox,
    unsent: Outbox,
    ended: bool,
}

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is in the buffer.
    Bytes,
    /// The other end closed; a packet that was cut off is dropped.
    End,
}

/// Why a read found nothing.
#[derive(Debug)]
pub enum Failure {
    /// The next bytes are no data item; they are still there.
    Broken(CodecError),
    /// What the system said.
    System(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::System(error)
    }
}

fn out_of_memory(_: CodecError) -> Failure {
    Failure::System(io::Error::from(io::ErrorKind::OutOfMemory))
}

impl Channel {
    /// A channel over `wire` that has read `leftover` already.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn new(wire: Wire, leftover: &[u8]) -> Result<Self, CodecError> {
        let mut inbox = Inbox::new(Framing::Line, MAX_DEPTH);
        inbox.append(leftover)?;
        Ok(Self {
            wire,
            inbox,
            unsent: Outbox::new(),
            ended: false,
        })
    }

    /// Wait for more bytes; `false` at the end.
    fn more(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        let mut received = self.wire.receive(&mut self.inbox, None);
        loop {
            match received {
                Ok(Received::Bytes) => return Ok(true),
                Ok(Received::End | Received::Nothing) => {
                    self.ended = true;
                    return Ok(false);
                }
                Ok(Received::TimedOut | Received::Signal) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
            received = self.wire.receive(&mut self.inbox, Some(clock::monotonic_us() + WAIT));
        }
    }

    /// The next line without its end; a last one needs no end.
    ///
    /// # Errors
    /// `System`: what read(2) says, `OutOfMemory`.
    pub fn line(&mut self, line: &mut Vec<u8>) -> Result<Found, Failure> {
        loop {
            if self.inbox.next(line).map_err(out_of_memory)? {
                return Ok(Found::Bytes);
            }
            if !self.more()? {
                let rest = self.inbox.rest(line).map_err(out_of_memory)?;
                return Ok(if rest { Found::Bytes } else { Found::End });
            }
        }
    }

    /// The next CBOR data item, as it came.
    ///
    /// # Errors
    /// `Broken` if what comes next is none; `System` as for [`Channel::line`].
    pub fn item(&mut self, item: &mut Vec<u8>) -> Result<Found, Failure> {
        loop {
            match self.inbox.measure() {
                Ok(Some(len)) => {
                    self.inbox.split_off(len, item).map_err(out_of_memory)?;
                    return Ok(Found::Bytes);
                }
                Ok(None) => {}
                Err(error) if error.kind == ErrorKind::OutOfMemory => return Err(out_of_memory(error)),
                Err(error) => return Err(Failure::Broken(error)),
            }
            if !self.more()? {
                self.inbox.split_off(usize::MAX, item).map_err(out_of_memory)?;
                item.clear();
                return Ok(Found::End);
            }
        }
    }

    /// Exactly `n` bytes, fewer only before the end.
    ///
    /// # Errors
    /// `System` as for [`Channel::line`].
    pub fn bytes(&mut self, n: usize, bytes: &mut Vec<u8>) -> Result<Found, Failure> {
        while self.inbox.len() < n {
            if !self.more()? {
                break;
            }
        }
        if self.inbox.is_empty() && n > 0 {
            return Ok(Found::End);
        }
        self.inbox.split_off(n, bytes).map_err(out_of_memory)?;
        Ok(Found::Bytes)
    }

    /// Keep bytes for the next [`Channel::flush`].
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), ErrorKind> {
        self.unsent.push(bytes)
    }

    /// Send what was kept, in one `write(2)` where the descriptor takes it all. What cannot be sent is dropped.
    ///
    /// # Errors
    /// What write(2) says.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        let sent = self.wire.flush(&mut self.unsent, &mut self.inbox, Patience::ENDLESS);
        self.unsent.clear();
        sent.map(drop)
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        let _ = self.flush(); // OK because nobody is left who could be told
    }
}
