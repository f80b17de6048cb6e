//! What a child may use: setrlimit(2) and nice(2), set between its start and its program.
//!
//! It refuses to watch anything: these are the kernel's limits, and what a child does at them is its own matter.
#![allow(unsafe_code)]

/// A child's limits; `None` leaves what is inherited.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// By the order of [`NAMES`]: bytes of address space (`RLIMIT_AS`), seconds of CPU time (`RLIMIT_CPU`: SIGXCPU, and
    /// SIGKILL a second later), open descriptors (`RLIMIT_NOFILE`), processes of this user (`RLIMIT_NPROC`; does not
    /// bind root).
    pub resources: [Option<u64>; 4],
    /// Added to the niceness.
    pub nice: Option<i32>,
}

/// The limits' names, as the error of one that cannot be set calls them.
pub const NAMES: [&str; 5] = ["memory", "cpu", "files", "processes", "nice"];

/// The name at a place.
pub(super) fn name(place: usize) -> Option<&'static str> {
    NAMES.get(place).copied()
}

impl Limits {
    /// Between start and program: set them, or say which one cannot be; errno has the reason.
    pub(in crate::sys) fn apply(&self) -> Result<(), libc::c_int> {
        let kinds = [
            libc::RLIMIT_AS,
            libc::RLIMIT_CPU,
            libc::RLIMIT_NOFILE,
            libc::RLIMIT_NPROC,
        ];
        for (place, (kind, most)) in (0..).zip(kinds.into_iter().zip(self.resources)) {
            let Some(most) = most else { continue };
            let limit = libc::rlimit {
                rlim_cur: most,
                rlim_max: most.saturating_add(u64::from(kind == libc::RLIMIT_CPU)),
            };
            // SAFETY: setrlimit(2) reads one structure.
            if unsafe { libc::setrlimit(kind, &raw const limit) } != 0 {
                return Err(place);
            }
        }
        if let Some(nice) = self.nice {
            // SAFETY: no memory is involved. What is read here is this process's own, which cannot fail.
            let before = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
            // SAFETY: as above.
            if unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, before.saturating_add(nice)) } != 0 {
                return Err(4);
            }
        }
        Ok(())
    }
}
