//! The prelude's texts packed by pair encoding: each byte of the result stands for a word of one or more bytes, by one
//! table for all texts. Used by `build.rs`; `unpack.rs` is the way back.
//!
//! It is made for text in few different characters, since those that do not occur stand for the words, and refuses none.

/// How often a pair must occur to be worth a word of the table.
const WORTH: usize = 4;
/// No word is longer, so that who unpacks in pieces knows what to give room to.
const LONGEST: usize = 64;

/// Packed texts and their table.
pub struct Packed {
    /// Each text, one byte per word.
    pub texts: Vec<Vec<u8>>,
    /// The words of all 256 bytes, one after the other.
    pub words: Vec<u8>,
    /// Where each word ends.
    pub ends: Vec<u16>,
}

/// Pack `texts`; `None` if the words together are longer than `ends` can say.
pub fn pack(texts: &[Vec<u8>]) -> Option<Packed> {
    let mut words: Vec<Vec<u8>> = (0..=u8::MAX).map(|byte| vec![byte]).collect();
    let mut packed = texts.to_vec();
    let unused: Vec<u8> = (0..=u8::MAX)
        .filter(|byte| !texts.iter().any(|text| text.contains(byte)))
        .collect();
    for code in unused {
        let word = match most_frequent(&packed, &words) {
            Some((first, second)) => {
                for text in &mut packed {
                    *text = replaced(text, first, second, code);
                }
                [words[usize::from(first)].as_slice(), &words[usize::from(second)]].concat()
            }
            None => Vec::new(),
        };
        words[usize::from(code)] = word;
    }
    let mut ends = Vec::new();
    let mut end = 0;
    for word in &words {
        end += word.len();
        ends.push(u16::try_from(end).ok()?);
    }
    Some(Packed {
        texts: packed,
        words: words.concat(),
        ends,
    })
}

/// The pair of neighbours that occurs most often, the first such one; `None` if no pair is worth a word.
fn most_frequent(texts: &[Vec<u8>], words: &[Vec<u8>]) -> Option<(u8, u8)> {
    let mut counts = vec![0_usize; 1 << 16];
    for text in texts {
        for pair in text.windows(2) {
            if words[usize::from(pair[0])].len() + words[usize::from(pair[1])].len() <= LONGEST {
                counts[usize::from(u16::from_be_bytes([pair[0], pair[1]]))] += 1;
            }
        }
    }
    let most = counts.iter().copied().max().filter(|&most| most >= WORTH)?;
    let [first, second] = u16::try_from(counts.iter().position(|&count| count == most)?)
        .ok()?
        .to_be_bytes();
    Some((first, second))
}

/// `text` with `code` for each `first` that `second` follows.
fn replaced(text: &[u8], first: u8, second: u8, code: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        rest = match tail {
            [next, after @ ..] if *byte == first && *next == second => {
                out.push(code);
                after
            }
            _ => {
                out.push(*byte);
                tail
            }
        };
    }
    out
}
