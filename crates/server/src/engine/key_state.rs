//! What becomes of a table when its key's state changes.
//!
//! News of a key says only that something changed. What it means for a table is judged from the table's record and
//! the key as they are when the table's turn has come.
//!
//! INVARIANT (the mark is the record's): a table is marked inaccessible, or accessible, under its turn, by what
//! was judged of the record that is marked. A creation or a switch that ends while news is on its way brings the table
//! under another key; so whoever ends one looks at the table once more.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::access::{AccessError, grant_missing};
use super::catalogue::Engine;
use super::record::{Protection, TableRecord};
use super::table::{Opening, Refusal, Table};
use super::table_options::PassingStatus;
use crate::kms::table_kms::{KeyManager, TableKmsError};
use crate::kms::{KeyChange, KeyEvent};
use crate::storage::StorageError;

impl Engine {
    /// Follows the news of keys until nobody tells any more.
    pub(super) async fn follow_keys(self: &Arc<Self>, mut news: Receiver<KeyChange>) {
        loop {
            match news.recv().await {
                Ok(KeyChange { key_arn, event }) => match event {
                    KeyEvent::GrantRevoked { grant_id } | KeyEvent::GrantRetired { grant_id } => {
                        self.look_at_tables(|of| *of.key_arn == *key_arn && of.grants.contains(&grant_id));
                    }
                    KeyEvent::Enabled
                    | KeyEvent::Disabled
                    | KeyEvent::PendingDeletion
                    | KeyEvent::Deleted => self.look_at_tables(|of| *of.key_arn == *key_arn),
                },
                Err(RecvError::Lagged(_)) => self.look_at_tables(|_| true),
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Looks at the tables whose protection is of some kind. What was opened with a key that cannot be used is gone when
    /// this returns; the rest is done beside, for a table may be long at its disk, and news of other keys does not wait for it.
    pub(super) fn look_at_tables(self: &Arc<Self>, concerned: impl Fn(&Protection) -> bool) {
        let mut tables = self.all_tables();
        tables.retain(|table| concerned(&table.record().protection));
        for table in &tables {
            self.wipe_unusable(table);
        }
        // Who stands in line for a table judges what is so when its turn has come.
        tables.retain(|table| !table.awaits_look.swap(true, Ordering::AcqRel));
        let engine = Arc::clone(self);
        let looks = async move {
            let look = async |table: Arc<Table>| {
                if let Err(error) = engine.look_at_table(&table).await {
                    let table = &table.record().id;
                    tracing::warn!(table, %error, "the state of the table's key could not be recorded");
                }
            };
            futures::stream::iter(tables).for_each_concurrent(LOOKS_MAX, look).await;
        };
        self.keep_task(tokio::spawn(looks));
    }

    /// Takes what was opened with a key that cannot be used from everybody, at once.
    pub(super) fn wipe_unusable(&self, table: &Table) {
        if !self.parts.push_key_state || self.is_remote(&table.record()) {
            return;
        }
        take_and_wipe(table, |opening| !opening.key_is_usable(), || self.refusal_now(&table.record()));
    }

    /// Looks at the state of a table's key and at its grants, where they are this process's own and bite at once, and
    /// has the table follow.
    pub(super) async fn look_at_table(&self, table: &Arc<Table>) -> Result<(), StorageError> {
        if !self.parts.push_key_state || self.is_remote(&table.record()) {
            table.awaits_look.store(false, Ordering::Release);
            return Ok(());
        }
        // Nobody is waited for before what was opened with a key that cannot be used is gone.
        self.wipe_unusable(table);
        let turn = table.turn.lock().await;
        table.awaits_look.store(false, Ordering::Release);
        let record = table.record();
        if record.deleting || self.is_remote(&record) {
            return Ok(());
        }
        let Some(refusal) = self.loss(&record).await else { return self.mark_accessible(table).await };
        take_and_wipe(table, |_| true, || refusal);
        if record.options.passing_status(self.clock().now_millis()) == Some(&PassingStatus::Creating) {
            // On the service such a table never comes to be.
            drop(turn);
            return self.delete(table).await;
        }
        self.mark_inaccessible(table, None).await
    }

    /// The key service refused the key of `judged`: what was opened with it is wiped, at once, and the table is
    /// inaccessible, unless it has come under another key meanwhile. Requests under way answer `why`.
    pub(super) async fn lose(
        &self,
        table: &Arc<Table>,
        judged: &TableRecord,
        why: TableKmsError,
    ) -> Result<(), StorageError> {
        let is_under_it = |opening: &Opening| {
            opening.is_guarded() && opening.keyring().table_key().key_arn == judged.protection.key_arn
        };
        take_and_wipe(table, is_under_it, || why.clone());
        let _turn = table.turn.lock().await;
        if table.record().protection != judged.protection {
            return Ok(());
        }
        take_and_wipe(table, |_| true, || why.clone());
        self.mark_inaccessible(table, Some(why)).await
    }

    /// Waits for `work` on a table as long as the table's key can be used, and refuses in the words of the key service after
    /// that: a disk that hangs must not keep a request waiting whose answer is known. `work` that is not done is dropped.
    pub(super) async fn unless_lost<T>(
        &self,
        table: &Table,
        work: impl Future<Output = T>,
    ) -> Result<T, AccessError> {
        let mut work = std::pin::pin!(work);
        loop {
            if let Ok(done) = tokio::time::timeout(LOSS_LOOK, &mut work).await {
                return Ok(done);
            }
            let record = table.record();
            if record.deleting {
                return Err(AccessError::NotFound);
            }
            if let Some(refusal) = self.loss(&record).await {
                return Err(refusal.into());
            }
        }
    }

    /// Why the table's key cannot be used now, if it cannot, where that is this process's own matter and bites at once.
    pub(super) async fn loss(&self, record: &TableRecord) -> Option<TableKmsError> {
        let is_own = record.protection.manager != KeyManager::Service && !self.is_remote(record);
        if !is_own || !self.parts.push_key_state {
            return None;
        }
        if let Err(refusal) = self.parts.kms.check_usable(&record.protection.key_arn) {
            return Some(refusal);
        }
        (!self.has_grants(record).await).then(|| grant_missing(record))
    }

    // Why the key service of this process would refuse the table's key now.
    fn refusal_now(&self, record: &TableRecord) -> TableKmsError {
        match self.parts.kms.check_usable(&record.protection.key_arn) {
            Err(refusal) => refusal,
            // What is left are the grants, or a key that is back already: whoever asks again learns of it.
            Ok(()) => grant_missing(record),
        }
    }

    /// Records since when the key cannot be used, and what the key service said. The caller holds the table's turn.
    pub(super) async fn mark_inaccessible(
        &self,
        table: &Table,
        error: Option<TableKmsError>,
    ) -> Result<(), StorageError> {
        let now_millis = self.clock().now_millis();
        let record = table.record();
        if let Some(error) = error {
            let key_status = self.pushed_status(&record.protection.key_arn).map(|status| status.seen());
            table.set_refusal(Some(Refusal { error, since_millis: now_millis, key_status }));
        }
        if record.inaccessible_millis.is_none() {
            let refusal = table.refusal().map(|refusal| refusal.error.to_string());
            tracing::warn!(table = %record.id, key = %record.protection.key_arn, refusal,
                "the table is inaccessible: its key cannot be used; enable the key to have it back");
            let counted = match table.take_counts_at_loss() {
                Some(counted) => table.counted_record(counted),
                None => (*record).clone(),
            };
            self.save(table, TableRecord { inaccessible_millis: Some(now_millis), ..counted }).await?;
        }
        Ok(())
    }

    // The key can be used, or can be used again. The caller holds the table's turn.
    async fn mark_accessible(&self, table: &Arc<Table>) -> Result<(), StorageError> {
        table.set_refusal(None);
        let record = table.record();
        if record.inaccessible_millis.is_some() {
            tracing::info!(table = %record.id, "the table is accessible again");
            self.save(table, TableRecord { inaccessible_millis: None, ..(*record).clone() }).await?;
        }
        if table.take_behind()
            && let Some(engine) = self.me.upgrade()
        {
            let table = Arc::clone(table);
            self.keep_task(tokio::spawn(async move { engine.open_to_count(&table).await }));
        }
        Ok(())
    }
}

fn take_and_wipe(table: &Table, if_so: impl FnOnce(&Opening) -> bool, why: impl FnOnce() -> TableKmsError) {
    if let Some(opening) = table.take_opening(if_so) {
        table.keep_counts(&opening.table);
        wipe(opening, why());
    }
}

// No request comes to such an opening any more, and nothing more is written in it. What was written may become durable
// first, so that nobody is told of a failure whose write is found when the key is back.
pub(super) fn wipe(opening: Arc<Opening>, why: TableKmsError) {
    let why = AccessError::Key(why);
    opening.table.refuse_writes(why.clone());
    tokio::spawn(async move {
        let _ = tokio::time::timeout(SETTLING_MAX, opening.table.settled()).await;
        opening.table.abandon(why).await;
    });
}

/// How many tables are looked at at once; their records share flushes.
const LOOKS_MAX: usize = 32;
/// How often whoever waits for a table looks whether its key can still be used.
const LOSS_LOOK: Duration = Duration::from_millis(500);
/// How long writes under way may take to become durable once their table's key is lost.
const SETTLING_MAX: Duration = Duration::from_millis(500);
