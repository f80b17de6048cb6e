//! Raw Lua stack code, one file per job, each with its proof that no longjmp skips a destructor.
//!
//! Nothing here is called from Rust; everything is reached through [`open`]'s tables of functions.
//!
//! # What may raise
//! A Lua error leaves a function by a longjmp (or a foreign unwind) that runs no destructor. Each file says here which
//! of its calls may raise, and why nothing is skipped then: no value with a destructor is on the stack, no borrow and
//! no lock is held. `tests/raw_proofs.rs` asks every file for this section. The pattern is the same throughout:
//! arguments first, where raising is free; then the Lua-free work under [`guard::guarded`], with its results in a job
//! or `Copy`; then the pushes.
#![allow(unsafe_code)]

pub mod anchor;
pub mod argument;
pub mod builder;
pub mod cbor;
pub mod chain;
pub mod channel;
pub mod clock;
pub mod compat;
pub mod concurrent;
pub mod connection;
pub mod control;
pub mod encode;
#[cfg(feature = "faults")]
pub mod faults;
pub mod file;
pub mod fs;
pub mod guard;
pub mod handover;
pub mod hook;
pub mod json;
pub mod keys;
pub mod load;
pub mod natives;
pub mod observe;
pub mod open;
pub mod path;
pub mod poller;
pub mod process;
pub mod random;
pub mod random_class;
pub mod receive;
pub mod reply;
pub mod resume;
pub mod round;
pub mod scalars;
pub mod send;
pub mod services;
pub mod slice;
pub mod socket;
pub mod soft_hook;
pub mod spawn;
pub mod state;
pub mod stop_hook;
pub mod styled;
pub mod walk;
pub mod watchdog;
pub mod watching;
#[cfg(target_os = "linux")]
pub mod zygote;
