//! Which keys a table may hold: what the filter does not know is absent, and storage need not be asked.
//!
//! Storage takes some 9 us to find that a key is not there; writers of new items ask nothing else. The filter is
//! complete or of no use, and completing it takes a scan of the items. So a table earns it: once it has spent on
//! keys that were absent about what the scan costs, the items are scanned beside the requests. An opening begins
//! without one; a table that is only read, or whose keys are all there, never has one.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};

use fastbloom::{AtomicBloomFilter, DefaultHasher};
use parking_lot::RwLock;

/// The filter of one opening.
///
/// INVARIANT (complete filter): a filter that answers holds every key that storage does. Writers add a key under its
/// latch before its row is applied, from the moment the filter is being completed; the rows that are older than that
/// are scanned.
pub struct KeyFilter {
    hasher: DefaultHasher,
    state: AtomicU8,
    absent: AtomicU64,
    // Each holds four times as much as the one before.
    parts: RwLock<Vec<Part>>,
    budget: Arc<FilterBudget>,
}

struct Part {
    bits: AtomicBloomFilter<DefaultHasher>,
    keys: AtomicU64,
    keys_max: u64,
}

/// How much memory the filters of all tables may still take.
pub struct FilterBudget {
    bytes_left: AtomicI64,
}

impl FilterBudget {
    /// At most `bytes_max` bytes together.
    pub fn new(bytes_max: u32) -> Self {
        Self { bytes_left: AtomicI64::new(bytes_max.into()) }
    }

    fn take(&self, bytes: u64) -> bool {
        let bytes = bytes as i64;
        let taken = self.bytes_left.fetch_sub(bytes, Ordering::Relaxed) >= bytes;
        if !taken {
            self.bytes_left.fetch_add(bytes, Ordering::Relaxed);
        }
        taken
    }
}

const NONE: u8 = 0;
const COMPLETING: u8 = 1;
const COMPLETE: u8 = 2;
const GIVEN_UP: u8 = 3;

/// So many bits a key: one answer in 300 is a needless "perhaps".
const BITS_PER_KEY: u64 = 12;
const FIRST_PART_BYTES: u64 = 2 * 1024;
const GROWTH: u64 = 4;
/// A part is so large at most; a table that needs more goes without.
const PART_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// What scanning a byte costs, against finding one key absent: some 7 ns against 9 us.
const SCANNED_BYTES_PER_ABSENT: u64 = 1_200;
/// A table with fewer absent keys than this asks storage.
const ABSENT_MIN: u64 = 32;

impl KeyFilter {
    /// No filter yet. The seed keeps clients from choosing keys that the filter takes for others.
    pub fn new(seed: &[u8; 16], budget: Arc<FilterBudget>) -> Self {
        Self {
            hasher: DefaultHasher::seeded(seed),
            state: AtomicU8::new(NONE),
            absent: AtomicU64::new(0),
            parts: RwLock::default(),
            budget,
        }
    }

    /// Whether the key is certainly absent.
    pub fn excludes(&self, key: &[u8]) -> bool {
        if self.state.load(Ordering::Acquire) != COMPLETE {
            return false;
        }
        let hash = self.hasher.hash_one(key);
        let parts = self.parts.read();
        // Again, for it may have been given up; under the lock, its parts are still all there.
        self.state.load(Ordering::Acquire) == COMPLETE
            && !parts.iter().any(|part| part.bits.contains_hash(hash))
    }

    /// A key's row is about to be written. The caller holds the key's latch.
    pub fn add(&self, key: &[u8]) {
        if matches!(self.state.load(Ordering::Acquire), COMPLETING | COMPLETE) {
            self.insert(self.hasher.hash_one(key));
        }
    }

    /// Storage was asked for a key and did not have it.
    pub fn found_absent(&self) {
        self.absent.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether completing the filter is worth its scan, for a table of `bytes`.
    pub fn is_earned(&self, bytes: i64) -> bool {
        let absent = self.absent.load(Ordering::Relaxed);
        self.state.load(Ordering::Relaxed) == NONE
            && absent >= ABSENT_MIN
            && absent.saturating_mul(SCANNED_BYTES_PER_ABSENT) >= bytes.max(0) as u64
    }

    /// From now on writers add their keys. False when somebody is completing it, or it was given up.
    pub fn begin(&self) -> bool {
        self.state.compare_exchange(NONE, COMPLETING, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// A key that the scan met. False when the filter was given up meanwhile.
    pub fn add_scanned(&self, key: &[u8]) -> bool {
        self.insert(self.hasher.hash_one(key));
        self.state.load(Ordering::Relaxed) == COMPLETING
    }

    /// The scan met every key that was there when it began, which was after all writes from before `begin` had passed.
    pub fn complete(&self) {
        // Not if it was given up.
        let _ = self.state.compare_exchange(COMPLETING, COMPLETE, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// The scan did not come to its end, or there is no room for the filter: storage is asked from now on.
    pub fn give_up(&self) {
        self.state.store(GIVEN_UP, Ordering::Release);
        let bytes = self.parts.write().drain(..).map(|part| part.bytes()).sum::<u64>();
        self.budget.bytes_left.fetch_add(bytes as i64, Ordering::Relaxed);
    }

    fn insert(&self, hash: u64) {
        {
            let parts = self.parts.read();
            if parts.iter().any(|part| part.bits.contains_hash(hash)) {
                return;
            }
            if let Some(last) = parts.last()
                && last.keys.fetch_add(1, Ordering::Relaxed) < last.keys_max
            {
                last.bits.insert_hash(hash);
                return;
            }
        }
        let mut parts = self.parts.write();
        if self.state.load(Ordering::Acquire) == GIVEN_UP {
            return;
        }
        // Another writer may have made room meanwhile.
        if parts.last().is_none_or(|last| last.keys.load(Ordering::Relaxed) >= last.keys_max) {
            let bytes = parts.last().map_or(FIRST_PART_BYTES, |last| last.bytes() * GROWTH);
            if bytes > PART_BYTES_MAX || !self.budget.take(bytes) {
                drop(parts);
                self.give_up();
                return;
            }
            parts.push(Part::new(bytes));
        }
        if let Some(last) = parts.last() {
            last.keys.fetch_add(1, Ordering::Relaxed);
            last.bits.insert_hash(hash);
        }
    }
}

impl Drop for KeyFilter {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl Part {
    fn new(bytes: u64) -> Self {
        let keys_max = bytes * 8 / BITS_PER_KEY;
        // The hashes come from the filter's own hasher, which is seeded.
        let bits = AtomicBloomFilter::with_num_bits(bytes as usize * 8)
            .hasher(DefaultHasher::seeded(&[0; 16]))
            .expected_items(keys_max as usize);
        Self { bits, keys: AtomicU64::new(0), keys_max }
    }

    fn bytes(&self) -> u64 {
        self.bits.num_bits() as u64 / 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(bytes_max: u32) -> KeyFilter {
        KeyFilter::new(&[7; 16], Arc::new(FilterBudget::new(bytes_max)))
    }

    /// One wrong "absent" would lose what an item was before.
    #[test]
    fn a_complete_filter_knows_every_key_and_few_others() {
        let filter = filter(1 << 30);
        assert!(!filter.excludes(b"key"), "no filter excludes nothing");
        assert!(filter.begin() && !filter.begin());
        for key in 0..100_000_u32 {
            if key % 2 == 0 {
                filter.add(&key.to_be_bytes());
            } else {
                assert!(filter.add_scanned(&key.to_be_bytes()));
            }
        }
        assert!(!filter.excludes(b"key"), "an incomplete filter excludes nothing");
        filter.complete();
        assert!((0..100_000_u32).all(|key| !filter.excludes(&key.to_be_bytes())));
        let wrong = (100_000..200_000_u32).filter(|key| !filter.excludes(&key.to_be_bytes())).count();
        assert!(wrong < 3_000, "{wrong} of 100,000 absent keys were not told to be absent");
    }

    #[test]
    fn a_filter_without_room_is_given_up_and_gives_its_room_back() {
        let budget = Arc::new(FilterBudget::new(20 * 1024));
        let filter = KeyFilter::new(&[7; 16], Arc::clone(&budget));
        assert!(filter.begin());
        for key in 0..100_000_u32 {
            filter.add(&key.to_be_bytes());
        }
        filter.complete();
        assert!(!filter.excludes(b"key") && !filter.begin() && !filter.add_scanned(b"key"));
        assert_eq!(budget.bytes_left.load(Ordering::Relaxed), 20 * 1024);
        let other = KeyFilter::new(&[7; 16], Arc::clone(&budget));
        assert!(other.begin());
        other.add(b"key");
        assert!(budget.bytes_left.load(Ordering::Relaxed) < 20 * 1024);
        drop(other);
        assert_eq!(budget.bytes_left.load(Ordering::Relaxed), 20 * 1024);
    }

    #[test]
    fn a_scan_is_worth_what_absent_keys_have_cost() {
        let filter = filter(1 << 20);
        assert!(!filter.is_earned(0));
        for _ in 0..ABSENT_MIN {
            filter.found_absent();
        }
        assert!(filter.is_earned(0) && filter.is_earned(-1));
        assert!(!filter.is_earned(1 << 20));
        for _ in 0..1_000 {
            filter.found_absent();
        }
        assert!(filter.is_earned(1 << 20));
        filter.give_up();
        assert!(!filter.is_earned(0));
    }
}
