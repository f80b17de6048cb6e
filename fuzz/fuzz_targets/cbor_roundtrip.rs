//! Any bytes as CBOR: what is taken comes back when it is written and read again.
#![no_main]

#[path = "../../tests/cbor_support/mod.rs"]
mod cbor_support;
#[path = "../../tests/differential/mod.rs"]
mod differential;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    differential::cbor::comes_back(data);
});
