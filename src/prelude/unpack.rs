//! The way back from what `pack.rs` made: the texts of the prelude, each on its first use.
//!
//! It reads what was packed with the library and refuses nothing else: damaged data gives a shorter or another text.

use std::collections::TryReserveError;

/// The text that `packed` stands for; `words` and `ends` as they were packed.
///
/// # Errors
/// If memory has run out.
pub fn unpack(packed: &[u8], words: &[u8], ends: &[u16; 256]) -> Result<Vec<u8>, TryReserveError> {
    let mut text = Vec::new();
    if let [low, high, codes @ ..] = packed {
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        text.try_reserve_exact(length)?;
        for &code in codes {
            let code = usize::from(code);
            let start = code.checked_sub(1).map_or(0, |before| usize::from(ends[before]));
            let word = words.get(start..usize::from(ends[code])).unwrap_or_default();
            if word.len() > length - text.len() {
                break;
            }
            text.extend_from_slice(word);
        }
    }
    Ok(text)
}
