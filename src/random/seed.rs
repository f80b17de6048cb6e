//! `std::seed_seq::generate` for 624 words: how a seed of any length becomes a state.
//!
//! The algorithm is C++'s `[rand.util.seedseq]`, paragraph 8, with n = 624 (so t = 11, p = 306, q = 317), and the rule
//! for a degenerate state of `[rand.eng.mers]`, paragraph 8. It is not MT19937's own `init_genrand` or
//! `init_by_array`: those give other states for the same seed.

use super::WORDS;

/// p of the standard.
const NEAR: usize = 306;
/// q of the standard: p + t.
const FAR: usize = 317;

/// `index` modulo [`WORDS`], where it is less than twice that.
#[inline]
const fn wrap(index: usize) -> usize {
    if index >= WORDS {
        index - WORDS
    } else {
        index
    }
}

/// T of the standard.
#[inline]
const fn mix(word: u32) -> u32 {
    word ^ (word >> 27)
}

/// The 624 words that a seed sequence expands to; every word of it counts, however many there are.
#[must_use]
pub fn expand(seed: &[u32]) -> [u32; WORDS] {
    let mut x = [0x8b8b_8b8b; WORDS];
    let first = seed.len().saturating_add(1).max(WORDS);
    let mut k = 0; // the step modulo WORDS
    let mut before = x[WORDS - 1]; // always x[k - 1], in a register: the steps wait for nothing else
    for step in 0..first {
        let (near, far) = (wrap(k + NEAR), wrap(k + FAR));
        let one = mix((x[k] ^ x[near]) ^ before).wrapping_mul(1_664_525);
        let added = match step {
            0 => seed.len() as u32, // OK because the standard's arithmetic is modulo 2^32
            _ => seed.get(step - 1).map_or(0, |&word| word).wrapping_add(k as u32), // OK because k < WORDS
        };
        let two = one.wrapping_add(added);
        x[near] = x[near].wrapping_add(one);
        x[far] = x[far].wrapping_add(two);
        x[k] = two;
        before = two;
        k = wrap(k + 1);
    }
    for _ in 0..WORDS {
        let (near, far) = (wrap(k + NEAR), wrap(k + FAR));
        let sum = x[k].wrapping_add(x[near]).wrapping_add(before);
        let three = mix(sum).wrapping_mul(1_566_083_941);
        let four = three.wrapping_sub(k as u32); // OK because k < WORDS
        x[near] ^= three;
        x[far] ^= four;
        x[k] = four;
        before = four;
        k = wrap(k + 1);
    }
    if is_degenerate(&x) {
        x[0] = 0x8000_0000;
    }
    x
}

/// True for a state that yields zeros for ever: all is zero but the 31 low bits of the first word, which do not count.
#[must_use]
pub fn is_degenerate(words: &[u32; WORDS]) -> bool {
    words[0] & 0x8000_0000 == 0 && words[1..].iter().all(|&word| word == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_known_seeds_come_out() {
        let state = expand(&[42]);
        assert_eq!(
            [state[0], state[1], state[623]],
            [0xca0f_498b, 0x6c03_f4fe, 0x5428_5405]
        );
        assert_eq!(expand(&[1])[0], 0x1bad_c6b1);
    }

    #[test]
    fn the_last_word_of_a_long_seed_counts() {
        let mut seed = [7; 2000];
        let state = expand(&seed);
        seed[1999] = 8;
        assert_ne!(state, expand(&seed));
    }

    #[test]
    fn only_the_states_that_yield_zeros_are_degenerate() {
        let mut words = [0; WORDS];
        assert!(is_degenerate(&words));
        words[0] = 0x7fff_ffff;
        assert!(is_degenerate(&words));
        words[0] = 0x8000_0000;
        assert!(!is_degenerate(&words));
        words[0] = 0;
        words[623] = 1;
        assert!(!is_degenerate(&words));
    }
}
