//! Streams of messages, whole ones and broken ones, cut at random: the same messages come out, and mean the same.
//!
//! `FKRPC_FUZZ_ROUNDS` says how many streams each test takes, `FKRPC_FUZZ_SEED` where it starts.
#![allow(missing_docs, clippy::unwrap_used)]

mod cbor_support;
mod differential;

use differential::random::{self, Random};
use differential::stream::is_the_same_however_cut;
use differential::{json_documents, json_mistakes};
use std::io::Write;

/// What messages are made of, by JSON-RPC's rules and beside them.
const IDS: [&str; 9] = ["1", "2", "3", "9", "\"1\"", "null", "1.5", "[]", "9223372036854775808"];
const VERSIONS: [&str; 5] = ["\"2.0\"", "\"2.0\"", "\"2.0\"", "\"1.0\"", "2.0"];
const ERRORS: [&str; 5] = [
    "{\"code\":-32601,\"message\":\"Method not found\"}",
    "{\"code\":1,\"message\":\"m\",\"data\":[1]}",
    "{\"code\":\"x\"}",
    "null",
    "\"text\"",
];

fn json_message(random: &mut Random, out: &mut Vec<u8>) {
    let mut document = Vec::new();
    json_documents::document(random, &mut document);
    document.retain(|byte| *byte != b'\n');
    out.push(b'{');
    for member in 0..random.below(6) {
        if member > 0 {
            out.push(b',');
        }
        match random.below(9) {
            0..=1 => write!(out, "\"jsonrpc\":{}", random.pick(&VERSIONS)).unwrap(),
            2..=3 => write!(out, "\"id\":{}", random.pick(&IDS)).unwrap(),
            4..=5 => write!(out, "\"method\":\"m{}\"", random.below(9)).unwrap(),
            6 => write!(out, "\"error\":{}", random.pick(&ERRORS)).unwrap(),
            7 => {
                out.extend_from_slice(b"\"params\":");
                out.extend_from_slice(&document);
            }
            _ => {
                out.extend_from_slice(b"\"result\":");
                out.extend_from_slice(&document);
            }
        }
    }
    out.push(b'}');
}

fn json_stream(random: &mut Random) -> Vec<u8> {
    let mut stream = Vec::new();
    for _ in 0..random.below(4) {
        if random.once_in(6) {
            stream.push(b'[');
            for item in 0..random.below(4) {
                if item > 0 {
                    stream.push(b',');
                }
                json_message(random, &mut stream);
            }
            stream.push(b']');
        } else {
            json_message(random, &mut stream);
        }
        stream.extend_from_slice(random.pick(&[&b"\n"[..], b"\n", b"\r\n", b"\n\n"]));
    }
    stream
}

/// A map with FreeKill's keys or the specification's names, mostly as its server writes it.
fn cbor_message(random: &mut Random, out: &mut Vec<u8>) {
    if random.once_in(3) {
        // A reply in the order that is read the quick way.
        out.extend_from_slice(b"\xa3\x18\x64\x432.0\x18\x68");
        out.push(1 + random.below(3) as u8);
        out.extend_from_slice(b"\x18\x69");
        return cbor_value(random, out);
    }
    let names = random.once_in(3);
    let members = random.below(5) as u8;
    out.push(0xa0 | members);
    for _ in 0..members {
        let (name, number) = [
            ("jsonrpc", 100),
            ("method", 101),
            ("params", 102),
            ("error", 103),
            ("id", 104),
            ("result", 105),
        ][random.below(6)];
        if names {
            out.push(0x60 | name.len() as u8);
            out.extend_from_slice(name.as_bytes());
        } else {
            out.extend_from_slice(&[0x18, number]);
        }
        match (number, random.once_in(8)) {
            (100, false) => out.extend_from_slice(b"\x432.0"),
            (101, false) => out.extend_from_slice(b"\x41m"),
            (104, false) => out.push(random.below(6) as u8),
            (103, false) => out.extend_from_slice(b"\xa2\x18\xc8\x20\x18\xc9\x41x"),
            _ => cbor_value(random, out),
        }
    }
}

const VALUES: [&[u8]; 18] = [
    b"\x00",
    b"\x17",
    b"\x18\xff",
    b"\x39\x01\x00",
    b"\x1b\x00\x20\x00\x00\x00\x00\x00\x00",
    b"\x1b\x00\x20\x00\x00\x00\x00\x00\x01",
    b"\x3b\x00\x20\x00\x00\x00\x00\x00\x00",
    b"\x3b\x00\x1f\xff\xff\xff\xff\xff\xff",
    b"\x3b\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xf4",
    b"\xf5",
    b"\xf6",
    b"\x42hi",
    b"\x58\x03abc",
    b"\x60",
    b"\x83\x01\x02\x03",
    b"\xf8\x14",
];

fn cbor_value(random: &mut Random, out: &mut Vec<u8>) {
    if random.once_in(3) {
        let mut rng = <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(random.bits());
        cbor_support::generate::item(&mut rng, out, 3, false);
    } else {
        out.extend_from_slice(random.pick(&VALUES));
    }
}

fn streams(make: impl Fn(&mut Random) -> Vec<u8>) {
    random::run(30_000, |random| {
        let stream = make(random);
        is_the_same_however_cut(&stream, random.bits());
        let mut broken = stream;
        for _ in 0..=random.below(3) {
            json_mistakes::mutate(random, &mut broken);
        }
        is_the_same_however_cut(&broken, random.bits());
        2
    });
}

#[test]
fn lines_of_json_mean_the_same_however_they_are_cut() {
    streams(json_stream);
}

#[test]
fn cbor_items_mean_the_same_however_they_are_cut() {
    streams(|random| {
        let mut stream = Vec::new();
        for _ in 0..random.below(4) {
            cbor_message(random, &mut stream);
        }
        stream
    });
}
