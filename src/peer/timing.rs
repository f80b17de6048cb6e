//! How long calls take, and requests, and what was called last, for whoever wants to know.
//!
//! It refuses to read the clock where nobody does.

use super::Peer;
use crate::codec::ErrorKind;
use crate::latency::Latency;
use crate::sys::clock;

impl Peer {
    /// Measure how long calls and handlers take from now on.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn measure(&mut self) -> Result<(), ErrorKind> {
        self.latency.clear();
        self.latency.try_reserve_exact(1).map_err(|_| ErrorKind::OutOfMemory)?;
        self.latency.push(Latency::default());
        Ok(())
    }

    /// How long they took, if it is measured.
    #[must_use]
    pub fn latency(&self) -> Option<&Latency> {
        self.latency.first()
    }

    /// Remember the method that is called now, where that is wanted and there is memory.
    pub fn note_method(&mut self, method: &[u8]) {
        if self.keeps_method {
            self.last_method.clear();
            if self.last_method.try_reserve(method.len()).is_ok() {
                self.last_method.extend_from_slice(method);
            }
        }
    }

    /// The time, where it is wanted.
    #[inline]
    pub(crate) fn now(&self) -> Option<i64> {
        self.latency.first().map(|_| clock::monotonic_us())
    }

    /// The reply to this call is here.
    #[inline]
    pub(super) fn took(&mut self, id: i64) {
        if !self.latency.is_empty() {
            self.measure_call(id);
        }
    }

    #[cold]
    fn measure_call(&mut self, id: i64) {
        let Some(latency) = self.latency.first_mut() else {
            return;
        };
        let call = self.pending.iter_mut().find(|call| call.id == id);
        if let Some(since) = call.and_then(|call| call.since.take()) {
            latency.calls.add(clock::monotonic_us() - since);
        }
    }

    /// A request that was read at this time is answered.
    #[cold]
    pub(super) fn measure_handler(&mut self, since: i64) {
        if let Some(latency) = self.latency.first_mut() {
            latency.handlers.add(clock::monotonic_us() - since);
        }
    }
}
