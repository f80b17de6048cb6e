//! The prelude packed and unpacked: what comes back is what went in, for any bytes.

#[path = "../src/prelude/pack.rs"]
mod pack;
#[path = "../src/prelude/unpack.rs"]
mod unpack;

fn round_trip(texts: &[Vec<u8>]) -> usize {
    let packed = pack::pack(texts).expect("short texts");
    let ends: [u16; 256] = packed.ends.as_slice().try_into().expect("one end per byte");
    for (packed_text, text) in packed.texts.iter().zip(texts) {
        let unpacked = unpack::unpack(packed_text, &packed.words, &ends).expect("memory");
        assert_eq!(&unpacked, text);
    }
    packed.texts.iter().map(Vec::len).sum()
}

#[test]
fn texts_come_back_as_they_went_in() {
    let text = b"local function name(argument)\n  return argument.name or name(argument)\nend\n".repeat(20);
    let size = round_trip(&[text.clone(), Vec::new(), b"x".to_vec(), text.clone()]);
    assert!(size < text.len() / 4, "{size} bytes for texts that repeat themselves");
}

#[test]
fn bytes_of_all_values_come_back_too() {
    let all: Vec<u8> = (0..=u8::MAX).collect();
    round_trip(&[all.repeat(3)]);
    round_trip(&[vec![0; 1000], vec![255; 1001]]);
}

#[test]
fn a_text_that_is_too_long_for_its_length_field_is_refused() {
    assert!(pack::pack(&[vec![b'a'; 65535]]).is_some());
    assert!(pack::pack(&[vec![b'a'; 65536]]).is_none());
}

#[test]
fn damaged_data_is_no_reason_to_panic() {
    let packed = pack::pack(&[b"one two one two one two one two".to_vec()]).expect("a short text");
    let ends: [u16; 256] = packed.ends.as_slice().try_into().expect("one end per byte");
    for damaged in [&b""[..], b"\x05", b"\x02\x00abcdef", b"\xff\xffabc"] {
        let text = unpack::unpack(damaged, &packed.words, &ends).expect("memory");
        assert!(
            text.len() <= damaged.len() * 31,
            "longer than the text that was packed, per byte"
        );
    }
    assert_eq!(unpack::unpack(b"\x02\x00zz", &[], &ends).expect("memory"), b"");
}
