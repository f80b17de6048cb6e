//! A record of a conversation: every message of both directions, with its time, in a file.
//!
//! It refuses to disturb the conversation: what cannot be recorded is not, and that is logged once. It refuses to fill
//! the disk: at half of its size the file becomes `file.1`, in place of an older one, and a new one is begun.
//!
//! The format (docs/trace.md) is a sequence of CBOR items (RFC 8742): a map about the conversation, then for each
//! message `[time, direction, bytes]`, with a fourth item, the whole length, where the bytes are cut short.

use crate::codec::cbor::writer;
use crate::codec::ErrorKind;
use crate::frame::Framing;
use crate::sys::{at_exit, clock, error::describe, fd, stderr};
use crate::text;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is kept in memory before it is written.
const BUFFER: usize = 1 << 16;
/// The least size of a trace, both files together.
pub const LEAST_SIZE: u64 = 1 << 16;
/// Before a handler runs what is older than this is written, in microseconds.
const OLD: i64 = 1_000;
/// Head of a record but for its bytes: array, time, direction, length.
const HEAD: usize = 16;

/// Which way a message went, or a remark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It was received.
    In = 0,
    /// It was sent.
    Out = 1,
    /// No message: a text about something that came and is none.
    Remark = 2,
}

/// What the first item of a trace tells.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// `json` or `cbor`.
    pub codec: &'a [u8],
    /// How messages were told apart.
    pub framing: Framing,
    /// `string` or `freekill`.
    pub keys: &'a [u8],
    /// What the log calls the peer.
    pub name: &'a [u8],
}

/// A trace that is being recorded; its end when it is dropped.
#[derive(Debug)]
pub struct Trace {
    /// Its place among all.
    at: usize,
}

struct Sink {
    path: PathBuf,
    /// What it is called when a new one is begun.
    older: PathBuf,
    /// `None`: recording has ended.
    file: Option<File>,
    buffer: Vec<u8>,
    /// Bytes of the present file, those in the buffer included.
    size: u64,
    half: u64,
    head: Vec<u8>,
    started: i64,
    flushed: i64,
}

/// All that are being recorded: what is in memory is written when the process exits.
static SINKS: Mutex<Vec<Option<Sink>>> = Mutex::new(Vec::new());

fn write_all_sinks() {
    if let Ok(mut sinks) = SINKS.try_lock() {
        sinks.iter_mut().flatten().for_each(Sink::flush);
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    if file.as_raw_fd() > libc::STDERR_FILENO {
        return Ok(file);
    }
    Ok(File::from(fd::dup_cloexec(file.as_fd(), libc::STDERR_FILENO + 1)?))
}

/// The path with this process's id for `%p`, and `ending`.
fn path_of(pattern: &[u8], ending: &[u8]) -> PathBuf {
    let (before, id, after) = match pattern.windows(2).position(|two| two == b"%p") {
        // OK because what was found lies within the pattern.
        Some(at) => (
            &pattern[..at],
            text::string(format_args!("{}", std::process::id())),
            &pattern[at + 2..],
        ),
        None => (pattern, String::new(), &b""[..]),
    };
    PathBuf::from(OsString::from_vec(text::joined(&[
        before,
        id.as_bytes(),
        after,
        ending,
    ])))
}

fn first_item(about: About, started: i64) -> Result<Vec<u8>, ErrorKind> {
    let mut head = Vec::new();
    writer::write_map_head(&mut head, 8)?;
    for (name, value) in [
        (&b"codec"[..], about.codec),
        (b"framing", about.framing.name().as_bytes()),
        (b"keys", about.keys),
        (b"name", about.name),
    ] {
        writer::write_text(&mut head, name)?;
        writer::write_text(&mut head, value)?;
    }
    for (name, value) in [
        (&b"fkrpc-trace"[..], 1),
        (b"pid", i64::from(std::process::id())),
        (b"realtime", clock::realtime_us()),
        (b"monotonic", started),
    ] {
        writer::write_text(&mut head, name)?;
        writer::write_int(&mut head, value)?;
    }
    Ok(head)
}

impl Trace {
    /// Begin a trace in a new file, readable by its owner alone; `%p` in its name becomes the process's id. Both of its
    /// files together take `size` bytes at most, and no less than [`LEAST_SIZE`].
    ///
    /// # Errors
    /// What open(2) and write(2) say.
    pub fn create(path: &[u8], size: u64, about: About) -> io::Result<Self> {
        let out_of_memory = |_| io::Error::from(io::ErrorKind::OutOfMemory);
        let (path, older) = (path_of(path, b""), path_of(path, b".1"));
        let started = clock::monotonic_us();
        let head = first_item(about, started).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(BUFFER).map_err(out_of_memory)?;
        let mut file = open(&path)?;
        file.write_all(&head)?;
        let sink = Some(Sink {
            path,
            older,
            file: Some(file),
            buffer,
            size: head.len() as u64, // OK because usize is at most 64 bits
            half: size.max(LEAST_SIZE) / 2,
            head,
            started,
            flushed: started,
        });
        at_exit::run_at_exit(write_all_sinks);
        let mut sinks = sinks();
        if let Some(at) = sinks.iter().position(Option::is_none) {
            sinks[at] = sink; // OK because it was found there
            return Ok(Self { at });
        }
        sinks.try_reserve(1).map_err(out_of_memory)?;
        sinks.push(sink);
        Ok(Self { at: sinks.len() - 1 })
    }

    fn with_sink(&self, work: impl FnOnce(&mut Sink)) {
        if let Some(Some(sink)) = sinks().get_mut(self.at) {
            work(sink);
        }
    }

    /// Record a message.
    // Out of line, here and below: most connections have no trace.
    #[cold]
    #[inline(never)]
    pub fn record(&self, direction: Direction, bytes: &[u8]) {
        self.with_sink(|sink| sink.record(clock::monotonic_us(), direction, bytes));
    }

    /// Write what is in memory: nothing will happen for a while.
    #[cold]
    #[inline(never)]
    pub fn flush(&self) {
        self.with_sink(Sink::flush);
    }

    /// Write what is in memory if it is not quite new: what happens now may be the end of the process.
    #[cold]
    #[inline(never)]
    pub fn flush_old(&self) {
        self.with_sink(|sink| {
            if clock::monotonic_us() - sink.flushed > OLD {
                sink.flush();
            }
        });
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.flush();
        if let Some(sink) = sinks().get_mut(self.at) {
            *sink = None;
        }
    }
}

fn sinks() -> MutexGuard<'static, Vec<Option<Sink>>> {
    SINKS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sink {
    fn record(&mut self, now: i64, direction: Direction, bytes: &[u8]) {
        if self.file.is_none() {
            return;
        }
        // One that is larger than the half of a half is cut: a file holds several.
        let most = usize::try_from(self.half / 2)
            .unwrap_or(usize::MAX)
            .min(u32::MAX as usize);
        let kept = &bytes[..bytes.len().min(most)];
        let cut = kept.len() < bytes.len();
        let mut head = [0; HEAD + 9];
        head[0] = if cut { 0x84 } else { 0x83 };
        head[1] = 0x1b;
        head[2..10].copy_from_slice(&(now - self.started).max(0).to_be_bytes());
        head[10] = direction as u8;
        head[11] = if direction == Direction::Remark { 0x7a } else { 0x5a };
        head[12..16].copy_from_slice(&(kept.len() as u32).to_be_bytes()); // OK because `most` is no more
        head[16] = 0x1b;
        head[17..].copy_from_slice(&(bytes.len() as u64).to_be_bytes()); // OK because usize is at most 64 bits
        let (head, tail) = head.split_at(HEAD);
        let tail = if cut { tail } else { &[] };
        let whole = HEAD + kept.len() + tail.len();
        if self.size + whole as u64 > self.half {
            self.rotate();
        }
        if self.buffer.len() + whole > BUFFER {
            self.flush();
        }
        self.size += whole as u64; // OK because usize is at most 64 bits
        if whole > BUFFER {
            self.write(head);
            self.write(kept);
            self.write(tail);
        } else {
            for part in [head, kept, tail] {
                self.buffer.extend_from_slice(part); // OK because the room was reserved
            }
        }
    }

    fn flush(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        self.write(&buffer);
        buffer.clear();
        self.buffer = buffer;
        self.flushed = clock::monotonic_us();
    }

    fn write(&mut self, bytes: &[u8]) {
        let Some(file) = &mut self.file else { return };
        if let Err(error) = file.write_all(bytes) {
            self.give_up("write", &error);
        }
    }

    /// The file has its size: it becomes `file.1`.
    fn rotate(&mut self) {
        self.flush();
        let begun = std::fs::rename(&self.path, &self.older).and_then(|()| open(&self.path));
        match begun {
            Ok(file) => self.file = Some(file),
            Err(error) => return self.give_up("begin anew", &error),
        }
        let head = std::mem::take(&mut self.head);
        self.write(&head);
        self.size = head.len() as u64; // OK because usize is at most 64 bits
        self.head = head;
    }

    fn give_up(&mut self, what: &str, error: &io::Error) {
        self.file = None;
        let path = self.path.display();
        let why = describe(error);
        stderr::log(
            text::string(format_args!(
                "fkrpc: cannot {what} the trace {path}: {why}; it ends here\n"
            ))
            .as_bytes(),
        );
    }
}
