//! What the engine does by itself: follow the keys, close idle tables, finish what was interrupted.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt;

use super::access::taken_over;
use super::catalogue::Engine;
use super::record::TableRecord;
use super::table::Table;
use crate::storage::{Seen, StorageError};

impl Engine {
    /// Finishes what an earlier process left, looks at every table's key, counts what a crash left uncounted, and starts
    /// the engine's work.
    pub fn start(self: &Arc<Self>) {
        let mut tasks = self.tasks.lock();
        if self.parts.push_key_state {
            let engine = Arc::clone(self);
            let news = engine.parts.kms.subscribe();
            tasks.push(tokio::spawn(async move {
                engine.look_at_tables(|_| true);
                engine.follow_keys(news).await;
            }));
        }
        let engine = Arc::clone(self);
        tasks.push(tokio::spawn(async move { engine.open_unclosed().await }));
        let engine = Arc::clone(self);
        tasks.push(tokio::spawn(async move {
            loop {
                engine.step().await;
                tokio::time::sleep(STEP).await;
            }
        }));
    }

    /// Stops the engine's work and closes every table, so that the next start has nothing to replay.
    pub async fn close(&self) {
        // Requests that stand in line for a table find it closed for good.
        self.is_closing.store(true, Ordering::Release);
        for task in self.tasks.lock().drain(..) {
            task.abort();
        }
        let close = async |table: Arc<Table>| {
            let _turn = table.turn.lock().await;
            if let Err(error) = self.close_table(&table, InUse::IsClosed).await {
                tracing::warn!(table = %table.record().id, %error,
                    "a table did not close cleanly; what was acknowledged is in its log");
            }
        };
        // Each waits for the disk a few times.
        futures::stream::iter(self.all_tables()).for_each_concurrent(CLOSES_MAX, close).await;
    }

    /// Stops the engine's work and lets go of every table without writing; another engine has taken over.
    pub async fn abandon(&self) {
        // Whoever is on the way to a table would open it again, and so close it for the other engine.
        self.is_abandoned.store(true, Ordering::Release);
        for task in self.tasks.lock().drain(..) {
            task.abort();
        }
        for table in self.all_tables() {
            if let Some(opening) = table.set_opening(None) {
                opening.table.abandon(taken_over().into()).await;
            }
        }
    }

    /// One round of the work that goes by the clock.
    pub async fn step(self: &Arc<Self>) {
        let now_millis = self.clock().now_millis();
        self.pay_debts().await;
        for table in self.all_tables() {
            let record = table.record();
            if record.deleting {
                if record.options.passing_status(now_millis).is_some() {
                    continue;
                }
                let _turn = table.turn.lock().await;
                if let Err(error) = self.clear_away(&table).await {
                    tracing::warn!(table = %record.id, %error, "a deleted table is not cleared away yet");
                }
                continue;
            }
            if record.switch.is_some() {
                self.finish_switch(&table, None).await;
            }
            if record.inaccessible_millis.is_some() && (self.is_remote(&record) || !self.parts.push_key_state)
            {
                // Nobody tells us when a key elsewhere comes back. On success the table is open again.
                let _ = self.open(&table, None).await;
            }
            if record.inaccessible_millis.is_none() {
                self.work_on_indexes(&table);
            }
            self.complete_filter(&table);
            self.recount(&table);
            if now_millis - table.counted_millis() >= COUNT_MILLIS {
                self.save_count(&table, now_millis).await;
                self.renew_data_keys(&table).await;
            }
            let idle_millis = self.idle_millis(&record);
            if now_millis - table.used_millis() >= idle_millis && table.opening().is_some() {
                let _turn = table.turn.lock().await;
                if now_millis - table.used_millis() >= idle_millis
                    && let Err(error) = self.close_table(&table, InUse::StaysOpen).await
                {
                    tracing::warn!(table = %record.id, %error, "an idle table did not close cleanly");
                }
            }
        }
    }

    /// Keeps a task that ends with the engine's work.
    pub(super) fn keep_task(&self, task: tokio::task::JoinHandle<()>) {
        let mut tasks = self.tasks.lock();
        tasks.retain(|task| !task.is_finished());
        tasks.push(task);
    }

    // A table whose key is elsewhere stays open as long as its cached key may bridge an outage (R25):
    // once closed, it would need the key service to open again.
    fn idle_millis(&self, record: &TableRecord) -> i64 {
        if self.is_remote(record) {
            self.parts.idle_millis.max(self.parts.callers.outage_millis_max)
        } else {
            self.parts.idle_millis
        }
    }

    // The caller holds the table's turn.
    async fn close_table(&self, table: &Table, in_use: InUse) -> Result<(), StorageError> {
        let Some(opening) = table.set_opening(None) else { return Ok(()) };
        if !opening.requests_have_passed().await && in_use == InUse::StaysOpen {
            table.set_opening(Some(opening));
            return Ok(());
        }
        let counted = table.counted_record(opening.table.counted());
        opening.table.close().await?;
        let Seen { manifest_id, log_id } = opening.table.seen();
        let closed =
            TableRecord { manifest_id, log_id, open: !opening.table.exactness.is_exact(), ..counted };
        if closed != *table.record() {
            self.save(table, closed).await?;
        }
        Ok(())
    }

    async fn save_count(&self, table: &Table, now_millis: i64) {
        let Some(opening) = table.opening() else { return };
        let Ok(_turn) = table.turn.try_lock() else { return };
        table.mark_counted(now_millis);
        let record = table.record();
        let counted = table.counted_record(opening.table.counted());
        if counted != *record && !record.deleting {
            // A lost count is caught up by the next round.
            let _ = self.save(table, counted).await;
        }
    }
}

/// What becomes of a table that is to be closed and that requests do not let go of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InUse {
    StaysOpen,
    IsClosed,
}

const STEP: Duration = Duration::from_secs(1);
/// How many tables are closed at once when the server stops.
const CLOSES_MAX: usize = 16;
/// How often a table's size is recorded while it is open.
const COUNT_MILLIS: i64 = 60_000;
