//! The scanner against two independent readers: the pseudocode of RFC 8949, appendix C (is it well-formed, where does
//! it end) and ciborium (what is its value), on random items, damaged ones and random bytes; and a round trip of each.
//!
//! The rules by which they may differ are in `differential/mod.rs`. `FKRPC_FUZZ_ROUNDS` says how many items each test
//! takes, `FKRPC_FUZZ_SEED` where it starts.
#![allow(missing_docs, clippy::unwrap_used)]

mod cbor_support;
mod differential;

use cbor_support::generate;
use differential::cbor::{agrees_on_form, agrees_on_value, comes_back};
use differential::random;
use fkrpc::codec::cbor::writer;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Items made of one.
const KIN: u64 = 5;

/// What becomes of `inputs` items: generated ones and damaged ones.
fn items(inputs: u64, mut take: impl FnMut(&[u8])) {
    random::run(inputs, |random| {
        let mut rng = StdRng::seed_from_u64(random.bits());
        let mut source = Vec::new();
        let depth = rng.random_range(0..6);
        generate::item(&mut rng, &mut source, depth, false);
        take(&source);
        for _ in 1..KIN {
            let mut damaged = source.clone();
            generate::damage(&mut rng, &mut damaged);
            take(&damaged);
        }
        KIN
    });
}

#[test]
fn generated_items_are_well_formed_to_all_and_have_ciboriums_values() {
    let mut compared = 0;
    let done = random::run(100_000, |random| {
        let mut rng = StdRng::seed_from_u64(random.bits());
        let mut source = Vec::new();
        generate::item(&mut rng, &mut source, 5, false);
        assert!(agrees_on_form(&source), "{source:02x?}");
        compared += u64::from(agrees_on_value(&source));
        1
    });
    assert!(compared > done / 3, "{compared} of {done}");
}

#[test]
fn a_million_items_are_judged_as_appendix_c_judges_them_and_have_ciboriums_values() {
    let (mut good, mut done, mut compared) = (0u64, 0u64, 0u64);
    items(1_000_000, |source| {
        good += u64::from(agrees_on_form(source));
        compared += u64::from(agrees_on_value(source));
        done += 1;
    });
    assert!(
        good > done / 4 && good < done * 9 / 10 && compared > done / 6,
        "{good} {compared} of {done}"
    );
}

#[test]
fn what_is_taken_comes_back_when_it_is_written_and_read_again() {
    let (mut good, mut done) = (0u64, 0u64);
    items(200_000, |source| {
        good += u64::from(comes_back(source));
        done += 1;
    });
    assert!(good > done / 4, "{good} of {done}");
}

#[test]
fn random_bytes_are_judged_as_appendix_c_judges_them() {
    let (mut good, mut done) = (0u64, 0u64);
    let mut source = Vec::new();
    random::run(300_000, |random| {
        source.clear();
        for _ in 0..random.below(24) {
            source.push(random.byte());
        }
        good += u64::from(agrees_on_form(&source));
        agrees_on_value(&source);
        done += 1;
        1
    });
    assert!(good > done / 10 && good < done * 9 / 10, "{good} of {done}");
}

#[test]
fn every_pair_of_bytes_and_every_head_is_judged_as_appendix_c_judges_it() {
    for first in 0..=u8::MAX {
        for second in 0..=u8::MAX {
            agrees_on_form(&[first, second]);
            agrees_on_form(&[0x5f, first, second, 0xff]);
            agrees_on_form(&[0x9f, first, second, 0xff]);
            agrees_on_form(&[0xbf, first, second, 0xff, 0xff]);
            agrees_on_form(&[0xa1, first, 0, second, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        }
    }
}

#[test]
fn numbers_are_written_as_ciborium_writes_them() {
    let mut rng = StdRng::seed_from_u64(754);
    for _ in 0..200_000 {
        let integer = rng.random::<i64>() >> rng.random_range(0..64);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        writer::write_int(&mut ours, integer).unwrap();
        ciborium::into_writer(&integer, &mut theirs).unwrap();
        assert_eq!(ours, theirs, "{integer}");

        let single = f32::from_bits(rng.random::<u32>() & !0 << rng.random_range(0..24));
        let double = f64::from_bits(rng.random::<u64>() & !0 << rng.random_range(0..53));
        for value in [f64::from(single), f64::from(single) * 1e-38, double] {
            if !value.is_nan() {
                let (mut ours, mut theirs) = (Vec::new(), Vec::new());
                writer::write_float(&mut ours, value, true).unwrap();
                ciborium::into_writer(&value, &mut theirs).unwrap();
                assert_eq!(ours, theirs, "{value:e}");
            }
        }
    }
}
