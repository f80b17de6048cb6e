//! Numbers of a range, by Qt's formulas (`qrandom.h`, Qt 5.15 to 6.12); upper ends are exclusive throughout.
//!
//! Where Qt aborts (`Q_ASSERT`), loops for ever or shifts by too much, these return a [`RangeError`] and draw nothing.
//!
//! The 32-bit forms take one word each, always, and are slightly biased; the 64-bit forms draw until a number fits.

use super::QRandomGenerator;
use std::fmt;

/// Why there is no number to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeError {
    /// The upper end does not lie above the lower.
    Empty,
    /// The width does not fit the type's positive numbers.
    TooWide,
}

impl fmt::Display for RangeError {
    /// In the words that Lua's `math.random` has for them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "interval is empty",
            Self::TooWide => "interval too large",
        })
    }
}

impl std::error::Error for RangeError {}

impl QRandomGenerator {
    /// `bounded(quint32)`: below `end`; 0 for 0.
    #[inline]
    pub fn bounded_u32(&mut self, end: u32) -> u32 {
        let product = u64::from(self.generate()) * u64::from(end);
        (product >> 32) as u32 // OK because the shift leaves 32 bits
    }

    /// `bounded(quint32, quint32)`; where `end` is below `start` the width wraps, as in Qt.
    #[inline]
    pub fn bounded_u32_range(&mut self, start: u32, end: u32) -> u32 {
        self.bounded_u32(end.wrapping_sub(start)).wrapping_add(start)
    }

    /// `bounded(int)`: 0 to `end - 1`.
    ///
    /// # Errors
    /// [`RangeError::Empty`] where `end` is not positive.
    #[inline]
    pub fn bounded_i32(&mut self, end: i32) -> Result<i32, RangeError> {
        self.bounded_i32_range(0, end)
    }

    /// `bounded(int, int)`: `start` to `end - 1`.
    ///
    /// # Errors
    /// [`RangeError::Empty`], or [`RangeError::TooWide`] where the width is above 2^31 - 1.
    #[inline]
    pub fn bounded_i32_range(&mut self, start: i32, end: i32) -> Result<i32, RangeError> {
        self.bounded_width(start, i64::from(end) - i64::from(start))
    }

    /// `start` to `start + width - 1`, modulo 2^32: a range whose end is 2^31 has an `int` width, too.
    #[inline]
    pub(super) fn bounded_width(&mut self, start: i32, width: i64) -> Result<i32, RangeError> {
        match i32::try_from(width) {
            Ok(1..) => Ok(start.wrapping_add(self.bounded_u32(width as u32) as i32)), // OK because width < 2^31
            Ok(_) => Err(RangeError::Empty),
            Err(_) if width < 0 => Err(RangeError::Empty),
            Err(_) => Err(RangeError::TooWide),
        }
    }

    /// `bounded(quint64)`: below `end`, two words for each try.
    ///
    /// # Errors
    /// [`RangeError::Empty`] for 0, where Qt loops for ever; [`RangeError::TooWide`] above 2^63, where Qt's shift is
    /// undefined.
    pub fn bounded_u64(&mut self, end: u64) -> Result<u64, RangeError> {
        if end == 0 {
            return Err(RangeError::Empty);
        }
        if end > 1 << 63 {
            return Err(RangeError::TooWide);
        }
        let mask = u64::MAX.checked_shr((end - 1).leading_zeros()).unwrap_or(0);
        loop {
            let number = self.generate64() & mask;
            if number < end {
                return Ok(number);
            }
        }
    }

    /// `bounded(quint64, quint64)`, `bounded(quint32, quint64)`, `bounded(quint64, quint32)`: `start` to `end - 1`.
    ///
    /// # Errors
    /// [`RangeError::Empty`], or [`RangeError::TooWide`] where the width is above 2^63.
    pub fn bounded_u64_range(&mut self, start: u64, end: u64) -> Result<u64, RangeError> {
        let width = end.checked_sub(start).ok_or(RangeError::Empty)?;
        Ok(self.bounded_u64(width)?.wrapping_add(start))
    }

    /// `bounded(qint64)`: 0 to `end - 1`.
    ///
    /// # Errors
    /// [`RangeError::Empty`] where `end` is not positive.
    pub fn bounded_i64(&mut self, end: i64) -> Result<i64, RangeError> {
        self.bounded_i64_range(0, end)
    }

    /// `bounded(qint64, qint64)`, `bounded(int, qint64)`, `bounded(qint64, int)`: `start` to `end - 1`.
    ///
    /// # Errors
    /// [`RangeError::Empty`], or [`RangeError::TooWide`] where the width is above 2^63 - 1.
    pub fn bounded_i64_range(&mut self, start: i64, end: i64) -> Result<i64, RangeError> {
        if end <= start {
            return Err(RangeError::Empty);
        }
        let width = end.checked_sub(start).ok_or(RangeError::TooWide)?;
        let number = self.bounded_u64(width as u64)?; // OK because it is positive
        Ok(start.wrapping_add(number as i64)) // OK because the number is below the width
    }

    /// `bounded(double)`: [`Self::generate_double`] times `end`, whatever that is: negative, infinite and NaN go in.
    pub fn bounded_f64(&mut self, end: f64) -> f64 {
        self.generate_double() * end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_range_draws_nothing() {
        let mut generator = QRandomGenerator::new(42);
        for (start, end, error) in [
            (4, 4, RangeError::Empty),
            (4, 3, RangeError::Empty),
            (i32::MAX, i32::MIN, RangeError::Empty),
            (-1, i32::MAX, RangeError::TooWide),
            (i32::MIN, i32::MAX, RangeError::TooWide),
        ] {
            assert_eq!(generator.bounded_i32_range(start, end), Err(error), "{start} {end}");
        }
        for (start, end, error) in [
            (4, 4, RangeError::Empty),
            (i64::MAX, i64::MIN, RangeError::Empty),
            (-1, i64::MAX, RangeError::TooWide),
        ] {
            assert_eq!(generator.bounded_i64_range(start, end), Err(error), "{start} {end}");
        }
        assert_eq!(generator.bounded_u64(0), Err(RangeError::Empty));
        assert_eq!(generator.bounded_u64((1 << 63) + 1), Err(RangeError::TooWide));
        assert_eq!(generator.bounded_u64_range(5, 4), Err(RangeError::Empty));
        assert_eq!(generator, QRandomGenerator::new(42));
    }

    #[test]
    fn the_widest_ranges_are_drawn_from() {
        let mut generator = QRandomGenerator::new(42);
        assert!(generator.bounded_i32_range(0, i32::MAX).is_ok());
        assert!(generator.bounded_i32_range(i32::MIN, -1).is_ok());
        assert!(generator.bounded_i64_range(i64::MIN, -1).is_ok());
        assert!(generator.bounded_u64(1 << 63).is_ok());
    }
}
