//! Messages as they came, for whoever plays an end by hand.
//!
//! It refuses to read them: nothing is answered, counted as a reply or kept for a call.

use super::{Connection, Event};
use crate::codec::{CodecError, ErrorKind};
use crate::connection::Urgency;
use crate::sys::error::describe;
use crate::text;
use crate::trace::Direction;
use crate::wire::Received;

impl Connection {
    /// Wait for the next message, whatever it is, and copy it to `message` without its line end; the event is why there
    /// is none.
    ///
    /// # Errors
    /// As [`crate::frame::Inbox::next`]; what follows can be asked for.
    pub fn next_raw(&mut self, deadline: Option<i64>, message: &mut Vec<u8>) -> Result<Option<Event>, CodecError> {
        loop {
            let found = self.peer.inbox.next(message);
            match found {
                Ok(true) => return Ok(self.taken(message)),
                Err(error) => {
                    let what = text::string(format_args!("dropped: {error}"));
                    self.record(Direction::Remark, what.as_bytes());
                    return Err(error);
                }
                Ok(false) if self.ended => {
                    if self.peer.inbox.rest(message)? {
                        return Ok(self.taken(message));
                    }
                    let closed = self.broken.is_some();
                    return Ok(Some(if closed { Event::Closed } else { Event::Eof }));
                }
                Ok(false) => {}
            }
            if self.signal().is_none() {
                self.hurry = None; // whoever waits is in no hurry any more
            }
            if !self.outbox.is_empty() && self.broken.is_none() {
                // What it breaks by is found by the read.
                let _ = self.flush(deadline.map_or(Urgency::Now, Urgency::Until));
            }
            if let Some(trace) = &self.trace {
                trace.flush();
            }
            match self.wire.receive(&mut self.peer.inbox, deadline) {
                Ok(Received::Bytes | Received::Signal) => {}
                Ok(Received::End) => self.ended = true,
                Ok(Received::TimedOut) => return Ok(Some(Event::TimedOut)),
                Ok(Received::Nothing) => return Ok(Some(Event::Nothing)),
                // Whose signal it is may want to run something in Lua.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return Ok(Some(Event::Interrupted)),
                Err(error) if error.kind() == std::io::ErrorKind::OutOfMemory => {
                    return Err(CodecError::new(ErrorKind::OutOfMemory, 0));
                }
                Err(error) => {
                    let why = describe(&error);
                    self.broken = Some(text::string(format_args!("cannot read from the peer: {why}")));
                    self.ended = true;
                }
            }
        }
    }

    fn taken(&mut self, message: &[u8]) -> Option<Event> {
        self.peer.stats.received += 1;
        self.record(Direction::In, message);
        None
    }
}
