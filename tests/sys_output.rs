//! Writing without ever blocking: the same bytes arrive whatever the way, and a full descriptor says so at once.
#![allow(clippy::unwrap_used, unsafe_code)]

use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::thread;

use fkrpc::sys::fd;
use fkrpc::sys::output::{Output, Way};
use fkrpc::sys::poll;

fn sockets() -> (OwnedFd, OwnedFd) {
    let mut ends = [-1; 2];
    // SAFETY: `ends` has room for two descriptors.
    let result = unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, ends.as_mut_ptr()) };
    assert_eq!(result, 0);
    // SAFETY: the kernel has just made both.
    unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) }
}

/// One output for each way, and the end that reads what it writes.
fn outputs() -> Vec<(OwnedFd, Output)> {
    let mut all = Vec::new();
    let (reader, writer) = fd::pipe().unwrap();
    all.push((reader, Output::new(writer)));
    let (reader, writer) = sockets();
    all.push((reader, Output::new(writer)));
    for way in [Way::NoWait, Way::Sliced] {
        let (reader, writer) = fd::pipe().unwrap();
        all.push((reader, Output::with_way(writer, way)));
    }
    all
}

#[test]
fn the_way_is_found_out_by_the_kind_of_descriptor() {
    let ways: Vec<Way> = outputs().iter().map(|(_, output)| output.way()).collect();
    let pipe = if cfg!(target_os = "linux") {
        Way::Reopened
    } else {
        Way::Sliced
    };
    assert_eq!(ways, [pipe, Way::Socket, Way::NoWait, Way::Sliced]);
    let file = std::fs::File::options().write(true).open("/dev/null").unwrap();
    assert_eq!(Output::new(file.into()).way(), Way::Plain);
}

#[test]
fn a_full_descriptor_says_so_and_takes_more_when_it_was_read() {
    for (reader, output) in outputs() {
        let mut written = 0;
        loop {
            match output.write(&[b'x'; 5000]) {
                Ok(n) => written += n,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock, "{:?}", output.way());
                    break;
                }
            }
            assert!(written < 1 << 24);
        }
        let mut buffer = vec![0; written];
        let mut read = 0;
        while read < written {
            read += fd::read(reader.as_fd(), &mut buffer[read..]).unwrap();
        }
        assert!(output.write(b"more").unwrap() > 0, "{:?}", output.way());
    }
}

#[test]
fn megabytes_arrive_whole_and_in_order() {
    let expected: Vec<u8> = (0..3 << 20).map(|at: u32| (at / 7 % 251) as u8).collect();
    for (reader, output) in outputs() {
        let way = output.way();
        let length = expected.len();
        let other = thread::spawn(move || {
            let mut bytes = vec![0; length];
            let mut read = 0;
            while read < length {
                read += fd::read(reader.as_fd(), &mut bytes[read..]).unwrap();
            }
            bytes
        });
        let mut sent = 0;
        while sent < length {
            match output.write(&expected[sent..]) {
                Ok(n) => sent += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    assert!(poll::either(None, Some(output.as_fd()), None).unwrap().output);
                }
                Err(error) => panic!("{way:?}: {error}"),
            }
        }
        assert!(other.join().unwrap() == expected, "{way:?}");
    }
}

#[test]
fn what_others_share_stays_as_it_was() {
    let (_reader, writer) = fd::pipe().unwrap();
    let theirs = fd::dup_cloexec(writer.as_fd(), 3).unwrap();
    let output = Output::new(writer);
    output.write(b"x").unwrap();
    // SAFETY: the descriptor is open, and no memory is involved.
    let flags = unsafe { libc::fcntl(theirs.as_raw_fd(), libc::F_GETFL) };
    assert_eq!(flags & libc::O_NONBLOCK, 0);
}
