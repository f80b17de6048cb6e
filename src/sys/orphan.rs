//! A thread that ends this process when whoever started it has gone, however busy the script is.
//!
//! It waits for the hang-up of a pipe or socket (poll(2): `POLLHUP`, on Linux also `POLLRDHUP`), which unread bytes do
//! not hide, and then gives the process some time to end by itself. It refuses to read: what has arrived belongs to the
//! script. It refuses `PR_SET_PDEATHSIG`, which tells of the end of the parent's *thread*: servers start programs from
//! threads that end long before them.
//!
//! The thread takes no lock and no memory, and blocks every signal, so that a fork meets nothing half done. A child made
//! by fork(2) has no such thread; fkrpc forks only to exec at once. Its descriptors are close-on-exec.
#![allow(unsafe_code)]

use super::fd;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// What a process ends with that outlives its parent for too long.
pub const STATUS: i32 = 123;

const MESSAGE: &[u8] = b"fkrpc: stdin has hung up and the program does not end: it is ended with status 123\n";

/// It polls and writes one line.
const STACK: usize = 64 << 10;

/// The thread, which ends when this is dropped.
#[derive(Debug)]
pub struct Watch {
    /// Closed to end it.
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Watch the other end of `input`; `patience` after it has hung up the process ends with [`STATUS`].
    ///
    /// # Errors
    /// `EMFILE` when descriptors have run out, `EAGAIN` when threads have.
    pub fn start(input: BorrowedFd<'_>, patience: Duration) -> io::Result<Self> {
        let input = fd::dup_cloexec(input, libc::STDERR_FILENO + 1)?;
        let (stopped, stop) = fd::pipe()?;
        let watch = move || {
            if hung_up(&input, &stopped, None) && !hung_up(&stopped, &stopped, Some(patience)) {
                end();
            }
        };
        // The thread inherits the mask: no handler of anybody's runs on it.
        let thread = without_signals(|| {
            Builder::new()
                .name("fkrpc-orphan".into())
                .stack_size(STACK)
                .spawn(watch)
        })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // OK because it does not panic, and nobody is left to tell
        }
    }
}

/// Waits until the other end of `fd` or that of `stop` has gone: whether it was `fd`'s alone, or `stop`'s where both
/// are the same. False when the time is over.
fn hung_up(fd: &OwnedFd, stop: &OwnedFd, timeout: Option<Duration>) -> bool {
    let entry = |fd: &OwnedFd| libc::pollfd {
        fd: fd.as_fd().as_raw_fd(),
        #[cfg(target_os = "linux")]
        events: libc::POLLRDHUP,
        #[cfg(not(target_os = "linux"))]
        events: 0,
        revents: 0,
    };
    let mut entries = [entry(fd), entry(stop)];
    let milliseconds = timeout.map_or(-1, |time| {
        libc::c_int::try_from(time.as_millis()).unwrap_or(libc::c_int::MAX)
    });
    let same = ptr::eq(fd, stop);
    loop {
        // SAFETY: `entries` are two pollfds, alive for the call. No signal interrupts it: all are blocked.
        let count = unsafe { libc::poll(entries.as_mut_ptr(), 2, milliseconds) };
        match count {
            0 => return false,
            -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            -1 => return false, // nothing can be watched: the script goes on as without us
            _ => return entries[0].revents != 0 && (same || entries[1].revents == 0),
        }
    }
}

fn end() -> ! {
    let mut entry = libc::pollfd {
        fd: libc::STDERR_FILENO,
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: one pollfd, alive for the call; a borrowed text; _exit(2) returns to nobody. A full pipe that nobody reads
    // must not keep the process alive; SIGPIPE is blocked here.
    unsafe {
        if libc::poll(&raw mut entry, 1, 0) == 1 && entry.revents & libc::POLLOUT != 0 {
            let said = libc::write(libc::STDERR_FILENO, MESSAGE.as_ptr().cast(), MESSAGE.len());
            let _ = said; // nobody is left to tell
        }
        libc::_exit(STATUS)
    }
}

/// Runs `work` with all signals of this thread held back.
fn without_signals<T>(work: impl FnOnce() -> T) -> T {
    let mut all = MaybeUninit::<libc::sigset_t>::zeroed();
    let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: sigfillset initialises `all`; `before` receives this thread's mask.
    let blocked = unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) == 0
    };
    let result = work();
    if blocked {
        // SAFETY: the first call has filled `before` in.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut()) };
    }
    result
}
