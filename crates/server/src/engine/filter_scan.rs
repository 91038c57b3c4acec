//! Fills a table's filter of keys beside its requests, once that has become worth a scan of all items.

use std::sync::Arc;

use bytes::Bytes;
use strongroom_model::key::items_after;

use super::access::AccessError;
use super::catalogue::Engine;
use super::open_table::OpenTable;
use super::table::Table;
use crate::storage::Order;

/// How many items are scanned before the opening is let go of for a moment.
const STEP_ITEMS: usize = 1_000;

impl Engine {
    /// Scans a table's keys into its filter once that has become worth it. The task holds the opening for a moment at a
    /// time, so that closing the table does not wait for it.
    pub(super) fn complete_filter(&self, table: &Table) {
        let Some(opening) = table.opening().filter(|opening| opening.table.filter_is_earned()) else {
            return;
        };
        let weak = Arc::downgrade(&opening);
        drop(opening);
        let task = tokio::spawn(async move {
            let Some(opening) = weak.upgrade() else { return };
            if !opening.table.begin_filter().await {
                return;
            }
            drop(opening);
            let mut after = None;
            while let Some(opening) = weak.upgrade() {
                match opening.table.fill_filter(after.as_deref()).await {
                    Ok(Some(last)) => after = Some(last),
                    Ok(None) => return,
                    // Whoever reads or writes next meets the failure itself.
                    Err(_) => return opening.table.filter.give_up(),
                }
                drop(opening);
                tokio::task::yield_now().await;
            }
        });
        self.keep_task(task);
    }
}

impl OpenTable {
    /// Whether the filter of keys is worth the scan of all items now.
    fn filter_is_earned(&self) -> bool {
        self.filter.is_earned(self.counted().bytes)
    }

    /// Has every write add its key to the filter from now on. False when that was done before.
    async fn begin_filter(&self) -> bool {
        if !self.filter.begin() {
            return false;
        }
        self.latches.passed().await;
        true
    }

    /// Adds the keys of some items after `after` to the filter. Returns the last one; `None` once the filter is complete,
    /// or given up.
    async fn fill_filter(&self, after: Option<&[u8]>) -> Result<Option<Bytes>, AccessError> {
        let mut rows = self.rows(items_after(after), Order::Ascending, false).await?;
        let mut last = None;
        for _ in 0..STEP_ITEMS {
            let Some((key, _)) = rows.next().await? else {
                self.filter.complete();
                return Ok(None);
            };
            if !self.filter.add_scanned(&key) {
                return Ok(None);
            }
            last = Some(key);
        }
        Ok(last)
    }

    /// Whether the filter tells, without storage, that the key is absent.
    #[cfg(test)]
    pub(super) fn filter_excludes(&self, key: &[u8]) -> bool {
        self.filter.excludes(key)
    }
}
