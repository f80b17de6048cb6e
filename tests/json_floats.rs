//! Hard floats, bit for bit: ties and their neighbours in exact decimals, subnormals, powers, long and extreme texts.
//!
//! Ties are made from the double they must be read as, with integer arithmetic alone, so that no other parser has a say
//! in them. The rest is compared with the standard library's `str::parse::<f64>`.
#![allow(missing_docs, clippy::unwrap_used)]

mod cbor_support;
mod differential;

use differential::random::Random;
use fkrpc::codec::json::{scan, writer, ScanOptions};
use fkrpc::codec::tape::{Node, Tape};
use fkrpc::codec::ErrorKind;

/// Texts read so far; every one of them was compared.
#[derive(Default)]
struct Floats {
    tape: Tape,
    count: usize,
}

impl Floats {
    /// `text` is read as the double with these bits, as infinity only where that is refused; and so is its negation.
    fn read_as(&mut self, text: &str, bits: u64) {
        for (text, bits) in [(text, bits), (&format!("-{text}"), bits | 1 << 63)] {
            self.tape.reset();
            let result = scan(text.as_bytes(), &mut self.tape, &ScanOptions::default());
            if f64::from_bits(bits).is_infinite() {
                assert_eq!(
                    result.map_err(|error| error.kind),
                    Err(ErrorKind::NumberOutOfRange),
                    "{text}"
                );
            } else {
                assert_eq!(result, Ok(()), "{text}");
                match self.tape.node(0).0 {
                    Node::Float(value) => assert_eq!(value.to_bits(), bits, "{text} is read as {value:e}"),
                    node => panic!("{text} is {node:?}"),
                }
            }
            self.count += 1;
        }
    }

    /// `text`, which has a fraction or an exponent, is read as the standard library reads it.
    fn read_as_std_does(&mut self, text: &str) {
        self.read_as(text, text.parse::<f64>().unwrap().to_bits());
    }
}

/// A decimal: its digits without leading zeros, and how many of them stand behind the point.
struct Decimal {
    digits: String,
    fraction: usize,
}

/// `value * 2^exponent`, exactly.
fn decimal(value: u64, exponent: i32) -> Decimal {
    const LIMB: u64 = 1_000_000_000;
    let mut limbs = vec![value % LIMB, value / LIMB % LIMB, value / LIMB / LIMB];
    // value / 2^n = value * 5^n / 10^n
    let (factor, mut left) = (if exponent < 0 { 5 } else { 2u64 }, exponent.unsigned_abs());
    while left > 0 {
        let power = left.min(12);
        let mut carry = 0;
        for limb in &mut limbs {
            carry += *limb * factor.pow(power);
            *limb = carry % LIMB;
            carry /= LIMB;
        }
        if carry > 0 {
            limbs.push(carry);
        }
        left -= power;
    }
    let mut digits: String = limbs.iter().rev().map(|limb| format!("{limb:09}")).collect();
    digits.drain(..digits.len() - digits.trim_start_matches('0').len());
    Decimal {
        digits,
        fraction: usize::try_from(-exponent).unwrap_or(0),
    }
}

impl Decimal {
    /// A little more: another digit.
    fn above(&self) -> Decimal {
        Decimal {
            digits: format!("{}1", self.digits),
            fraction: self.fraction + 1,
        }
    }

    /// A little less, by a tenth of its last digit.
    fn below(&self) -> Decimal {
        let kept = self.digits.trim_end_matches('0');
        let mut digits = kept.as_bytes().to_vec();
        *digits.last_mut().unwrap() -= 1;
        digits.resize(self.digits.len() + 1, b'9');
        Decimal {
            digits: String::from_utf8(digits).unwrap(),
            fraction: self.fraction + 1,
        }
    }

    /// The ways to write it.
    fn texts(&self) -> [String; 3] {
        let fraction = self.fraction;
        let digits = self.digits.trim_start_matches('0');
        let padded = format!("{digits:0>width$}", width = fraction + 1);
        let (whole, part) = padded.split_at(padded.len() - fraction);
        let (first, rest) = digits.split_at(1);
        let power = rest.len() as i64 - fraction as i64;
        [
            format!("{digits}e-{fraction}"),
            format!("{whole}.{part}0"),
            format!("{first}.{rest}0E{power:+}"),
        ]
    }
}

/// The tie between the double with these bits and the next.
fn tie(bits: u64) -> Decimal {
    let (field, fraction) = ((bits >> 52) as i32, bits & ((1 << 52) - 1));
    let (significand, exponent) = match field {
        0 => (fraction, -1074),
        _ => (1 << 52 | fraction, field - 1075),
    };
    decimal(2 * significand + 1, exponent - 1)
}

fn read_tie(floats: &mut Floats, bits: u64) {
    let tie = tie(bits);
    for text in tie.texts() {
        floats.read_as(&text, bits + (bits & 1));
    }
    for text in tie.above().texts() {
        floats.read_as(&text, bits + 1);
    }
    for text in tie.below().texts() {
        floats.read_as(&text, bits);
    }
}

#[test]
fn ties_go_to_the_even_double_and_their_neighbours_to_the_nearest() {
    let mut floats = Floats::default();
    let largest = f64::MAX.to_bits();
    for bits in (0..64).chain(largest - 64..=largest) {
        read_tie(&mut floats, bits);
    }
    // Around every power of two, where the distance between doubles changes.
    for field in (1..0x7ff).step_by(7) {
        for bits in [(field << 52) - 1, field << 52, field << 52 | 1] {
            read_tie(&mut floats, bits);
        }
    }
    let mut random = Random::new(17);
    for _ in 0..1500 {
        read_tie(&mut floats, random.double().abs().to_bits());
        // Not far from 1, where most numbers of documents are; and subnormal.
        read_tie(
            &mut floats,
            (random.bits() & ((1 << 52) - 1)) | (1023 - 60 + random.below(120) as u64) << 52,
        );
        read_tie(&mut floats, random.bits() >> (12 + random.below(52)));
    }
    assert!(floats.count > 90_000, "{}", floats.count);
}

#[test]
fn doubles_in_all_their_digits_are_themselves() {
    let mut floats = Floats::default();
    let mut random = Random::new(18);
    for field in 0..0x7ff {
        let bits = field << 52 | (random.bits() & ((1 << 52) - 1));
        for bits in [field << 52, bits, field << 52 | ((1 << 52) - 1)] {
            if bits > 0 {
                let (significand, exponent) = match field {
                    0 => (bits, -1074),
                    _ => (1 << 52 | (bits & ((1 << 52) - 1)), field as i32 - 1075),
                };
                for text in decimal(significand, exponent).texts() {
                    floats.read_as(&text, bits);
                }
            }
        }
    }
    assert!(floats.count > 36_000, "{}", floats.count);
}

#[test]
fn long_and_extreme_texts_are_read_as_the_standard_library_reads_them() {
    let mut floats = Floats::default();
    for exponent in -400..400 {
        for digits in [
            "1",
            "9",
            "1.5",
            "4.9",
            "17976931348623157",
            "9007199254740993",
            "0.1",
            "0.0",
        ] {
            floats.read_as_std_does(&format!("{digits}e{exponent}"));
            floats.read_as_std_does(&format!("{digits}E{exponent:+}"));
        }
    }
    let mut random = Random::new(19);
    for _ in 0..12_000 {
        let most = if random.once_in(20) { 800 } else { 40 };
        let length = 1 + random.below(most);
        let mut digits: String = (0..length).map(|_| char::from(b'0' + random.below(10) as u8)).collect();
        digits.insert(0, char::from(b'1' + random.below(9) as u8));
        let exponent = random.below(700) as i64 - 350;
        floats.read_as_std_does(&format!("{digits}e{exponent}"));
        floats.read_as_std_does(&format!("{}.{digits}", random.below(1000)));
        floats.read_as_std_does(&format!("0.{}{digits}", "0".repeat(random.below(330))));
        floats.read_as_std_does(&format!("{digits}.{}e-{length}", random.below(100_000)));
    }
    assert!(floats.count > 100_000, "{}", floats.count);
}

#[test]
fn what_is_written_is_the_shortest_text_that_reads_back() {
    let mut floats = Floats::default();
    let mut random = Random::new(20);
    let mut text = Vec::new();
    let mut check = |value: f64| {
        let value = value.abs();
        text.clear();
        writer::write_float(&mut text, value).unwrap();
        let text = std::str::from_utf8(&text).unwrap();
        floats.read_as(text, value.to_bits());
        assert_eq!(significant(text), significant(&format!("{value:e}")), "{text}");
    };
    for field in 0..0x7ff_u64 {
        for low in [0, 1, (1 << 52) - 1] {
            check(f64::from_bits(field << 52 | low));
        }
    }
    for exponent in -324..=308 {
        check(format!("1e{exponent}").parse().unwrap());
    }
    for _ in 0..40_000 {
        check(random.double());
        check(random.integer() as f64 / 1000.0);
    }
    assert!(floats.count > 150_000, "{}", floats.count);
}

/// How many digits of a number are none of its zeros at either end. The digits themselves may differ from another
/// writer's where two texts of that length are equally near, as for 2^-25.
fn significant(text: &str) -> usize {
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').len()
}
