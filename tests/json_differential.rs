//! The scanner beside serde_json on generated texts and on broken ones, and its values after a round trip.
//!
//! The rules by which the two may differ are in `differential/mod.rs`. `FKRPC_FUZZ_ROUNDS` says how many texts each
//! test takes, `FKRPC_FUZZ_SEED` where it starts.
#![allow(missing_docs, clippy::unwrap_used)]

mod cbor_support;
mod differential;

use differential::json::agree;
use differential::json_documents::document;
use differential::json_mistakes::mutate;
use differential::json_written::{comes_back, Room};
use differential::random;
use fkrpc::codec::json::writer;
use fkrpc::codec::tape::Tape;

/// Texts made of one document.
const KIN: u64 = 10;

/// What becomes of `inputs` texts: a generated one, and changed ones that have one to three mistakes in them.
fn texts(inputs: u64, mut take: impl FnMut(&[u8]) -> bool) -> (u64, u64) {
    let (mut taken, mut text, mut changed) = (0, Vec::new(), Vec::new());
    let done = random::run(inputs, |random| {
        document(random, &mut text);
        taken += u64::from(take(&text));
        for _ in 1..KIN {
            changed.clone_from(&text);
            for _ in 0..=random.below(3) {
                mutate(random, &mut changed);
            }
            taken += u64::from(take(&changed));
        }
        KIN
    });
    (taken, done)
}

#[test]
fn a_million_texts_mean_the_same_to_both_or_are_refused_by_both() {
    let mut tape = Tape::new();
    let (taken, done) = texts(1_000_000, |text| agree(text, &mut tape));
    assert!(taken > done / 5 && taken < done * 4 / 5, "{taken} of {done} were valid");
}

#[test]
fn what_is_taken_comes_back_when_it_is_written_and_read_again() {
    let mut room = Room::default();
    let (taken, done) = texts(100_000, |text| comes_back(text, &mut room));
    assert!(taken > done / 5 && taken < done * 4 / 5, "{taken} of {done} were valid");
}

#[test]
fn random_bytes_are_refused_by_both_or_mean_the_same() {
    const LIKELY: &[u8] = b"\"\"\"\\u{}[],:0123456789-+.eE \ntruefalsn\xc3\xa9\xed\xf0\x00\x1f";
    let (mut tape, mut text) = (Tape::new(), Vec::new());
    random::run(200_000, |random| {
        text.clear();
        for _ in 0..random.below(20) {
            text.push(if random.once_in(20) {
                random.byte()
            } else {
                LIKELY[random.below(LIKELY.len())]
            });
        }
        agree(&text, &mut tape);
        1
    });
}

#[test]
fn every_text_of_two_bytes_and_every_byte_in_a_string_means_the_same_to_both() {
    let mut tape = Tape::new();
    for first in 0..=u8::MAX {
        for second in 0..=u8::MAX {
            agree(&[first, second], &mut tape);
            agree(&[b'"', first, second, b'"'], &mut tape);
            agree(&[b'[', b'1', first, second, b'0', b']'], &mut tape);
            agree(&[b'"', 0xe0 | first >> 4, first, second, b'"'], &mut tape);
            agree(
                &[b'"', 0xf0 | first & 7, second, 0x80 | first >> 2, 0x80, b'"'],
                &mut tape,
            );
        }
    }
}

#[test]
fn every_unicode_escape_and_every_pair_at_the_edges_means_the_same_to_both() {
    let mut tape = Tape::new();
    for unit in 0..=u16::MAX {
        agree(format!("\"\\u{unit:04x}\"").as_bytes(), &mut tape);
        agree(format!("\"\\u{unit:04X}\\udc00\"").as_bytes(), &mut tape);
        agree(format!("\"\\ud800\\u{unit:04x}\"").as_bytes(), &mut tape);
    }
}

#[test]
fn both_writers_quote_strings_alike() {
    random::run(50_000, |random| {
        let text: String = (0..random.below(60))
            .map(|_| match random.below(4) {
                0 => char::from(random.below(0x30) as u8),
                1 => char::from_u32(random.below(0x11_0000) as u32).unwrap_or('\u{fffd}'),
                _ => char::from(0x20 + random.below(0x5f) as u8),
            })
            .collect();
        let mut out = Vec::new();
        writer::write_str(&mut out, text.as_bytes(), true).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string(&text).unwrap());
        1
    });
}
