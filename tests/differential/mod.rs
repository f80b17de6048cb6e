//! What the codecs are held against: independent readers, themselves after a round trip, and themselves in pieces.
//!
//! The functions here take any bytes and panic at the first difference. They are shared by the tests in this folder's
//! parent, which feed them generated documents, and by the fuzz targets in `fuzz/`, which feed them what libFuzzer
//! finds. They refuse to explain a difference away: every rule by which two readers may differ is stated here.
//!
//! # JSON beside serde_json
//!
//! The same texts are taken and refused, and the same values read, without an exception, once both are told the same:
//! * nesting: serde_json takes 127 levels and cannot be told otherwise, so `max_depth` is 127 here ([`json::OPTIONS`]);
//! * integers beyond `i64`: serde_json keeps those up to `u64::MAX` and makes floats of larger ones; under `Big::Float`
//!   all become the nearest float here, and so are theirs for the comparison;
//! * equal keys: both are read as they stand, one after the other, so nothing is dropped on either side.
//!
//! # CBOR beside RFC 8949, appendix C, and ciborium
//!
//! The pseudocode of appendix C is the judge of what is well-formed and where it ends; the one exception is NaN as a map
//! key, which is well-formed and refused, since Lua has no such key. ciborium is the judge of values. It differs from
//! RFC 8949, or from what is to be compared, in these points (see `comparable` in [`cbor`]):
//! * undefined is null to it, all NaN are one, and byte and text strings are two things, which are one kind here;
//! * it refuses simple values without a meaning, and resolves bignums (tags 2 and 3): items with these are not compared;
//! * integers beyond `i64` are compared by their decimal digits.
//!
//! # Frames
//!
//! However a stream is cut, the messages are the same, and so is what the conversation makes of each. After a broken
//! CBOR item nothing is compared: what was received by then is dropped, and that depends on the cuts.
#![allow(dead_code, missing_docs, clippy::unwrap_used)]

pub mod cbor;
pub mod json;
pub mod json_documents;
pub mod json_mistakes;
pub mod json_written;
pub mod random;
pub mod stream;
