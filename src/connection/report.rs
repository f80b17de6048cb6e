//! Messages that lead nowhere, in the log.
//!
//! It refuses to log each of them: a stream of garbage would fill the disk.

use super::{Connection, Event};
use crate::peer::Problem;
use crate::sys::stderr;
use crate::text;
use std::fmt;

impl Connection {
    /// A notification nobody handles.
    pub fn unhandled(&mut self, message: &[u8]) {
        self.peer.stats.unhandled += 1;
        self.peer.problem = Some(Problem::Unhandled);
        self.report(message);
    }

    /// Why a call gets no reply, in words that say more than the event; "" where there are none.
    #[cold]
    #[must_use]
    pub fn explain(&self, event: Event) -> String {
        let what = match event {
            Event::Closed => return text::copy(self.broken.as_deref().unwrap_or_default()),
            Event::Eof => "the other end closed the connection before it replied",
            _ => "no reply within the call's timeout",
        };
        match self.peer.mismatch() {
            Some(foreign) if matches!(event, Event::Eof | Event::TimedOut) => {
                text::string(format_args!("{what}; it sent {}", foreign.text()))
            }
            _ => String::new(),
        }
    }

    /// Messages that lead nowhere are never dropped in silence: the first, second, fourth, eighth ... is logged.
    #[cold]
    pub(super) fn report(&mut self, message: &[u8]) {
        const SHOWN: usize = 120;
        let Some(problem) = self.peer.problem.take() else {
            return;
        };
        if self.quiet {
            return;
        }
        self.reported += 1;
        if self.reported.is_power_of_two() {
            let shown = &message[..message.len().min(SHOWN)];
            let text = text::string(format_args!(
                "fkrpc: {}: {problem}: {}{} (number {} like this)\n",
                self.name.as_deref().unwrap_or("connection"),
                Shown(shown),
                if message.len() > SHOWN { "..." } else { "" },
                self.reported,
            ));
            stderr::log(text.as_bytes());
        }
    }
}

/// A message as the log shows it: control characters and other bytes escaped, quotes left as they are.
struct Shown<'a>(&'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in self.0.split_inclusive(|byte| *byte == b'"') {
            let (text, quote) = match part.strip_suffix(b"\"") {
                Some(text) => (text, "\""),
                None => (part, ""),
            };
            write!(f, "{}{quote}", text.escape_ascii())?;
        }
        Ok(())
    }
}
