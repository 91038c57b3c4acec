//! What a write of an item does to the table's indexes.

use bytes::Bytes;
use strongroom_model::index::Entry;
use strongroom_model::stored::{self, Attributes};

use super::{Index, IndexSet};
use crate::storage::{Batch, Database, StorageError, Visibility};

/// What a write did to the indexes, for the capacity it is charged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IndexWrites {
    /// The indexes whose entries changed, and by what.
    pub changed: Vec<IndexWrite>,
}

/// An index's entry that was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexWrite {
    /// The index.
    pub number: u16,
    /// The size of the entry before the write as the service counts it, if there was one.
    pub before_bytes: Option<usize>,
    /// The size after it.
    pub after_bytes: Option<usize>,
    /// Whether the entry's key changed: it was removed in one place and made in another.
    pub moved: bool,
}

/// A change of figures that takes effect when the batch is applied.
pub(super) struct Counting {
    number: u16,
    items: i64,
    bytes: i64,
}

impl IndexSet {
    /// Adds to `batch` what becomes of an item's entries. The caller holds the item's latch.
    pub(super) async fn maintain(
        &self,
        database: &Database,
        before: Option<&Bytes>,
        after: Option<&Bytes>,
        batch: &mut Batch,
        counting: &mut Vec<Counting>,
    ) -> Result<IndexWrites, StorageError> {
        let mut writes = IndexWrites::default();
        if before == after {
            return Ok(writes);
        }
        let before_attributes = before.map(attributes).transpose()?;
        let after_attributes = after.map(attributes).transpose()?;
        for index in self.maintained() {
            let old = entry(index, before_attributes.as_ref(), before);
            let new = entry(index, after_attributes.as_ref(), after);
            if old == new {
                continue;
            }
            let old_bytes = old.as_ref().map(entry_bytes).transpose()?;
            let new_bytes = new.as_ref().map(entry_bytes).transpose()?;
            // An index that is being filled may not have the old entry yet.
            let was_there = match &old {
                Some(old) if !index.record.is_complete() => {
                    database.get(&old.row, Visibility::Applied).await?.is_some()
                }
                old => old.is_some(),
            };
            let old_counted = if was_there { old_bytes.unwrap_or(0) as i64 } else { 0 };
            counting.push(Counting {
                number: index.schema.number,
                items: i64::from(new.is_some()) - i64::from(was_there),
                bytes: new_bytes.unwrap_or(0) as i64 - old_counted,
            });
            let moved = matches!((&old, &new), (Some(old), Some(new)) if old.row != new.row);
            match (old, new) {
                (Some(old), Some(new)) => {
                    if moved {
                        batch.delete(&old.row);
                    } else {
                        batch.overwrites_one();
                    }
                    batch.put_bytes(new.row.into(), new.value);
                }
                (Some(old), None) => batch.delete(&old.row),
                (None, Some(new)) => batch.put_bytes(new.row.into(), new.value),
                (None, None) => {}
            }
            writes.changed.push(IndexWrite {
                number: index.schema.number,
                before_bytes: old_bytes,
                after_bytes: new_bytes,
                moved,
            });
        }
        Ok(writes)
    }

    /// Adds to `batch` the entry of an item in the index of that number, unless it is there.
    /// The caller holds the item's latch.
    pub(super) async fn fill(
        &self,
        number: u16,
        database: &Database,
        item: &Bytes,
        batch: &mut Batch,
        counting: &mut Vec<Counting>,
    ) -> Result<(), StorageError> {
        let Some(index) = self.by_number(number) else { return Ok(()) };
        let attributes = attributes(item)?;
        let Some(new) = entry(index, Some(&attributes), Some(item)) else { return Ok(()) };
        if database.get(&new.row, Visibility::Applied).await?.is_some() {
            return Ok(());
        }
        counting.push(Counting { number, items: 1, bytes: entry_bytes(&new)? as i64 });
        batch.put_bytes(new.row.into(), new.value);
        Ok(())
    }

    /// The batch was applied.
    pub(super) fn count(&self, counting: &[Counting]) {
        for change in counting {
            if let Some(index) = self.by_number(change.number) {
                index.count(change.items, change.bytes);
            }
        }
    }
}

fn attributes(stored: &Bytes) -> Result<Attributes<'_>, StorageError> {
    Attributes::read(stored).map_err(damaged)
}

fn entry(index: &Index, attributes: Option<&Attributes<'_>>, stored: Option<&Bytes>) -> Option<Entry> {
    index.schema.entry(attributes?, stored?)
}

fn entry_bytes(entry: &Entry) -> Result<usize, StorageError> {
    stored::item_bytes(&entry.value).map_err(damaged)
}

fn damaged(error: stored::StoredError) -> StorageError {
    StorageError::Damaged(error.to_string())
}
