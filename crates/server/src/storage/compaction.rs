//! One compaction: a compactor that works until its goal is reached.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use object_store::ObjectStore;
use parking_lot::Mutex;
use slatedb::compactor::{CompactionSchedulerSupplier, Compactor, SizeTieredCompactionSchedulerSupplier};
use slatedb::config::{CompactionWorkerOptions, CompactorOptions};
use slatedb::{CompactorBuilder, Db, VersionedManifest};
use slatedb_common::clock::SystemClock;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::doors::Doors;
use super::full_merge::FullMerge;

/// SlateDB's scheduler merges from this number of young runs on.
pub const RUNS_TO_START: usize = 4;
/// SlateDB stores no more young runs than that, and waits for a merge.
pub const YOUNG_RUNS_MAX: usize = 32;
/// How many young runs what memory holds may become: one for each 32 MiB of 128, what was begun, and what is under way.
const RUNS_OF_MEMORY: usize = 6;
/// How long what a merge has replaced stays for readers who have it open.
pub const REPLACED_STAYS: Duration = Duration::from_secs(60);
/// A compaction that has not reached its goal by then is given up until the next round.
const COMPACTION_MAX: Duration = Duration::from_secs(120);
const STEP: Duration = Duration::from_millis(500);
const ENDS_WITHIN: Duration = Duration::from_millis(500);

/// What a compaction is for.
pub enum Goal {
    /// Fewer young runs than `RUNS_TO_START`.
    FewRuns,
    /// No dead rows.
    OneRun(FullMerge),
}

/// Whether memory can be written out without waiting for a merge.
pub fn has_room_for_memory(db: &Db) -> bool {
    db.manifest().l0().len() + RUNS_OF_MEMORY <= YOUNG_RUNS_MAX
}

impl Goal {
    fn is_reached(&self, manifest: &VersionedManifest) -> bool {
        match self {
            Self::FewRuns => manifest.l0().len() < RUNS_TO_START,
            Self::OneRun(merge) => merge.is_done(manifest),
        }
    }

    fn scheduler(&self) -> Arc<dyn CompactionSchedulerSupplier> {
        match self {
            Self::FewRuns => Arc::new(SizeTieredCompactionSchedulerSupplier::new()),
            Self::OneRun(merge) => Arc::new(merge.clone()),
        }
    }
}

/// Works until the goal is reached, or gives up until the next round. Returns whether it is reached.
pub async fn compact(
    goal: &Goal,
    db: &Db,
    path: &str,
    store: &Arc<dyn ObjectStore>,
    clock: &Arc<dyn SystemClock>,
    doors: &Doors,
    at_work: &AtWork,
) -> bool {
    let mut builder = CompactorBuilder::new(path.to_owned(), Arc::clone(store))
        .with_system_clock(Arc::clone(clock))
        .with_scheduler_supplier(goal.scheduler())
        .with_options(CompactorOptions {
            poll_interval: STEP,
            commit_compacted_interval: Duration::from_millis(200),
            checkpoint_lifetime: REPLACED_STAYS,
            max_concurrent_compactions: 1,
            worker: Some(CompactionWorkerOptions {
                max_sst_size: 64 * 1024 * 1024,
                max_concurrent_compactions: 1,
                compactions_poll_interval: STEP,
                // What a merge reads ahead in each of its runs, in each of its parts.
                max_subcompactions: 1,
                max_fetch_tasks: 1,
                bytes_to_fetch: 1024 * 1024,
                ..CompactionWorkerOptions::default()
            }),
            object_store_max_retries: Some(3),
            ..CompactorOptions::default()
        });
    if let Some(seed) = doors.seed() {
        builder = builder.with_seed(seed);
    }
    let _turn = doors.merges.turn().await;
    let Some(running) = at_work.begin(builder.build()) else { return false };
    let started = Instant::now();
    let mut is_reached = false;
    while started.elapsed() < COMPACTION_MAX && !is_reached && !running.task.is_finished() {
        tokio::time::sleep(STEP).await;
        if db.refresh_manifest().await.is_err() {
            break;
        }
        is_reached = goal.is_reached(&db.manifest());
    }
    if let Err(error) = running.end().await {
        tracing::warn!(path, %error, "a compaction ended with an error; it will be tried again");
    }
    at_work.ended();
    is_reached
}

/// The compactor at work on a database, one at a time.
///
/// INVARIANT (closed is closed): a compactor's tasks are nobody's children. Whoever closes the database ends them first,
/// and none begins afterwards.
#[derive(Default)]
pub struct AtWork(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    Nothing,
    Running(Running),
    Closed,
}

#[derive(Clone)]
struct Running {
    compactor: Arc<Compactor>,
    task: AbortHandle,
    ended: Shared<BoxFuture<'static, Result<(), Arc<slatedb::Error>>>>,
}

impl AtWork {
    /// Ends the compactor at work; the next one goes on where it was. None begins from now on.
    ///
    /// One that waits for a store which does not answer ends by itself when that does.
    pub async fn close(&self) {
        if let Some(running) = self.closed() {
            // Nobody waits for its work.
            let _ = tokio::time::timeout(ENDS_WITHIN, tokio::spawn(running.end())).await;
        }
    }

    /// Like `close`, for whoever cannot wait.
    pub fn close_later(&self) {
        if let (Some(running), Ok(runtime)) = (self.closed(), Handle::try_current()) {
            runtime.spawn(running.end());
        }
    }

    #[cfg(test)]
    pub fn is_running(&self) -> bool {
        matches!(*self.0.lock(), State::Running(_))
    }

    fn closed(&self) -> Option<Running> {
        match std::mem::replace(&mut *self.0.lock(), State::Closed) {
            State::Running(running) => Some(running),
            State::Nothing | State::Closed => None,
        }
    }

    // None once the database is closed.
    fn begin(&self, compactor: Compactor) -> Option<Running> {
        let mut state = self.0.lock();
        if matches!(*state, State::Closed) {
            return None;
        }
        let compactor = Arc::new(compactor);
        let task = tokio::spawn({
            let compactor = Arc::clone(&compactor);
            async move { compactor.run().await }
        });
        let running = Running {
            compactor,
            task: task.abort_handle(),
            // One that was aborted has no error.
            ended: task.map(|ended| ended.unwrap_or(Ok(())).map_err(Arc::new)).boxed().shared(),
        };
        *state = State::Running(running.clone());
        Some(running)
    }

    fn ended(&self) {
        let mut state = self.0.lock();
        if matches!(*state, State::Running(_)) {
            *state = State::Nothing;
        }
    }
}

impl Running {
    async fn end(self) -> Result<(), Arc<slatedb::Error>> {
        // What it has started by now is stopped below, and it starts nothing more.
        self.task.abort();
        let ended = self.ended.await;
        self.compactor.stop().await.map_err(Arc::new)?;
        ended
    }
}
