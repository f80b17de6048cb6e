//! The way back from what `pack.rs` made: the texts of the prelude, piece by piece, each on its first use.
//!
//! It takes no memory, knows only what was packed with the library, and refuses nothing: damaged data gives another
//! text, or a shorter one.

/// What is left of a packed text, and the table of its words.
pub struct Unpacker<'a> {
    /// One byte per word.
    pub codes: &'a [u8],
    /// The words of all 256 bytes, one after the other.
    pub words: &'a [u8],
    /// Where each word ends.
    pub ends: &'a [u16; 256],
}

impl Unpacker<'_> {
    /// Write as many words as `room` has place for, and return how many bytes they are: 0 after the last word, and
    /// at a word that is longer than all of `room`.
    pub fn fill(&mut self, room: &mut [u8]) -> usize {
        let mut length = 0;
        while let [code, rest @ ..] = self.codes {
            let code = usize::from(*code);
            let start = code.checked_sub(1).map_or(0, |before| usize::from(self.ends[before]));
            let word = self.words.get(start..usize::from(self.ends[code])).unwrap_or_default();
            let Some(place) = room.get_mut(length..length + word.len()) else {
                break;
            };
            place.copy_from_slice(word);
            length += word.len();
            self.codes = rest;
        }
        length
    }
}
