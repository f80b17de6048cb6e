//! The C calls that scenarios make, as safe functions.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::os::fd::RawFd;

extern "C" {
    #[cfg_attr(target_vendor = "apple", link_name = "__stdinp")]
    static mut stdin: *mut libc::FILE;
}

fn text(text: &str) -> CString {
    CString::new(text).unwrap()
}

/// C's `puts`: `line` and a newline into stdout's buffer.
pub fn puts(line: &str) {
    // SAFETY: the string is NUL-terminated and outlives the call.
    assert!(unsafe { libc::puts(text(line).as_ptr()) } >= 0);
}

/// C's `printf("%s", ...)`: no newline, so that it stays in the buffer.
pub fn printf(part: &str) {
    // SAFETY: the format takes one string, and both are NUL-terminated and outlive the call.
    assert!(unsafe { libc::printf(c"%s".as_ptr(), text(part).as_ptr()) } >= 0);
}

/// `part` into the buffer of a new stream, as Lua's io.open makes them.
pub fn print_to_a_stream_on(number: RawFd, part: &str) {
    // SAFETY: both strings are NUL-terminated and outlive the calls; the stream stays open until the process ends.
    unsafe {
        let stream = libc::fdopen(number, c"w".as_ptr());
        assert!(!stream.is_null() && libc::fputs(text(part).as_ptr(), stream) >= 0);
    }
}

/// C's `fflush(NULL)`.
pub fn flush() {
    // SAFETY: a null stream means every output stream.
    assert_eq!(unsafe { libc::fflush(std::ptr::null_mut()) }, 0);
}

/// write(2).
pub fn write(number: RawFd, bytes: &str) -> io::Result<()> {
    // SAFETY: the bytes are readable for their length.
    let count = unsafe { libc::write(number, bytes.as_ptr().cast(), bytes.len()) };
    if count < 0 {
        return Err(io::Error::last_os_error());
    }
    assert_eq!(usize::try_from(count).unwrap(), bytes.len());
    Ok(())
}

/// C's `fgets` on stdin; `None` at the end.
pub fn fgets() -> Option<String> {
    let mut line: [libc::c_char; 256] = [0; 256];
    // SAFETY: `line` has room for 256 bytes, and stdin is C's own stream, read by value.
    let found = unsafe { !libc::fgets(line.as_mut_ptr(), 256, stdin).is_null() };
    let bytes = line
        .iter()
        .take_while(|&&byte| byte != 0)
        .map(|&byte| byte.to_ne_bytes()[0])
        .collect();
    found.then(|| String::from_utf8(bytes).unwrap())
}

/// C's `system`: what os.execute does. The wait status.
pub fn system(command: &str) -> libc::c_int {
    // SAFETY: the string is NUL-terminated and outlives the call.
    unsafe { libc::system(text(command).as_ptr()) }
}

/// dup2(2).
pub fn dup2(from: RawFd, to: RawFd) {
    // SAFETY: no memory is involved; the caller owns both numbers.
    assert_eq!(unsafe { libc::dup2(from, to) }, to);
}

/// A copy that is not close-on-exec, as Lua's io.open makes them.
pub fn dup(from: RawFd) -> RawFd {
    // SAFETY: no memory is involved.
    let copy = unsafe { libc::dup(from) };
    assert!(copy >= 0);
    copy
}

/// close(2).
pub fn close(number: RawFd) {
    // SAFETY: no memory is involved; the caller owns the number.
    assert_eq!(unsafe { libc::close(number) }, 0, "closing {number}");
}

/// Closes what is open at `least` and above.
pub fn close_from(least: RawFd) {
    for number in least..1024 {
        // SAFETY: no memory is involved; libtest holds no descriptors of its own while a test runs.
        unsafe { libc::close(number) };
    }
}

/// Device, inode and descriptor flags of what is open at `number`; `None` when nothing is.
pub fn identity(number: RawFd) -> Option<(u64, u64, libc::c_int)> {
    // SAFETY: all-zero is a valid stat, the call fills it in, and fcntl with F_GETFD takes no argument.
    unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        if libc::fstat(number, &raw mut stat) != 0 {
            return None;
        }
        #[allow(clippy::unnecessary_cast)]
        Some((
            stat.st_dev as u64,
            stat.st_ino as u64,
            libc::fcntl(number, libc::F_GETFD),
        ))
    }
}

/// The soft limit of descriptor numbers.
pub fn limit_descriptors(soft: libc::rlim_t) {
    // SAFETY: `limit` is a valid place for both calls.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        limit.rlim_cur = soft;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
    }
}

/// Sets a handler, `SIG_DFL` or `SIG_IGN`, without `SA_RESTART`.
pub fn set_disposition(signal: libc::c_int, handler: libc::sighandler_t) {
    // SAFETY: all-zero is a valid sigaction; the handlers used here only count.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        assert_eq!(libc::sigaction(signal, &raw const action, std::ptr::null_mut()), 0);
    }
}

/// The handler, `SIG_DFL` or `SIG_IGN` of a signal.
pub fn disposition(signal: libc::c_int) -> libc::sighandler_t {
    // SAFETY: a null new action only asks; all-zero is a valid sigaction for the answer.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        assert_eq!(libc::sigaction(signal, std::ptr::null(), &raw mut action), 0);
        action.sa_sigaction
    }
}

/// C's `exit`: flushes stdio, as a program does at its end; libtest gets no chance to print.
pub fn exit() -> ! {
    // SAFETY: the other threads of the test binary are idle.
    unsafe { libc::exit(0) }
}

/// `_exit`: no flushing.
pub fn leave() -> ! {
    // SAFETY: it takes an int and does not return.
    unsafe { libc::_exit(0) }
}

/// kill(2), or its errno.
pub fn kill(pid: libc::pid_t, signal: libc::c_int) -> Result<(), libc::c_int> {
    // SAFETY: no memory is involved; the scenarios name their own children only.
    match unsafe { libc::kill(pid, signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error().raw_os_error().unwrap()),
    }
}

/// Whether a child has ended, zombies and collected ones alike; does not collect it.
pub fn has_ended(pid: libc::pid_t) -> bool {
    // SAFETY: all-zero is a valid siginfo with no pid in it; WNOWAIT leaves the child waitable.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        let id = libc::id_t::try_from(pid).unwrap();
        libc::waitid(libc::P_PID, id, &raw mut info, flags) != 0 || info.si_pid() == pid
    }
}
