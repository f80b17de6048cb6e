//! Requests that are being served, and the batches they came in.
//!
//! A slot number stands for a request's id while its handler runs, so that ids never pass through Lua; it is used
//! again as soon as the reply is written.

use crate::codec::ErrorKind;
use crate::envelope::Encoding;
use crate::message::Id;

/// A request that is being served.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// What the reply must carry.
    pub id: Id,
    /// The batch it came in.
    pub batch: Option<usize>,
    /// When it was read, where that is wanted.
    pub since: Option<i64>,
}

/// The requests being served, by number from 1.
#[derive(Default)]
pub struct Slots {
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    /// Those whose callers do not want the result any more, by number. Mostly there is none.
    cancelled: Vec<usize>,
}

impl Slots {
    /// Keep a request; its number.
    ///
    /// # Errors
    /// `OutOfMemory`.
    #[inline(always)]
    pub fn put(&mut self, slot: Slot) -> Result<usize, ErrorKind> {
        if let Some(at) = self.free.pop() {
            self.slots[at] = Some(slot); // OK because free holds indices of slots
            return Ok(at + 1);
        }
        self.put_anew(slot)
    }

    #[cold]
    #[inline(never)]
    fn put_anew(&mut self, slot: Slot) -> Result<usize, ErrorKind> {
        let oom = |_| ErrorKind::OutOfMemory;
        self.slots.try_reserve(1).map_err(oom)?;
        self.free.try_reserve(self.slots.len() + 1).map_err(oom)?; // so that take() cannot fail
        self.slots.push(Some(slot));
        Ok(self.slots.len())
    }

    /// The request of this number.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<&Slot> {
        self.slots.get(number.checked_sub(1)?)?.as_ref()
    }

    /// The number of the request with this id; where the other end has used one twice, of the first of them.
    pub fn find(&self, matches: impl Fn(&Id) -> bool) -> Option<usize> {
        let at = self
            .slots
            .iter()
            .position(|slot| slot.as_ref().is_some_and(|slot| matches(&slot.id)))?;
        Some(at + 1)
    }

    /// The caller of this request does not want the result any more.
    ///
    /// # Errors
    /// `OutOfMemory`.
    #[cold]
    #[inline(never)]
    pub fn cancel(&mut self, number: usize) -> Result<(), ErrorKind> {
        if self.get(number).is_some() && !self.is_cancelled(number) {
            self.cancelled.try_reserve(1).map_err(|_| ErrorKind::OutOfMemory)?;
            self.cancelled.push(number);
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn forget_cancelled(&mut self, number: usize) {
        self.cancelled.retain(|cancelled| *cancelled != number);
    }

    /// Whether the request of this number was cancelled.
    #[must_use]
    pub fn is_cancelled(&self, number: usize) -> bool {
        self.cancelled.contains(&number)
    }

    /// Give the number back; `None` if it is not in use (a second reply).
    pub fn take(&mut self, number: usize) -> Option<Slot> {
        let slot = self.slots.get_mut(number.checked_sub(1)?)?.take()?;
        self.freed(number);
        Some(slot)
    }

    /// The same for whoever has read what he needs: nothing is moved.
    #[inline(always)]
    pub fn free(&mut self, number: usize) {
        if let Some(place @ Some(_)) = self.slots.get_mut(number.wrapping_sub(1)) {
            *place = None;
            self.freed(number);
        }
    }

    #[inline(always)]
    fn freed(&mut self, number: usize) {
        self.free.push(number - 1); // OK because numbers begin with 1
        if !self.cancelled.is_empty() {
            self.forget_cancelled(number);
        }
    }
}

struct Batch {
    responses: Vec<u8>,
    count: usize,
    left: usize,
}

/// Batches some of whose members are not answered yet.
#[derive(Default)]
pub struct Batches {
    open: Vec<Option<Batch>>,
}

impl Batches {
    /// A batch of `count` members; its number.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn open(&mut self, count: usize) -> Result<usize, ErrorKind> {
        let batch = Some(Batch {
            responses: Vec::new(),
            count: 0,
            left: count,
        });
        if let Some(at) = self.open.iter().position(Option::is_none) {
            self.open[at] = batch; // OK because position found it
            return Ok(at);
        }
        self.open.try_reserve(1).map_err(|_| ErrorKind::OutOfMemory)?;
        self.open.push(batch);
        Ok(self.open.len() - 1)
    }

    /// The responses that a batch has so far, and their number.
    #[must_use]
    pub fn so_far(&self, number: usize) -> Option<(&[u8], usize)> {
        let batch = self.open.get(number)?.as_ref()?;
        Some((&batch.responses, batch.count))
    }

    /// One member is done; `response` is empty where it has none. The responses and their number when it was the last
    /// and there are any.
    ///
    /// # Errors
    /// `OutOfMemory`.
    pub fn add(
        &mut self,
        number: usize,
        encoding: Encoding,
        response: &[u8],
    ) -> Result<Option<(Vec<u8>, usize)>, ErrorKind> {
        let Some(place) = self.open.get_mut(number) else {
            return Ok(None);
        };
        let Some(batch) = place else { return Ok(None) };
        if !response.is_empty() {
            let separator = encoding.batch_separator();
            batch
                .responses
                .try_reserve(response.len() + separator.len())
                .map_err(|_| ErrorKind::OutOfMemory)?;
            if batch.count > 0 {
                batch.responses.extend_from_slice(separator);
            }
            batch.responses.extend_from_slice(response);
            batch.count += 1;
        }
        batch.left = batch.left.saturating_sub(1);
        if batch.left > 0 {
            return Ok(None);
        }
        let done = place.take();
        Ok(done
            .filter(|batch| batch.count > 0)
            .map(|batch| (batch.responses, batch.count)))
    }
}
