//! rand's traits for the generator, so that distributions and shuffles of other crates can draw from it.
//!
//! What rand makes of the words is rand's affair: only [`QRandomGenerator`]'s own methods give Qt's numbers.

use super::QRandomGenerator;
use rand_core::{impls, RngCore, SeedableRng};

impl RngCore for QRandomGenerator {
    #[inline]
    fn next_u32(&mut self) -> u32 {
        self.generate()
    }

    #[inline]
    fn next_u64(&mut self) -> u64 {
        self.generate64()
    }

    /// The words as little-endian bytes; a last partial word is cut.
    fn fill_bytes(&mut self, place: &mut [u8]) {
        impls::fill_bytes_via_next(self, place);
    }
}

impl SeedableRng for QRandomGenerator {
    /// Eight little-endian words of a seed sequence.
    type Seed = [u8; 32];

    fn from_seed(seed: Self::Seed) -> Self {
        let mut words = [0; 8];
        for (word, bytes) in words.iter_mut().zip(seed.chunks_exact(4)) {
            *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            // OK because chunks have 4 bytes
        }
        Self::from_words(&words)
    }

    /// Below 2^32: Qt's one-number seed; else the sequence of the low and the high half.
    fn seed_from_u64(seed: u64) -> Self {
        let (low, high) = (seed as u32, (seed >> 32) as u32); // OK because it splits the number in halves
        if high == 0 {
            Self::new(low)
        } else {
            Self::from_words(&[low, high])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_traits_draw_the_generators_words() {
        let mut rng = QRandomGenerator::seed_from_u64(42);
        let mut qt = QRandomGenerator::new(42);
        assert_eq!(rng.next_u32(), qt.generate());
        assert_eq!(rng.next_u64(), qt.generate64());
        let mut bytes = [0; 14];
        rng.fill_bytes(&mut bytes);
        let mut expected = Vec::new();
        for _ in 0..4 {
            expected.extend(qt.generate().to_le_bytes());
        }
        assert_eq!(bytes[..], expected[..14]);
    }

    #[test]
    fn seeds_of_rand_are_sequences_of_words() {
        assert_eq!(
            QRandomGenerator::seed_from_u64(1 << 32),
            QRandomGenerator::from_words(&[0, 1])
        );
        let mut seed = [0; 32];
        seed[0] = 1;
        seed[31] = 2;
        let words = [1, 0, 0, 0, 0, 0, 0, 2 << 24];
        assert_eq!(QRandomGenerator::from_seed(seed), QRandomGenerator::from_words(&words));
    }

    #[test]
    fn two_seeds_of_the_system_differ() {
        let one = QRandomGenerator::try_from_os_rng().map_err(|error| error.to_string());
        let other = QRandomGenerator::try_from_os_rng().map_err(|error| error.to_string());
        assert!(one.is_ok() && one != other);
    }
}
