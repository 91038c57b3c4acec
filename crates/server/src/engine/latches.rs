//! Latches of keys: who holds the latch of a key is alone in writing it.
//!
//! There are fewer latches than keys, so keys may share one.

use tokio::sync::{Mutex, MutexGuard};

/// A fixed number of latches for any number of keys.
pub(super) struct Latches(Box<[Mutex<()>]>);

impl Latches {
    pub(super) fn new(count: usize) -> Self {
        Self((0..count).map(|_| Mutex::new(())).collect())
    }

    /// The latch of a key.
    pub(super) fn of(&self, key: &[u8]) -> &Mutex<()> {
        &self.0[self.place(key)]
    }

    /// Holds the latches of several keys, taken in their order, so that nobody waits for each other.
    pub(super) async fn of_all<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> Vec<MutexGuard<'_, ()>> {
        let mut places: Vec<usize> = keys.map(|key| self.place(key)).collect();
        places.sort_unstable();
        places.dedup();
        let mut held = Vec::with_capacity(places.len());
        for place in places {
            held.push(self.0[place].lock().await);
        }
        held
    }

    /// Holds all latches: nobody writes meanwhile.
    pub(super) async fn all(&self) -> Vec<MutexGuard<'_, ()>> {
        let mut held = Vec::with_capacity(self.0.len());
        for latch in &self.0 {
            held.push(latch.lock().await);
        }
        held
    }

    /// Returns once nobody holds a latch who held it when this was called.
    pub(super) async fn passed(&self) {
        for latch in &self.0 {
            drop(latch.lock().await);
        }
    }

    // Stored keys begin with a kind and a hash of the partition key; the sort key needs mixing in.
    fn place(&self, key: &[u8]) -> usize {
        let hash = key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        (hash >> 32) as usize % self.0.len()
    }
}
