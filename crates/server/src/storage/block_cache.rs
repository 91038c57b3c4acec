//! One bounded cache of decrypted blocks for all databases, which can forget one database at once.
//!
//! SlateDB's own caches cannot drop what belongs to one database; ours must,
//! because a table whose key is lost keeps no decrypted byte in memory.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use slatedb::db_cache::{CachedEntry, CachedKey, DbCache};

/// The cache; share it with `Arc`.
pub struct BlockCache {
    entries: Cache<CachedKey, CachedEntry, ByBytes>,
    next_scope: AtomicU64,
}

impl BlockCache {
    /// A cache of at most `bytes_max` bytes of blocks, indexes and filters.
    pub fn new(bytes_max: u64) -> Self {
        // The index of a large sorted run is one entry of several MiB, and an entry
        // must fit a shard: few shards.
        let options = OptionsBuilder::new()
            .shards(SHARDS)
            .weight_capacity(bytes_max)
            .estimated_items_capacity(usize::try_from(bytes_max / BLOCK_BYTES).unwrap_or(usize::MAX).max(16))
            .build()
            .expect("both capacities are set");
        let entries =
            Cache::with_options(options, ByBytes, DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self { entries, next_scope: AtomicU64::new(1) }
    }

    /// A scope no open database has used before in this process.
    pub fn new_scope(&self) -> u64 {
        self.next_scope.fetch_add(1, Ordering::Relaxed)
    }

    /// Drops everything that was read in `scope`.
    pub fn forget(&self, scope: u64) {
        self.entries.retain(|key, _| key.db_cache_id() != scope);
    }
}

const SHARDS: usize = 4;
const BLOCK_BYTES: u64 = 4 * 1024;

#[derive(Clone)]
struct ByBytes;

impl Weighter<CachedKey, CachedEntry> for ByBytes {
    fn weight(&self, _: &CachedKey, value: &CachedEntry) -> u64 {
        // The key and the cache's own bookkeeping take room too.
        value.size() as u64 + 96
    }
}

type Found = Result<Option<CachedEntry>, slatedb::Error>;

#[async_trait]
impl DbCache for BlockCache {
    async fn get_block(&self, key: &CachedKey) -> Found {
        Ok(self.entries.get(key))
    }

    async fn get_index(&self, key: &CachedKey) -> Found {
        Ok(self.entries.get(key))
    }

    async fn get_filter(&self, key: &CachedKey) -> Found {
        Ok(self.entries.get(key))
    }

    async fn get_stats(&self, key: &CachedKey) -> Found {
        Ok(self.entries.get(key))
    }

    async fn insert(&self, key: CachedKey, value: CachedEntry) {
        self.entries.insert(key, value);
    }

    async fn remove(&self, key: &CachedKey) {
        self.entries.remove(key);
    }

    fn entry_count(&self) -> u64 {
        self.entries.len() as u64
    }

    async fn flush_scope(&self, scope: u64) -> Result<(), slatedb::Error> {
        self.forget(scope);
        Ok(())
    }
}
