//! Asking a zygote that this process has started for copies, which are this process's own children.
//!
//! It refuses to ask before the script is loaded, so that a request that is not answered in time means a zygote that
//! has failed: that one is killed, and a copy it may have made after all is collected when it ends.
#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::time::Duration;

use super::packet::{self, Descriptors, Kind, Packet};
use super::server::request;
use super::settings::Settings;
use crate::sys::process::{self, Command, Errors, Limits, Process};
use crate::sys::{fd, poll, SysError};
use crate::text;

/// What a copy has of its own.
#[derive(Debug, Default)]
pub struct Wanted<'a> {
    /// Its working directory; `None`: this process's.
    pub cwd: Option<&'a Path>,
    /// Changes to the zygote's environment, in order; `None` removes.
    pub env: Vec<(&'a OsStr, Option<&'a OsStr>)>,
    /// Where its stderr goes.
    pub errors: Errors,
    /// What it may use.
    pub limits: Limits,
}

/// Starts `command` as a zygote: [`Process::input`] is the control socket.
///
/// # Errors
/// As [`process::spawn`].
pub fn start(command: &Command<'_>) -> Result<Process, SysError> {
    let mut ends: [RawFd; 2] = [-1; 2];
    // SAFETY: `ends` has room for the two descriptors, which the kernel has just made when it returns 0.
    let ends = unsafe {
        fd::check(libc::socketpair(
            libc::AF_UNIX,
            libc::SOCK_STREAM | libc::SOCK_CLOEXEC,
            0,
            ends.as_mut_ptr(),
        ))
        .map(|_| ends.map(|end| OwnedFd::from_raw_fd(end)))
    };
    let [ours, theirs] = ends.map_err(|error| SysError::new("cannot start a zygote", &error, ""))?;
    process::with_socket(command, theirs, Some(ours))
}

/// Waits until the script is loaded; `false`: `timeout` has passed. To be asked until it says yes, and not again.
///
/// # Errors
/// The zygote's own, when it cannot be copied; `EPIPE` when it has ended.
pub fn ready(zygote: &mut Process, timeout: Duration) -> Result<bool, SysError> {
    let Some(socket) = &zygote.input else {
        return Err(ended(zygote));
    };
    let fail = |error: io::Error| SysError::new("cannot hear of the zygote", &error, "");
    if !poll::readable(socket.as_fd(), Some(timeout)).map_err(fail)? {
        return Ok(false);
    }
    match packet::receive(socket.as_fd(), &mut Descriptors::default()) {
        Ok(Some(packet)) if packet.is(Kind::Ready) => Ok(true),
        Ok(Some(packet)) if packet.is(Kind::Refused) => Err(refused(socket.as_fd(), packet)),
        _ => Err(ended(zygote)),
    }
}

/// What a zygote says that cannot be copied.
fn refused(socket: BorrowedFd<'_>, packet: Packet) -> SysError {
    let mut bytes = [0; 1024];
    let length = usize::try_from(packet.b).unwrap_or(0).min(bytes.len());
    let read = fd::read(socket, &mut bytes[..length]).unwrap_or(0); // OK because of `min`
    SysError {
        message: text::lossy(&bytes[..read]),
        errno: packet.a,
    }
}

fn ended(zygote: &Process) -> SysError {
    let what = text::string(format_args!("the zygote (process {}) has ended", zygote.pid()));
    let advice = "start another; what it had to say is on its stderr";
    SysError::new(&what, &io::Error::from_raw_os_error(libc::EPIPE), advice)
}

/// Our ends of the streams of a copy that was asked for.
#[derive(Debug)]
pub struct Asked {
    input: OwnedFd,
    output: OwnedFd,
    reader: Option<OwnedFd>,
    errors: Errors,
}

fn what(zygote: &Process) -> String {
    let pid = zygote.pid();
    text::string(format_args!("cannot get a copy of the zygote (process {pid})"))
}

/// Asks for a copy, without waiting for it.
fn ask(zygote: &Process, wanted: &Wanted<'_>) -> Result<Asked, SysError> {
    let what = what(zygote);
    let fail = |error: io::Error| SysError::new(&what, &error, "");
    let (child_input, input) = fd::pipe().map_err(fail)?;
    let (output, child_output) = fd::pipe().map_err(fail)?;
    let folder = folder(wanted.cwd).map_err(|error| {
        let named = wanted.cwd.unwrap_or(Path::new("."));
        SysError::new(&text::string(format_args!("{what} in {named:?}")), &error, "")
    })?;
    let mut settings = Settings::default();
    for (name, value) in &wanted.env {
        settings.variable(name, *value).map_err(|error| {
            let advice = "a variable's name is not empty and has no \"=\"";
            SysError::new(&text::string(format_args!("{what}: {name:?}")), &error, advice)
        })?;
    }
    settings.limits(&wanted.limits).map_err(fail)?;
    let settings = settings.file().map_err(fail)?;
    let (reader, errors) = wanted.errors.open().map_err(fail)?;
    let mut fds = [
        child_input.as_raw_fd(),
        child_output.as_raw_fd(),
        errors.as_ref().map_or(libc::STDERR_FILENO, AsRawFd::as_raw_fd),
        folder.as_raw_fd(),
        -1,
    ];
    let count = match &settings {
        Some(file) => {
            fds[4] = file.as_raw_fd();
            5
        }
        None => 4,
    };
    let Some(socket) = &zygote.input else {
        return Err(ended(zygote));
    };
    if request(socket.as_fd(), 0, &fds[..count]).is_err() {
        return Err(ended(zygote));
    }
    Ok(Asked {
        input,
        output,
        reader,
        errors: wanted.errors,
    })
}

/// A copy, with pipes for its stdin and stdout. `None`: it is asked for and not there yet, and `timeout` is zero; the
/// zygote's socket becomes readable when it is, and the next call takes it, whatever is wanted then.
///
/// # Errors
/// `EPIPE` when the zygote has ended, `ETIMEDOUT` when it did not answer in time (it is killed then, unless `timeout` is
/// zero); what kept it from making the copy: `ENOSYS` where it cannot make copies for its parent, `EAGAIN` ...
pub fn copy(
    zygote: &mut Process,
    asked: &mut Option<Asked>,
    wanted: &Wanted<'_>,
    timeout: Duration,
) -> Result<Option<Process>, SysError> {
    let what = what(zygote);
    let fail = |error: io::Error| SysError::new(&what, &error, "");
    let ours = match asked.take() {
        Some(ours) => ours,
        None => ask(zygote, wanted)?,
    };
    let Some(socket) = &zygote.input else {
        return Err(ended(zygote));
    };
    if !poll::readable(socket.as_fd(), Some(timeout)).map_err(fail)? {
        if timeout.is_zero() {
            *asked = Some(ours);
            return Ok(None);
        }
        give_up(zygote);
        return Err(fail(io::Error::from_raw_os_error(libc::ETIMEDOUT)));
    }
    match packet::receive(socket.as_fd(), &mut Descriptors::default()) {
        Ok(Some(packet)) if packet.is(Kind::Started) => {
            // It does so itself; whoever signals its group must not come before.
            // SAFETY: a child of this process that nobody has waited for: the number is its own.
            unsafe { libc::setpgid(packet.a, packet.a) };
            Process::of(packet.a, Some(ours.input), Some(ours.output), ours.reader, ours.errors)
                .map(Some)
                .map_err(fail)
        }
        Ok(Some(packet)) if packet.is(Kind::Failed) => Err(fail(io::Error::from_raw_os_error(packet.a))),
        _ => Err(ended(zygote)),
    }
}

/// Opens a folder to be handed over.
pub(super) fn folder(path: Option<&Path>) -> io::Result<OwnedFd> {
    use std::os::unix::ffi::OsStrExt;
    let mut name = Vec::new();
    let bytes = path.map_or(&b"."[..], |path| path.as_os_str().as_bytes());
    name.try_reserve_exact(bytes.len() + 1)?;
    name.extend_from_slice(bytes);
    name.push(0);
    if bytes.contains(&0) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: the path is ended by NUL; the kernel has just made what comes back.
    unsafe {
        let number = fd::check(libc::open(name.as_ptr().cast(), flags))?;
        fd::above_stdio(OwnedFd::from_raw_fd(number))
    }
}

/// Kills a zygote that does not answer, and takes charge of what it may have made.
fn give_up(zygote: &mut Process) {
    let _ = zygote.signal(libc::SIGKILL); // OK because it may have ended
    let _ = zygote.wait(Some(Duration::from_secs(1))); // OK because nobody waits for it longer
    if let Some(socket) = zygote.input.take() {
        if let (Ok(Some(packet)), Ok((input, output))) =
            (packet::receive(socket.as_fd(), &mut Descriptors::default()), fd::pipe())
        {
            if packet.is(Kind::Started) {
                let _ = Process::of(packet.a, Some(output), Some(input), None, Errors::Inherit);
                // OK because it is dropped
            }
        }
    }
}
