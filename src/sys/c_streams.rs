//! C's own stdin and stdout, which Lua's `print` and `io` go through: flushed, line-buffered, read out.
//!
//! It refuses to read or write anything of its own, and to touch a stream of the host's making.
#![allow(unsafe_code)]

use std::io;

use super::signal;

/// How much of stdin's buffer is taken at a time: what stdio libraries give a pipe.
const CHUNK: usize = 4096;

extern "C" {
    #[cfg_attr(any(target_vendor = "apple", target_os = "freebsd"), link_name = "__stdinp")]
    static mut stdin: *mut libc::FILE;
    #[cfg_attr(any(target_vendor = "apple", target_os = "freebsd"), link_name = "__stdoutp")]
    static mut stdout: *mut libc::FILE;
}

/// Writes out what every stream holds. Best effort: text that cannot be written because stderr's reader has gone, or
/// for some other stream's full disk, is no reason not to serve.
pub(super) fn flush_all() {
    // SAFETY: a null stream means every output stream.
    signal::without_sigpipe(|| unsafe { libc::fflush(std::ptr::null_mut()) });
}

/// So that a print shows up in the log when it happens, not when the process ends. Best effort as well; it writes out
/// what stdout holds.
///
/// The buffer is a new one of our own, never freed: only so does glibc forget how far it may still write without looking
/// for a newline.
pub(super) fn line_buffer_stdout() {
    // SAFETY: `stdout` is C's own stream, read by value; it keeps the buffer, which nobody else knows or frees.
    signal::without_sigpipe(|| unsafe {
        let size = libc::BUFSIZ as libc::size_t;
        let buffer = libc::malloc(size).cast::<libc::c_char>();
        if buffer.is_null() || libc::setvbuf(stdout, buffer, libc::_IOLBF, size) != 0 {
            libc::free(buffer.cast());
            libc::setvbuf(stdout, std::ptr::null_mut(), libc::_IOLBF, 0);
        }
    });
}

/// Moves what stdin has read ahead to `bytes`. Descriptor 0 must be /dev/null by now: so the end of the buffer is the
/// end of the stream, for pipes, sockets and files alike. A stream that the host has put on another descriptor is left
/// alone.
pub(super) fn drain_stdin(bytes: &mut Vec<u8>) -> io::Result<()> {
    // SAFETY: `stdin` is C's own stream, read by value, and stays valid for the whole process.
    let stream = unsafe { stdin };
    // SAFETY: as above.
    if unsafe { libc::fileno(stream) } != libc::STDIN_FILENO {
        return Ok(());
    }
    // SAFETY: as above. An old error or end mark must not be taken for a new one.
    unsafe { libc::clearerr(stream) };
    loop {
        reserve(bytes)?;
        let room = bytes.spare_capacity_mut();
        // SAFETY: `room` is writable for its whole length, and fread(3) returns how many of its bytes it has written.
        let count = unsafe {
            let count = libc::fread(room.as_mut_ptr().cast(), 1, room.len(), stream);
            bytes.set_len(bytes.len() + count);
            count
        };
        if count == 0 {
            break;
        }
    }
    // SAFETY: as above; the error is errno's, which ferror(3) leaves alone.
    let failed = unsafe { libc::ferror(stream) } != 0;
    let result = if failed {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    };
    // SAFETY: as above.
    unsafe { libc::clearerr(stream) };
    result
}

/// Room for at least one chunk more.
pub(super) fn reserve(bytes: &mut Vec<u8>) -> io::Result<()> {
    bytes
        .try_reserve(CHUNK)
        .map_err(|_| io::Error::from_raw_os_error(libc::ENOMEM))
}
