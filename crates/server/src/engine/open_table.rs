//! A table that is open: its database, its keys, and the rules of reading and writing rows.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use parking_lot::RwLock;
use strongroom_model::key::kind;
use strongroom_model::stored;
use strongroom_seal::data_keys::DataKeys;

use super::access::AccessError;
use super::index::{CollectionFull, IndexSet, IndexWrites, Upkeep, collection_bytes};
use super::item_cache::{Entry, ItemCache};
use super::key_filter::KeyFilter;
use super::large_writes::{LargeWrites, Room};
use super::latches::Latches;
use super::record::{Counted, TableRecord};
use super::recount::Exactness;
use crate::storage::{Batch, Database, Order, Scan, Seen, StorageError, Visibility, Written};

/// One opening of a table.
pub struct OpenTable {
    database: Database,
    data_keys: Arc<DataKeys>,
    cache: Arc<ItemCache>,
    cache_scope: u32,
    pub(super) large_writes: Arc<LargeWrites>,
    pub(super) filter: KeyFilter,
    pub(super) latches: Latches,
    /// Of the rows that hold the sizes of item collections.
    pub(super) collection_latches: Latches,
    last_sequence: AtomicU64,
    items: AtomicI64,
    bytes: AtomicI64,
    pub(super) exactness: Exactness,
    // Why the table was taken from those who use it, once it was.
    gone: OnceLock<AccessError>,
    // How many indexes there are: a table without any looks no further.
    index_count: AtomicUsize,
    indexes: RwLock<Arc<IndexSet>>,
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

/// The rows of a range, one after the other.
pub struct Rows<'a> {
    table: &'a OpenTable,
    scan: Scan,
}

impl<'a> Rows<'a> {
    pub(super) fn new(table: &'a OpenTable, scan: Scan) -> Self {
        Self { table, scan }
    }

    /// The next row, or `None` at the end.
    pub async fn next(&mut self) -> Result<Option<(Bytes, Bytes)>, AccessError> {
        self.scan.next().await.map_err(|error| self.table.reason(error))
    }
}

const LATCHES: usize = 256;
const COLLECTION_LATCHES: usize = 32;

impl OpenTable {
    /// Takes over an open database.
    pub fn new(
        database: Database,
        data_keys: Arc<DataKeys>,
        cache: Arc<ItemCache>,
        large_writes: Arc<LargeWrites>,
        filter: KeyFilter,
        record: &TableRecord,
        indexes: Arc<IndexSet>,
    ) -> Self {
        Self {
            gone: OnceLock::new(),
            index_count: AtomicUsize::new(indexes.iter().count()),
            indexes: RwLock::new(indexes),
            database,
            data_keys,
            cache_scope: cache.new_scope(),
            cache,
            large_writes,
            filter,
            latches: Latches::new(LATCHES),
            collection_latches: Latches::new(COLLECTION_LATCHES),
            last_sequence: AtomicU64::new(0),
            items: AtomicI64::new(record.counted.items),
            bytes: AtomicI64::new(record.counted.bytes),
            exactness: Exactness::new(!record.open),
        }
    }

    /// The stored item at `key`. A consistent read shows only what is durable.
    pub async fn read(&self, key: &[u8], consistent: bool) -> Result<Option<Bytes>, AccessError> {
        self.read_row(key, consistent).await.map_err(|error| self.reason(error))
    }

    async fn read_row(&self, key: &[u8], consistent: bool) -> Result<Option<Bytes>, StorageError> {
        if let Some(entry) = self.cache.entry(self.cache_scope, key) {
            if !consistent || self.database.durable_sequence() >= entry.sequence {
                return Ok(entry.stored);
            }
            return self.database.get(key, Visibility::Durable).await;
        }
        // INVARIANT (newest in the cache): only the latch's holder fills the cache, so that an
        // older value never replaces a newer one. A reader that finds a writer there goes past.
        if let Ok(latch) = self.latches.of(key).try_lock() {
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
    pub async fn change<T, E: From<StorageError> + From<AccessError> + From<CollectionFull>>(
        &self,
        key: &[u8],
        decide: impl FnOnce(Option<&Bytes>) -> Result<(Change, T), E>,
    ) -> Result<T, E> {
        Ok(self.change_indexed(key, decide).await?.0)
    }

    /// Like [`OpenTable::change`], and says what was done to the indexes.
    ///
    /// INVARIANT (a refusal did nothing): why the table was taken away is answered by calls that have applied nothing. What
    /// became of rows that were applied nobody knows then, and a failure of storage says so.
    pub async fn change_indexed<T, E: From<StorageError> + From<AccessError> + From<CollectionFull>>(
        &self,
        key: &[u8],
        decide: impl FnOnce(Option<&Bytes>) -> Result<(Change, T), E>,
    ) -> Result<(T, IndexWrites), E> {
        let (outcome, sequence) = {
            let latch = self.latches.of(key).lock().await;
            let newest = self.newest(key).await.map_err(|error| self.reason(error))?;
            match decide(newest.stored.as_ref()) {
                Ok((Change::Keep, answer)) => (Ok((answer, IndexWrites::default())), newest.sequence),
                // A refusal rests on what it saw: it must not be told before that is durable.
                Err(refusal) => (Err(refusal), newest.sequence),
                Ok((change, answer)) => {
                    let room = match &change {
                        Change::Put(item) => self.large_writes.room(self.bytes_of_rows(item.len())).await,
                        Change::Keep | Change::Delete => Room::default(),
                    };
                    let mut batch = Batch::new();
                    let key = Bytes::copy_from_slice(key);
                    let stored = match change {
                        Change::Put(item) => {
                            let item = Bytes::from(item);
                            self.filter.add(&key);
                            batch.put_bytes(key.clone(), item.clone());
                            Some(item)
                        }
                        Change::Keep | Change::Delete => {
                            batch.delete(&key);
                            None
                        }
                    };
                    if newest.stored.is_some() && stored.is_some() {
                        batch.overwrites_one();
                    }
                    let mut upkeep = Upkeep::of(self);
                    let mut index_writes = IndexWrites::default();
                    if let Some(upkeep) = &mut upkeep {
                        let (before, after) = (newest.stored.as_ref(), stored.as_ref());
                        // Set apart, so that writes of tables without indexes stay small.
                        index_writes = Box::pin(async {
                            let writes = upkeep.item(&key, before, after, &mut batch).await?;
                            upkeep.complete::<E>(&mut batch).await?;
                            Ok::<_, E>(writes)
                        })
                        .await?;
                    }
                    self.check_not_gone()?;
                    let written = self.database.apply(batch).await?;
                    self.count(newest.stored.as_ref(), stored.as_ref());
                    let sequence = self.applied(&written);
                    if let Some(upkeep) = upkeep {
                        upkeep.applied(sequence);
                    }
                    self.cache.set(self.cache_scope, key, Entry { stored, sequence });
                    drop(latch);
                    written.durable().await?;
                    drop(room);
                    return Ok((answer, index_writes));
                }
            }
        };
        if sequence > self.database.durable_sequence() {
            // This call has applied nothing.
            self.database.wait_durable(sequence).await.map_err(|error| self.reason(error))?;
        }
        outcome
    }

    /// Calls `visit` with each row of `range` in order until it says to stop or the range ends.
    /// Returns whether the range was read to its end.
    pub async fn visit<E: From<AccessError>>(
        &self,
        range: Range,
        order: Order,
        consistent: bool,
        mut visit: impl FnMut(Bytes, Bytes) -> Result<bool, E>,
    ) -> Result<bool, E> {
        let mut scan = self.rows(range, order, consistent).await?;
        while let Some((key, stored)) = scan.next().await? {
            if !visit(key, stored)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The rows of `range` in order, one after the other.
    pub async fn rows(&self, range: Range, order: Order, consistent: bool) -> Result<Rows<'_>, AccessError> {
        let visibility = if consistent { Visibility::Durable } else { Visibility::Applied };
        let scan = self.database.scan(range, order, visibility).await.map_err(|error| self.reason(error))?;
        Ok(Rows::new(self, scan))
    }

    /// How large the table is.
    pub fn counted(&self) -> Counted {
        self.counted_so_far().at_least_none()
    }

    // Until a recount, a table that was not closed may have counted more deletions than items.
    pub(super) fn counted_so_far(&self) -> Counted {
        Counted { items: self.items.load(Ordering::Relaxed), bytes: self.bytes.load(Ordering::Relaxed) }
    }

    pub(super) fn add_to_counts(&self, items: i64, bytes: i64) {
        self.items.fetch_add(items, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// How far the table's store has come.
    pub fn seen(&self) -> Seen {
        self.database.seen()
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
        self.wipe();
        closed
    }

    /// Wipes the keys and everything decrypted, at once; then closes without writing.
    pub async fn abandon(&self, why: AccessError) {
        self.forget(why);
        self.database.abandon().await;
    }

    /// Has every write from now on refused for `why`.
    pub fn refuse_writes(&self, why: AccessError) {
        // The first reason is the one that counts.
        let _ = self.gone.set(why);
    }

    /// Waits until all that was applied is durable, after writes were refused: who wrote it is told so.
    pub(super) async fn settled(&self) {
        self.latches.passed().await;
        let last = self.last_sequence.load(Ordering::Acquire);
        if self.database.durable_sequence() < last {
            // Who waits for the same learns of the failure.
            let _ = self.database.wait_durable(last).await;
        }
    }

    // Wipes the keys and every decrypted item of the table. Calls under way fail, and say why as far as they may.
    fn forget(&self, why: AccessError) {
        self.refuse_writes(why);
        self.wipe();
    }

    // What a failure means: that the table was taken away, if it was.
    pub(super) fn reason(&self, error: StorageError) -> AccessError {
        self.gone.get().cloned().unwrap_or(AccessError::Storage(error))
    }

    pub(super) fn check_not_gone(&self) -> Result<(), AccessError> {
        self.gone.get().map_or(Ok(()), |why| Err(why.clone()))
    }

    fn wipe(&self) {
        self.data_keys.close();
        self.filter.give_up();
        self.cache.forget(self.cache_scope);
        self.database.forget_blocks();
    }

    // The newest applied state, through the cache. The caller holds the key's latch.
    pub(super) async fn newest(&self, key: &[u8]) -> Result<Entry, StorageError> {
        if let Some(entry) = self.cache.entry(self.cache_scope, key) {
            return Ok(entry);
        }
        // What memory no longer holds may still not be durable. A row knows the write that made
        // it; for an absent one the newest write of the table is an upper bound.
        let bound = self.last_sequence.load(Ordering::Acquire);
        // The filter knows items only, not the sizes of collections.
        let is_item = key.first() == Some(&kind::ITEM);
        if is_item && self.filter.excludes(key) {
            // Not kept in the cache: asking the filter again is as cheap.
            return Ok(Entry { stored: None, sequence: bound });
        }
        let entry = match self.database.get_with_sequence(key).await? {
            Some((stored, sequence)) => Entry { stored: Some(stored), sequence },
            None => {
                if is_item {
                    self.filter.found_absent();
                }
                Entry { stored: None, sequence: bound }
            }
        };
        self.cache.set(self.cache_scope, Bytes::copy_from_slice(key), entry.clone());
        Ok(entry)
    }

    pub(super) fn applied(&self, written: &Written) -> u64 {
        self.last_sequence.fetch_max(written.sequence(), Ordering::AcqRel);
        written.sequence()
    }

    pub(super) fn count(&self, before: Option<&Bytes>, after: Option<&Bytes>) {
        let bytes = |stored: Option<&Bytes>| {
            stored.and_then(|stored| stored::item_bytes(stored).ok()).map_or(0, |bytes| bytes as i64)
        };
        let items = i64::from(after.is_some()) - i64::from(before.is_some());
        self.add_to_counts(items, bytes(after) - bytes(before));
    }

    /// From now on, writes maintain these indexes; those that are under way may still maintain the former ones.
    pub(super) fn set_indexes(&self, indexes: Arc<IndexSet>) {
        let index_count = indexes.iter().count();
        *self.indexes.write() = indexes;
        self.index_count.store(index_count, Ordering::Release);
    }

    // The indexes to maintain. To be asked for under the latch of the item that is written.
    pub(super) fn indexes(&self) -> Option<Arc<IndexSet>> {
        (self.index_count.load(Ordering::Acquire) > 0).then(|| Arc::clone(&self.indexes.read()))
    }

    /// The rows that items of so many stored bytes make at most, their entries included.
    pub(super) fn bytes_of_rows(&self, bytes: usize) -> usize {
        bytes * (1 + self.index_count.load(Ordering::Acquire))
    }

    /// A row's newest applied value, past the cache. The caller holds the key's latch.
    pub(super) async fn newest_row(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        self.database.get(key, Visibility::Applied).await
    }

    /// A row's newest applied value. The caller holds the row's latch, whatever that is.
    pub(super) async fn newest_value(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        Ok(self.newest(key).await?.stored)
    }

    /// A row was applied; the caller holds its latch.
    pub(super) fn remember(&self, key: Bytes, stored: Option<Bytes>, sequence: u64) {
        self.cache.set(self.cache_scope, key, Entry { stored, sequence });
    }

    /// How large the collection of an item is: all items of its partition with their entries in local indexes.
    /// None in a table without local indexes.
    pub async fn collection_bytes(&self, row: &[u8]) -> Result<Option<u64>, StorageError> {
        let Some(indexes) = self.indexes() else { return Ok(None) };
        let Some(collection) = indexes.local().and_then(|local| local.table.collection_row(row)) else {
            return Ok(None);
        };
        let value = self.database.get(&collection, Visibility::Applied).await?;
        collection_bytes(value.as_ref()).map(Some)
    }

    pub(super) fn database(&self) -> &Database {
        &self.database
    }
}
