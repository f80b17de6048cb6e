//! The nearest double to `value * 10^exponent`, for the numbers that documents are made of.
//!
//! Two ways, after W. Clinger ("How to read floating point numbers accurately", 1990) and D. Lemire ("Number parsing at
//! a gigabyte per second", 2021). It refuses to guess: where neither proves its result, the caller gets `None` and has
//! to take the long way.

/// Powers of ten that a double holds exactly.
const EXACT_TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// 5^55 is the last power of five below 2^128.
const LIMIT: usize = 55;

/// 5^n as `bits * 2^scale`, `bits` between 2^127 and 2^128 and rounded down.
#[derive(Clone, Copy)]
struct Power {
    bits: u128,
    scale: i32,
}

/// 5^-55 to 5^55. Those from 5^0 on are exact, the others less than one too small in the last bit.
const FIVES: [Power; 2 * LIMIT + 1] = {
    let mut table = [Power { bits: 0, scale: 0 }; 2 * LIMIT + 1];
    let mut five = 1u128;
    let mut n = 0;
    while n <= LIMIT {
        let zeros = five.leading_zeros();
        table[LIMIT + n] = Power {
            bits: five << zeros,
            scale: -(zeros as i32),
        };
        if n > 0 {
            // 2^scale / five: `five` lies between 2^(128 - zeros - 1) and 2^(128 - zeros) and is no power of two.
            let scale = 255 - zeros;
            table[LIMIT - n] = Power {
                bits: divide(scale, five),
                scale: -(scale as i32),
            };
        }
        if n < LIMIT {
            five *= 5;
        }
        n += 1;
    }
    table
};

/// 2^exponent / divisor, rounded down, by long division; it must be below 2^128.
const fn divide(exponent: u32, divisor: u128) -> u128 {
    let (mut quotient, mut rest) = (0u128, 1u128);
    let mut left = exponent;
    while left > 0 {
        let carry = rest >> 127 == 1;
        rest <<= 1;
        quotient <<= 1;
        if carry || rest >= divisor {
            rest = rest.wrapping_sub(divisor);
            quotient |= 1;
        }
        left -= 1;
    }
    quotient
}

/// The double nearest to `value * 10^exponent` (ties to even), or `None` where that takes longer to find out.
#[inline]
pub(super) fn nearest(value: u64, exponent: i64) -> Option<f64> {
    let tens = EXACT_TENS.get(exponent.unsigned_abs() as usize); // OK because what a 32-bit usize cuts off is None below
    match tens {
        // Both operands are exact, so IEEE 754 rounds the one operation correctly.
        Some(tens) if value <= 1 << 53 && exponent.unsigned_abs() < 23 => {
            let value = value as f64; // OK because it is at most 2^53
            Some(if exponent < 0 { value / tens } else { value * tens })
        }
        _ => by_product(value, exponent),
    }
}

/// The same by a 192-bit product with a power of five.
#[inline]
fn by_product(value: u64, exponent: i64) -> Option<f64> {
    const LAST: i64 = LIMIT as i64;
    if !(-LAST..=LAST).contains(&exponent) {
        return None;
    }
    if value == 0 {
        return Some(0.0);
    }
    let five = FIVES[(exponent + LAST) as usize]; // OK because it was just checked
    let zeros = value.leading_zeros();
    let value = u128::from(value << zeros);
    // The product's upper 128 bits, `top`: the exact product lies between top and top + 2 (the bits below top are
    // less than 1, and so is what the table's rounding took: less than `value` / 2^64).
    let low = value * (five.bits & u128::from(u64::MAX));
    let top = value * (five.bits >> 64) + (low >> 64);
    // 53 bits are kept. Both factors have their highest bit set, so top has its highest or its second highest.
    let drop = 75 - top.leading_zeros();
    let half = 1u128 << (drop - 1);
    let below = top & ((1 << drop) - 1);
    if below + 2 > half && below <= half {
        return None; // the exact product may be on either side of half way, or there
    }
    let kept = (top >> drop) as u64; // OK because 53 bits are left
    let scale = exponent as i32 + five.scale - zeros as i32 + 64 + drop as i32; // OK because all are small
                                                                                // The highest of the 53 bits is the one a double does not store: it adds one to the exponent field instead. So
                                                                                // does rounding up to the next power of two. 1e-55 and 2^64 * 1e55 are both far from a double's limits.
    let field = (scale + 52 + 1022) as u64;
    Some(f64::from_bits((field << 52) + kept + u64::from(below > half)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_is_what_the_standard_library_finds() {
        let mut found = 0;
        for exponent in -70..70 {
            for value in [
                0,
                1,
                3,
                7,
                1 << 53,
                (1 << 53) + 1,
                123_456_789,
                u64::MAX,
                u64::MAX - 1,
                1 << 63,
            ] {
                if let Some(double) = nearest(value, exponent) {
                    assert_eq!(format!("{value}e{exponent}").parse(), Ok(double));
                    found += 1;
                }
            }
        }
        assert!(found > 1000);
    }

    #[test]
    fn exponents_beyond_the_table_are_left_to_others() {
        for exponent in [-56, 56, i64::MIN, i64::MAX, 1 << 32, -(1 << 32)] {
            assert_eq!(nearest(7, exponent), None);
        }
    }

    #[test]
    fn a_tie_is_left_to_others() {
        assert_eq!(by_product((1 << 53) + 1, 0), None);
        assert_eq!(by_product((1 << 53) + 2, 0), Some(9_007_199_254_740_994.0));
    }
}
