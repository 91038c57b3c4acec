//! Filling a new index and clearing a deleted one, while the table is in use.
//!
//! The record says what is to be done; a task does it in small batches and can begin again at any point. See
//! `docs/formats/table-record.md` for the states.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use strongroom_model::key::items_after;

use super::{IndexRecord, IndexState};
use crate::engine::access::AccessError;
use crate::engine::catalogue::Engine;
use crate::engine::open_table::OpenTable;
use crate::engine::record::TableRecord;
use crate::engine::table::Table;
use crate::storage::{Batch, Order, StorageError};

/// A batch makes the entries of this many items at most, whose latches it holds meanwhile.
const BATCH_ITEMS_MAX: usize = 128;
/// A batch looks at this many bytes of items at most, and one item more.
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// A batch removes this many entries at most.
const BATCH_ENTRIES_MAX: usize = 1_000;
/// After this many batches the record learns how far the backfill is.
const BATCHES_PER_RECORD: usize = 32;

impl Engine {
    /// Starts what the record says is to be done with the indexes of a table, unless it is being done.
    pub fn work_on_indexes(self: &Arc<Self>, table: &Arc<Table>) {
        let has_work = table.record().indexes.iter().any(|index| !index.is_complete());
        if !has_work || table.building.swap(true, Ordering::AcqRel) {
            return;
        }
        let (engine, table) = (Arc::clone(self), Arc::clone(table));
        let task = tokio::spawn(async move {
            if let Err(error) = engine.finish_indexes(&table).await {
                tracing::warn!(table = %table.record().id, %error,
                    "work on the table's indexes waits and will be tried again");
            }
            table.building.store(false, Ordering::Release);
        });
        // Closing the engine ends it: it would open tables again.
        self.keep_task(task);
    }

    async fn finish_indexes(&self, table: &Arc<Table>) -> Result<(), AccessError> {
        loop {
            let record = table.record();
            if record.deleting {
                return Ok(());
            }
            let Some(index) = record.indexes.iter().find(|index| !index.is_complete()) else { return Ok(()) };
            let number = index.number;
            let now_millis = self.clock().now_millis();
            match &index.state {
                // A later step goes on with it.
                IndexState::Allocating if index.is_held(now_millis + self.parts.status_millis / 2) => {
                    return Ok(());
                }
                IndexState::Deleting if index.is_held(now_millis) => return Ok(()),
                IndexState::Active => {}
                IndexState::Allocating => {
                    // A write that began before the index was there may be about to be applied without an entry.
                    // Once those have passed, every later write makes its entry itself.
                    self.open(table, None).await?.table.latches.passed().await;
                    self.set_index_state(table, number, IndexState::Backfilling(None)).await?;
                }
                IndexState::Backfilling(after) => {
                    let after = after.as_deref().and_then(from_hex);
                    let last = self.backfill(table, number, after.clone()).await?;
                    if !index.is_held(self.clock().now_millis()) {
                        self.set_index_state(table, number, IndexState::Active).await?;
                        continue;
                    }
                    if last != after {
                        let state = IndexState::Backfilling(last.as_deref().map(to_hex));
                        self.set_index_state(table, number, state).await?;
                    }
                    return Ok(());
                }
                IndexState::Deleting => {
                    // A write that began before may be about to make an entry.
                    self.open(table, None).await?.table.latches.passed().await;
                    self.clear(table, number).await?;
                    self.change_record(table, |record| without(record, number)).await?;
                }
            }
        }
    }

    // Makes the entries of the items after that stored key, and says which was the last.
    async fn backfill(
        &self,
        table: &Arc<Table>,
        number: u16,
        mut after: Option<Vec<u8>>,
    ) -> Result<Option<Vec<u8>>, AccessError> {
        for batch in 1_usize.. {
            if !is_backfilling(&table.record(), number) {
                break;
            }
            table.mark_used(self.clock().now_millis());
            let opening = self.open(table, None).await?;
            // What changes runs to its end: a batch that is applied is counted, though the engine closes.
            let from = after.clone();
            let batch_task =
                tokio::spawn(async move { opening.table.fill_index(number, from.as_deref()).await });
            let last = batch_task.await.map_err(|error| StorageError::Closed(error.to_string()))??;
            let Some(last) = last else { break };
            if batch.is_multiple_of(BATCHES_PER_RECORD) {
                let state = IndexState::Backfilling(Some(to_hex(&last)));
                self.set_index_state(table, number, state).await?;
            }
            after = Some(last);
            tokio::task::yield_now().await;
        }
        Ok(after)
    }

    // Removes all entries of an index that nobody writes to.
    async fn clear(&self, table: &Arc<Table>, number: u16) -> Result<(), AccessError> {
        let indexes = table.indexes();
        let Some(index) = indexes.by_number(number) else { return Ok(()) };
        loop {
            table.mark_used(self.clock().now_millis());
            let opening = self.open(table, None).await?;
            if !opening.table.clear_rows(index.schema.range_of_all()).await? {
                return Ok(());
            }
        }
    }

    // An index that is being removed meanwhile, by itself or with its table, stays as it is.
    async fn set_index_state(
        &self,
        table: &Table,
        number: u16,
        state: IndexState,
    ) -> Result<(), StorageError> {
        self.change_record(table, |mut record| {
            let is_going = record.deleting;
            let index = record.indexes.iter_mut().find(|index| index.number == number && !is_going);
            if let Some(index) = index.filter(|index| index.state != IndexState::Deleting) {
                index.state = state;
            }
            record
        })
        .await
    }
}

impl OpenTable {
    /// Makes the entries of the items after `after` in the index of that number, as far as one batch goes.
    /// Returns the last item's stored key once they are durable; `None` where no item was left.
    async fn fill_index(&self, number: u16, after: Option<&[u8]>) -> Result<Option<Vec<u8>>, AccessError> {
        let mut rows = self.rows(items_after(after), Order::Ascending, false).await?;
        let mut keys = Vec::new();
        let mut bytes = 0;
        while keys.len() < BATCH_ITEMS_MAX
            && bytes < BATCH_BYTES_MAX
            && let Some((key, stored)) = rows.next().await?
        {
            bytes += stored.len();
            keys.push(key);
        }
        drop(rows);
        let Some(last) = keys.last().map(|key| key.to_vec()) else { return Ok(None) };
        let held = self.latches.of_all(keys.iter().map(|key| &**key)).await;
        let Some(indexes) = self.indexes() else { return Ok(None) };
        let mut batch = Batch::new();
        let mut counting = Vec::new();
        for key in &keys {
            // The item may have changed since the scan saw it.
            if let Some(item) = self.newest_row(key).await? {
                indexes.fill(number, self.database(), &item, &mut batch, &mut counting).await?;
            }
        }
        if counting.is_empty() {
            return Ok(Some(last));
        }
        let written = self.database().apply(batch).await?;
        indexes.count(&counting);
        drop(held);
        written.durable().await?;
        Ok(Some(last))
    }

    /// Removes rows of a range that nobody writes to; says whether there were any.
    async fn clear_rows(&self, range: super::super::Range) -> Result<bool, AccessError> {
        let mut rows = self.rows(range, Order::Ascending, false).await?;
        let mut batch = Batch::new();
        let mut count = 0;
        while count < BATCH_ENTRIES_MAX
            && let Some((key, _)) = rows.next().await?
        {
            batch.delete(key);
            count += 1;
        }
        if count > 0 {
            self.database().commit(batch).await?;
        }
        Ok(count > 0)
    }
}

fn is_backfilling(record: &TableRecord, number: u16) -> bool {
    let is_it =
        |index: &IndexRecord| index.number == number && matches!(index.state, IndexState::Backfilling(_));
    !record.deleting && record.indexes.iter().any(is_it)
}

fn without(mut record: TableRecord, number: u16) -> TableRecord {
    record.indexes.retain(|index| index.number != number);
    record
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

// A text that is not hexadecimal means from the beginning, which does no harm.
fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
