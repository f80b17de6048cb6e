//! What goes over a control socket: sixteen bytes, and descriptors with them (unix(7), `SCM_RIGHTS`).
//!
//! It refuses to leave a descriptor that came with a packet open unnoticed: they are owned, close-on-exec, from the
//! start. It refuses to put packets together from pieces: one that comes short is an error.
#![allow(unsafe_code)]

use std::io;
use std::mem::{size_of, MaybeUninit};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use crate::sys::fd;

/// The most descriptors with a packet: the three standard ones, the working directory, the settings.
pub(super) const MOST: usize = 5;

/// What a packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Kind {
    /// The script is loaded.
    Ready = 1,
    /// It cannot be copied: errno, length of the text that follows.
    Refused,
    /// Copy it: the key, low and high.
    Fork,
    /// It is about to be copied: the input may be read from now on.
    Taken,
    /// The copy's pid.
    Started,
    /// There is no copy: errno.
    Failed,
    /// A signal for the copy.
    Signal,
    /// The copy has ended: its status as wait(2) has it.
    Ended,
}

/// One packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) kind: i32,
    pub(super) a: i32,
    pub(super) b: i32,
}

impl Packet {
    pub(super) fn new(kind: Kind, a: i32, b: i32) -> Self {
        Self {
            kind: kind as i32,
            a,
            b,
        }
    }

    pub(super) fn is(&self, kind: Kind) -> bool {
        self.kind == kind as i32
    }
}

/// Marks the packets of this version of the library.
const MARK: i32 = 0x666b_0001;

type Bytes = [i32; 4];

/// Room for the control message of [`MOST`] descriptors, aligned as it must be.
#[repr(C, align(8))]
struct Ancillary([u8; 64]);

// SAFETY: CMSG_SPACE(3) computes.
const _: () = assert!(unsafe { libc::CMSG_SPACE((MOST * size_of::<RawFd>()) as u32) } <= 64);

/// Sends one packet; the descriptors stay open here.
///
/// # Errors
/// `EPIPE` when nobody listens any more, without the signal; what sendmsg(2) says.
pub(super) fn send(socket: BorrowedFd<'_>, packet: Packet, fds: &[RawFd]) -> io::Result<()> {
    let mut bytes: Bytes = [MARK, packet.kind, packet.a, packet.b];
    let mut part = libc::iovec {
        iov_base: (&raw mut bytes).cast(),
        iov_len: size_of::<Bytes>(),
    };
    let mut ancillary = Ancillary([0; 64]);
    let fds = &fds[..fds.len().min(MOST)];
    // SAFETY: all-zero is a valid msghdr, and its fields lead to places that outlive the call. The control message has
    // room for MOST descriptors (asserted above), and no more are copied there.
    let count = unsafe {
        let mut message: libc::msghdr = MaybeUninit::zeroed().assume_init();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        if !fds.is_empty() {
            let size = size_of_val(fds) as u32; // OK because they are MOST at most
            message.msg_control = (&raw mut ancillary).cast();
            message.msg_controllen = libc::CMSG_SPACE(size) as _; // OK because it is 64 at most
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(size) as _; // OK as above
            std::ptr::copy_nonoverlapping(fds.as_ptr().cast(), libc::CMSG_DATA(header), size as usize);
        }
        fd::retry(|| libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL))?
    };
    if count.unsigned_abs() == size_of::<Bytes>() {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::EPROTO))
    }
}

/// The descriptors that came with a packet, in order.
pub(super) type Descriptors = [Option<OwnedFd>; MOST];

/// Receives one packet; `None` at the end.
///
/// # Errors
/// `EPROTO` for what is no packet, or has more descriptors than there can be; what recvmsg(2) says.
pub(super) fn receive(socket: BorrowedFd<'_>, fds: &mut Descriptors) -> io::Result<Option<Packet>> {
    let broken = || io::Error::from_raw_os_error(libc::EPROTO);
    let mut bytes: Bytes = [0; 4];
    let mut part = libc::iovec {
        iov_base: (&raw mut bytes).cast(),
        iov_len: size_of::<Bytes>(),
    };
    let mut ancillary = Ancillary([0; 64]);
    // SAFETY: as in `send`; the kernel writes no further than the lengths say. Every descriptor it has put into the
    // message is new, and becomes owned here, once.
    let (count, cut) = unsafe {
        let mut message: libc::msghdr = MaybeUninit::zeroed().assume_init();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = (&raw mut ancillary).cast();
        message.msg_controllen = size_of::<Ancillary>() as _; // OK because it is 64
        let count = fd::retry(|| libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC))?;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        if !header.is_null() && (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS {
            let length = ((*header).cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
            let data = libc::CMSG_DATA(header).cast::<RawFd>();
            for place in 0..length / size_of::<RawFd>() {
                let owned = OwnedFd::from_raw_fd(data.add(place).read_unaligned());
                if let Some(slot) = fds.get_mut(place) {
                    *slot = Some(owned);
                }
            }
        }
        (count, message.msg_flags & libc::MSG_CTRUNC != 0)
    };
    if count == 0 {
        return Ok(None);
    }
    if count.unsigned_abs() != size_of::<Bytes>() || bytes[0] != MARK || cut {
        return Err(broken());
    }
    Ok(Some(Packet {
        kind: bytes[1],
        a: bytes[2],
        b: bytes[3],
    }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_packet_arrives_with_its_descriptors_in_order_and_close_on_exec() {
        let (one, other) = UnixStream::pair().unwrap();
        let (reader, writer) = fd::pipe().unwrap();
        let packet = Packet::new(Kind::Fork, 7, -1);
        send(one.as_fd(), packet, &[writer.as_raw_fd(), reader.as_raw_fd()]).unwrap();
        let mut fds = Descriptors::default();
        assert_eq!(receive(other.as_fd(), &mut fds).unwrap(), Some(packet));
        assert!(packet.is(Kind::Fork) && !packet.is(Kind::Taken));
        let [Some(writer), Some(reader), None, None, None] = fds else {
            panic!("{fds:?}");
        };
        assert_eq!(fd::flags(writer.as_raw_fd()).unwrap(), libc::FD_CLOEXEC);
        fd::write_all(writer.as_fd(), b"through").unwrap();
        let mut bytes = [0; 16];
        assert_eq!(fd::read(reader.as_fd(), &mut bytes).unwrap(), 7);
    }

    #[test]
    fn what_is_no_packet_is_an_error_and_the_end_is_none() {
        let (mut one, other) = UnixStream::pair().unwrap();
        let mut fds = Descriptors::default();
        for bytes in [&[0u8; 16][..], b"short"] {
            one.write_all(bytes).unwrap();
            let error = receive(other.as_fd(), &mut fds).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EPROTO));
        }
        drop(one);
        assert_eq!(receive(other.as_fd(), &mut fds).unwrap(), None);
    }

    #[test]
    fn a_packet_to_nobody_is_an_error_and_no_signal() {
        let (one, other) = UnixStream::pair().unwrap();
        drop(other);
        let error = send(one.as_fd(), Packet::new(Kind::Ready, 0, 0), &[]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPIPE));
    }
}
