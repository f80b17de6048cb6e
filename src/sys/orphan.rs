//! A thread that ends this process when whoever started it has gone, however busy the script is.
//!
//! It waits for the hang-up of a pipe or socket (poll(2): `POLLHUP`, on Linux also `POLLRDHUP`), which unread bytes do
//! not hide, and then gives the process some time to end by itself. It refuses to read: what has arrived belongs to the
//! script. It refuses `PR_SET_PDEATHSIG`, which tells of the end of the parent's *thread*: servers start programs from
//! threads that end long before them.
//!
//! Once it waits the thread takes no lock and no memory, and it blocks every signal: a fork meets nothing half done.
//! A child made by fork(2) has no such thread; fkrpc forks only to exec at once. Its descriptors are close-on-exec.
#![allow(unsafe_code)]

use super::fd;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
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
    thread: libc::pthread_t,
}

/// What the thread owns.
struct Post {
    input: OwnedFd,
    stopped: OwnedFd,
    patience: Duration,
}

impl Watch {
    /// Watch the other end of `input`; `patience` after it has hung up the process ends with [`STATUS`].
    ///
    /// # Errors
    /// `EMFILE` when descriptors have run out, `EAGAIN` when threads have.
    pub fn start(input: BorrowedFd<'_>, patience: Duration) -> io::Result<Self> {
        let input = fd::dup_cloexec(input, libc::STDERR_FILENO + 1)?;
        let (stopped, stop) = fd::pipe()?;
        let post = Post {
            input,
            stopped,
            patience,
        };
        // Made by hand: std's threads take memory that they cannot do without.
        // SAFETY: the place is as large and as aligned as malloc(3) makes it, and checked for null; the thread owns it
        // from its start on, we if there is none. The attributes are initialised before they are used.
        unsafe {
            let place = libc::malloc(size_of::<Post>()).cast::<Post>();
            if place.is_null() {
                return Err(io::Error::from_raw_os_error(libc::ENOMEM));
            }
            place.write(post);
            let mut attributes = MaybeUninit::<libc::pthread_attr_t>::zeroed();
            let mut thread = MaybeUninit::<libc::pthread_t>::zeroed();
            libc::pthread_attr_init(attributes.as_mut_ptr());
            libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), STACK);
            // The thread inherits the mask: no handler of anybody's runs on it.
            let failed =
                without_signals(|| libc::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), watch, place.cast()));
            libc::pthread_attr_destroy(attributes.as_mut_ptr());
            if failed != 0 {
                place.drop_in_place();
                libc::free(place.cast());
                return Err(io::Error::from_raw_os_error(failed));
            }
            Ok(Self {
                stop: Some(stop),
                thread: thread.assume_init(),
            })
        }
    }
}

extern "C" fn watch(place: *mut libc::c_void) -> *mut libc::c_void {
    // SAFETY: `start` has written it and leaves it to us.
    let Post {
        input,
        stopped,
        patience,
    } = unsafe { place.cast::<Post>().read() };
    // SAFETY: it came from malloc(3), and what it held is ours.
    unsafe { libc::free(place) };
    if hung_up(&input, &stopped, None) && !hung_up(&stopped, &stopped, Some(patience)) {
        end();
    }
    ptr::null_mut()
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop = None;
        // SAFETY: the thread is ours, and joined once. Closing the pipe has ended it, or is about to.
        unsafe { libc::pthread_join(self.thread, ptr::null_mut()) };
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
