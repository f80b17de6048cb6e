//! Floats with an integral value as integers.

use super::*;
use crate::codec::Integers;

impl Tape {
    /// Make integers of the floats from index `at` on that have an integral value within `integers`; -0.0, whose sign
    /// no integer keeps, stays. It refuses nothing and moves nothing: both kinds take two words.
    pub fn make_integral(&mut self, mut at: usize, integers: Integers) {
        // 2^63: every float of this magnitude or above is beyond an i64, but for i64::MIN, which stays a float.
        const BEYOND: f64 = 9_223_372_036_854_775_808.0;
        while at < self.words.len() {
            let (node, next) = self.node(at);
            if let Node::Float(value) = node {
                if value.fract() == 0.0 && value.abs() < BEYOND && value.to_bits() != (-0.0f64).to_bits() {
                    let integer = value as i64; // OK because it is integral and within the range
                    if integers.holds(integer) {
                        self.words[at] = INT << KIND_SHIFT;
                        self.words[at + 1] = integer as u64; // OK because read() takes the same bits back
                    }
                }
            }
            at = next;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn after(value: f64, integers: Integers) -> Node {
        let mut tape = Tape::new();
        tape.null().unwrap();
        tape.float(value).unwrap();
        tape.make_integral(0, integers);
        tape.node(1).0
    }

    #[test]
    fn only_floats_that_an_integer_holds_exactly_become_one() {
        assert_eq!(after(3.0, Integers::I64), Node::Int(3));
        assert_eq!(after(-1e18, Integers::I64), Node::Int(-1_000_000_000_000_000_000));
        assert_eq!(after(-1e18, Integers::Double), Node::Float(-1e18));
        for same in [0.5, 1e19, 9_223_372_036_854_775_808.0, f64::INFINITY] {
            assert_eq!(after(same, Integers::I64), Node::Float(same));
        }
        assert!(matches!(after(-0.0, Integers::I64), Node::Float(zero) if zero.is_sign_negative()));
        assert!(matches!(after(f64::NAN, Integers::I64), Node::Float(nan) if nan.is_nan()));
    }
}
