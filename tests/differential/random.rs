//! Random choices that are the same on every machine and in every year, and a run that names the seed it failed with.
//!
//! The generator is splitmix64 (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", 2014):
//! fast, and no library's next version changes what a printed seed stands for.

use std::panic::{catch_unwind, AssertUnwindSafe};

/// A stream of random choices.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        // The seed itself as the state would do for one stream; two neighbours' would be one stream and its tail.
        Self(mixed(seed ^ 0x5851_f42d_4c95_7f2d))
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    /// A number below `limit`, which is not zero.
    pub fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.bits()) * limit as u128) >> 64) as usize
    }

    /// Once in `n` times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn byte(&mut self) -> u8 {
        self.bits() as u8
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }

    /// An integer of random magnitude.
    pub fn integer(&mut self) -> i64 {
        let shift = self.below(64);
        self.bits() as i64 >> shift
    }

    /// A double of random magnitude, finite.
    pub fn double(&mut self) -> f64 {
        loop {
            let value = f64::from_bits(self.bits());
            if value.is_finite() {
                return value;
            }
        }
    }
}

/// The finalizer of splitmix64.
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Inputs that share a seed.
const BLOCK: u64 = 1000;

fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} must be a number, not '{text}'")),
        Err(_) => default,
    }
}

/// Call `some` until it has dealt with `inputs` inputs, or as many as `FKRPC_FUZZ_ROUNDS` says; it returns how many it
/// dealt with. Every block of 1000 has a seed of its own, from `FKRPC_FUZZ_SEED` on; one that fails is printed.
pub fn run(inputs: u64, mut some: impl FnMut(&mut Random) -> u64) -> u64 {
    let inputs = setting("FKRPC_FUZZ_ROUNDS", inputs);
    let mut seed = setting("FKRPC_FUZZ_SEED", 1);
    let mut done = 0;
    while done < inputs {
        let mut random = Random::new(seed);
        let block = catch_unwind(AssertUnwindSafe(|| {
            let mut count = 0;
            while count < BLOCK {
                count += some(&mut random);
            }
            count
        }));
        match block {
            Ok(count) => done += count,
            // The cause was printed when it was raised.
            Err(_) => panic!("the inputs above are those of FKRPC_FUZZ_SEED={seed} FKRPC_FUZZ_ROUNDS=1"),
        }
        seed += 1;
    }
    done
}
