//! Integers as decimal digits, eight at a time in one register.
//!
//! It refuses to know what a number is for: there is no sign but `-`, and no leading zero.
#![allow(unsafe_code)]

use std::collections::TryReserveError;

use super::make_room;

/// What eight digits are below.
const EIGHT: u64 = 100_000_000;
/// The most bytes that are written behind the length: a sign, four digits' word and two more words.
const ROOM: usize = 1 + 3 * 8;
/// Eight bytes `0`.
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The digits of `value`, which is below 10^8, one a byte and not yet text; the first one is the lowest byte.
///
/// Each step splits all its parts at once: two of four digits, four of two, eight of one. The divisions by 100 and 10
/// are multiplications by `2^20 / 100` and `2^10 / 10`, rounded up, exact for parts below 10^4 and 100.
#[inline(always)]
fn eight_digits(value: u64) -> u64 {
    let high = value / 10_000;
    let fours = high | (value - high * 10_000) << 32;
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = hundreds | (fours - hundreds * 100) << 16;
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | (twos - tens * 10) << 8
}

/// Append `value`, behind a `-` if `negative`.
///
/// # Errors
/// When memory for it cannot be had.
#[inline(always)]
pub fn append_integer(out: &mut Vec<u8>, negative: bool, value: u64) -> Result<(), TryReserveError> {
    make_room(out, ROOM)?;
    // SAFETY: there is room for a sign and three words behind the length. Each step writes one of them and moves on by
    // at most its eight bytes.
    unsafe {
        let start = out.as_mut_ptr().add(out.len());
        let mut to = start;
        if negative {
            to.write(b'-');
            to = to.add(1);
        }
        to = if value < EIGHT {
            put_first(to, value)
        } else {
            put_long(to, value)
        };
        let written = to.offset_from(start) as usize; // OK because `to` moved forwards
        out.set_len(out.len() + written);
    }
    Ok(())
}

/// Nine digits and more.
///
/// # Safety
/// 24 bytes from `to` on must be writable.
#[inline(never)]
unsafe fn put_long(mut to: *mut u8, value: u64) -> *mut u8 {
    // SAFETY: by contract: a word for the first digits and one for each further eight.
    unsafe {
        let (mut first, last) = (value / EIGHT, value % EIGHT);
        if first < EIGHT {
            to = put_first(to, first);
        } else {
            let middle = first % EIGHT;
            first /= EIGHT;
            to = put_first(to, first);
            to = put_all(to, middle);
        }
        put_all(to, last)
    }
}

/// Up to eight digits without leading zeros; returns the place after them.
///
/// # Safety
/// Eight bytes from `to` on must be writable; `value` is below 10^8.
#[inline(always)]
unsafe fn put_first(to: *mut u8, value: u64) -> *mut u8 {
    let digits = eight_digits(value);
    // Zero itself has one digit: its last byte counts as a digit whatever it is.
    let zeros = ((digits | 1 << 56).trailing_zeros() / 8) as usize; // OK because it is at most 7
                                                                    // SAFETY: by contract.
    unsafe {
        let text = (digits | ZEROS) >> (8 * zeros);
        to.cast::<u64>().write_unaligned(text.to_le());
        to.add(8 - zeros)
    }
}

/// Eight digits, zeros in front; returns the place after them.
///
/// # Safety
/// As [`put_first`].
#[inline(always)]
unsafe fn put_all(to: *mut u8, value: u64) -> *mut u8 {
    // SAFETY: by contract.
    unsafe {
        to.cast::<u64>().write_unaligned((eight_digits(value) | ZEROS).to_le());
        to.add(8)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn written(negative: bool, value: u64) -> String {
        let mut out = b"x".to_vec();
        append_integer(&mut out, negative, value).unwrap();
        String::from_utf8(out.split_off(1)).unwrap()
    }

    #[test]
    fn all_numbers_of_up_to_five_digits_are_written_as_the_standard_library_writes_them() {
        for value in 0..100_000 {
            assert_eq!(written(false, value), value.to_string());
        }
    }

    #[test]
    fn so_are_the_neighbours_of_every_power_of_ten_and_of_two_and_multiples_between() {
        let tens = (0..20).map(|n| 10u64.pow(n));
        let twos = (0..64).map(|n| 1u64 << n);
        for edge in tens.chain(twos) {
            for factor in [1, 3, 5, 7, 9] {
                let near = edge.saturating_mul(factor);
                for value in near.saturating_sub(2)..=near.saturating_add(2) {
                    assert_eq!(written(false, value), value.to_string());
                    assert_eq!(written(true, value), format!("-{value}"));
                }
            }
        }
        assert_eq!(written(false, u64::MAX), u64::MAX.to_string());
    }

    #[test]
    fn so_are_numbers_of_every_length_taken_at_random() {
        let mut state = 1u64;
        for _ in 0..200_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let value = state >> (state % 64);
            assert_eq!(written(false, value), value.to_string());
        }
    }
}
