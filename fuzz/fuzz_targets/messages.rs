//! Any bytes as a stream of messages, cut where the first eight say: the same messages, and the same made of each.
#![no_main]

#[path = "../../tests/cbor_support/mod.rs"]
mod cbor_support;
#[path = "../../tests/differential/mod.rs"]
mod differential;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some((cuts, stream)) = data.split_first_chunk() {
        differential::stream::is_the_same_however_cut(stream, u64::from_le_bytes(*cuts));
    }
});
