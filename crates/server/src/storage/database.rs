//! One SlateDB with group commit.
//!
//! A write is applied to memory at once and in call order; it is durable when
//! its `Written` says so. One flush serves everybody who waits: it starts when
//! somebody waits and the last one has finished, so an idle database does nothing.

use std::ops::Bound;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use object_store::ObjectStore;
use slatedb::config::{
    CloseOptions, DurabilityLevel, FlushOptions, FlushType, ReadOptions, ScanOptions, Settings, WriteOptions,
};
use slatedb::{DbStatus, IterationOrder, WriteBatch, WriteHandle};
use slatedb_common::clock::SystemClock;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::StorageError;
use super::block_cache::BlockCache;
use super::compaction::{self, AtWork};
use super::dead_rows::DeadInMemory;
use super::doors::Doors;
use super::maintenance::{self, Maintenance};
use super::steady_clock::SteadyClock;
use super::write_ahead_log::{self, Log, Seen};

/// An open database.
pub struct Database {
    db: slatedb::Db,
    status: watch::Receiver<DbStatus>,
    flush_wanted: Arc<Notify>,
    tasks: [JoinHandle<()>; 2],
    at_work: Arc<AtWork>,
    dead_in_memory: Arc<DeadInMemory>,
    // For the collection at the end; the store is the database's own.
    path: String,
    store: Arc<dyn ObjectStore>,
    doors: Doors,
    cache: Arc<BlockCache>,
    cache_scope: u64,
    // The number of the log's object that this opening has written, or a lower one.
    opened_log_id: u64,
    // How far it had come when it was closed.
    closed: OnceLock<Seen>,
}

/// Rows to write together: all become visible and durable at once, or none.
#[derive(Default)]
pub struct Batch {
    rows: WriteBatch,
    // How many rows die with it, as far as its maker knows.
    dead: u64,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a row.
    pub fn put(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.rows.put(key, value);
    }

    /// Sets a row without copying key and value.
    pub fn put_bytes(&mut self, key: Bytes, value: Bytes) {
        self.rows.put_bytes(key, value);
    }

    /// Counts a row that this batch overwrites: scans walk over it for a while.
    pub fn overwrites_one(&mut self) {
        self.dead += 1;
    }

    /// Removes a row.
    pub fn delete(&mut self, key: impl AsRef<[u8]>) {
        self.rows.delete(key);
        self.dead += 1;
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

impl Order {
    fn iteration(self) -> IterationOrder {
        match self {
            Self::Ascending => IterationOrder::Ascending,
            Self::Descending => IterationOrder::Descending,
        }
    }
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

/// The rows as they were at one moment.
pub struct Snapshot(Arc<slatedb::DbSnapshot>);

impl Snapshot {
    /// The last write that it shows, in the order of `Written::sequence`.
    pub fn sequence(&self) -> u64 {
        self.0.seq()
    }

    /// One row's value.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        let options = ReadOptions::new().with_durability_filter(DurabilityLevel::Memory);
        Ok(self.0.get_with_options(key, &options).await?)
    }

    /// The rows between two keys.
    pub async fn scan(
        &self,
        range: (Bound<Vec<u8>>, Bound<Vec<u8>>),
        order: Order,
    ) -> Result<Scan, StorageError> {
        let options = ScanOptions { order: order.iteration(), cache_blocks: true, ..scan_of_all() };
        Ok(Scan(self.0.scan_with_options(range, &options).await?))
    }

    /// The rows between two keys, smallest first, for a reader who reads them once: they are not kept in the block cache.
    pub async fn scan_once(&self, range: (Bound<Vec<u8>>, Bound<Vec<u8>>)) -> Result<Scan, StorageError> {
        let options = ScanOptions { cache_blocks: false, ..scan_of_all() };
        Ok(Scan(self.0.scan_with_options(range, &options).await?))
    }
}

// A snapshot says itself how far it goes.
fn scan_of_all() -> ScanOptions {
    ScanOptions { durability_filter: DurabilityLevel::Memory, ..ScanOptions::default() }
}

impl Database {
    /// Opens the database at `path` of `store`, which has come as far as it was `seen`, or creates it.
    ///
    /// Opening fences whoever had it open before: their next write fails.
    pub async fn open(
        path: &str,
        store: Arc<dyn ObjectStore>,
        cache: Arc<BlockCache>,
        doors: &Doors,
        seen: Seen,
    ) -> Result<Self, StorageError> {
        let cache_scope = cache.new_scope();
        let Log { files, end: opened_log_id } = write_ahead_log::whole(path, &store, doors, seen).await?;
        let clock = SteadyClock::for_database(path, &store, &files, doors.clock.as_ref()).await?;
        let clock: Arc<dyn SystemClock> = Arc::new(clock);
        let mut builder = slatedb::Db::builder(path, Arc::clone(&store))
            .with_settings(settings())
            .with_db_cache(Arc::clone(&cache) as _, cache_scope)
            .with_system_clock(Arc::clone(&clock));
        if let Some(seed) = doors.seed() {
            builder = builder.with_seed(seed);
        }
        let db = builder.build().await?;
        let flush_wanted = Arc::new(Notify::new());
        let written = Arc::new(Notify::new());
        if !files.is_empty() {
            // Not the first opening, which leaves a fence in the log at least. What it left to do is looked at once.
            written.notify_one();
        }
        drop(files);
        let dead_in_memory = Arc::new(DeadInMemory::default());
        let at_work = Arc::new(AtWork::default());
        let maintenance = Maintenance {
            db: db.clone(),
            path: path.to_owned(),
            store: Arc::clone(&store),
            clock,
            doors: doors.clone(),
            written: Arc::clone(&written),
            dead_in_memory: Arc::clone(&dead_in_memory),
            at_work: Arc::clone(&at_work),
        };
        let tasks = [
            tokio::spawn(flush_when_wanted(db.clone(), Arc::clone(&flush_wanted), written)),
            tokio::spawn(maintenance.run()),
        ];
        let status = db.subscribe();
        let (path, doors) = (path.to_owned(), doors.clone());
        Ok(Self {
            db,
            status,
            flush_wanted,
            tasks,
            at_work,
            dead_in_memory,
            path,
            store,
            doors,
            cache,
            cache_scope,
            opened_log_id,
            closed: OnceLock::new(),
        })
    }

    /// One row's value.
    pub async fn get(&self, key: &[u8], visibility: Visibility) -> Result<Option<Bytes>, StorageError> {
        let options = ReadOptions::new().with_durability_filter(visibility.level());
        Ok(self.db.get_with_options(key, &options).await?)
    }

    /// One row's newest applied value, with the sequence number of the write that made it.
    pub async fn get_with_sequence(&self, key: &[u8]) -> Result<Option<(Bytes, u64)>, StorageError> {
        let options = ReadOptions::new().with_durability_filter(DurabilityLevel::Memory);
        let row = self.db.get_key_value_with_options(key, &options).await?;
        Ok(row.map(|row| (row.value, row.seq)))
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
            order: order.iteration(),
            cache_blocks: true,
            ..ScanOptions::default()
        };
        Ok(Scan(self.db.scan_with_options(range, &options).await?))
    }

    /// All rows that are applied now, durable or not.
    pub fn snapshot(&self) -> Result<Snapshot, StorageError> {
        Ok(Snapshot(self.db.snapshot()?))
    }

    /// Applies a batch; durable once the returned `Written` says so.
    pub async fn apply(&self, batch: Batch) -> Result<Written, StorageError> {
        let handle = self.db.write_with_options(batch.rows, &WriteOptions::default()).await?;
        self.dead_in_memory.add(batch.dead);
        Ok(Written { handle, flush_wanted: Arc::clone(&self.flush_wanted) })
    }

    /// Applies a batch and waits until it is durable, sharing the flush with everybody who waits.
    pub async fn commit(&self, batch: Batch) -> Result<(), StorageError> {
        self.apply(batch).await?.durable().await
    }

    /// The last write that is durable, in the order of `Written::sequence`.
    pub fn durable_sequence(&self) -> u64 {
        self.status.borrow().durable_seq
    }

    /// Waits until the write numbered `sequence` is durable.
    pub async fn wait_durable(&self, sequence: u64) -> Result<(), StorageError> {
        let mut status = self.status.clone();
        self.flush_wanted.notify_one();
        let reached = status
            .wait_for(|status| status.durable_seq >= sequence || status.close_reason.is_some())
            .await
            .map_err(|_| StorageError::Closed("it was dropped".to_owned()))?;
        if reached.durable_seq >= sequence {
            Ok(())
        } else {
            Err(StorageError::Closed(format!("{:?}", reached.close_reason)))
        }
    }

    /// How far the database has come, durably and as far as this opening knows.
    pub fn seen(&self) -> Seen {
        if let Some(closed) = self.closed.get() {
            return *closed;
        }
        let manifest = self.db.manifest();
        // Each opening writes an object into the log, after the last one that was there.
        let log_id = manifest.next_wal_sst_id().saturating_sub(1).max(self.opened_log_id);
        Seen { manifest_id: manifest.id(), log_id }
    }

    /// Whether calls can still succeed; a database that failed stays closed.
    pub fn is_open(&self) -> bool {
        self.status.borrow().close_reason.is_none()
    }

    /// Waits until the database is closed, by us or by a failure, and says why.
    pub async fn closed(&self) -> String {
        let mut status = self.status.clone();
        match status.wait_for(|status| status.close_reason.is_some()).await {
            Ok(status) => format!("{:?}", status.close_reason),
            Err(_) => "it was dropped".to_owned(),
        }
    }

    /// Drops every decrypted block that was read so far.
    pub fn forget_blocks(&self) {
        self.cache.forget(self.cache_scope);
    }

    /// Writes out what memory holds and closes. Calls made afterwards fail with `Closed`.
    ///
    /// Where that would have to wait for a merge, it stays in the log: nobody merges any more.
    pub async fn close(&self) -> Result<(), StorageError> {
        let has_room = compaction::has_room_for_memory(&self.db);
        self.close_with(Some(if has_room { FlushType::MemTable } else { FlushType::Wal })).await?;
        // Maintenance works while a database is open; one that is open for seconds only would never be collected.
        maintenance::collect(&self.path, &self.store, &self.doors).await;
        // Maintenance stores manifests too. With this one all is in sorted runs, and nothing of the log is needed; or it is
        // needed up to its last object.
        if let Ok(Some(mut closed)) = write_ahead_log::stored(&self.path, &self.store, &self.doors).await {
            if !has_room {
                closed.log_id = write_ahead_log::last(&self.path, &self.store).await?.max(closed.log_id);
            }
            self.closed.get_or_init(|| closed);
        }
        Ok(())
    }

    /// Closes without writing anything: what is not durable is lost, and was never acknowledged.
    pub async fn abandon(&self) {
        // The cause is known to the caller; an error while giving up adds nothing.
        let _ = self.close_with(None).await;
    }

    /// Whether a compactor is at work.
    #[cfg(test)]
    pub(super) fn is_compacting(&self) -> bool {
        self.at_work.is_running()
    }

    async fn close_with(&self, flush_type: Option<FlushType>) -> Result<(), StorageError> {
        for task in &self.tasks {
            task.abort();
        }
        self.at_work.close().await;
        let closed = self.db.close_with_options(CloseOptions::default().with_flush_type(flush_type)).await;
        self.cache.forget(self.cache_scope);
        Ok(closed?)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.at_work.close_later();
        self.cache.forget(self.cache_scope);
    }
}

fn settings() -> Settings {
    Settings {
        // Flushes are ours: see `flush_when_wanted`.
        flush_interval: None,
        // One process owns the data, so a manifest changes only when we change it;
        // maintenance refreshes it after a compaction.
        manifest_poll_interval: Duration::from_hours(1),
        manifest_update_timeout: Duration::from_secs(30),
        max_unflushed_bytes: 128 * 1024 * 1024,
        l0_sst_size_bytes: 32 * 1024 * 1024,
        // Each flush is a file that a restart after a crash must read.
        max_wal_flushes_before_l0_flush: 8192,
        // One after the other: each holds tens of MiB while it is written.
        l0_flush_parallelism: 1,
        l0_max_ssts: compaction::YOUNG_RUNS_MAX,
        l0_max_ssts_per_key: compaction::YOUNG_RUNS_MAX,
        // Compaction and collection run when there is something to do: see `maintenance`.
        compactor_options: None,
        garbage_collector_options: None,
        object_store_max_retries: Some(3),
        ..Settings::default()
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

async fn flush_when_wanted(db: slatedb::Db, wanted: Arc<Notify>, written: Arc<Notify>) {
    loop {
        wanted.notified().await;
        // A failed flush closes the database, which wakes every waiter with the cause.
        if db.flush_with_options(FlushOptions { flush_type: FlushType::Wal }).await.is_err() {
            return;
        }
        written.notify_one();
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::pin::Pin;

    use futures::TryStreamExt;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;
    use slatedb_common::clock::SystemClockTicker;

    use super::*;

    async fn open(store: &Arc<InMemory>) -> Database {
        let cache = Arc::new(BlockCache::new(1 << 20));
        let store = Arc::clone(store) as _;
        Database::open("db", store, cache, &Doors::default(), Seen::default()).await.unwrap()
    }

    fn one(key: &str, value: &str) -> Batch {
        let mut batch = Batch::new();
        batch.put(key, value);
        batch
    }

    #[tokio::test]
    async fn a_write_is_applied_at_once_and_durable_later() {
        let store = Arc::new(InMemory::new());
        let database = open(&store).await;
        let written = database.apply(one("a", "1")).await.unwrap();
        assert_eq!(database.get(b"a", Visibility::Applied).await.unwrap().unwrap(), "1");
        assert_eq!(database.get(b"a", Visibility::Durable).await.unwrap(), None);
        let sequence = written.sequence();
        assert!(database.durable_sequence() < sequence);
        written.durable().await.unwrap();
        assert!(database.durable_sequence() >= sequence);
        assert_eq!(database.get(b"a", Visibility::Durable).await.unwrap().unwrap(), "1");
    }

    #[tokio::test]
    async fn durable_writes_survive_an_abandoned_database() {
        let store = Arc::new(InMemory::new());
        let database = open(&store).await;
        database.commit(one("a", "1")).await.unwrap();
        database.apply(one("b", "2")).await.unwrap();
        database.abandon().await;
        assert!(matches!(database.commit(one("c", "3")).await, Err(StorageError::Closed(_))));
        let database = open(&store).await;
        assert_eq!(database.get(b"a", Visibility::Durable).await.unwrap().unwrap(), "1");
        assert_eq!(database.get(b"b", Visibility::Applied).await.unwrap(), None);
    }

    /// A clock that dates what is stored ten minutes after it was: all of it is old enough to be collected.
    #[derive(Debug)]
    struct Later;

    impl SystemClock for Later {
        fn now(&self) -> chrono::DateTime<chrono::Utc> {
            chrono::Utc::now() + Duration::from_mins(10)
        }

        fn sleep<'a>(&'a self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
            Box::pin(tokio::time::sleep(duration))
        }

        fn ticker<'a>(&'a self, duration: Duration) -> SystemClockTicker<'a> {
            SystemClockTicker::new(self, duration)
        }
    }

    // A database that is opened for moments only, again and again, must not grow with each opening.
    #[tokio::test]
    async fn closing_collects_what_nobody_needs() {
        let store = Arc::new(InMemory::new());
        let doors = Doors { clock: Some(Arc::new(Later)), ..Doors::default() };
        let mut counts = Vec::new();
        for round in 0..4 {
            let cache = Arc::new(BlockCache::new(1 << 20));
            let opened = Arc::clone(&store) as _;
            let database = Database::open("db", opened, cache, &doors, Seen::default()).await.unwrap();
            for row in 0..20 {
                database.commit(one(&format!("{round}-{row}"), "value")).await.unwrap();
            }
            database.close().await.unwrap();
            let log = object_store::path::Path::from("db/wal");
            let objects: Vec<_> = store.list(Some(&log)).try_collect().await.unwrap();
            // A fence, which has no bytes, stays for good.
            counts.push(objects.iter().filter(|object| object.size > 0).count());
        }
        assert!(
            counts.iter().all(|count| *count <= 2),
            "{counts:?} objects of the log are left after each closing"
        );
    }

    // Each closing makes a run, and lives too short for a merge make more of them than there may be: the log keeps the rest.
    #[tokio::test]
    async fn lives_too_short_for_a_merge_end_all_the_same() {
        let store = Arc::new(InMemory::new());
        let mut seen = Seen::default();
        for round in 0..2 * compaction::YOUNG_RUNS_MAX {
            let cache = Arc::new(BlockCache::new(1 << 20));
            let opened = Arc::clone(&store) as _;
            let database = Database::open("db", opened, cache, &Doors::default(), seen).await.unwrap();
            database.commit(one(&format!("{round:02}"), "value")).await.unwrap();
            let closed = tokio::time::timeout(Duration::from_secs(20), database.close()).await;
            closed.expect("nobody merges, and nobody waits for it").unwrap();
            seen = database.seen();
        }
        let database = open(&store).await;
        let mut scan = database.scan(prefix_range(b""), Order::Ascending, Visibility::Durable).await.unwrap();
        for round in 0..2 * compaction::YOUNG_RUNS_MAX {
            assert_eq!(scan.next().await.unwrap().unwrap().0, format!("{round:02}"));
        }
        drop(scan);
        database.close().await.unwrap();
        // What a closing leaves in the log is missed there.
        let seen = database.seen();
        let log = object_store::path::Path::from("db/wal");
        let objects: Vec<_> = store.list(Some(&log)).try_collect().await.unwrap();
        for object in objects {
            store.delete(&object.location).await.unwrap();
        }
        let cache = Arc::new(BlockCache::new(1 << 20));
        let opened = Database::open("db", Arc::clone(&store) as _, cache, &Doors::default(), seen).await;
        assert!(matches!(opened.map(|_| ()), Err(StorageError::Damaged(_))));
    }

    #[tokio::test]
    async fn scans_go_both_ways_within_a_prefix() {
        let database = open(&Arc::new(InMemory::new())).await;
        for key in ["a", "b1", "b2", "c"] {
            database.commit(one(key, key)).await.unwrap();
        }
        for (order, expected) in [(Order::Ascending, ["b1", "b2"]), (Order::Descending, ["b2", "b1"])] {
            let mut scan = database.scan(prefix_range(b"b"), order, Visibility::Durable).await.unwrap();
            for key in expected {
                assert_eq!(scan.next().await.unwrap().unwrap().0, key);
            }
            assert!(scan.next().await.unwrap().is_none());
        }
    }

    #[test]
    fn the_range_of_a_prefix_of_high_bytes_is_open() {
        assert_eq!(prefix_range(&[0xff]).1, Bound::Unbounded);
        assert_eq!(prefix_range(&[1, 0xff]).1, Bound::Excluded(vec![2]));
    }
}
