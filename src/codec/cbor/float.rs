//! Half-precision floats (IEEE 754 binary16), which Rust 1.85 has no type for.
//!
//! Nothing here rounds: a half widens exactly, and a number that is no half stays what it was.

/// The value of a half, its NaN payload kept in the upper bits (RFC 8949, appendix D).
pub(super) fn from_half(half: u16) -> f64 {
    let sign = u64::from(half >> 15) << 63;
    let exponent = half >> 10 & 0x1f;
    let mantissa = u64::from(half & 0x3ff);
    let magnitude = match exponent {
        0 => (mantissa as f64 * SMALLEST).to_bits(), // OK because ten bits fit in a double
        31 => 0x7ff << 52 | mantissa << 42,
        _ => u64::from(exponent + 1023 - 15) << 52 | mantissa << 42,
    };
    f64::from_bits(sign | magnitude)
}

/// 2^-24, the smallest half above zero.
const SMALLEST: f64 = 1.0 / 16_777_216.0;

/// The half with the value of `single`, if there is one; NaN has none here.
pub(super) fn to_half(single: f32) -> Option<u16> {
    let bits = single.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000; // OK because the mask keeps one bit of the lower sixteen
    let exponent = (bits >> 23 & 0xff) as i32 - 127; // OK because eight bits fit
    let mantissa = bits & 0x7f_ffff;
    let magnitude = match exponent {
        -127 if mantissa == 0 => 0,
        128 if mantissa == 0 => 0x7c00,
        -14..=15 => {
            let exponent = (exponent + 15) as u32; // OK because it is 1..=30
            exact(exponent << 23 | mantissa, 13)?
        }
        -24..=-15 => {
            let shift = (-1 - exponent) as u32; // OK because it is 14..=23
            exact(1 << 23 | mantissa, shift)?
        }
        _ => return None,
    };
    Some(sign | magnitude)
}

/// `bits` without its lowest `shift` bits if those are zero.
fn exact(bits: u32, shift: u32) -> Option<u16> {
    if bits.trailing_zeros() >= shift {
        u16::try_from(bits >> shift).ok()
    } else {
        None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_half_but_nan_survives_the_way_through_a_single() {
        for half in 0..=u16::MAX {
            let value = from_half(half);
            if half & 0x7fff > 0x7c00 {
                assert!(value.is_nan(), "{half:#06x}");
                assert_eq!(to_half(value as f32), None);
            } else {
                assert_eq!(f64::from(value as f32).to_bits(), value.to_bits(), "{half:#06x}");
                assert_eq!(to_half(value as f32), Some(half));
            }
        }
    }

    #[test]
    fn a_single_between_two_halves_is_no_half() {
        for half in 0..0x7c00 {
            let low = from_half(half);
            let between = (low + from_half(half + 1).min(65536.0)) / 2.0;
            assert_eq!(to_half(between as f32), None, "{between}");
        }
        for outside in [65520.0, 65536.0, f32::MAX, f32::MIN_POSITIVE, 1e-8, f32::from_bits(1)] {
            assert_eq!(to_half(outside), None, "{outside}");
        }
    }
}
