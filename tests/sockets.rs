//! Sockets of the Unix domain: whose file it is, who may connect, what is taken.
#![allow(clippy::unwrap_used, unsafe_code)]

use fkrpc::sys::socket::{adopt, connect, Listener};
use fkrpc::sys::{fd, socket};
use std::os::fd::{AsFd, AsRawFd, IntoRawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("fkrpc-sockets-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn bind(path: &str) -> Result<Listener, i32> {
    Listener::bind(path.as_bytes()).map_err(|error| error.errno)
}

#[test]
fn bytes_go_both_ways_and_nothing_is_inherited_by_programs() {
    let folder = Folder::new("ways");
    let path = folder.path("s");
    let listener = bind(&path).unwrap();
    let client = connect(path.as_bytes()).unwrap();
    let server = listener.accept(Some(Duration::from_secs(10))).unwrap().unwrap();
    for (from, to) in [(&client, &server), (&server, &client)] {
        fd::write_all(from.as_fd(), b"hello").unwrap();
        let mut buffer = [0; 8];
        assert_eq!(fd::read(to.as_fd(), &mut buffer).unwrap(), 5);
        // SAFETY: a number that is open.
        let flags = unsafe { libc::fcntl(from.as_raw_fd(), libc::F_GETFD) };
        assert_eq!(flags, libc::FD_CLOEXEC);
    }
}

#[test]
fn the_file_is_for_its_user_alone_and_goes_with_its_server() {
    let folder = Folder::new("mode");
    let path = folder.path("s");
    let listener = bind(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    drop(listener);
    assert!(!std::fs::exists(&path).unwrap());
}

#[test]
fn a_dead_servers_file_is_replaced_and_a_living_ones_is_not() {
    let folder = Folder::new("stale");
    let path = folder.path("s");
    drop(UnixListener::bind(&path).unwrap()); // leaves its file
    assert!(std::fs::exists(&path).unwrap());
    let listener = bind(&path).unwrap();
    assert_eq!(bind(&path).err(), Some(libc::EADDRINUSE));
    connect(path.as_bytes()).unwrap();
    drop(listener);
    std::fs::write(&path, "no socket").unwrap();
    assert_eq!(bind(&path).err(), Some(libc::EADDRINUSE));
    assert_eq!(std::fs::read(&path).unwrap(), b"no socket");
}

#[test]
fn a_file_that_somebody_else_has_put_there_stays() {
    let folder = Folder::new("other");
    let path = folder.path("s");
    let listener = bind(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    drop(listener);
    assert!(std::fs::exists(&path).unwrap());
}

#[test]
fn many_servers_that_start_at_once_leave_one_with_the_path() {
    let folder = Folder::new("race");
    let path = folder.path("s");
    drop(UnixListener::bind(&path).unwrap());
    let started: Vec<_> = (0..8)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || bind(&path))
        })
        .collect();
    let bound: Vec<_> = started.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(bound.iter().filter(|bound| bound.is_ok()).count(), 1);
    assert_eq!(
        bound.iter().filter_map(|bound| bound.as_ref().err()).max(),
        Some(&libc::EADDRINUSE)
    );
    connect(path.as_bytes()).unwrap();
}

#[test]
fn accepting_ends_with_its_time() {
    let folder = Folder::new("time");
    let listener = bind(&folder.path("s")).unwrap();
    assert!(listener.accept(Some(Duration::ZERO)).unwrap().is_none());
    assert!(listener.accept(Some(Duration::from_millis(5))).unwrap().is_none());
}

#[test]
fn what_cannot_be_connected_to_is_named_with_the_reason() {
    let folder = Folder::new("nobody");
    let path = folder.path("s");
    assert_eq!(connect(path.as_bytes()).unwrap_err().errno, libc::ENOENT);
    drop(UnixListener::bind(&path).unwrap());
    let error = connect(path.as_bytes()).unwrap_err();
    assert_eq!(error.errno, libc::ECONNREFUSED);
    assert!(
        error.message.contains(&path) && error.message.contains("nobody listens"),
        "{error}"
    );
    let long = "x".repeat(300);
    let error = connect(long.as_bytes()).unwrap_err();
    assert_eq!(error.errno, libc::ENAMETOOLONG);
    assert!(
        error.message.contains("at most 1") && error.message.ends_with("this one 300"),
        "{error}"
    );
    assert_eq!(Listener::bind(long.as_bytes()).err().unwrap().errno, libc::ENAMETOOLONG);
    assert_eq!(connect(b"").unwrap_err().errno, libc::EINVAL);
    assert_eq!(connect(b"/tmp/a\0b").unwrap_err().errno, libc::EINVAL);
}

/// A number that looks inherited: not close-on-exec, and without an owner here.
fn inherited(socket: impl IntoRawFd) -> i32 {
    let number = socket.into_raw_fd();
    // SAFETY: a number that is open.
    assert_eq!(unsafe { libc::fcntl(number, libc::F_SETFD, 0) }, 0);
    number
}

#[test]
fn an_inherited_socket_is_taken_once() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let number = inherited(theirs);
    let taken = socket::adopt(number).unwrap();
    assert_ne!(taken.as_raw_fd(), number);
    fd::write_all(taken.as_fd(), b"x").unwrap();
    assert_eq!(fd::read(ours.as_fd(), &mut [0; 2]).unwrap(), 1);
}

#[test]
fn what_is_no_inherited_stream_socket_is_refused_and_left_alone() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    assert_eq!(adopt(ours.as_raw_fd()).unwrap_err().errno, libc::EINVAL); // close-on-exec
    assert_eq!(adopt(0).unwrap_err().errno, libc::EINVAL);
    assert_eq!(adopt(-1).unwrap_err().errno, libc::EBADF);
    assert_eq!(adopt(100_000).unwrap_err().errno, libc::EBADF);
    let file = inherited(std::fs::File::open("/dev/null").unwrap());
    assert_eq!(adopt(file).unwrap_err().errno, libc::ENOTSOCK);
    let datagrams = inherited(UnixDatagram::unbound().unwrap());
    assert_eq!(adopt(datagrams).unwrap_err().errno, libc::EPROTOTYPE);
    for number in [file, datagrams, ours.as_raw_fd()] {
        // SAFETY: asks only.
        assert!(unsafe { libc::fcntl(number, libc::F_GETFD) } >= 0);
    }
}
