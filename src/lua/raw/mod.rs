//! Raw Lua stack code, one file per job, each with its proof that no longjmp skips a destructor.
//!
//! Nothing here is called from Rust; everything is reached through [`open`]'s tables of functions.
#![allow(unsafe_code)]

pub mod argument;
pub mod builder;
pub mod cbor;
pub mod chain;
pub mod channel;
pub mod clock;
pub mod compat;
pub mod connection;
pub mod control;
pub mod encode;
pub mod file;
pub mod fs;
pub mod handover;
pub mod hook;
pub mod json;
pub mod keys;
pub mod load;
pub mod observe;
pub mod open;
pub mod path;
pub mod process;
pub mod random;
pub mod random_class;
pub mod receive;
pub mod reply;
pub mod resume;
pub mod scalars;
pub mod send;
pub mod services;
pub mod short;
pub mod slice;
pub mod soft_hook;
pub mod state;
pub mod stop_hook;
pub mod styled;
pub mod walk;
pub mod watchdog;
