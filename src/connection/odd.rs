//! What the other end sends besides whole messages.
//!
//! It refuses to guess: what cannot be a message ends the conversation or is dropped, as the option `garbage` says.

use super::Connection;
use crate::codec::{CodecError, ErrorKind, Tape};
use crate::peer::Incoming;
use crate::text;
use crate::trace::Direction;

impl Connection {
    /// What is no whole message: the last one, which needs no end, or none at all.
    #[cold]
    #[inline(never)]
    pub(super) fn odd(
        &mut self,
        next: Result<Option<Option<usize>>, CodecError>,
        awaited: Option<i64>,
        source: &mut Vec<u8>,
        tape: &mut Tape,
        out: &mut Vec<u8>,
    ) -> Result<Option<Incoming>, ErrorKind> {
        match next {
            Ok(_) if self.ended && self.peer.inbox.rest(source).map_err(|error| error.kind)? => {
                self.record(Direction::In, source);
                tape.reset();
                let (incoming, cut) = self.peer.accept_last(source, awaited, tape, out)?;
                self.cut = cut;
                Ok(Some(incoming))
            }
            Ok(_) if self.peer.may_be_foreign() && !self.peer.inbox.is_empty() => self.peer.stalled(source, out),
            Ok(_) => Ok(None),
            Err(error) if error.kind == ErrorKind::OutOfMemory => Err(error.kind),
            Err(error) => self.peer.broken(error, awaited, source, tape, out).map(Some),
        }
    }

    /// The other end has sent what is no message, which it may not.
    #[cold]
    #[inline(never)]
    pub(super) fn give_up(&mut self) {
        let problem = self.peer.problem.as_ref();
        let what = problem.map_or("garbage".into(), |problem| text::string(format_args!("{problem}")));
        self.broken = Some(text::string(format_args!("the other end sent {what} (option garbage)")));
        self.ended = true;
        self.peer.inbox.clear();
        self.peer.forget_ahead();
    }
}
