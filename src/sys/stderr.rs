//! Logging: bytes to descriptor 2, best effort.
//!
//! It refuses to fail, to add anything to the text, and to let a reader who has gone kill the process. It does not
//! buffer: a log that is lost in a crash is no log.
#![allow(unsafe_code)]

use std::os::fd::BorrowedFd;

use super::{fd, signal};

/// Writes `text` to stderr in one write(2), so that lines of up to `PIPE_BUF` bytes from several processes do not mix.
/// What cannot be written (closed, reader gone, full and non-blocking) is dropped. A full blocking pipe is waited for.
pub fn log(text: &[u8]) {
    if text.is_empty() {
        return;
    }
    // SAFETY: 2 is borrowed for this one call only. Where it is closed write(2) says EBADF, which is dropped below.
    let stderr = unsafe { BorrowedFd::borrow_raw(libc::STDERR_FILENO) };
    // OK because there is nobody left to tell about a failure.
    let _ = signal::without_sigpipe(|| fd::write(stderr, text));
}
