//! JSON (RFC 8259): a strict scanner onto a [`crate::codec::Tape`], and writers for single values.
