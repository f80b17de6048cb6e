//! The zygote at work: it waits for requests and copies itself.
//!
//! It refuses to do anything else: it has one thread, and runs no Lua. Where it was started by the one who wants copies
//! those are that one's children, and it ends with the connection. Where stand-ins connect ([`super::standin`]) the
//! copies are its own: it waits for them, tells their ends, kills those whose stand-in has gone, and they die with it.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::null_mut;

use super::control::{self, Control};
use super::packet::{self, Descriptors, Kind, Packet};
use super::pidfd::{self, Worker};
use super::settle::settle;
use super::{fork, shareable};
use crate::sys::{c_streams, fd, SysError};

/// What a copy ends with that could not become a process of its own.
pub const BROKEN: i32 = 125;

/// Who a copy was made by, and for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The zygote's pid.
    pub zygote: i32,
    /// The stand-in's pid; 0: there is none.
    pub standin: i32,
}

/// A stand-in.
struct Client {
    /// `None`: it has gone.
    socket: Option<OwnedFd>,
    pid: libc::pid_t,
    worker: Option<Worker>,
}

struct Server {
    control: Control,
    clients: Vec<Client>,
    kept: Vec<RawFd>,
    mask: libc::sigset_t,
}

/// What is to be done after an event.
enum Next {
    Wait,
    /// This is a copy.
    Copy(Origin),
}

/// Waits for requests, for good: this returns in the copies alone. Call it with the script's memory in order: what it
/// looks like now is what every copy begins with. `None`: this process is no zygote.
///
/// # Errors
/// Why the process cannot be copied (`EBUSY`); whoever waits for copies is told, too, and the process goes on without.
pub fn serve() -> Result<Option<Origin>, SysError> {
    let Some(control) = control::taken() else {
        return Ok(None);
    };
    // What is still in there would be written by every copy.
    c_streams::flush_all();
    let ready = shareable::check(control.socket.as_raw_fd()).and_then(|kept| {
        let fail = |error: io::Error| SysError::new("this process cannot be a zygote", &error, "");
        if control.listening {
            // SAFETY: getpid(2) cannot fail. Without pidfds there is nothing to wait with.
            pidfd::open(unsafe { libc::getpid() }).map_err(fail)?;
            // SAFETY: no memory is involved; it fails where this is a group's first process, which does as well.
            unsafe { libc::setsid() };
        }
        Ok(kept)
    });
    let kept = match ready {
        Ok(kept) => kept,
        Err(error) => {
            refuse(&control, &error);
            return Err(error);
        }
    };
    settle_heap();
    let mut server = Server {
        control,
        clients: Vec::new(),
        kept,
        mask: block_signals(),
    };
    if !server.control.listening {
        // OK because the next receive notices if nobody is there.
        let _ = packet::send(server.control.socket.as_fd(), Packet::new(Kind::Ready, 0, 0), &[]);
    }
    // Signals are held back only between a fork and the copy's first steps.
    server.unblock();
    loop {
        if let Ok(Next::Copy(origin)) = server.turn() {
            // What it owns was closed by number.
            std::mem::forget(server);
            return Ok(Some(origin));
        }
    }
}

/// What malloc(3) puts off until it needs memory is done here, once, or every copy would write to all the heap's holes:
/// merging them, giving back those that are whole pages, and sorting the rest, up to 10,000 at a request for a large one.
fn settle_heap() {
    // SAFETY: numbers; what was allocated is freed.
    unsafe {
        #[cfg(target_env = "gnu")]
        libc::malloc_trim(0);
        for _ in 0..64 {
            libc::free(std::hint::black_box(libc::malloc(64 << 10)));
        }
    }
}

/// All signals are held back from here on; the mask before.
fn block_signals() -> libc::sigset_t {
    let mut all = MaybeUninit::<libc::sigset_t>::zeroed();
    let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: both are places of ours; zeroed is a valid set.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        before.assume_init()
    }
}

fn refuse(control: &Control, error: &SysError) {
    if !control.listening {
        let text = error.message.as_bytes();
        let length = i32::try_from(text.len()).unwrap_or(0);
        // OK because who is not there needs no reason.
        let _ = packet::send(
            control.socket.as_fd(),
            Packet::new(Kind::Refused, error.errno, length),
            &[],
        )
        .and_then(|()| fd::write_all(control.socket.as_fd(), text));
    }
}

/// Nobody needs this process any more.
fn end(control: &Control) -> ! {
    if control.listening {
        if let Some(path) = control::path(control.socket.as_fd(), b"") {
            // SAFETY: the path is ended by NUL.
            unsafe { libc::unlink(path.as_ptr().cast()) };
        }
    }
    // SAFETY: ends the process at once: the script's objects are the copies' to finalize.
    unsafe { libc::_exit(0) }
}

impl Server {
    fn unblock(&self) {
        // SAFETY: the mask is that of the process when it became a zygote.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.mask, null_mut()) };
    }

    /// Waits for something to happen, and deals with all of it.
    fn turn(&mut self) -> io::Result<Next> {
        let mut entries: Vec<libc::pollfd> = Vec::new();
        entries.try_reserve(1 + 2 * self.clients.len())?;
        let entry = |fd: Option<&OwnedFd>| libc::pollfd {
            fd: fd.map_or(-1, AsRawFd::as_raw_fd),
            events: libc::POLLIN,
            revents: 0,
        };
        entries.push(entry(Some(&self.control.socket)));
        for client in &self.clients {
            entries.push(entry(client.socket.as_ref()));
            entries.push(entry(client.worker.as_ref().map(|worker| &worker.end)));
        }
        let timeout = if self.control.listening && self.clients.is_empty() {
            i32::try_from(self.control.idle.as_millis()).unwrap_or(i32::MAX)
        } else {
            -1
        };
        // SAFETY: `entries` are that many pollfds, alive for the call.
        match fd::check(unsafe { libc::poll(entries.as_mut_ptr(), entries.len() as libc::nfds_t, timeout) }) {
            Ok(0) => end(&self.control),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Next::Wait),
            Err(_) => end(&self.control),
        }
        let mut place = self.clients.len();
        while place > 0 {
            place -= 1;
            // OK because there are two entries for each client behind the first.
            let (socket, worker) = (entries[1 + 2 * place].revents, entries[2 + 2 * place].revents);
            if worker != 0 && self.ended(place) {
                self.clients.swap_remove(place);
            } else if socket != 0 {
                if let Next::Copy(origin) = self.heard(place) {
                    return Ok(Next::Copy(origin));
                }
            }
        }
        if entries[0].revents != 0 {
            if self.control.listening {
                self.accept();
            } else {
                return Ok(self.asked());
            }
        }
        Ok(Next::Wait)
    }

    /// The one who started this process wants a copy, or nothing any more.
    fn asked(&mut self) -> Next {
        let mut fds = Descriptors::default();
        let socket = self.control.socket.as_fd();
        let wanted = match packet::receive(socket, &mut fds) {
            Ok(Some(packet)) if packet.is(Kind::Fork) && fds[3].is_some() => true,
            Ok(Some(_)) => false,
            Ok(None) | Err(_) => end(&self.control),
        };
        // SAFETY: getpid(2) cannot fail.
        let zygote = unsafe { libc::getpid() };
        let made = if wanted {
            block_signals();
            fork::for_parent()
        } else {
            Err(io::Error::from_raw_os_error(libc::EPROTO))
        };
        if let Ok(0) = made {
            return self.copied(fds, Origin { zygote, standin: 0 });
        }
        self.unblock();
        let answer = match made {
            Ok(pid) => Packet::new(Kind::Started, pid, 0),
            Err(error) => Packet::new(Kind::Failed, error.raw_os_error().unwrap_or(libc::EINVAL), 0),
        };
        let _ = packet::send(self.control.socket.as_fd(), answer, &[]); // OK because the next receive notices
        Next::Wait
    }

    /// In the copy.
    fn copied(&mut self, fds: Descriptors, origin: Origin) -> Next {
        let mortal = (origin.standin != 0).then_some(origin.zygote);
        settle(fds, &self.kept, &self.mask, mortal);
        Next::Copy(origin)
    }

    fn accept(&mut self) {
        // SAFETY: no address is asked for; the kernel has just made what comes back.
        let client = unsafe {
            let number = libc::accept4(
                self.control.socket.as_raw_fd(),
                null_mut(),
                null_mut(),
                libc::SOCK_CLOEXEC,
            );
            match fd::check(number) {
                Ok(number) => OwnedFd::from_raw_fd(number),
                Err(_) => return, // it has left already; where descriptors have run out it waits, and gives up
            }
        };
        let Ok(peer) = control::peer(client.as_fd()) else {
            return;
        };
        // SAFETY: geteuid(2) cannot fail.
        if peer.uid != unsafe { libc::geteuid() } || self.clients.try_reserve(1).is_err() {
            return;
        }
        self.clients.push(Client {
            socket: Some(client),
            pid: peer.pid,
            worker: None,
        });
    }

    /// A stand-in's copy has ended: whether that one was told.
    fn ended(&mut self, place: usize) -> bool {
        let client = &self.clients[place]; // OK because the caller has just looked at it
        let Some(status) = client.worker.as_ref().and_then(Worker::collect) else {
            return false;
        };
        if let Some(socket) = &client.socket {
            // OK because one that has gone does not want to know.
            let _ = packet::send(socket.as_fd(), Packet::new(Kind::Ended, status, 0), &[]);
        }
        true
    }

    /// A stand-in says something, or has gone.
    fn heard(&mut self, place: usize) -> Next {
        let mut fds = Descriptors::default();
        let client = &mut self.clients[place]; // OK because the caller has just looked at it
        let Some(socket) = &client.socket else {
            return Next::Wait;
        };
        match packet::receive(socket.as_fd(), &mut fds) {
            Ok(Some(packet)) if packet.is(Kind::Signal) => {
                if let Some(worker) = &client.worker {
                    worker.signal(packet.a);
                }
                Next::Wait
            }
            Ok(Some(packet)) if packet.is(Kind::Fork) && client.worker.is_none() && fds[3].is_some() => {
                self.copy_for(place, packet, fds)
            }
            _ => {
                match &client.worker {
                    Some(worker) => {
                        worker.signal(libc::SIGKILL);
                        client.socket = None;
                    }
                    None => drop(self.clients.swap_remove(place)),
                }
                Next::Wait
            }
        }
    }

    /// A stand-in wants its copy.
    fn copy_for(&mut self, place: usize, packet: Packet, fds: Descriptors) -> Next {
        let client = &mut self.clients[place]; // OK because the caller has just looked at it
        let Some(socket) = &client.socket else {
            return Next::Wait;
        };
        let socket = socket.as_fd();
        let answer = |kind, a| packet::send(socket, Packet::new(kind, a, 0), &[]);
        if key_of(packet) != self.control.key {
            let _ = answer(Kind::Failed, libc::EINVAL); // OK because the next receive notices
            return Next::Wait;
        }
        // Whoever does not take this has given up and reads the input itself.
        if answer(Kind::Taken, 0).is_err() {
            return Next::Wait;
        }
        // SAFETY: getpid(2) cannot fail.
        let zygote = unsafe { libc::getpid() };
        let standin = client.pid;
        block_signals();
        let made = fork::own();
        if let Ok(0) = made {
            return self.copied(fds, Origin { zygote, standin });
        }
        let started = made.and_then(|pid| {
            // SAFETY: a child of this process that nobody has waited for. It does so itself, too: whoever comes first.
            unsafe { libc::setpgid(pid, pid) };
            Ok(Worker {
                pid,
                end: pidfd::open(pid).inspect_err(|_| {
                    // SAFETY: a child of this process that nobody has waited for: the number is its own.
                    unsafe {
                        libc::kill(pid, libc::SIGKILL);
                        libc::waitpid(pid, null_mut(), 0);
                    }
                })?,
            })
        });
        let _ = match started {
            Ok(worker) => {
                let pid = worker.pid;
                client.worker = Some(worker);
                answer(Kind::Started, pid)
            }
            Err(error) => answer(Kind::Failed, error.raw_os_error().unwrap_or(libc::EINVAL)),
        }; // OK because the next receive notices
        self.unblock();
        Next::Wait
    }
}

/// The key that a request knows.
fn key_of(packet: Packet) -> u64 {
    u64::from(packet.a as u32) | u64::from(packet.b as u32) << 32 // OK because the bits are meant
}

/// The request for a copy, to whoever has this key.
pub(super) fn request(socket: BorrowedFd<'_>, key: u64, fds: &[RawFd]) -> io::Result<()> {
    let (low, high) = (key as i32, (key >> 32) as i32); // OK because the bits are meant
    packet::send(socket, Packet::new(Kind::Fork, low, high), fds)
}
