//! Reads that causes other than bytes end: none is missed, no byte is lost, and nobody else is interrupted.
//!
//! A kick that is lost shows as a test that does not end.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![allow(clippy::unwrap_used, unsafe_code)]

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{mpsc, Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fkrpc::sys::interrupt::{self, Reading, END, SIGNAL, TIME};
use fkrpc::sys::{fd, poll};

const KICKS: u64 = 100_000;

/// Each test wakes everybody.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Moments that are unlike each other: a few instructions, or as long as the scheduler likes.
struct Moments(u64);

impl Moments {
    fn pass(&mut self) {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        match self.0 % 16 {
            0 => thread::yield_now(),
            1 => thread::sleep(Duration::from_micros(self.0 >> 8 & 63)),
            steps => (0..steps * (self.0 >> 8 & 127)).for_each(|_| std::hint::spin_loop()),
        }
    }
}

/// Something to hear of: a number that was asked for, and the last that was seen.
#[derive(Default)]
struct Cause {
    asked: AtomicU64,
    seen: AtomicU64,
}

impl Cause {
    fn is_due(&self) -> bool {
        self.asked.load(SeqCst) != self.seen.load(SeqCst)
    }

    fn see(&self) {
        self.seen.store(self.asked.load(SeqCst), SeqCst);
    }

    /// Ask so many times, each time until it was seen.
    fn hammer(&self, count: u64, seed: u64) {
        let mut moments = Moments(seed);
        for number in 1..=count {
            moments.pass();
            self.asked.store(number, SeqCst);
            interrupt::wake(SIGNAL);
            while self.seen.load(SeqCst) != number {
                thread::yield_now();
            }
        }
    }
}

/// A thread that reads to the end: how many bytes, each one more than the last, and how often it was woken.
fn reader(input: OwnedFd, cause: &Arc<Cause>, thread: mpsc::Sender<libc::pthread_t>) -> JoinHandle<(usize, usize)> {
    let cause = cause.clone();
    thread::spawn(move || {
        // SAFETY: always succeeds.
        thread.send(unsafe { libc::pthread_self() }).unwrap();
        let (mut count, mut woken, mut buffer) = (0, 0, [0; 512]);
        loop {
            match interrupt::read(input.as_fd(), &mut buffer, SIGNAL, || cause.is_due()) {
                Reading::Done(Ok(0)) => return (count, woken),
                Reading::Done(Ok(read)) => {
                    for byte in &buffer[..read] {
                        assert_eq!(usize::from(*byte), count % 251, "byte {count}");
                        count += 1;
                    }
                }
                Reading::Done(Err(error)) => assert_eq!(error.raw_os_error(), Some(libc::EINTR)),
                Reading::Woken => {
                    woken += 1;
                    cause.see();
                }
                Reading::Unavailable => panic!("kicks do not arrive here"),
            }
        }
    })
}

fn numbered(from: usize, count: usize) -> Vec<u8> {
    (from..from + count).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

#[test]
fn every_kick_is_noticed_by_a_reader_whom_nobody_writes_to() {
    let _alone = alone();
    let (input, output) = fd::pipe().unwrap();
    let cause = Arc::new(Cause::default());
    let (sender, _thread) = mpsc::channel();
    let reader = reader(input, &cause, sender);
    cause.hammer(KICKS, 1);
    drop(output);
    let (count, woken) = reader.join().unwrap();
    // What was seen before its kick arrived, may wake once more.
    assert!(count == 0 && woken as u64 >= KICKS);
}

#[test]
fn no_byte_is_lost_or_read_twice_while_kicks_come() {
    let _alone = alone();
    let (input, output) = fd::pipe().unwrap();
    let cause = Arc::new(Cause::default());
    let (sender, _thread) = mpsc::channel();
    let reader = reader(input, &cause, sender);
    let over = Arc::new(AtomicBool::new(false));
    let writer = {
        let over = over.clone();
        thread::spawn(move || {
            let (mut sent, mut moments) = (0, Moments(2));
            while !over.load(SeqCst) {
                moments.pass();
                thread::sleep(Duration::from_micros(moments.0 >> 16 & 127)); // most kicks find the reader waiting
                let some = numbered(sent, 1 + usize::try_from(moments.0 % 700).unwrap());
                fd::write_all(output.as_fd(), &some).unwrap();
                sent += some.len();
            }
            sent
        })
    };
    cause.hammer(KICKS, 3);
    over.store(true, SeqCst);
    let sent = writer.join().unwrap();
    let (count, woken) = reader.join().unwrap();
    assert_eq!(count, sent);
    assert!(woken as u64 >= KICKS);
}

static HANDLED: AtomicUsize = AtomicUsize::new(0);

/// Long enough for a kick to come inside.
extern "C" fn slow(_signal: libc::c_int) {
    HANDLED.fetch_add(1, SeqCst);
    (0..2000).for_each(|_| std::hint::spin_loop());
}

fn handle(signal: libc::c_int, flags: libc::c_int) {
    // SAFETY: all-zero is a valid sigaction; the handler uses an atomic alone.
    unsafe {
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        action.sa_sigaction = slow as extern "C" fn(libc::c_int) as libc::sighandler_t;
        action.sa_flags = flags;
        assert_eq!(libc::sigaction(signal, &raw const action, ptr::null_mut()), 0);
    }
}

#[test]
fn a_kick_that_comes_inside_another_signals_handler_is_not_lost() {
    let _alone = alone();
    handle(libc::SIGUSR1, libc::SA_RESTART);
    handle(libc::SIGUSR2, 0);
    let (input, output) = fd::pipe().unwrap();
    let cause = Arc::new(Cause::default());
    let (sender, thread) = mpsc::channel();
    let reader = reader(input, &cause, sender);
    let target = thread.recv().unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let other = {
        let over = over.clone();
        thread::spawn(move || {
            let mut moments = Moments(4);
            while !over.load(SeqCst) {
                moments.pass();
                // Most of them take the read up again; a few interrupt it.
                let signal = if moments.0 >> 20 & 31 == 0 {
                    libc::SIGUSR2
                } else {
                    libc::SIGUSR1
                };
                // SAFETY: the reader runs until this thread has ended.
                assert_eq!(unsafe { libc::pthread_kill(target, signal) }, 0);
            }
        })
    };
    cause.hammer(KICKS, 5);
    over.store(true, SeqCst);
    other.join().unwrap();
    drop(output);
    assert!(reader.join().unwrap().1 as u64 >= KICKS);
    assert!(HANDLED.load(SeqCst) > 0);
}

#[test]
fn whoever_is_kicked_finds_no_other_system_call_interrupted() {
    let _alone = alone();
    let (input, output) = fd::pipe().unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let kicker = {
        let over = over.clone();
        thread::spawn(move || {
            let mut moments = Moments(6);
            // Half of the kicks race with bytes that end the wait.
            while !over.load(SeqCst) {
                moments.pass();
                if moments.0 >> 32 & 1 == 0 {
                    fd::write_all(output.as_fd(), b"x").unwrap();
                }
                interrupt::wake(END);
            }
        })
    };
    let (quiet, _open) = fd::pipe().unwrap();
    let (mut woken, mut buffer) = (0, [0; 512]);
    for round in 0..20_000 {
        match interrupt::read(input.as_fd(), &mut buffer, END, || false) {
            Reading::Done(read) => assert!(read.unwrap() > 0),
            Reading::Woken => woken += 1,
            Reading::Unavailable => panic!("kicks do not arrive here"),
        }
        // Neither is made again after a handler, whatever its flags (signal(7)).
        let mut entry = libc::pollfd {
            fd: std::os::fd::AsRawFd::as_raw_fd(&quiet),
            events: libc::POLLIN,
            revents: 0,
        };
        let wait = i32::from(round % 16 == 0);
        // SAFETY: one pollfd, alive for the call.
        assert_eq!(unsafe { libc::poll(&raw mut entry, 1, wait) }, 0);
        let moment = libc::timespec {
            tv_sec: 0,
            tv_nsec: 1000,
        };
        // SAFETY: both places are valid for the call, the second is null.
        assert_eq!(unsafe { libc::nanosleep(&raw const moment, ptr::null_mut()) }, 0);
    }
    over.store(true, SeqCst);
    kicker.join().unwrap();
    assert!(woken > 0, "or this test shows nothing");
}

#[test]
fn a_wait_is_woken_for_its_own_causes_alone() {
    let _alone = alone();
    let (input, output) = fd::pipe().unwrap();
    let cause = Arc::new(Cause::default());
    let (sender, _thread) = mpsc::channel();
    let reader = reader(input, &cause, sender);
    for _ in 0..1000 {
        interrupt::wake(TIME);
        thread::yield_now();
    }
    cause.hammer(1, 7);
    drop(output);
    let (count, woken) = reader.join().unwrap();
    assert!(count == 0 && woken <= 2, "{woken}");
}

#[test]
fn more_threads_than_there_are_places_wait_or_are_told_to_poll() {
    let _alone = alone();
    let threads: Vec<_> = (0..100)
        .map(|number: u8| {
            let (input, output) = fd::pipe().unwrap();
            let waiting = thread::spawn(move || {
                let mut buffer = [0; 16];
                let reading = interrupt::read(input.as_fd(), &mut buffer, TIME, || false);
                if matches!(reading, Reading::Unavailable | Reading::Woken) {
                    assert!(poll::readable(input.as_fd(), None).unwrap());
                    assert_eq!(fd::read(input.as_fd(), &mut buffer).unwrap(), 1);
                }
                buffer[0]
            });
            (number, output, waiting)
        })
        .collect();
    interrupt::wake(TIME);
    for (number, output, waiting) in threads {
        fd::write_all(output.as_fd(), &[number]).unwrap();
        assert_eq!(waiting.join().unwrap(), number);
    }
}
