//! CBOR (RFC 8949): a scanner onto a [`crate::codec::Tape`], a resumable item-end finder, and writers.
