//! Qt's `QRandomGenerator`, bit for bit: the generator of a seed draws what Qt's draws.
//!
//! It refuses what Qt answers with an abort, an endless loop or undefined behaviour: those calls return
//! [`RangeError`]. It is no source of secrets: 624 words of output reveal the whole state.
//!
//! The engine is MT19937 (C++ `[rand.eng.mers]`; M. Matsumoto and T. Nishimura, "Mersenne Twister", ACM TOMACS 8(1),
//! 1998), seeded through C++'s `std::seed_seq` ([`seed`]), as Qt 5.15 to 6.12 do in `qrandom.cpp`. What Qt makes of
//! the engine's words is in [`bounded`], the FreeKill server's `random` method in [`game`].

pub mod bounded;
pub mod game;
mod rng;
pub mod seed;
pub mod state;

pub use bounded::RangeError;
pub use game::Draw;

/// Words of the engine's state.
pub const WORDS: usize = 624;
/// How far ahead the recurrence reaches.
const SHIFT: usize = 397;

/// A seeded generator; a copy continues with the same numbers.
///
/// Two generators are equal when their words and their places in the block are, as in libstdc++: all that they draw
/// from then on is the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QRandomGenerator {
    words: [u32; WORDS],
    /// Words of the block that were drawn; `WORDS` means that the next draw makes a new block.
    used: usize,
}

impl Default for QRandomGenerator {
    /// Qt's default seed, 1.
    fn default() -> Self {
        Self::new(1)
    }
}

impl QRandomGenerator {
    /// The generator of a one-number seed: the sequence of that one word.
    #[must_use]
    pub fn new(seed: u32) -> Self {
        Self::from_words(&[seed])
    }

    /// The generator of a seed sequence of any length; the empty one is legal and is neither `[0]` nor `[1]`.
    #[must_use]
    pub fn from_words(words: &[u32]) -> Self {
        Self {
            words: seed::expand(words),
            used: WORDS,
        }
    }

    /// The next 32-bit word: `generate()` and `operator()`.
    #[inline]
    pub fn generate(&mut self) -> u32 {
        if self.used >= WORDS {
            self.refill();
        }
        let mut word = self.words[self.used]; // OK because `refill` made it 0
        self.used += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    /// The next two words as one number, the first the low half: `generate64()`.
    #[inline]
    pub fn generate64(&mut self) -> u64 {
        let low = u64::from(self.generate());
        low | u64::from(self.generate()) << 32
    }

    /// A number of [0, 1) with 53 random bits, of two words: `generateDouble()`.
    #[inline]
    pub fn generate_double(&mut self) -> f64 {
        let bits = self.generate64() >> 11;
        bits as f64 / 9_007_199_254_740_992.0 // OK because 53 bits fit: exact, as is the division by 2^53
    }

    /// Skip `count` words. The time grows with `count`: there is no jump ahead.
    pub fn discard(&mut self, mut count: u64) {
        loop {
            let left = (WORDS - self.used) as u64; // OK because `used` is at most WORDS, and usize at most 64 bits
            if count <= left {
                self.used += count as usize; // OK because it is at most WORDS
                return;
            }
            count -= left;
            self.refill();
        }
    }

    /// Fill a slice with one word for each element: `fillRange(quint32 *, n)`, `generate(begin, end)`.
    pub fn fill_u32(&mut self, place: &mut [u32]) {
        place.fill_with(|| self.generate());
    }

    /// Fill a slice with two words for each element: `fillRange(quint64 *, n)` on a little-endian machine.
    pub fn fill_u64(&mut self, place: &mut [u64]) {
        place.fill_with(|| self.generate64());
    }

    /// The next block of words, in place.
    #[cold]
    #[inline(never)]
    fn refill(&mut self) {
        let words = &mut self.words;
        let next = |word: u32, after: u32, ahead: u32| {
            let mixed = (word & 0x8000_0000) | (after & 0x7fff_ffff);
            ahead ^ (mixed >> 1) ^ if mixed & 1 == 1 { 0x9908_b0df } else { 0 }
        };
        for k in 0..WORDS - SHIFT {
            words[k] = next(words[k], words[k + 1], words[k + SHIFT]);
        }
        for k in WORDS - SHIFT..WORDS - 1 {
            words[k] = next(words[k], words[k + 1], words[k + SHIFT - WORDS]);
        }
        words[WORDS - 1] = next(words[WORDS - 1], words[0], words[SHIFT - 1]);
        self.used = 0;
    }
}
