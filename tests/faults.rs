//! Messages that arrive in the worst of pieces: cut at every byte, many in one read, through pipes of one byte.
#![allow(clippy::unwrap_used)]

use fkrpc::codec::tape::Tape;
use fkrpc::codec::{cbor, json};
use fkrpc::connection::{Connection, Event, Next, Urgency, Wait};
use fkrpc::envelope::Encoding;
use fkrpc::frame::Framing;
use fkrpc::message::{Id, Keys};
use fkrpc::peer::{Incoming, Peer, Reply, Scan};
use fkrpc::sys::fd;
use fkrpc::wire::Wire;
use std::os::fd::{AsFd, OwnedFd};
use std::thread;

/// How messages are written and told apart.
type Speech = (Encoding, Framing);

const SPEECHES: [Speech; 6] = [
    (Encoding::Json { utf8: true }, Framing::Line),
    (Encoding::Json { utf8: true }, Framing::ContentLength),
    (Encoding::Json { utf8: true }, Framing::Length),
    (Encoding::Cbor(Keys::Names), Framing::CborSequence),
    (Encoding::Cbor(Keys::Names), Framing::Length),
    (Encoding::Cbor(Keys::FreeKill), Framing::CborSequence),
];

fn connection((encoding, framing): Speech, input: OwnedFd, output: OwnedFd) -> Connection {
    let scan = match encoding {
        Encoding::Json { .. } => Scan::Json(json::ScanOptions::default()),
        Encoding::Cbor(_) => Scan::Cbor(cbor::ScanOptions::default()),
    };
    let mut connection = Connection::new(
        Peer::framed(encoding, scan, framing),
        Wire::descriptors(input, output).unwrap(),
    );
    connection.quiet = true;
    connection
}

/// What `next` works with.
#[derive(Default)]
struct Scratch {
    source: Vec<u8>,
    tape: Tape,
    out: Vec<u8>,
}

impl Scratch {
    fn next(&mut self, connection: &mut Connection, wait: Wait) -> Next {
        connection
            .next(wait, &mut self.source, &mut self.tape, &mut self.out)
            .unwrap()
    }
}

const AT_ONCE: Wait = Wait {
    awaited: None,
    deadline: Some(0),
    single: false,
    turn: None,
};

/// A request or notification with the method `m` and the parameter `number`.
fn call((encoding, framing): Speech, id: Option<i64>, number: i64) -> Vec<u8> {
    let mut out = Vec::new();
    encoding.begin_call(&mut out, b"m", id, true).unwrap();
    match encoding {
        Encoding::Json { .. } => out.extend_from_slice(format!("[{number}]").as_bytes()),
        Encoding::Cbor(_) => {
            cbor::writer::write_array_head(&mut out, 1).unwrap();
            cbor::writer::write_int(&mut out, number).unwrap();
        }
    }
    encoding.end(&mut out).unwrap();
    framing.seal(&mut out, 0).unwrap();
    out
}

fn result((encoding, framing): Speech, id: Id, number: i64) -> Vec<u8> {
    let mut out = Vec::new();
    encoding.begin_result(&mut out, &id, true).unwrap();
    match encoding {
        Encoding::Json { .. } => out.extend_from_slice(number.to_string().as_bytes()),
        Encoding::Cbor(_) => cbor::writer::write_int(&mut out, number).unwrap(),
    }
    encoding.end(&mut out).unwrap();
    framing.seal(&mut out, 0).unwrap();
    out
}

/// A connection, and the other ends of its pipes: to write to it, to read from it.
fn with_ends(speech: Speech) -> (Connection, OwnedFd, OwnedFd) {
    let (input, writer) = fd::pipe().unwrap();
    let (reader, output) = fd::pipe().unwrap();
    (connection(speech, input, output), writer, reader)
}

#[test]
fn a_request_cut_at_any_byte_is_one_request_and_none_before_its_last_byte() {
    for speech in SPEECHES {
        let (mut connection, writer, _reader) = with_ends(speech);
        let mut scratch = Scratch::default();
        let request = call(speech, Some(1), 7);
        for cut in 1..request.len() {
            fd::write_all(writer.as_fd(), &request[..cut]).unwrap();
            let next = scratch.next(&mut connection, AT_ONCE);
            assert_eq!(next, Next::Event(Event::TimedOut), "{speech:?} {cut}");
            fd::write_all(writer.as_fd(), &request[cut..]).unwrap();
            let next = scratch.next(&mut connection, AT_ONCE);
            let Next::Message(Incoming::Request { slot, .. }) = next else {
                panic!("{speech:?} {cut}: {next:?}")
            };
            assert!(connection.peer.release(slot).is_some());
        }
    }
}

#[test]
fn a_reply_cut_at_any_byte_is_the_reply_of_its_call() {
    for speech in SPEECHES {
        let (mut connection, writer, _reader) = with_ends(speech);
        let mut scratch = Scratch::default();
        let length = result(speech, Id::Int(1), 7).len();
        for cut in 1..length {
            let id = connection.peer.begin_call().unwrap();
            let reply = result(speech, Id::Int(id), 7);
            let wait = Wait {
                awaited: Some(id),
                deadline: None,
                single: false,
                turn: None,
            };
            fd::write_all(writer.as_fd(), &reply[..cut]).unwrap();
            let early = Wait {
                deadline: Some(0),
                ..wait
            };
            // Asked with a time that is over, it reads what is there first, and gives up only then.
            assert_eq!(scratch.next(&mut connection, early), Next::Event(Event::TimedOut));
            fd::write_all(writer.as_fd(), &reply[cut..]).unwrap();
            let next = scratch.next(&mut connection, wait);
            assert!(
                matches!(next, Next::Message(Incoming::Reply(Reply::Result(_)))),
                "{speech:?} {cut} {next:?}"
            );
        }
        assert_eq!(connection.peer.waiting(), 0);
    }
}

#[test]
fn two_messages_cut_at_any_byte_are_two() {
    for speech in SPEECHES {
        let (mut connection, writer, _reader) = with_ends(speech);
        let mut scratch = Scratch::default();
        let both = [call(speech, None, 1), call(speech, None, 2)].concat();
        for cut in 1..both.len() {
            let mut seen = 0;
            for part in [&both[..cut], &both[cut..]] {
                fd::write_all(writer.as_fd(), part).unwrap();
                while let Next::Message(Incoming::Notification { .. }) = scratch.next(&mut connection, AT_ONCE) {
                    seen += 1;
                }
            }
            assert_eq!(seen, 2, "{speech:?} {cut}");
        }
    }
}

#[test]
fn an_end_after_any_byte_of_a_message_is_an_end_and_no_message() {
    for speech in SPEECHES {
        let request = call(speech, Some(1), 7);
        let whole = request.len() - usize::from(speech.1 == Framing::Line);
        for cut in 0..whole {
            let (mut connection, writer, _reader) = with_ends(speech);
            let mut scratch = Scratch::default();
            fd::write_all(writer.as_fd(), &request[..cut]).unwrap();
            drop(writer);
            // The beginning of a line is a line, which is no JSON: it is answered, and then the end is there.
            let next = scratch.next(&mut connection, Wait::default());
            assert_eq!(next, Next::Event(Event::Eof), "{speech:?} {cut}");
        }
    }
}

#[test]
fn many_messages_in_one_read_come_out_in_order() {
    for speech in SPEECHES {
        let (mut connection, writer, _reader) = with_ends(speech);
        let mut scratch = Scratch::default();
        let stream: Vec<u8> = (1..=600).flat_map(|id| call(speech, Some(id), id)).collect();
        assert!(stream.len() < 65_536, "a pipe does not hold {}", stream.len());
        fd::write_all(writer.as_fd(), &stream).unwrap();
        for id in 1..=600 {
            let Next::Message(Incoming::Request { slot, .. }) = scratch.next(&mut connection, AT_ONCE) else {
                panic!("{speech:?} {id}")
            };
            assert_eq!(connection.peer.id(slot), Some(&Id::Int(id)));
            assert!(connection.peer.release(slot).is_some());
        }
        assert_eq!(scratch.next(&mut connection, AT_ONCE), Next::Event(Event::TimedOut));
    }
}

/// Moves bytes one by one until there are no more.
fn relay(from: OwnedFd, to: OwnedFd) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut byte = [0];
        while fd::read(from.as_fd(), &mut byte).unwrap() == 1 {
            if fd::write_all(to.as_fd(), &byte).is_err() {
                return;
            }
        }
    })
}

#[test]
fn calls_through_pipes_that_move_one_byte_at_a_time_are_all_answered() {
    for speech in SPEECHES {
        let ends = [fd::pipe(), fd::pipe(), fd::pipe(), fd::pipe()].map(Result::unwrap);
        let [(relay_1_in, caller_out), (server_in, relay_1_out), (relay_2_in, server_out), (caller_in, relay_2_out)] =
            ends;
        let relays = [relay(relay_1_in, relay_1_out), relay(relay_2_in, relay_2_out)];
        let server = thread::spawn(move || {
            let mut server = connection(speech, server_in, server_out);
            let mut scratch = Scratch::default();
            while let Next::Message(Incoming::Request { slot, .. }) = scratch.next(&mut server, Wait::default()) {
                let id = server.peer.id(slot).cloned().unwrap();
                assert!(server.peer.release(slot).is_some());
                server.send(&result(speech, id, 5), Urgency::Now).unwrap();
            }
        });
        let mut caller = connection(speech, caller_in, caller_out);
        let mut scratch = Scratch::default();
        for _ in 0..300 {
            let id = caller.peer.begin_call().unwrap();
            caller.send(&call(speech, Some(id), 1), Urgency::Now).unwrap();
            let wait = Wait {
                awaited: Some(id),
                ..Wait::default()
            };
            let next = scratch.next(&mut caller, wait);
            assert!(
                matches!(next, Next::Message(Incoming::Reply(Reply::Result(_)))),
                "{speech:?} {next:?}"
            );
        }
        drop(caller);
        for thread in relays.into_iter().chain([server]) {
            thread.join().unwrap();
        }
    }
}
