//! A table that is open: its database, its keys, and the rules of reading and writing rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use bytes::Bytes;
use strongroom_model::stored;
use strongroom_seal::data_keys::DataKeys;
use tokio::sync::{Mutex, MutexGuard};

use super::item_cache::{Entry, ItemCache};
use super::record::Counted;
use crate::storage::{Batch, Database, Order, StorageError, Visibility, Written};

/// One opening of a table.
pub struct OpenTable {
    database: Database,
    data_keys: Arc<DataKeys>,
    cache: Arc<ItemCache>,
    cache_scope: u32,
    latches: Box<[Mutex<()>; LATCHES]>,
    last_sequence: AtomicU64,
    items: AtomicI64,
    bytes: AtomicI64,
}

/// What a writer decides about one key, having seen its newest state.
pub enum Change {
    /// Leave it.
    Keep,
    /// Store this item.
    Put(Vec<u8>),
    /// Remove it.
    Delete,
}

/// The range of stored keys a page is read from.
pub type Range = strongroom_model::key::KeyRange;

const LATCHES: usize = 256;

impl OpenTable {
    /// Takes over an open database.
    pub fn new(
        database: Database,
        data_keys: Arc<DataKeys>,
        cache: Arc<ItemCache>,
        counted: Counted,
    ) -> Self {
        Self {
            database,
            data_keys,
            cache_scope: cache.new_scope(),
            cache,
            latches: Box::new(std::array::from_fn(|_| Mutex::new(()))),
            last_sequence: AtomicU64::new(0),
            items: AtomicI64::new(counted.items),
            bytes: AtomicI64::new(counted.bytes),
        }
    }

    /// The stored item at `key`. A consistent read shows only what is durable.
    pub async fn read(&self, key: &[u8], consistent: bool) -> Result<Option<Bytes>, StorageError> {
        if let Some(entry) = self.cache.entry(self.cache_scope, key) {
            if !consistent || self.database.durable_sequence() >= entry.sequence {
                return Ok(entry.stored);
            }
            return self.database.get(key, Visibility::Durable).await;
        }
        // INVARIANT (newest in the cache): only the latch's holder fills the cache, so that an
        // older value never replaces a newer one. A reader that finds a writer there goes past.
        if let Ok(latch) = self.latch(key).try_lock() {
            let newest = self.newest(key).await?;
            drop(latch);
            // A writer may have let go of the latch before its row is durable.
            if !consistent || self.database.durable_sequence() >= newest.sequence {
                return Ok(newest.stored);
            }
            return self.database.get(key, Visibility::Durable).await;
        }
        let visibility = if consistent { Visibility::Durable } else { Visibility::Applied };
        self.database.get(key, visibility).await
    }

    /// Changes one key: `decide` sees its newest state, durable or not, and says what becomes of it.
    /// Returns `decide`'s result once everything it saw and did is durable.
    pub async fn change<T, E: From<StorageError>>(
        &self,
        key: &[u8],
        decide: impl FnOnce(Option<&Bytes>) -> Result<(Change, T), E>,
    ) -> Result<T, E> {
        let (outcome, sequence) = {
            let latch = self.latch(key).lock().await;
            let newest = self.newest(key).await?;
            match decide(newest.stored.as_ref()) {
                Ok((Change::Keep, answer)) => (Ok(answer), newest.sequence),
                // A refusal rests on what it saw: it must not be told before that is durable.
                Err(refusal) => (Err(refusal), newest.sequence),
                Ok((change, answer)) => {
                    let mut batch = Batch::new();
                    let key = Bytes::copy_from_slice(key);
                    let stored = match change {
                        Change::Put(item) => {
                            let item = Bytes::from(item);
                            batch.put_bytes(key.clone(), item.clone());
                            Some(item)
                        }
                        Change::Keep | Change::Delete => {
                            batch.delete(&key);
                            None
                        }
                    };
                    let written = self.database.apply(batch).await?;
                    self.count(newest.stored.as_ref(), stored.as_ref());
                    let sequence = self.applied(&written);
                    self.cache.set(self.cache_scope, key, Entry { stored, sequence });
                    drop(latch);
                    written.durable().await?;
                    return Ok(answer);
                }
            }
        };
        if sequence > self.database.durable_sequence() {
            self.database.wait_durable(sequence).await?;
        }
        outcome
    }

    /// Puts and deletes several different keys in one batch, without conditions.
    /// Returns what was stored at each before and is stored after.
    pub async fn change_all(
        &self,
        changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    ) -> Result<Vec<(Option<Bytes>, Option<Bytes>)>, StorageError> {
        // Latches are taken in their order, so that two batches never wait for each other.
        let mut stripes: Vec<usize> = changes.iter().map(|(key, _)| stripe(key)).collect();
        stripes.sort_unstable();
        stripes.dedup();
        let mut held: Vec<MutexGuard<'_, ()>> = Vec::with_capacity(stripes.len());
        for stripe in stripes {
            held.push(self.latches[stripe].lock().await);
        }
        let mut batch = Batch::new();
        let mut entries = Vec::with_capacity(changes.len());
        for (key, item) in changes {
            let before = self.newest(&key).await?;
            let key = Bytes::from(key);
            let stored = item.map(Bytes::from);
            match &stored {
                Some(item) => batch.put_bytes(key.clone(), item.clone()),
                None => batch.delete(&key),
            }
            entries.push((key, before.stored, stored));
        }
        let written = self.database.apply(batch).await?;
        let sequence = self.applied(&written);
        let mut outcome = Vec::with_capacity(entries.len());
        for (key, before, stored) in entries {
            self.count(before.as_ref(), stored.as_ref());
            self.cache.set(self.cache_scope, key, Entry { stored: stored.clone(), sequence });
            outcome.push((before, stored));
        }
        drop(held);
        written.durable().await?;
        Ok(outcome)
    }

    /// Calls `visit` with each row of `range` in order until it says to stop or the range ends.
    /// Returns whether the range was read to its end.
    pub async fn visit<E: From<StorageError>>(
        &self,
        range: Range,
        order: Order,
        consistent: bool,
        mut visit: impl FnMut(Bytes, Bytes) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let visibility = if consistent { Visibility::Durable } else { Visibility::Applied };
        let mut scan = self.database.scan(range, order, visibility).await?;
        while let Some((key, stored)) = scan.next().await? {
            if !visit(key, stored)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// How large the table is.
    pub fn counted(&self) -> Counted {
        Counted { items: self.items.load(Ordering::Relaxed), bytes: self.bytes.load(Ordering::Relaxed) }
    }

    /// The number of the newest manifest.
    pub fn manifest_id(&self) -> u64 {
        self.database.manifest_id()
    }

    /// The keys that seal the table's objects.
    pub fn data_keys(&self) -> &Arc<DataKeys> {
        &self.data_keys
    }

    /// Whether calls can still succeed.
    pub fn is_open(&self) -> bool {
        self.database.is_open()
    }

    /// Writes out what memory holds, closes, and wipes the keys.
    pub async fn close(&self) -> Result<(), StorageError> {
        let closed = self.database.close().await;
        self.forget();
        closed
    }

    /// Wipes the keys and everything decrypted, at once; then closes without writing.
    pub async fn abandon(&self) {
        self.forget();
        self.database.abandon().await;
    }

    /// Wipes the keys and every decrypted item of the table. Calls under way fail.
    pub fn forget(&self) {
        self.data_keys.close();
        self.cache.forget(self.cache_scope);
        self.database.forget_blocks();
    }

    // The newest applied state, through the cache. The caller holds the key's latch.
    async fn newest(&self, key: &[u8]) -> Result<Entry, StorageError> {
        if let Some(entry) = self.cache.entry(self.cache_scope, key) {
            return Ok(entry);
        }
        // What memory no longer holds may still not be durable. A row knows the write that made
        // it; for an absent one the newest write of the table is an upper bound.
        let bound = self.last_sequence.load(Ordering::Acquire);
        let entry = match self.database.get_with_sequence(key).await? {
            Some((stored, sequence)) => Entry { stored: Some(stored), sequence },
            None => Entry { stored: None, sequence: bound },
        };
        self.cache.set(self.cache_scope, Bytes::copy_from_slice(key), entry.clone());
        Ok(entry)
    }

    fn applied(&self, written: &Written) -> u64 {
        self.last_sequence.fetch_max(written.sequence(), Ordering::AcqRel);
        written.sequence()
    }

    fn count(&self, before: Option<&Bytes>, after: Option<&Bytes>) {
        let bytes = |stored: Option<&Bytes>| {
            stored.and_then(|stored| stored::item_bytes(stored).ok()).map_or(0, |bytes| bytes as i64)
        };
        let items = i64::from(after.is_some()) - i64::from(before.is_some());
        if items != 0 {
            self.items.fetch_add(items, Ordering::Relaxed);
        }
        self.bytes.fetch_add(bytes(after) - bytes(before), Ordering::Relaxed);
    }

    fn latch(&self, key: &[u8]) -> &Mutex<()> {
        &self.latches[stripe(key)]
    }
}

// Stored keys begin with a kind and a hash of the partition key; the sort key needs mixing in.
fn stripe(key: &[u8]) -> usize {
    let hash = key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash >> 32) as usize % LATCHES
}
