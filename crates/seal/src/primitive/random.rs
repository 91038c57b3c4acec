//! The operating system's random source, through the library's generator.

use strongroom_model::clock::Random;

/// The one source of random bytes in production.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).expect("the generator seeds itself at start and cannot fail after");
    }
}
