//! An open table at one moment, for a reader of rows that belong together.
//!
//! INVARIANT (an entry and its item are of one moment): they are written in one batch, and whoever reads an entry and then
//! its item reads both from one snapshot. Read one after the other, an item that writers move would be missing though
//! it was there all the time. The item cache is no help: it holds the newest items.

use bytes::Bytes;

use super::access::AccessError;
use super::open_table::{OpenTable, Range, Rows};
use crate::storage::{Order, Snapshot};

/// What was stored at one moment.
pub struct Moment<'a> {
    table: &'a OpenTable,
    snapshot: Snapshot,
}

impl OpenTable {
    /// This moment. For a consistent reader it is waited for until all that was applied is durable.
    pub async fn moment(&self, consistent: bool) -> Result<Moment<'_>, AccessError> {
        let snapshot = self.database().snapshot().map_err(|error| self.reason(error))?;
        if consistent && self.database().durable_sequence() < snapshot.sequence() {
            let waited = self.database().wait_durable(snapshot.sequence()).await;
            waited.map_err(|error| self.reason(error))?;
        }
        Ok(Moment { table: self, snapshot })
    }
}

impl Moment<'_> {
    /// The row at `key`.
    pub async fn read(&self, key: &[u8]) -> Result<Option<Bytes>, AccessError> {
        self.snapshot.get(key).await.map_err(|error| self.table.reason(error))
    }

    /// The rows of `range` in order, one after the other.
    pub async fn rows(&self, range: Range, order: Order) -> Result<Rows<'_>, AccessError> {
        let scan = self.snapshot.scan(range, order).await.map_err(|error| self.table.reason(error))?;
        Ok(Rows::new(self.table, scan))
    }
}
