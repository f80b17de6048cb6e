//! Any bytes as CBOR: judged as RFC 8949, appendix C judges them, with ciborium's values.
#![no_main]

#[path = "../../tests/cbor_support/mod.rs"]
mod cbor_support;
#[path = "../../tests/differential/mod.rs"]
mod differential;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    differential::cbor::agrees_on_form(data);
    differential::cbor::agrees_on_value(data);
});
