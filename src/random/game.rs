//! `random(low, high)` of the FreeKill server's Lua module `freekill-qrandomgen`, and the game's shuffle.
//!
//! Here an upper end is inclusive and a negative one counts as absent: quirks that games depend on, kept as they are.
//! A range that makes the module abort the process is a [`RangeError`].

use super::{QRandomGenerator, RangeError};

/// What a draw yields.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Draw {
    /// An integer of the range.
    Integer(i32),
    /// k / 10^8 with k from 0 to 10^8, both inclusive.
    Float(f64),
}

/// What stands for an absent argument.
pub const ABSENT: i32 = -1;

impl QRandomGenerator {
    /// One word for each of: a number of 0.0 to 1.0 inclusive (`high` negative, `low` below 1), an integer of 1 to
    /// `low` (`high` negative), an integer of `low` to `high`.
    ///
    /// # Errors
    /// Where `high` is not negative and below `low`, or the range has more than 2^31 - 1 numbers.
    #[inline]
    pub fn random(&mut self, low: i32, high: i32) -> Result<Draw, RangeError> {
        if high >= 0 {
            let width = i64::from(high) - i64::from(low) + 1;
            self.bounded_width(low, width).map(Draw::Integer)
        } else if low >= 1 {
            // The module's end wraps for 2^31 - 1, and the width comes out right all the same.
            self.bounded_width(1, i64::from(low)).map(Draw::Integer)
        } else {
            Ok(Draw::Float(f64::from(self.bounded_u32(100_000_001)) / 1e8))
        }
    }

    /// The 1-based place that the element at `place` is exchanged with in the game's `table.shuffle` of `count`
    /// elements, which asks for the places from the last one down to the second.
    ///
    /// Of two elements the second goes to the first place where `random()` is below 0.5; of more it goes to
    /// `random(place)`, which may be its own: a Fisher-Yates shuffle.
    #[inline]
    pub fn exchange(&mut self, count: u32, place: u32) -> u32 {
        if count == 2 {
            // k / 10^8 < 0.5, for whole k
            return if self.bounded_u32(100_000_001) < 50_000_000 {
                1
            } else {
                2
            };
        }
        1 + self.bounded_u32(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_number_can_be_exactly_one_and_exactly_zero() {
        let mut generator = QRandomGenerator::new(10065);
        generator.discard(2183);
        assert_eq!(generator.random(ABSENT, ABSENT), Ok(Draw::Float(1.0)));
        let mut generator = QRandomGenerator::new(38245);
        generator.discard(291);
        assert_eq!(generator.random(ABSENT, ABSENT), Ok(Draw::Float(0.0)));
    }

    #[test]
    fn a_range_that_aborts_the_module_is_refused_and_draws_nothing() {
        let mut generator = QRandomGenerator::new(42);
        for (low, high, error) in [
            (5, 3, RangeError::Empty),
            (1, 0, RangeError::Empty),
            (0, i32::MAX, RangeError::TooWide),
            (i32::MIN, 0, RangeError::TooWide),
            (i32::MIN, i32::MAX, RangeError::TooWide),
        ] {
            assert_eq!(generator.random(low, high), Err(error), "{low} {high}");
        }
        assert_eq!(generator, QRandomGenerator::new(42));
        assert!(generator.random(1, i32::MAX).is_ok());
        assert!(generator.random(i32::MAX, ABSENT).is_ok());
    }

    #[test]
    fn the_shuffle_draws_what_the_game_draws() {
        let mut shuffle = QRandomGenerator::new(7);
        let mut game = shuffle.clone();
        for place in (2..=52).rev() {
            let wanted = game.random(i32::try_from(place).unwrap_or(0), ABSENT);
            assert_eq!(
                wanted,
                Ok(Draw::Integer(i32::try_from(shuffle.exchange(52, place)).unwrap_or(0)))
            );
        }
        for _ in 0..1000 {
            let swap = matches!(game.random(ABSENT, ABSENT), Ok(Draw::Float(number)) if number < 0.5);
            assert_eq!(swap, shuffle.exchange(2, 2) == 1);
        }
    }
}
