//! Compaction and garbage collection of one database, only while there is something to do.
//!
//! SlateDB's own background tasks poll; a thousand idle tables would cost a
//! third of a core. Here a flush wakes the task, it works until nothing is left,
//! and sleeps without a timer.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use slatedb::config::{FlushOptions, FlushType, GarbageCollectorDirectoryOptions, GarbageCollectorOptions};
use slatedb::manifest::SsTableId;
use slatedb::{Db, GarbageCollectorBuilder};
use slatedb_common::clock::SystemClock;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::compaction::{self, AtWork, Goal};
use super::dead_rows::{self, DeadInMemory, RowsInRuns, Tolerance};
use super::doors::Doors;
use super::full_merge::FullMerge;

/// What an open database's maintenance works on.
pub struct Maintenance {
    pub db: Db,
    pub path: String,
    pub store: Arc<dyn ObjectStore>,
    /// The database's.
    pub clock: Arc<dyn SystemClock>,
    pub doors: Doors,
    /// Notified after each flush.
    pub written: Arc<Notify>,
    pub dead_in_memory: Arc<DeadInMemory>,
    pub at_work: Arc<AtWork>,
}

/// What was learnt of the sorted runs when they were last looked at.
#[derive(Default)]
struct Known {
    files: Vec<SsTableId>,
    rows: RowsInRuns,
    // Marks that the last merge could not drop: somebody reads what was before them.
    marks_left: u64,
}

impl Maintenance {
    /// Works until the database closes. What it does is boxed, for each idle database keeps the space that its task may
    /// need at most.
    pub async fn run(self) {
        let mut known = Known::default();
        loop {
            self.written.notified().await;
            let mut last_write = Instant::now();
            let mut last_collection = Instant::now();
            while last_write.elapsed() < QUIET {
                if timeout(STEP, self.written.notified()).await.is_ok() {
                    last_write = Instant::now();
                    sleep(STEP).await;
                }
                if self.db.status().close_reason.is_some() {
                    return;
                }
                if self.db.manifest().l0().len() >= compaction::RUNS_TO_START {
                    Box::pin(self.compact(&Goal::FewRuns)).await;
                }
                Box::pin(self.bury(&mut known, Tolerance::in_use(self.dead_rows_max()))).await;
                if last_collection.elapsed() >= COLLECTION_INTERVAL {
                    Box::pin(collect(&self.path, &self.store, &self.doors)).await;
                    last_collection = Instant::now();
                }
            }
            // Nothing was written for a while: move the log's rows into a sorted run, so that the
            // log's files can go and the next start has little to replay.
            if Box::pin(self.empty_memory()).await.is_err() {
                return;
            }
            known.marks_left = 0;
            let has_merged = Box::pin(self.bury(&mut known, Tolerance::quiet(self.dead_rows_max()))).await;
            let replaced_stays = if has_merged { compaction::REPLACED_STAYS } else { AGE_MIN };
            if timeout(replaced_stays + STEP, self.written.notified()).await.is_ok() {
                // It is collected with what is written now.
                self.written.notify_one();
                continue;
            }
            Box::pin(collect(&self.path, &self.store, &self.doors)).await;
        }
    }

    /// Merges everything into one run if scans walk over too many dead rows. Returns whether it did.
    async fn bury(&self, known: &mut Known, tolerance: Tolerance) -> bool {
        match self.try_bury(known, tolerance).await {
            Ok(has_merged) => has_merged,
            Err(error) => {
                tracing::warn!(path = self.path, %error, "dead rows could not be counted; it will be tried again");
                false
            }
        }
    }

    async fn try_bury(&self, known: &mut Known, tolerance: Tolerance) -> Result<bool, slatedb::Error> {
        self.look(known).await?;
        if dead_rows::bytes_of_runs(&self.db.manifest()) > MERGED_BYTES_MAX {
            return Ok(false);
        }
        if tolerance.is_exceeded(self.dead_in_memory.count(), known.rows) {
            self.empty_memory().await?;
            self.look(known).await?;
        }
        if !tolerance.is_exceeded(known.rows.marks.saturating_sub(known.marks_left), known.rows) {
            return Ok(false);
        }
        let merge = FullMerge::of(&self.db.manifest());
        let has_merged = self.compact(&Goal::OneRun(merge)).await;
        self.look(known).await?;
        known.marks_left = known.rows.marks;
        Ok(has_merged)
    }

    // Asks the runs for their rows, if they are others than before.
    async fn look(&self, known: &mut Known) -> Result<(), slatedb::Error> {
        let manifest = self.db.manifest();
        let files: Vec<_> = manifest.all_sst_views().map(|view| view.sst.id).collect();
        if files != known.files && dead_rows::bytes_of_runs(&manifest) <= MERGED_BYTES_MAX {
            known.rows = RowsInRuns::of(&manifest, &self.path, &self.store).await?;
            known.files = files;
        }
        Ok(())
    }

    async fn empty_memory(&self) -> Result<(), slatedb::Error> {
        // Nobody else merges, so one that is waited for in here would never come.
        if !compaction::has_room_for_memory(&self.db) {
            self.compact(&Goal::FewRuns).await;
            if !compaction::has_room_for_memory(&self.db) {
                return Ok(());
            }
        }
        // What dies while it is being moved is counted for the next time.
        self.dead_in_memory.moved();
        self.db.flush_with_options(FlushOptions { flush_type: FlushType::MemTable }).await
    }

    async fn compact(&self, goal: &Goal) -> bool {
        let Self { db, path, store, clock, doors, at_work, .. } = self;
        compaction::compact(goal, db, path, store, clock, doors, at_work).await
    }

    fn dead_rows_max(&self) -> u64 {
        self.doors.dead_rows_max.unwrap_or(dead_rows::LEAST)
    }
}

/// How often an active database is looked at.
const STEP: Duration = Duration::from_secs(1);
/// How long nothing must be written before the log is emptied.
const QUIET: Duration = Duration::from_secs(20);
const COLLECTION_INTERVAL: Duration = Duration::from_secs(10);
/// Younger objects are never collected: a reader may just have learnt of them.
const AGE_MIN: Duration = Duration::from_secs(10);
/// A merge of more would hold the young runs for so long that writers had to wait for it.
const MERGED_BYTES_MAX: u64 = 2 << 30;

/// Deletes what no manifest in use refers to any more and is old enough. What fails is tried again by the next one.
pub async fn collect(path: &str, store: &Arc<dyn ObjectStore>, doors: &Doors) {
    let every = |min_age| Some(GarbageCollectorDirectoryOptions { interval: None, min_age, dry_run: false });
    let mut builder = GarbageCollectorBuilder::new(path.to_owned(), Arc::clone(store)).with_options(
        GarbageCollectorOptions {
            manifest_options: every(AGE_MIN),
            wal_options: every(AGE_MIN),
            // A fence must never go: an older writer would write where it stood.
            wal_fence_options: None,
            compacted_options: every(AGE_MIN),
            compactions_options: every(AGE_MIN),
            detach_options: None,
            metric_level: None,
            // The local store has no conditional overwrite. One process owns the data (its lock),
            // so no stale writer can exist that boundary files would protect from.
            boundary_files_enabled: false,
            object_store_max_retries: Some(3),
        },
    );
    // The clock that dates the objects: see `steady_clock`.
    if let Some(clock) = &doors.clock {
        builder = builder.with_system_clock(Arc::clone(clock));
    }
    if let Some(seed) = doors.seed() {
        builder = builder.with_seed(seed);
    }
    builder.build().run_gc_once().await;
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use object_store::memory::InMemory;
    use slatedb::admin::Admin;

    use super::*;
    use crate::storage::{Batch, BlockCache, Database, Order, Seen, Visibility, prefix_range};

    #[test]
    fn an_idle_task_is_small() {
        fn bytes<A, F: Future>(_: impl Fn(A) -> F) -> usize {
            size_of::<F>()
        }
        assert!(bytes(Maintenance::run) < 1024, "{}", bytes(Maintenance::run));
    }

    const ROWS: u64 = 20;

    async fn open(store: &Arc<dyn ObjectStore>, dead_rows_max: u64) -> Database {
        let doors = Doors { dead_rows_max: Some(dead_rows_max), ..Doors::default() };
        Database::open("db", Arc::clone(store), Arc::new(BlockCache::new(1 << 20)), &doors, Seen::default())
            .await
            .unwrap()
    }

    // Jobs that are put and deleted again, as in a queue, beside rows that stay.
    async fn work_off_jobs(database: &Database, jobs: std::ops::Range<u64>) {
        for job in jobs {
            let key = format!("job-{job:09}");
            let mut put = Batch::new();
            put.put(&key, "todo");
            database.commit(put).await.unwrap();
            let mut delete = Batch::new();
            delete.delete(&key);
            database.commit(delete).await.unwrap();
        }
    }

    async fn put_rows(database: &Database) {
        for row in 0..ROWS {
            let mut batch = Batch::new();
            batch.put(format!("row-{row:09}"), "value");
            database.commit(batch).await.unwrap();
        }
    }

    async fn rows_in_runs(store: &Arc<dyn ObjectStore>) -> RowsInRuns {
        let manifest = Admin::builder("db", Arc::clone(store)).build().read_manifest(None).await.unwrap();
        RowsInRuns::of(&manifest.unwrap(), "db", store).await.unwrap()
    }

    async fn assert_rows_are_there(database: &Database) {
        let mut scan = database.scan(prefix_range(b""), Order::Ascending, Visibility::Applied).await.unwrap();
        for row in 0..ROWS {
            assert_eq!(scan.next().await.unwrap().unwrap().0, format!("row-{row:09}"));
        }
        assert!(scan.next().await.unwrap().is_none());
    }

    // A reader of a queue pays for each job that was ever worked off, unless the marks of the deleted ones go.
    #[tokio::test(start_paused = true)]
    async fn dead_rows_go_while_writes_go_on() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let database = open(&store, 100).await;
        put_rows(&database).await;
        let mut most = 0;
        for round in 0..60 {
            work_off_jobs(&database, round * 30..(round + 1) * 30).await;
            sleep(Duration::from_millis(500)).await;
            most = most.max(rows_in_runs(&store).await.marks);
        }
        sleep(STEP * 5).await;
        let left = rows_in_runs(&store).await;
        // Of 1,800. A merge takes two seconds, in which four rounds are written.
        assert!(left.values <= ROWS + 3 && left.marks <= 100, "{left:?}");
        assert!((101..=500).contains(&most), "{most}");
        assert_rows_are_there(&database).await;
    }

    // What a database holds when nobody writes any more stays for good, so it is held to less.
    #[tokio::test(start_paused = true)]
    async fn a_quiet_database_holds_few_dead_rows() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let database = open(&store, 100).await;
        put_rows(&database).await;
        work_off_jobs(&database, 0..11).await;
        sleep(QUIET + STEP * 10).await;
        assert_eq!(rows_in_runs(&store).await, RowsInRuns { values: ROWS, marks: 0 });
        // With ten it is not worth it.
        work_off_jobs(&database, 0..10).await;
        sleep(QUIET + STEP * 10).await;
        assert_eq!(rows_in_runs(&store).await, RowsInRuns { values: ROWS, marks: 10 });
        assert_rows_are_there(&database).await;
    }

    // A database that is only read after a restart has no flush that could wake the maintenance.
    #[tokio::test(start_paused = true)]
    async fn an_opening_buries_what_the_last_one_left() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        for ends_well in [true, false] {
            let database = open(&store, 100).await;
            put_rows(&database).await;
            work_off_jobs(&database, 0..50).await;
            if ends_well {
                database.close().await.unwrap();
                assert_eq!(rows_in_runs(&store).await.marks, 50);
            } else {
                database.abandon().await;
            }
            let database = open(&store, 100).await;
            sleep(QUIET + STEP * 10).await;
            assert_eq!(rows_in_runs(&store).await, RowsInRuns { values: ROWS, marks: 0 });
            assert_rows_are_there(&database).await;
            database.close().await.unwrap();
        }
    }

    // A row that is overwritten again and again must not fill memory with what it was.
    #[tokio::test(start_paused = true)]
    async fn memory_is_emptied_of_overwritten_rows() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let database = open(&store, 100).await;
        for count in 0_u64..300 {
            let mut batch = Batch::new();
            batch.put("counter", count.to_be_bytes());
            batch.overwrites_one();
            database.commit(batch).await.unwrap();
        }
        sleep(STEP * 3).await;
        assert_eq!(rows_in_runs(&store).await, RowsInRuns { values: 1, marks: 0 });
    }

    // Whoever closes a database in the middle of a merge lets go of its store and its keys.
    #[tokio::test(start_paused = true)]
    async fn closing_ends_the_merge_that_is_under_way() {
        for ends_well in [true, false] {
            let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let database = open(&store, 10).await;
            put_rows(&database).await;
            work_off_jobs(&database, 0..50).await;
            timeout(QUIET, async {
                while !database.is_compacting() {
                    sleep(Duration::from_millis(10)).await;
                }
            })
            .await
            .unwrap();
            if ends_well {
                database.close().await.unwrap();
            } else {
                database.abandon().await;
            }
            drop(database);
            sleep(STEP).await;
            assert_eq!(Arc::strong_count(&store), 1);
            let database = open(&store, 10).await;
            sleep(QUIET * 2).await;
            assert_rows_are_there(&database).await;
            assert_eq!(rows_in_runs(&store).await, RowsInRuns { values: ROWS, marks: 0 });
        }
    }
}
