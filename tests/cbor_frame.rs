//! Framing: the end of an item is where the scanner finds it, however the bytes arrive.
#![allow(missing_docs, clippy::unwrap_used)]

mod cbor_support;

use cbor_support::{generate, unhex};
use fkrpc::codec::cbor::{scan_item, ItemEnd, ScanOptions};
use fkrpc::codec::{Big, CodecError, ErrorKind, Tape};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// What the scanner says of the form of `source`; what it says of values is not asked for.
fn scanned(source: &[u8]) -> Result<usize, CodecError> {
    let options = ScanOptions {
        big: Big::Float,
        ..ScanOptions::default()
    };
    scan_item(source, 0, &mut Tape::new(), &options)
}

/// Feed the pieces of `source` between `cuts`; the answer once there is one.
fn fed(end: &mut ItemEnd, source: &[u8], cuts: &[usize]) -> Option<Result<usize, CodecError>> {
    for &cut in cuts.iter().chain([&source.len()]) {
        let needed = end.needed();
        match end.feed(&source[..cut]) {
            Ok(None) => assert!(end.needed() > cut && end.needed() >= needed, "{cut} of {source:02x?}"),
            Ok(Some(length)) => {
                assert!(cut >= needed, "needed is no more than the item: {source:02x?}");
                return Some(Ok(length));
            }
            Err(error) => return Some(Err(error)),
        }
    }
    None
}

/// The scanner's answer in the finder's words.
fn expected(source: &[u8]) -> Option<Result<usize, CodecError>> {
    match scanned(source) {
        Err(error) if error.kind == ErrorKind::UnexpectedEnd => None,
        other => Some(other),
    }
}

fn agrees_at_every_split(source: &[u8]) {
    let expected = expected(source);
    let every: Vec<usize> = (0..source.len()).collect();
    let mut end = ItemEnd::new(128);
    assert_eq!(fed(&mut end, source, &every), expected, "byte by byte: {source:02x?}");
    for cut in 0..=source.len() {
        end.reset();
        assert_eq!(fed(&mut end, source, &[cut]), expected, "cut at {cut}: {source:02x?}");
    }
}

fn item(rng: &mut StdRng) -> Vec<u8> {
    let mut source = Vec::new();
    let depth = rng.random_range(0..5);
    generate::item(rng, &mut source, depth, false);
    source
}

#[test]
fn an_item_ends_at_the_same_byte_at_every_split() {
    let mut rng = StdRng::seed_from_u64(8742);
    for _ in 0..2_000 {
        let source = item(&mut rng);
        assert_eq!(scanned(&source), Ok(source.len()), "{source:02x?}");
        agrees_at_every_split(&source);
    }
}

#[test]
fn a_damaged_item_gives_the_same_error_at_every_split() {
    let mut rng = StdRng::seed_from_u64(13);
    let mut errors = 0;
    for _ in 0..10_000 {
        let mut source = item(&mut rng);
        generate::damage(&mut rng, &mut source);
        if scanned(&source).is_err_and(|error| error.kind == ErrorKind::InvalidKey) {
            continue; // a value, not a form: the finder does not judge it
        }
        agrees_at_every_split(&source);
        errors += usize::from(matches!(expected(&source), Some(Err(_))));
    }
    assert!(errors > 1_000, "{errors}");
}

#[test]
fn every_beginning_of_an_item_asks_for_more_and_never_for_more_than_the_item() {
    let mut rng = StdRng::seed_from_u64(3);
    for _ in 0..2_000 {
        let source = item(&mut rng);
        for cut in 0..source.len() {
            let mut end = ItemEnd::new(128);
            assert_eq!(end.feed(&source[..cut]), Ok(None), "{cut} of {source:02x?}");
            assert!(
                (cut + 1..=source.len()).contains(&end.needed()),
                "{cut} of {source:02x?}"
            );
        }
    }
}

#[test]
fn what_follows_an_item_is_not_looked_at() {
    assert_eq!(ItemEnd::new(128).feed(&unhex("8101 ff ff")), Ok(Some(2)));
    assert_eq!(ItemEnd::new(128).feed(&unhex("43616263 1c")), Ok(Some(4)));
}

#[test]
fn a_sequence_is_cut_into_its_items() {
    let mut rng = StdRng::seed_from_u64(5);
    let items: Vec<Vec<u8>> = (0..500).map(|_| item(&mut rng)).collect();
    let stream = items.concat();
    let mut end = ItemEnd::new(128);
    let (mut start, mut have, mut found) = (0, 0, Vec::new());
    while start < stream.len() {
        match end.feed(&stream[start..have]).unwrap() {
            Some(length) => {
                found.push(stream[start..start + length].to_vec());
                start += length;
                end.reset();
            }
            None => have = (have + rng.random_range(1..40)).min(stream.len()),
        }
    }
    assert!(found == items);
}

#[test]
fn the_answer_stays_until_reset() {
    let mut end = ItemEnd::new(128);
    assert_eq!(end.feed(&unhex("8201")), Ok(None));
    assert_eq!(end.feed(&unhex("820102")), Ok(Some(3)));
    assert_eq!(end.feed(&unhex("82010203")), Ok(Some(3)));
    end.reset();
    let error = Err(CodecError::new(ErrorKind::InvalidHead, 2));
    assert_eq!(end.feed(&unhex("82001c")), error);
    assert_eq!(end.feed(&unhex("82001c00")), error);
    end.reset();
    assert_eq!(end.feed(&unhex("00")), Ok(Some(1)));
}

#[test]
fn a_head_tells_how_many_bytes_its_string_needs_before_they_arrive() {
    let mut end = ItemEnd::new(128);
    assert_eq!(end.needed(), 1);
    assert_eq!(end.feed(&unhex("82 5a")), Ok(None));
    assert_eq!(end.needed(), 6);
    assert_eq!(end.feed(&unhex("82 5a 00010000")), Ok(None));
    assert_eq!(end.needed(), 6 + 65536 + 1);
    end.reset();
    assert_eq!(end.feed(&unhex("43 61")), Ok(None));
    assert_eq!(end.needed(), 4);
    end.reset();
    assert_eq!(end.feed(&unhex("5bffffffffffffffff")), Ok(None));
    assert_eq!(end.needed(), usize::MAX);
}

#[test]
fn what_was_looked_at_is_not_looked_at_again() {
    // The bytes before the end of what was fed may change without an effect: strings, heads and all.
    let mut end = ItemEnd::new(128);
    let mut buffer = unhex("84 43616263 1903e8 01");
    assert_eq!(end.feed(&buffer), Ok(None));
    buffer.fill(0x1c);
    buffer.push(0x02);
    assert_eq!(end.feed(&buffer), Ok(Some(10)));
}

#[test]
fn an_item_whose_values_cannot_be_held_still_has_an_end() {
    assert_eq!(ItemEnd::new(128).feed(&unhex("a1f97e0000")), Ok(Some(5)));
    assert_eq!(ItemEnd::new(128).feed(&unhex("1bffffffffffffffff")), Ok(Some(9)));
    assert_eq!(ItemEnd::new(128).feed(&unhex("61ff")), Ok(Some(2)));
}
