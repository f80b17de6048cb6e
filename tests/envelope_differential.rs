//! Messages as nearly everybody writes them are read a short way: the same is made of them as the long way does, which
//! white space behind a message asks for.
//!
//! `FKRPC_FUZZ_ROUNDS` says how many messages are taken, `FKRPC_FUZZ_SEED` where it starts.
#![allow(missing_docs, clippy::unwrap_used)]

mod cbor_support;
mod differential;

use differential::random::{self, Random};
use fkrpc::codec::{json, Tape};
use fkrpc::envelope::Encoding;
use fkrpc::peer::cancel::Manner;
use fkrpc::peer::{Incoming, Peer, Reply, Scan};

const KEYS: [&str; 14] = [
    "\"jsonrpc\"",
    "\"id\"",
    "\"method\"",
    "\"params\"",
    "\"result\"",
    "\"error\"",
    "\"i\\u0064\"",
    "\"method\\n\"",
    "\"\"",
    "\"ID\"",
    "\"idx\"",
    "\"id\\\"",
    "\"params\u{e9}\"",
    "\"jsonrp\"",
];
const VALUES: [&str; 40] = [
    "\"2.0\"",
    "\"2.\\u0030\"",
    "\"1.0\"",
    "2.0",
    "\"\"",
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "00",
    "01",
    "1",
    "2",
    "3",
    "12",
    "999999999999999",
    "1000000000000000",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "1.0",
    "1e0",
    "1E2",
    "0.5",
    "[]",
    "{}",
    "[1,\"two\",{\"three\":[null]}]",
    "[[[[[[]]]]]]",
    "{\"a\":1,\"a\":2}",
    "\"add\"",
    "\"\u{4e2d}\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud83d\"",
    "\"a\tb\"",
    "[1,]",
    "{\"id\":1}",
    "{\"code\":1,\"message\":\"m\"}",
];
const SPACES: [&str; 12] = ["", "", "", "", "", "", "", " ", " ", "  ", "\t", "\r"];

/// A message that is nearly right, or not nearly.
fn message(random: &mut Random, out: &mut Vec<u8>) {
    let usual: &[(&str, &[&str])] = match random.below(3) {
        0 => &[
            ("\"jsonrpc\"", &["\"2.0\""]),
            ("\"id\"", &VALUES[5..25]),
            ("\"method\"", &["\"add\"", "\"\"", "\"\u{e9}\""]),
            ("\"params\"", &VALUES[26..34]),
        ],
        1 => &[
            ("\"jsonrpc\"", &["\"2.0\""]),
            ("\"id\"", &["1", "2", "3", "4"]),
            ("\"result\"", &VALUES),
        ],
        _ => &[
            ("\"jsonrpc\"", &["\"2.0\""]),
            ("\"method\"", &["\"add\"", "\"$/cancelRequest\""]),
            ("\"params\"", &VALUES[26..40]),
        ],
    };
    let mut members: Vec<(&str, &str)> = usual.iter().map(|(key, values)| (*key, random.pick(values))).collect();
    for _ in 0..[0, 0, 0, 0, 1, 2][random.below(6)] {
        members.insert(
            random.below(members.len() + 1),
            (random.pick(&KEYS), random.pick(&VALUES)),
        );
    }
    if random.below(5) == 0 {
        members.remove(random.below(members.len()));
    }
    for _ in 0..random.below(4) {
        let (a, b) = (random.below(members.len().max(1)), random.below(members.len().max(1)));
        if !members.is_empty() {
            members.swap(a, b);
        }
    }
    let odd = random.below(4) == 0;
    let space = |out: &mut Vec<u8>, random: &mut Random| {
        if odd {
            out.extend_from_slice(random.pick(&SPACES).as_bytes());
        }
    };
    out.push(b'{');
    for (at, (key, value)) in members.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        space(out, random);
        out.extend_from_slice(key.as_bytes());
        space(out, random);
        out.push(b':');
        space(out, random);
        out.extend_from_slice(value.as_bytes());
        space(out, random);
    }
    out.push(b'}');
    match random.below(12) {
        0 => out.truncate(random.below(out.len() + 1)),
        1 | 2 => {
            let at = random.below(out.len());
            out[at] = [0x80, 0xff, 0xc3, 0, b'"', b'\\', b'{', b'}', b',', b'\n', b'5', b' '][random.below(12)];
        }
        3 => {
            let batched = [b"[", &out[..], b",", &out[..], b"]"].concat();
            *out = batched;
        }
        _ => {}
    }
}

/// What it says, with all that tapes hold written out; where a value stands on its tape is not part of it.
fn shown(incoming: Incoming, tape: &Tape, message: &[u8]) -> String {
    let value = |at: usize| {
        let mut text = String::new();
        let mut left = 1;
        let mut next = at;
        while left > 0 {
            let (node, after) = tape.node(next);
            left -= 1;
            match (node, tape.bytes(node, message)) {
                (_, Some(bytes)) => text += &format!("{:?},", bytes.escape_ascii().to_string()),
                (fkrpc::codec::tape::Node::Array { count, .. }, _) => {
                    text += &format!("[{count}");
                    left += count;
                }
                (fkrpc::codec::tape::Node::Object { count, .. }, _) => {
                    text += &format!("{{{count}");
                    left += 2 * count;
                }
                (node, _) => text += &format!("{node:?},"),
            }
            next = after;
        }
        text
    };
    let name = |node| tape.bytes(node, message).map(|bytes| bytes.escape_ascii().to_string());
    match incoming {
        Incoming::Request { slot, method, params } => {
            format!("request {slot} {:?} {:?}", name(method), params.map(value))
        }
        Incoming::Notification { method, params } => format!("notification {:?} {:?}", name(method), params.map(value)),
        Incoming::Reply(Reply::Result(at)) => format!("result {}", value(at)),
        Incoming::Reply(Reply::Error {
            code,
            message: text,
            data,
        }) => {
            format!("error {code} {:?} {:?}", text.map(name), data.map(value))
        }
        other => format!("{other:?}"),
    }
}

/// All that a peer makes of `message`, and whether there was anything for a handler or a caller.
fn conversation(
    message: &[u8],
    options: json::ScanOptions,
    manner: Option<Manner>,
    concurrent: bool,
) -> (String, bool) {
    let mut peer = Peer::new(Encoding::Json { utf8: options.utf8 }, Scan::Json(options));
    (peer.manner, peer.concurrent) = (manner, concurrent);
    for _ in 0..3 {
        peer.begin_call().unwrap();
    }
    peer.inbox.append(message).unwrap();
    peer.inbox.append(b"\n").unwrap();
    let (mut text, mut source, mut tape, mut out, mut useful) =
        (String::new(), Vec::new(), Tape::new(), Vec::new(), false);
    while let Ok(Some(batch)) = peer.next_message(Some(2), &mut source) {
        tape.reset();
        let incoming = peer.accept(&source, batch, Some(2), &mut tape, &mut out).unwrap();
        text += &shown(incoming, &tape, &source);
        if let Incoming::Request { slot, .. } = incoming {
            text += &format!(" id {:?}", peer.id(slot));
        }
        useful |= incoming != Incoming::Handled;
    }
    // An error tells where, and behind what was cut there is one character more.
    let answer: String = String::from_utf8_lossy(&out)
        .chars()
        .filter(|c| !c.is_ascii_digit())
        .collect();
    (format!("{text} {answer} {} {:?}", peer.waiting(), peer.stats), useful)
}

#[test]
fn the_short_way_makes_of_a_message_what_the_long_way_does() {
    let mut useful = 0;
    let total = random::run(40_000, |random| {
        let mut bytes = Vec::new();
        message(random, &mut bytes);
        bytes.retain(|byte| *byte != b'\n');
        let options = json::ScanOptions {
            max_depth: [128, 128, 0, 1, 2, 3, 4, 5][random.below(8)],
            utf8: random.below(4) > 0,
            ..json::ScanOptions::default()
        };
        let manner = [None, None, Some(Manner::Lsp), Some(Manner::Mcp)][random.below(4)];
        let concurrent = random.below(2) == 0;
        let (short, said) = conversation(&bytes, options, manner, concurrent);
        let longer = [&bytes[..], b" "].concat();
        let (long, _) = conversation(&longer, options, manner, concurrent);
        // Cut short, it lacks something else when a space follows.
        if said || !short.contains("unexpected") {
            assert_eq!(short, long, "{}", bytes.escape_ascii());
        }
        useful += u64::from(said);
        1
    });
    assert!(useful > total / 6, "{useful} of {total}");
}
