//! The prelude packed and unpacked: what comes back is what went in, for any bytes.

#[path = "../src/prelude/pack.rs"]
mod pack;
#[path = "../src/prelude/unpack.rs"]
mod unpack;

fn ends(packed: &pack::Packed) -> [u16; 256] {
    packed.ends.as_slice().try_into().expect("one end per byte")
}

/// The whole text, in pieces of at most `piece` bytes; no word is longer than 64.
fn unpacked(codes: &[u8], words: &[u8], ends: &[u16; 256], piece: usize) -> Vec<u8> {
    let mut unpacker = unpack::Unpacker { codes, words, ends };
    let mut text = Vec::new();
    let mut room = vec![0; piece];
    loop {
        let length = unpacker.fill(&mut room);
        if length == 0 {
            return text;
        }
        text.extend(&room[..length]);
    }
}

fn round_trip(texts: &[Vec<u8>]) -> usize {
    let packed = pack::pack(texts).expect("short words");
    for (codes, text) in packed.texts.iter().zip(texts) {
        for piece in [64, 100, 100_000] {
            assert_eq!(&unpacked(codes, &packed.words, &ends(&packed), piece), text);
        }
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
fn the_prelude_comes_back_too() {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir("src/prelude").expect("the prelude") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "lua") {
            texts.push(std::fs::read(path).expect("a readable file"));
        }
    }
    assert!(texts.len() > 10);
    round_trip(&texts);
}

#[test]
fn damaged_data_is_no_reason_to_panic() {
    let packed = pack::pack(&[b"one two one two one two one two".to_vec()]).expect("short words");
    let mut shuffled = ends(&packed);
    shuffled.reverse();
    let all: Vec<u8> = (0..=u8::MAX).collect();
    for piece in [0, 1, 3, 100] {
        for (words, ends) in [
            (&packed.words[..], ends(&packed)),
            (&packed.words, shuffled),
            (&[], shuffled),
        ] {
            assert!(unpacked(&all, words, &ends, piece).len() <= 256 * packed.words.len());
        }
    }
}
