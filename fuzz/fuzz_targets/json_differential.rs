//! Any bytes as JSON: taken for the same value by the scanner and serde_json, or refused by both.
#![no_main]

#[path = "../../tests/cbor_support/mod.rs"]
mod cbor_support;
#[path = "../../tests/differential/mod.rs"]
mod differential;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    differential::json::agree(data, &mut Default::default());
});
