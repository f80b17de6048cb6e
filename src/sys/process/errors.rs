//! What children write to stderr: read at once by one thread for all of them, its end kept, and passed on.
//!
//! The thread is there while a child's stderr is open, or a child that nobody refers to still runs: that one it
//! collects; and while somebody wants to be woken ([`lookout`]). It takes no signal. No child ever waits for it: what our
//! own stderr does not take without waiting is not passed on, and of each child's the last [`KEPT`] bytes are kept,
//! whatever its lines look like.
//!
//! A fork without exec must not meet it: [`suspend`] before, [`resume`] or [`forget`] after.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::abandoned;
use crate::sys::interrupt::lookout;
use crate::sys::{fd, output, poll};

/// The most that is kept of a child's last words, in bytes.
pub const KEPT: usize = 64 << 10;
/// Read at a time.
const CHUNK: usize = 16 << 10;
/// What is read at most of one child before another one's turn: a writer may never end.
const TURN: usize = 1 << 20;
/// Without memory for all there is to watch, until the next look.
const LOOK: Duration = Duration::from_millis(50);
/// The thread's stack: a chunk and few frames.
const STACK: usize = 128 << 10;

/// Where a child's stderr goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Errors {
    /// Read; its end is kept, and all of it goes to our own stderr as far as that takes it.
    #[default]
    Relay,
    /// Read; its end is kept.
    Keep,
    /// To /dev/null.
    Null,
    /// It is ours.
    Inherit,
}

impl Errors {
    /// Our end and the child's.
    pub(in crate::sys) fn open(self) -> io::Result<(Option<OwnedFd>, Option<OwnedFd>)> {
        match self {
            Errors::Inherit => Ok((None, None)),
            Errors::Null => {
                use std::os::fd::FromRawFd;
                let flags = libc::O_WRONLY | libc::O_CLOEXEC;
                // SAFETY: the path ends with a zero byte, and the descriptor that is made is ours alone.
                let null = unsafe { OwnedFd::from_raw_fd(fd::check(libc::open(c"/dev/null".as_ptr(), flags))?) };
                Ok((None, Some(fd::above_stdio(null)?)))
            }
            Errors::Relay | Errors::Keep => {
                let (reader, writer) = fd::pipe()?;
                // SAFETY: the description is ours alone; F_SETFL takes an int.
                fd::check(unsafe { libc::fcntl(reader.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) })?;
                Ok((Some(reader), Some(writer)))
            }
        }
    }
}

/// One child's stderr.
struct Source {
    /// By which its owner knows it.
    key: u64,
    /// Until its end.
    reader: Option<OwnedFd>,
    relay: bool,
    /// Up to twice [`KEPT`] bytes.
    kept: Vec<u8>,
    /// Nobody refers to it any more: it goes with its end.
    abandoned: bool,
}

struct Table {
    sources: Vec<Source>,
    last_key: u64,
    /// Closed to end the thread, written to when there is more to watch.
    thread: Option<(libc::pthread_t, OwnedFd)>,
}

static TABLE: Mutex<Table> = Mutex::new(Table {
    sources: Vec::new(),
    last_key: 0,
    thread: None,
});

fn lock() -> MutexGuard<'static, Table> {
    // OK because nothing between lock and unlock leaves a half-written state.
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One child's stderr, by its owner.
#[derive(Debug)]
pub(super) struct Tail {
    key: u64,
}

/// Read `reader`, which does not block, from now on; with `relay` what comes goes to our stderr.
pub(super) fn follow(reader: OwnedFd, relay: bool) -> io::Result<Tail> {
    let mut table = lock();
    table.sources.try_reserve(1)?;
    table.last_key += 1; // OK because 2^64 children do not happen
    let key = table.last_key;
    table.sources.push(Source {
        key,
        reader: Some(reader),
        relay,
        kept: Vec::new(),
        abandoned: false,
    });
    if let Err(error) = table.wake() {
        table.sources.pop();
        return Err(error);
    }
    Ok(Tail { key })
}

impl Tail {
    /// The last of what has been written so far, at most [`KEPT`] bytes, added to `out` as far as there is memory.
    pub(super) fn text(&self, out: &mut Vec<u8>) {
        let mut table = lock();
        if let Some(source) = table.sources.iter_mut().find(|source| source.key == self.key) {
            source.read();
            let kept = source
                .kept
                .get(source.kept.len().saturating_sub(KEPT)..)
                .unwrap_or_default();
            if out.try_reserve(kept.len()).is_ok() {
                out.extend_from_slice(kept);
            }
        }
        end_if_idle(table);
    }

    /// The child still runs: it may go on writing, as long as we do.
    pub(super) fn abandon(self) {
        let mut table = lock();
        if let Some(source) = table.sources.iter_mut().find(|source| source.key == self.key) {
            source.abandoned = true;
            source.kept = Vec::new();
        }
        std::mem::forget(self);
        table
            .sources
            .retain(|source| !source.abandoned || source.reader.is_some());
        end_if_idle(table);
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let mut table = lock();
        table.sources.retain(|source| source.key != self.key);
        end_if_idle(table);
    }
}

/// End the thread when there is nothing left for it, and wait until it has ended.
fn end_if_idle(mut table: MutexGuard<'_, Table>) {
    if !table.is_idle() {
        return;
    }
    if let Some((thread, wake)) = table.thread.take() {
        drop(table); // the thread may want it once more
        drop(wake);
        // SAFETY: the thread is joined once, by whoever took it out of the table. Its pipe has ended, and so will it.
        unsafe { libc::pthread_join(thread, ptr::null_mut()) };
    }
}

/// Before a fork that goes on in this library: no thread is left, and nothing is locked.
pub fn suspend() {
    let mut table = lock();
    if let Some((thread, wake)) = table.thread.take() {
        drop(table);
        drop(wake);
        // SAFETY: as in `end_if_idle`.
        unsafe { libc::pthread_join(thread, ptr::null_mut()) };
    }
}

/// After such a fork, in the parent: go on.
///
/// # Errors
/// `EAGAIN` and `EMFILE` when threads or descriptors have run out.
pub fn resume() -> io::Result<()> {
    let mut table = lock();
    if table.is_idle() {
        return Ok(());
    }
    table.wake()
}

/// After such a fork, in the child: the children, and what they write, are the parent's.
pub fn forget() {
    lookout::forget();
    lock().sources.clear();
}

/// A child was abandoned: watch its end.
pub(super) fn wake() {
    // Without a thread it is collected at a later start or wait.
    let _ = lock().wake();
}

/// There is more to look out for.
pub(in crate::sys) fn wake_up() -> io::Result<()> {
    lock().wake()
}

/// There is less.
pub(in crate::sys) fn rest() {
    end_if_idle(lock());
}

impl Source {
    /// Read what is there, up to a turn.
    fn read(&mut self) {
        let mut chunk = [0; CHUNK];
        let mut turn = 0;
        while let (Some(reader), true) = (&self.reader, turn < TURN) {
            match fd::read(reader.as_fd(), &mut chunk) {
                Ok(count) if count > 0 => {
                    turn += count;
                    self.keep(&chunk[..count]); // OK because read(2) claims no more than it was given
                    if self.relay {
                        output::offer(libc::STDERR_FILENO, &chunk[..count]); // OK as above
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                _ => self.reader = None,
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.kept.len() + bytes.len() > 2 * KEPT {
            let surplus = self.kept.len().saturating_sub(KEPT);
            self.kept.drain(..surplus);
        }
        // Where there is no memory, there are no last words.
        if !self.abandoned && self.kept.try_reserve(bytes.len()).is_ok() {
            self.kept.extend_from_slice(bytes);
        }
    }
}

impl Table {
    fn is_idle(&self) -> bool {
        self.sources.iter().all(|source| source.reader.is_none()) && abandoned::is_empty() && lookout::is_empty()
    }

    /// Let the thread look again what there is to watch; start it if there is none.
    fn wake(&mut self) -> io::Result<()> {
        if let Some((_, wake)) = &self.thread {
            return fd::write(wake.as_fd(), &[0]).map(drop);
        }
        let (woken, wake) = fd::pipe()?;
        // The thread's own; it closes it.
        let number = woken.as_raw_fd();
        let thread = spawn(number)?;
        std::mem::forget(woken);
        self.thread = Some((thread, wake));
        Ok(())
    }

    /// What there is to watch, after the pipe that wakes; false: there is no memory for all of it.
    fn entries(&self, woken: i32, entries: &mut Vec<libc::pollfd>) -> bool {
        let mut complete = true;
        let mut add = |number| match entries.try_reserve(1) {
            Ok(()) => entries.push(entry(number)),
            Err(_) => complete = false,
        };
        add(woken);
        let readers = self.sources.iter().filter_map(|source| source.reader.as_ref());
        readers.map(AsRawFd::as_raw_fd).for_each(&mut add);
        abandoned::each_fd(&mut add);
        lookout::each_fd(add);
        complete
    }
}

/// To be read.
fn entry(fd: i32) -> libc::pollfd {
    libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    }
}

/// A thread that runs [`work`], with every signal blocked: they are for the threads of the program.
fn spawn(number: i32) -> io::Result<libc::pthread_t> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::zeroed();
    let mut all = MaybeUninit::<libc::sigset_t>::zeroed();
    let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
    let mut thread = MaybeUninit::<libc::pthread_t>::zeroed();
    // SAFETY: each object is initialised by the call that comes first for it; the number goes by value.
    unsafe {
        libc::pthread_attr_init(attributes.as_mut_ptr());
        libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), STACK);
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        let argument = ptr::without_provenance_mut(number.unsigned_abs() as usize); // OK because it is not negative
        let failed = libc::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), work, argument);
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        match failed {
            0 => Ok(thread.assume_init()),
            code => Err(io::Error::from_raw_os_error(code)),
        }
    }
}

/// Read what can be read, and collect who has ended, until the pipe that wakes has ended.
extern "C" fn work(number: *mut libc::c_void) -> *mut libc::c_void {
    use std::os::fd::FromRawFd;
    // SAFETY: `wake` has left this end of the pipe to us.
    let woken = unsafe { OwnedFd::from_raw_fd(i32::try_from(number.addr()).unwrap_or(-1)) };
    let mut entries = Vec::new();
    loop {
        entries.clear();
        let complete = lock().entries(woken.as_raw_fd(), &mut entries);
        // The pipe that wakes is watched in any case, and soon there may be memory for the rest.
        let mut least = [entry(woken.as_raw_fd())];
        let watched = if entries.is_empty() {
            &mut least[..]
        } else {
            &mut entries[..]
        };
        // OK because an error is that of a descriptor which somebody has closed: reading it shows that, and it goes.
        let limits = [(!complete).then_some(LOOK), lookout::left()];
        let _ = poll::wait(watched, limits.into_iter().flatten().min());
        let ready = |number: i32| watched.iter().any(|entry| entry.fd == number && entry.revents != 0);
        if ready(woken.as_raw_fd()) {
            let mut bytes = [0; 64];
            if !matches!(fd::read(woken.as_fd(), &mut bytes), Ok(1..)) {
                return ptr::null_mut();
            }
        }
        lookout::look(ready);
        abandoned::reap();
        let mut table = lock();
        for source in &mut table.sources {
            if source.reader.as_ref().is_some_and(|reader| ready(reader.as_raw_fd())) {
                source.read();
            }
        }
        table
            .sources
            .retain(|source| !source.abandoned || source.reader.is_some());
        if table.is_idle() {
            if let Some((thread, _wake)) = table.thread.take() {
                // SAFETY: whoever takes a thread out of the table joins or detaches it, once; here it is this one, or
                // its successor, which sees that its pipe has ended.
                unsafe { libc::pthread_detach(thread) };
                return ptr::null_mut();
            }
        }
    }
}
