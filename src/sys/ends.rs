//! The ends of many processes behind one descriptor: a wait looks at that, not at one for each of them.
//!
//! It refuses to be needed: where there is no epoll, or no memory for it, whoever waits looks at each.
#![allow(unsafe_code)]

use std::os::fd::{OwnedFd, RawFd};

/// One process that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// What can be read when it has ended.
    pub fd: RawFd,
    /// Whose process it is.
    pub place: usize,
    /// Numbers of descriptors and places are used again, these are not.
    pub generation: u64,
}

/// How many ends one look tells of; the rest is told by the next.
#[cfg(target_os = "linux")]
const MOST: usize = 64;

/// The processes that are watched, and the descriptor.
#[derive(Debug, Default)]
pub(super) struct Ends {
    watched: Vec<End>,
    epoll: Option<OwnedFd>,
}

#[cfg(target_os = "linux")]
impl Ends {
    /// Watch these from now on: what can be read when one of them has ended. `None`: they have to be looked at themselves,
    /// as one or none always has.
    pub(super) fn watch(&mut self, ends: impl Iterator<Item = End> + Clone) -> Option<RawFd> {
        use std::os::fd::AsRawFd;
        if !self.watched.iter().copied().eq(ends.clone()) {
            self.epoll = None;
            self.watched.clear();
            let count = ends.clone().count();
            self.watched.try_reserve(count).ok()?;
            self.watched.extend(ends);
            self.epoll = if count < 2 { None } else { open(&self.watched) };
        }
        self.epoll.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// The places whose processes have ended.
    pub(super) fn each_ended(&self, mut each: impl FnMut(usize)) {
        use std::os::fd::AsRawFd;
        let Some(epoll) = &self.epoll else { return };
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; MOST];
        let room = MOST as libc::c_int; // OK because it is small
                                        // SAFETY: there is room for that many events.
        let count = unsafe { libc::epoll_wait(epoll.as_raw_fd(), events.as_mut_ptr(), room, 0) };
        for event in events.iter().take(usize::try_from(count).unwrap_or(0)) {
            each(event.u64 as usize); // OK because it was a usize
        }
    }
}

/// An epoll of these; `None` if there is none to be had.
#[cfg(target_os = "linux")]
fn open(ends: &[End]) -> Option<OwnedFd> {
    use crate::sys::fd;
    use std::os::fd::{AsRawFd, FromRawFd};
    // SAFETY: no memory is involved, and the descriptor that is made is ours alone.
    let epoll = unsafe { OwnedFd::from_raw_fd(fd::check(libc::epoll_create1(libc::EPOLL_CLOEXEC)).ok()?) };
    for end in ends {
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32, // OK because it is a positive constant
            u64: end.place as u64,        // OK because usize is at most 64 bits
        };
        // SAFETY: the event is alive for the call.
        fd::check(unsafe { libc::epoll_ctl(epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, end.fd, &raw mut event) }).ok()?;
    }
    Some(epoll)
}

#[cfg(not(target_os = "linux"))]
impl Ends {
    /// There is no epoll: they have to be looked at themselves.
    pub(super) fn watch(&mut self, _ends: impl Iterator<Item = End> + Clone) -> Option<RawFd> {
        None
    }

    /// None is known here.
    pub(super) fn each_ended(&self, _each: impl FnMut(usize)) {
        let _ = (&self.watched, &self.epoll);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sys::fd;
    use std::os::fd::AsRawFd;

    #[test]
    fn those_that_can_be_read_are_told_by_their_places_until_others_are_watched() {
        let pipes = [fd::pipe().unwrap(), fd::pipe().unwrap(), fd::pipe().unwrap()];
        let end = |place: usize, generation| End {
            fd: pipes[place].0.as_raw_fd(),
            place,
            generation,
        };
        let all = [end(0, 1), end(1, 2), end(2, 3)];
        let mut ends = Ends::default();
        let told = |ends: &Ends| {
            let mut places = Vec::new();
            ends.each_ended(|place| places.push(place));
            places
        };
        assert_eq!(None, ends.watch(all.iter().copied().take(1)), "one is looked at itself");
        let number = ends.watch(all.iter().copied()).unwrap();
        assert_eq!(
            Some(number),
            ends.watch(all.iter().copied()),
            "the same again is the same"
        );
        assert_eq!(told(&ends), []);
        fd::write_all(std::os::fd::AsFd::as_fd(&pipes[1].1), b"x").unwrap();
        assert_eq!(told(&ends), [1]);
        assert_eq!(told(&ends), [1], "it is told again as long as it is so");
        ends.watch([end(0, 1), end(2, 3)].into_iter()).unwrap();
        assert_eq!(told(&ends), []);
        ends.watch([end(0, 1), end(1, 9)].into_iter()).unwrap();
        assert_eq!(told(&ends), [1], "a number that is used again is another's");
    }
}
