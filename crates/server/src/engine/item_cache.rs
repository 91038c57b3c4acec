//! Stored items in memory, for all tables together.
//!
//! An entry is the newest applied state of one key, durable or not: it carries
//! the sequence number of the write that made it, so that a consistent read can
//! tell. Writers replace entries while they hold the key's latch.

use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};

/// The cache; share it with `Arc`.
pub struct ItemCache {
    entries: Cache<EntryKey, Entry, ByBytes>,
    next_scope: AtomicU32,
}

/// One key's newest state.
#[derive(Clone)]
pub struct Entry {
    /// The stored item; `None` where the key is known to be absent.
    pub stored: Option<Bytes>,
    /// The write that made it so; 0 for what was read from storage.
    pub sequence: u64,
}

impl ItemCache {
    /// A cache of at most `bytes_max` bytes.
    pub fn new(bytes_max: u64) -> Self {
        let items = usize::try_from(bytes_max / 512).unwrap_or(usize::MAX).max(64);
        Self { entries: Cache::with_weighter(items, bytes_max, ByBytes), next_scope: AtomicU32::new(1) }
    }

    /// A scope for one opening of one table.
    pub fn new_scope(&self) -> u32 {
        self.next_scope.fetch_add(1, Ordering::Relaxed)
    }

    /// The newest known state of a key.
    pub fn entry(&self, scope: u32, key: &[u8]) -> Option<Entry> {
        self.entries.get(&(scope, key))
    }

    /// Sets the newest state of a key. The caller holds the key's latch.
    pub fn set(&self, scope: u32, key: Bytes, entry: Entry) {
        self.entries.insert(EntryKey(scope, key), entry);
    }

    /// Drops all that belongs to one opening of a table.
    pub fn forget(&self, scope: u32) {
        self.entries.retain(|key, _| key.0 != scope);
    }
}

#[derive(Clone, PartialEq, Eq)]
struct EntryKey(u32, Bytes);

// The same bytes hash the same whether owned or borrowed.
impl std::hash::Hash for EntryKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.0, &self.1[..]).hash(state);
    }
}

impl Equivalent<EntryKey> for (u32, &[u8]) {
    fn equivalent(&self, key: &EntryKey) -> bool {
        self.0 == key.0 && self.1 == key.1
    }
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<EntryKey, Entry> for ByBytes {
    fn weight(&self, key: &EntryKey, value: &Entry) -> u64 {
        // Two allocations and the cache's own bookkeeping come on top of the bytes.
        (key.1.len() + value.stored.as_ref().map_or(0, Bytes::len) + 128) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgetting_one_scope_leaves_the_others() {
        let cache = ItemCache::new(1 << 20);
        let entry = Entry { stored: Some(Bytes::from_static(b"value")), sequence: 1 };
        cache.set(1, Bytes::from_static(b"key"), entry.clone());
        cache.set(2, Bytes::from_static(b"key"), entry);
        cache.forget(1);
        assert!(cache.entry(1, b"key").is_none());
        assert_eq!(cache.entry(2, b"key").map(|entry| entry.sequence), Some(1));
    }
}
