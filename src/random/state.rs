//! A generator's state as text: what `state()` yields and `restore` reads.
//!
//! It is ASCII, so that it passes through JSON and files as it is, and begins with its version; everything that
//! [`QRandomGenerator::from_text`] does not know whole is refused. There is no other promise about its contents.

use super::{seed, QRandomGenerator, WORDS};

/// The version and its end mark.
const PREFIX: &[u8] = b"qrandom1:";
/// Hex digits of the place in the block.
const PLACE_DIGITS: usize = 3;
/// How long the text is, always.
pub const TEXT_LENGTH: usize = PREFIX.len() + PLACE_DIGITS + WORDS * 8;

/// Write the low digits of `number`, highest first.
fn write_hex(place: &mut [u8], number: u32) {
    for (shift, digit) in (0..).step_by(4).zip(place.iter_mut().rev()) {
        *digit = b"0123456789abcdef"[(number >> shift & 15) as usize]; // OK because it is below 16
    }
}

/// The number that at most 8 lowercase hex digits spell.
fn read_hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, &digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u32::from(value))
    })
}

impl QRandomGenerator {
    /// The state as text.
    pub fn write_text(&self, place: &mut [u8; TEXT_LENGTH]) {
        let (prefix, rest) = place.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(PREFIX);
        let (used, digits) = rest.split_at_mut(PLACE_DIGITS);
        write_hex(used, self.used as u32); // OK because it is at most WORDS
        for (digits, &word) in digits.chunks_exact_mut(8).zip(&self.words) {
            write_hex(digits, word);
        }
    }

    /// The generator whose state the text is; `None` if it is not exactly such a text.
    #[must_use]
    pub fn from_text(text: &[u8]) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        if text.len() != TEXT_LENGTH {
            return None;
        }
        let (used, digits) = rest.split_at_checked(PLACE_DIGITS)?;
        let used = usize::try_from(read_hex(used)?).ok()?;
        let mut words = [0; WORDS];
        for (digits, word) in digits.chunks_exact(8).zip(&mut words) {
            *word = read_hex(digits)?;
        }
        (used <= WORDS && !seed::is_degenerate(&words)).then_some(Self { words, used })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_after(draws: u64) -> [u8; TEXT_LENGTH] {
        let mut generator = QRandomGenerator::new(42);
        generator.discard(draws);
        let mut text = [0; TEXT_LENGTH];
        generator.write_text(&mut text);
        text
    }

    #[test]
    fn a_state_comes_back_at_every_place_in_the_block() {
        for draws in 0..1300 {
            let mut generator = QRandomGenerator::new(42);
            generator.discard(draws);
            assert_eq!(
                QRandomGenerator::from_text(&text_after(draws)),
                Some(generator),
                "after {draws}"
            );
        }
    }

    #[test]
    fn what_is_no_state_is_refused() {
        let text = text_after(3);
        assert_eq!(QRandomGenerator::from_text(b""), None);
        for len in 0..text.len() {
            assert_eq!(QRandomGenerator::from_text(&text[..len]), None, "{len} bytes");
        }
        assert_eq!(QRandomGenerator::from_text(&[&text[..], b"0"].concat()), None);
        for (place, byte) in [(0, b'Q'), (7, b'2'), (8, b' '), (20, b'g'), (20, b'A'), (9, b'f')] {
            let mut wrong = text;
            wrong[place] = byte;
            assert_eq!(QRandomGenerator::from_text(&wrong), None, "{} at {place}", byte as char);
        }
    }

    #[test]
    fn a_state_that_yields_zeros_for_ever_is_refused() {
        let mut text = text_after(3);
        text[PREFIX.len() + PLACE_DIGITS..].fill(b'0');
        assert_eq!(QRandomGenerator::from_text(&text), None);
    }
}
