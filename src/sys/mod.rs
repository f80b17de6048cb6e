//! The operating system: descriptors, pipes, waiting, the stdio switch, processes, clocks, files and folders, and memory
//! that several own.
//!
//! The only place with `unsafe` system calls. It refuses to know Lua and to interpret a byte of what it moves: every
//! descriptor is an `OwnedFd` or a `BorrowedFd`, every failure is an `io::Error` or, where a person has to read it, a
//! [`SysError`].

pub mod at_exit;
mod c_streams;
pub mod capture;
pub mod clock;
pub mod dir;
mod ends;
pub mod error;
pub mod fd;
pub mod heap;
pub mod interrupt;
pub mod lock;
pub mod openat;
pub mod orphan;
pub mod output;
pub mod poll;
pub mod poller;
pub mod process;
pub mod shared;
pub mod signal;
pub mod signals;
pub mod socket;
pub mod stat;
pub mod stderr;
pub mod stdio;
pub mod timer;
#[cfg(target_os = "linux")]
pub mod zygote;

pub use error::SysError;
