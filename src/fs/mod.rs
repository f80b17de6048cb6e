//! Files and folders by path: relative to the process's working directory, or confined below a folder.
//!
//! Paths, names and contents are bytes; a failure says what failed, on what and why, with its errno. It refuses to keep
//! anything open between two calls (but for a [`Root`]'s folder), and to guess: an existing file is never replaced by
//! accident of a symlink, and nothing is removed through one.
//!
//! [`Base`] is where paths start, and has all operations as methods: [`base`](self) finds the place of a path, [`Root`]
//! does so without ever leaving its folder, and the other files work on the folder and the name that were found.

mod base;
mod error;
mod file;
mod folder;
mod link;
mod listing;
mod path;
mod remove;
mod root;
mod write;

pub use crate::sys::stat::{Kind, Stat};
pub use base::Base;
pub use error::Error;
pub use listing::Listing;
pub use root::{Resolver, Root};
