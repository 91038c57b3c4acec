//! Feeds a target: takes an input it knows, changes it a little, runs it, and
//! keeps it where the outcome is new. The same seed does the same on every machine.

use std::collections::HashSet;

use crate::Target;

/// No input is longer.
pub const INPUT_BYTES_MAX: usize = 16 * 1024;

/// No more inputs are kept.
const CORPUS_MAX: usize = 1024;

/// Runs a target `cases` times. Panics with the target; the input is printed then.
///
/// Returns how many different outcomes there were.
pub fn run(target: &Target, seed: u64, cases: usize) -> usize {
    let mut mutator = Mutator { random: SplitMix(seed), words: target.words };
    let mut corpus: Vec<Vec<u8>> = target.seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect();
    let mut outcomes = HashSet::new();
    for input in corpus.clone() {
        outcomes.insert(run_once(target, seed, &input));
    }
    for _ in 0..cases {
        let input = mutator.input(&corpus);
        let outcome = run_once(target, seed, &input);
        if outcomes.insert(outcome) && corpus.len() < CORPUS_MAX {
            corpus.push(input);
        }
    }
    outcomes.len()
}

fn run_once(target: &Target, seed: u64, input: &[u8]) -> String {
    let telling = Telling { target, seed, input };
    let outcome = (target.run)(input);
    std::mem::forget(telling);
    outcome
}

/// Tells the input of a target that panics.
struct Telling<'a> {
    target: &'a Target,
    seed: u64,
    input: &'a [u8],
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        eprintln!(
            "target `{}`, seed {}, input: b\"{}\"",
            self.target.name,
            self.seed,
            self.input.escape_ascii()
        );
    }
}

struct Mutator {
    random: SplitMix,
    words: &'static [&'static str],
}

impl Mutator {
    /// An input made from those of the corpus.
    fn input(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = self.random.pick(corpus).clone();
        for _ in 0..1 + self.random.below(4) {
            self.change(&mut input, corpus);
        }
        input.truncate(INPUT_BYTES_MAX);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.random.below(input.len() + 1);
        let end = (at + self.random.below(12)).min(input.len());
        match self.random.below(10) {
            // One bit, or one byte, of what is there.
            0 => {
                let bit = 1 << self.random.below(8);
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= bit;
                }
            }
            1 => {
                let new = self.random.next() as u8;
                if let Some(byte) = input.get_mut(at) {
                    *byte = new;
                }
            }
            // Less of it.
            2 => {
                input.drain(at..end);
            }
            3 => input.truncate(at),
            // A word, in place of something or between.
            4 | 5 => {
                let word = self.random.pick(self.words).as_bytes().to_vec();
                input.splice(at..at, word);
            }
            6 => {
                let word = self.random.pick(self.words).as_bytes().to_vec();
                input.splice(at..end, word);
            }
            // A piece of itself again, once or many times.
            7 => {
                let piece = input[at..end].to_vec();
                let count = 1 << self.random.below(11);
                let room = INPUT_BYTES_MAX.saturating_sub(input.len()) / piece.len().max(1);
                input.splice(at..at, piece.repeat(count.min(room)));
            }
            // The end of another.
            8 => {
                let other = self.random.pick(corpus);
                let from = self.random.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            // Digits, where numbers have their edges.
            _ => {
                let edges = ["0", "-1", "127", "128", "255", "256", "65535", "65536", "2147483648", "1e400"];
                let edge = self.random.pick(&edges).as_bytes().to_vec();
                input.splice(at..end, edge);
            }
        }
    }
}

/// A small generator of random numbers: the sequence follows from the seed.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}
