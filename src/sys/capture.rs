//! Descriptor 1 as a pipe to ourselves: what this process and its children write there is kept until it is asked for.
//!
//! A thread reads the pipe, so that nobody who writes to it waits for us: a program that `os.execute` runs would, for
//! ever, when the pipe is full. The thread does nothing else, takes no signals, and there is none before [`start`]. What
//! is asked for is what was written before: who asks reads the pipe, too.
//!
//! It refuses to keep more than [`MOST`] bytes: what comes beyond goes to stderr.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{c_streams, fd, poll, stderr, SysError};

/// The most bytes that are kept.
pub const MOST: usize = 16 << 20;
/// Read at a time.
const CHUNK: usize = 1 << 16;
/// What is read at most before somebody else has a turn: a writer may never end.
const TURN: usize = 1 << 20;
/// The thread's stack, of which it needs little.
const STACK: usize = 256 << 10;

struct Capture {
    /// Non-blocking; our description alone.
    reader: Option<OwnedFd>,
    kept: Vec<u8>,
    /// The most bytes that are kept.
    limit: usize,
}

static CAPTURE: Mutex<Capture> = Mutex::new(Capture {
    reader: None,
    kept: Vec::new(),
    limit: MOST,
});

/// [`start`] has succeeded.
static STARTED: AtomicBool = AtomicBool::new(false);

fn lock() -> MutexGuard<'static, Capture> {
    // OK because nothing between lock and unlock leaves a half-written state.
    CAPTURE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Capture {
    fn move_to(&mut self, out: &mut Vec<u8>) {
        if out.try_reserve(self.kept.len()).is_ok() {
            out.append(&mut self.kept);
        } else {
            stderr::log(&self.kept);
        }
        self.kept = Vec::new();
    }

    /// Read what is there, up to a turn; `false` at the end of the pipe.
    fn read(&mut self) -> bool {
        let Some(reader) = &self.reader else { return false };
        let mut turn = 0;
        while turn < TURN {
            let before = self.kept.len();
            if before + CHUNK <= self.limit && self.kept.try_reserve(CHUNK).is_ok() {
                self.kept.resize(before + CHUNK, 0); // OK because the memory was reserved
                let read = fd::read(reader.as_fd(), &mut self.kept[before..]);
                self.kept.truncate(before + read.as_ref().map_or(0, |count| *count));
                match read {
                    Ok(0) => return false,
                    Ok(count) => turn += count,
                    Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
                }
            } else {
                let mut rest = [0; 4096];
                match fd::read(reader.as_fd(), &mut rest) {
                    Ok(0) => return false,
                    Ok(count) => {
                        stderr::log(&rest[..count]); // OK because read(2) claims no more than it was given
                        turn += count;
                    }
                    Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
                }
            }
        }
        true
    }
}

/// Put the pipe in the place of descriptor 1 and start the thread. Once per process.
///
/// # Errors
/// `EBUSY` the second time; `EMFILE` and `EAGAIN` when descriptors or threads have run out. Descriptor 1 is what it was
/// then.
pub fn start() -> Result<(), SysError> {
    let fail = |error: io::Error| SysError::new("cannot forward stdout", &error, "");
    if STARTED.swap(true, Ordering::Relaxed) {
        return Err(fail(io::Error::from_raw_os_error(libc::EBUSY)));
    }
    open()
        .inspect_err(|_| STARTED.store(false, Ordering::Relaxed))
        .map_err(fail)
}

/// The steps of [`start`].
fn open() -> io::Result<()> {
    let (reader, writer) = fd::pipe()?;
    let number = reader.as_raw_fd();
    // SAFETY: the description is ours alone; F_SETFL takes an int.
    fd::check(unsafe { libc::fcntl(number, libc::F_SETFL, libc::O_NONBLOCK) })?;
    lock().reader = Some(reader);
    if let Err(error) = spawn(number) {
        lock().reader = None;
        return Err(error);
    }
    c_streams::flush_all();
    // SAFETY: no memory is involved; what descriptor 1 was is replaced on purpose.
    fd::check(unsafe { libc::dup2(writer.as_raw_fd(), libc::STDOUT_FILENO) })?;
    Ok(())
}

/// Descriptor 1 is stderr again; what C still holds is written to the pipe before. [`release`] is to follow.
pub fn stop() {
    c_streams::flush_all();
    // SAFETY: no memory is involved; the pipe's end is replaced on purpose. OK if it fails: the thread goes on reading.
    unsafe { libc::dup2(libc::STDERR_FILENO, libc::STDOUT_FILENO) };
}

/// Nobody asks any more: what programs in the background still write goes to stderr. The thread ends with the last of
/// them.
pub fn release() {
    let mut capture = lock();
    capture.limit = 0;
    stderr::log(&capture.kept);
    capture.kept = Vec::new();
}

/// Move what was written so far to the end of `out`; where memory runs out, to stderr.
pub fn take(out: &mut Vec<u8>) {
    let mut capture = lock();
    capture.move_to(out); // first, so that there is room for the rest
    capture.read();
    capture.move_to(out);
}

/// A detached thread that runs [`drain`], with every signal blocked: they are for the threads of the program.
fn spawn(number: i32) -> io::Result<()> {
    let result = |code: libc::c_int| match code {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    };
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::zeroed();
    let mut all = MaybeUninit::<libc::sigset_t>::zeroed();
    let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
    let mut thread = MaybeUninit::<libc::pthread_t>::zeroed();
    // SAFETY: each object is initialised by the call that comes first for it; the number goes by value.
    unsafe {
        result(libc::pthread_attr_init(attributes.as_mut_ptr()))?;
        libc::pthread_attr_setdetachstate(attributes.as_mut_ptr(), libc::PTHREAD_CREATE_DETACHED);
        libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), STACK);
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        let argument = ptr::without_provenance_mut(number.unsigned_abs() as usize); // OK because it is not negative
        let created = libc::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), drain, argument);
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        result(created)
    }
}

/// Read the pipe until nobody can write to it any more.
extern "C" fn drain(number: *mut libc::c_void) -> *mut libc::c_void {
    let number = i32::try_from(number.addr()).unwrap_or(-1);
    loop {
        // SAFETY: the reader is closed by this thread alone, at the end.
        let ready = poll::readable(unsafe { BorrowedFd::borrow_raw(number) }, None);
        let mut capture = lock();
        if ready.is_err() || !capture.read() {
            capture.reader = None;
            return ptr::null_mut();
        }
    }
}
