//! Compaction and garbage collection of one database, only while there is something to do.
//!
//! SlateDB's own background tasks poll; a thousand idle tables would cost a
//! third of a core. Here a flush wakes the task, it works until nothing is left,
//! and sleeps without a timer.

use std::sync::Arc;
use std::time::Duration;

use object_store::ObjectStore;
use slatedb::config::{
    CompactionWorkerOptions, CompactorOptions, FlushOptions, FlushType, GarbageCollectorDirectoryOptions,
    GarbageCollectorOptions,
};
use slatedb::{CompactorBuilder, Db, GarbageCollectorBuilder};
use slatedb_common::clock::SystemClock;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::doors::Doors;

/// Works until the database closes. What it does is boxed, for each idle database keeps the space that its task may
/// need at most. `clock` is the database's, `written` is notified after each flush.
pub async fn run(
    db: Db,
    path: String,
    store: Arc<dyn ObjectStore>,
    clock: Arc<dyn SystemClock>,
    doors: Doors,
    written: Arc<Notify>,
) {
    loop {
        written.notified().await;
        let mut last_write = Instant::now();
        let mut last_collection = Instant::now();
        while last_write.elapsed() < QUIET {
            if tokio::time::timeout(STEP, written.notified()).await.is_ok() {
                last_write = Instant::now();
                tokio::time::sleep(STEP).await;
            }
            if db.status().close_reason.is_some() {
                return;
            }
            if runs_to_merge(&db) >= RUNS_TO_START {
                Box::pin(compact(&db, &path, &store, &clock, &doors)).await;
            }
            if last_collection.elapsed() >= COLLECTION_INTERVAL {
                Box::pin(collect(&path, &store, &doors)).await;
                last_collection = Instant::now();
            }
        }
        // Nothing was written for a while: move the log's rows into a sorted run, so that the
        // log's files can go and the next start has little to replay.
        let emptied = Box::pin(db.flush_with_options(FlushOptions { flush_type: FlushType::MemTable })).await;
        if emptied.is_err() {
            return;
        }
        tokio::time::sleep(AGE_MIN + STEP).await;
        Box::pin(collect(&path, &store, &doors)).await;
    }
}

/// How often an active database is looked at.
const STEP: Duration = Duration::from_secs(1);
/// How long nothing must be written before the log is emptied.
const QUIET: Duration = Duration::from_secs(20);
const COLLECTION_INTERVAL: Duration = Duration::from_secs(10);
/// Younger objects are never collected: a reader may just have learnt of them.
const AGE_MIN: Duration = Duration::from_secs(10);
/// SlateDB's scheduler merges from this number of sources on.
const RUNS_TO_START: usize = 4;
/// A compaction that does nothing for this long is given up until the next round.
const COMPACTION_MAX: Duration = Duration::from_secs(120);

fn runs_to_merge(db: &Db) -> usize {
    db.manifest().l0().len()
}

async fn compact(
    db: &Db,
    path: &str,
    store: &Arc<dyn ObjectStore>,
    clock: &Arc<dyn SystemClock>,
    doors: &Doors,
) {
    let mut builder = CompactorBuilder::new(path.to_owned(), Arc::clone(store))
        .with_system_clock(Arc::clone(clock))
        .with_options(CompactorOptions {
            poll_interval: Duration::from_millis(500),
            commit_compacted_interval: Duration::from_millis(200),
            checkpoint_lifetime: Duration::from_secs(60),
            max_concurrent_compactions: 1,
            worker: Some(CompactionWorkerOptions {
                max_sst_size: 64 * 1024 * 1024,
                max_concurrent_compactions: 1,
                compactions_poll_interval: Duration::from_millis(500),
                ..CompactionWorkerOptions::default()
            }),
            object_store_max_retries: Some(3),
            ..CompactorOptions::default()
        });
    if let Some(seed) = doors.seed() {
        builder = builder.with_seed(seed);
    }
    let compactor = Arc::new(builder.build());
    let running = tokio::spawn({
        let compactor = Arc::clone(&compactor);
        async move { compactor.run().await }
    });
    let started = Instant::now();
    while started.elapsed() < COMPACTION_MAX && !running.is_finished() {
        tokio::time::sleep(Duration::from_millis(500)).await;
        if db.refresh_manifest().await.is_err() || runs_to_merge(db) < RUNS_TO_START {
            break;
        }
    }
    if let Err(error) = compactor.stop().await {
        tracing::warn!(path, %error, "a compaction ended with an error; it will be tried again");
    }
    running.abort();
}

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
    use super::*;

    #[test]
    fn an_idle_task_is_small() {
        fn bytes<A, B, C, D, E, G, F: Future>(_: impl Fn(A, B, C, D, E, G) -> F) -> usize {
            size_of::<F>()
        }
        assert!(bytes(run) < 1024, "{}", bytes(run));
    }
}
