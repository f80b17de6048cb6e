//! A process that has loaded its script and waits: on request it is copied, and the copy goes on with the script.
//!
//! The *zygote* is an ordinary program whose descriptor 0 is a control socket: [`control`] takes that away from the
//! script, [`server`] waits for requests where the script would begin to serve, and [`settle`] makes of the copy what
//! a freshly started process is. A request ([`packet`]) carries the copy's stdin, stdout and stderr, its working
//! directory and its [`settings`]. [`client`] asks for copies that are this process's own children; [`standin`] stands
//! for one towards a parent that knows nothing of all this.
//!
//! It refuses to copy what two processes cannot share, see [`shareable`]: threads, pipes, sockets. It needs Linux.
#![allow(unsafe_code)]

pub mod client;
pub mod control;
mod fork;
mod packet;
mod pidfd;
pub mod server;
mod settings;
mod settle;
pub mod shareable;
pub mod standin;
