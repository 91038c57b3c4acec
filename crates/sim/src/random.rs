//! A small seeded generator: the simulator's dice, and the server's random source in a world.
//!
//! Not fit for keys outside a simulation.

use parking_lot::Mutex;
use strongroom_model::clock::Random;

/// Seeded dice (SplitMix64). Everybody who throws draws from the same sequence, so give each purpose its own.
#[derive(Debug)]
pub struct Dice(Mutex<u64>);

impl Dice {
    /// Dice for one purpose of one seed.
    pub fn new(seed: u64, purpose: &str) -> Self {
        let mixed = purpose
            .bytes()
            .fold(seed ^ 0x9e37_79b9_7f4a_7c15, |state, byte| mix(state.wrapping_add(u64::from(byte))));
        Self(Mutex::new(mixed))
    }

    /// The next 64 bits.
    pub fn next(&self) -> u64 {
        let mut state = self.0.lock();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(*state)
    }

    /// A number from 0 to `bound - 1`; `bound` is at least 1.
    pub fn below(&self, bound: u64) -> u64 {
        // The remainder's bias is far below what a simulation could notice.
        self.next() % bound
    }

    /// True in `part` of `whole` throws.
    pub fn chance(&self, part: u64, whole: u64) -> bool {
        self.below(whole) < part
    }

    /// One of `choices`, which are not empty.
    pub fn pick<'a, T>(&self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }
}

impl Random for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        for piece in bytes.chunks_mut(8) {
            let drawn = self.next().to_le_bytes();
            piece.copy_from_slice(&drawn[..piece.len()]);
        }
    }
}

fn mix(state: u64) -> u64 {
    let mut mixed = state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_purpose_throw_the_same() {
        let throws = |seed, purpose| {
            let dice = Dice::new(seed, purpose);
            [dice.next(), dice.next(), dice.next()]
        };
        assert_eq!(throws(1, "keys"), throws(1, "keys"));
        assert_ne!(throws(1, "keys"), throws(2, "keys"));
        assert_ne!(throws(1, "keys"), throws(1, "faults"));
    }
}
