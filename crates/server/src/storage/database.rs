//! One SlateDB with group commit.
//!
//! A write is applied to memory at once and in call order; it is durable when
//! its `Written` says so. One flush serves everybody who waits: it starts when
//! somebody waits and the last one has finished, so an idle database does nothing.

use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStore;
use slatedb::config::{
    DurabilityLevel, FlushOptions, FlushType, ReadOptions, ScanOptions, Settings, WriteOptions,
};
use slatedb::{IterationOrder, WriteBatch, WriteHandle};
use tokio::sync::Notify;

use super::StorageError;

/// An open database.
pub struct Database {
    db: slatedb::Db,
    flush_wanted: Arc<Notify>,
    flusher: tokio::task::JoinHandle<()>,
}

/// Rows to write together: all become visible and durable at once, or none.
#[derive(Default)]
pub struct Batch(WriteBatch);

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a row.
    pub fn put(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.0.put(key, value);
    }

    /// Removes a row.
    pub fn delete(&mut self, key: impl AsRef<[u8]>) {
        self.0.delete(key);
    }
}

/// Which rows a read may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Only durable rows: what a consistent read shows.
    Durable,
    /// Also rows that are applied but not durable yet: what condition checks look at.
    Applied,
}

/// The order of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Smallest key first.
    Ascending,
    /// Largest key first.
    Descending,
}

/// A write that is applied and will be durable.
pub struct Written {
    handle: WriteHandle,
    flush_wanted: Arc<Notify>,
}

impl Written {
    /// The write's place in the database's order of writes.
    pub fn sequence(&self) -> u64 {
        self.handle.seqnum()
    }

    /// Waits until the write is durable.
    pub async fn durable(self) -> Result<(), StorageError> {
        self.flush_wanted.notify_one();
        Ok(self.handle.await_durable().await?)
    }
}

/// An iterator over rows.
pub struct Scan(slatedb::DbIterator);

impl Scan {
    /// The next row, or `None` at the end.
    pub async fn next(&mut self) -> Result<Option<(Bytes, Bytes)>, StorageError> {
        Ok(self.0.next().await?.map(|row| (row.key, row.value)))
    }
}

impl Database {
    /// Opens the database at `path` of `store`, or creates it.
    pub async fn open(path: &str, store: Arc<dyn ObjectStore>) -> Result<Self, StorageError> {
        let settings = Settings { flush_interval: None, ..Settings::default() };
        let db = slatedb::Db::builder(path, store).with_settings(settings).build().await?;
        let flush_wanted = Arc::new(Notify::new());
        let flusher = tokio::spawn(flush_when_wanted(db.clone(), Arc::clone(&flush_wanted)));
        Ok(Self { db, flush_wanted, flusher })
    }

    /// One row's value.
    pub async fn get(&self, key: &[u8], visibility: Visibility) -> Result<Option<Bytes>, StorageError> {
        let options = ReadOptions::new().with_durability_filter(visibility.level());
        Ok(self.db.get_with_options(key, &options).await?)
    }

    /// The rows between two keys.
    pub async fn scan(
        &self,
        range: (Bound<Vec<u8>>, Bound<Vec<u8>>),
        order: Order,
        visibility: Visibility,
    ) -> Result<Scan, StorageError> {
        let options = ScanOptions {
            durability_filter: visibility.level(),
            order: match order {
                Order::Ascending => IterationOrder::Ascending,
                Order::Descending => IterationOrder::Descending,
            },
            cache_blocks: true,
            ..ScanOptions::default()
        };
        Ok(Scan(self.db.scan_with_options(range, &options).await?))
    }

    /// Applies a batch; durable once the returned `Written` says so.
    pub async fn apply(&self, batch: Batch) -> Result<Written, StorageError> {
        let handle = self.db.write_with_options(batch.0, &WriteOptions::default()).await?;
        Ok(Written { handle, flush_wanted: Arc::clone(&self.flush_wanted) })
    }

    /// Applies a batch and waits until it is durable, sharing the flush with everybody who waits.
    pub async fn commit(&self, batch: Batch) -> Result<(), StorageError> {
        self.apply(batch).await?.durable().await
    }

    /// Flushes and closes. Calls made afterwards fail with `Closed`.
    pub async fn close(&self) -> Result<(), StorageError> {
        self.flusher.abort();
        Ok(self.db.close().await?)
    }
}

impl Visibility {
    fn level(self) -> DurabilityLevel {
        match self {
            Self::Durable => DurabilityLevel::Remote,
            Self::Applied => DurabilityLevel::Memory,
        }
    }
}

async fn flush_when_wanted(db: slatedb::Db, wanted: Arc<Notify>) {
    loop {
        wanted.notified().await;
        // A failed flush closes the database, which wakes every waiter with the cause.
        if db.flush_with_options(FlushOptions { flush_type: FlushType::Wal }).await.is_err() {
            return;
        }
    }
}

/// The whole range of keys that start with `prefix`.
pub fn prefix_range(prefix: &[u8]) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return (Bound::Included(prefix.to_vec()), Bound::Excluded(end));
        }
    }
    (Bound::Included(prefix.to_vec()), Bound::Unbounded)
}
