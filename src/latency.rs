//! How long things took: counts of durations in classes that grow with them, 8 to each doubling.
//!
//! It refuses to keep single durations and to take memory: a percentile is the upper end of its class, at most 12.5 %
//! above what it was.

/// Classes per doubling, as a power of two.
const FINE: u32 = 3;
/// Durations of 2^32 us (71 minutes) and more are in the last class.
const LONGEST: u32 = 32;
/// The durations below 2^`FINE` have a class each.
const CLASSES: usize = ((LONGEST - FINE + 1) << FINE) as usize;

/// Counts of durations in microseconds.
#[derive(Clone, Debug)]
pub struct Histogram {
    classes: [u32; CLASSES],
    count: u64,
    sum: u64,
    max: u64,
}

/// How long a conversation's calls and requests took.
#[derive(Clone, Debug, Default)]
pub struct Latency {
    /// From before our calls were written until their replies were read.
    pub calls: Histogram,
    /// From when requests were read until they were answered.
    pub handlers: Histogram,
}

/// What a histogram says, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many there were.
    pub count: u64,
    /// Their mean.
    pub mean: u64,
    /// Half of them took no longer.
    pub p50: u64,
    /// Nine of ten.
    pub p90: u64,
    /// 99 of 100.
    pub p99: u64,
    /// 999 of 1000.
    pub p999: u64,
    /// The longest, exactly.
    pub max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            classes: [0; CLASSES],
            count: 0,
            sum: 0,
            max: 0,
        }
    }
}

/// The class of a duration.
fn class(us: u64) -> usize {
    let us = us.min((1 << LONGEST) - 1);
    if us < 1 << FINE {
        return us as usize; // OK because it is below 8
    }
    let power = u64::BITS - 1 - us.leading_zeros(); // OK because `us` is not 0
    let within = (us >> (power - FINE)) & ((1 << FINE) - 1);
    (((power - FINE + 1) << FINE) as usize) + within as usize // OK because both are small
}

/// The longest duration of a class.
fn upper_end(class: usize) -> u64 {
    if class < 1 << FINE {
        return class as u64;
    }
    let power = (class >> FINE) as u32 + FINE - 1; // OK because there are few classes
    let within = (class & ((1 << FINE) - 1)) as u64;
    (1 << power) + ((within + 1) << (power - FINE)) - 1
}

impl Histogram {
    /// Count a duration in microseconds; a negative one (the clock is monotonic, so there is none) counts as 0.
    pub fn add(&mut self, us: i64) {
        let us = u64::try_from(us).unwrap_or(0);
        let place = &mut self.classes[class(us)]; // OK because `class` stays below CLASSES
        *place = place.saturating_add(1);
        self.count += 1;
        self.sum = self.sum.saturating_add(us);
        self.max = self.max.max(us);
    }

    /// What has been counted so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        if self.count == 0 {
            return Summary::default();
        }
        let percentile = |thousandths: u64| {
            let rank = (self.count * thousandths).div_ceil(1000);
            let mut seen = 0;
            for (class, count) in self.classes.iter().enumerate() {
                seen += u64::from(*count);
                if seen >= rank {
                    return upper_end(class).min(self.max);
                }
            }
            self.max
        };
        Summary {
            count: self.count,
            mean: self.sum / self.count,
            p50: percentile(500),
            p90: percentile(900),
            p99: percentile(990),
            p999: percentile(999),
            max: self.max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_is_in_a_class_that_ends_at_most_an_eighth_above_it() {
        let mut last = 0;
        for power in 0..LONGEST {
            for us in [(1u64 << power) - 1, 1 << power, (1 << power) + (1 << power) / 3] {
                let class = class(us);
                assert!(class < CLASSES && class >= last, "{us}");
                last = class;
                let end = upper_end(class);
                assert!(us <= end && end - us <= us / 8, "{us} {end}");
            }
        }
        assert_eq!(class(u64::MAX), CLASSES - 1);
    }

    #[test]
    fn a_histogram_without_durations_says_nothing() {
        assert_eq!(Histogram::default().summary(), Summary::default());
    }

    #[test]
    fn percentiles_of_a_thousand_durations_are_where_they_should_be() {
        let mut histogram = Histogram::default();
        for us in 1..=1000 {
            histogram.add(us);
        }
        let Summary {
            count,
            mean,
            p50,
            p90,
            p99,
            p999,
            max,
        } = histogram.summary();
        assert_eq!((count, mean, max), (1000, 500, 1000));
        for (found, exact) in [(p50, 500), (p90, 900), (p99, 990), (p999, 999)] {
            assert!(found >= exact && found <= exact + exact / 8, "{found} {exact}");
        }
    }

    #[test]
    fn a_percentile_is_never_above_the_longest() {
        let mut histogram = Histogram::default();
        histogram.add(1025);
        histogram.add(-5);
        assert_eq!(histogram.summary().p999, 1025);
        assert_eq!(histogram.summary().p50, 0);
    }
}
