//! What a batch of writes does besides writing its items: entries of indexes, sizes of item collections.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use strongroom_model::stored;
use tokio::sync::MutexGuard;

use super::writes::Counting;
use super::{IndexSet, IndexWrites};
use crate::engine::open_table::OpenTable;
use crate::storage::{Batch, StorageError};

/// In a table with local indexes, the items of one partition and their entries in local indexes are at most so
/// large together: 10 GB.
pub const COLLECTION_BYTES_MAX: u64 = 10 << 30;

/// A write would make an item collection larger than [`COLLECTION_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the item collection would be too large")]
pub struct CollectionFull;

/// The upkeep of one batch. Its writer holds the latches of the items until the batch is applied.
pub(in crate::engine) struct Upkeep<'a> {
    table: &'a OpenTable,
    indexes: Arc<IndexSet>,
    counting: Vec<Counting>,
    // By the stored key of the collection's size.
    growths: BTreeMap<Vec<u8>, i64>,
    sizes: Vec<(Bytes, Option<Bytes>)>,
    // Taken after the items' latches, in their order, so that nobody waits for each other.
    latches: Vec<MutexGuard<'a, ()>>,
}

impl<'a> Upkeep<'a> {
    /// None for a table without indexes. To be called under the latches of the items.
    pub(in crate::engine) fn of(table: &'a OpenTable) -> Option<Self> {
        let indexes = table.indexes()?;
        Some(Self {
            table,
            indexes,
            counting: Vec::new(),
            growths: BTreeMap::new(),
            sizes: Vec::new(),
            latches: Vec::new(),
        })
    }

    /// An item that the batch writes or removes.
    pub(in crate::engine) async fn item(
        &mut self,
        row: &[u8],
        before: Option<&Bytes>,
        after: Option<&Bytes>,
        batch: &mut Batch,
    ) -> Result<IndexWrites, StorageError> {
        let indexes = &self.indexes;
        let writes =
            indexes.maintain(self.table.database(), before, after, batch, &mut self.counting).await?;
        if let Some(local) = indexes.local() {
            let mut growth = bytes_of(after)? - bytes_of(before)?;
            for write in &writes.changed {
                if indexes.by_number(write.number).is_some_and(|index| index.schema.local) {
                    let bytes = |bytes: Option<usize>| bytes.unwrap_or(0) as i64;
                    growth += bytes(write.after_bytes) - bytes(write.before_bytes);
                }
            }
            if growth != 0 {
                let collection = local.table.collection_row(row).ok_or_else(|| {
                    StorageError::Damaged("a stored key is not of the table's schema".to_owned())
                })?;
                *self.growths.entry(collection).or_default() += growth;
            }
        }
        Ok(writes)
    }

    /// All items were told: adds what follows from them together.
    pub(in crate::engine) async fn complete<E: From<StorageError> + From<CollectionFull>>(
        &mut self,
        batch: &mut Batch,
    ) -> Result<(), E> {
        if self.growths.is_empty() {
            return Ok(());
        }
        self.latches = self.table.collection_latches.of_all(self.growths.keys().map(Vec::as_slice)).await;
        for (row, growth) in &self.growths {
            let before = collection_bytes(self.table.newest_value(row).await?.as_ref())?;
            let after = before.saturating_add_signed(*growth);
            if *growth > 0 && after > COLLECTION_BYTES_MAX {
                return Err(CollectionFull.into());
            }
            let row = Bytes::copy_from_slice(row);
            let value = (after > 0).then(|| Bytes::copy_from_slice(&after.to_be_bytes()));
            match &value {
                Some(value) => batch.put_bytes(row.clone(), value.clone()),
                None => batch.delete(&row),
            }
            self.sizes.push((row, value));
        }
        Ok(())
    }

    /// The batch was applied, as the write numbered `sequence`.
    pub(in crate::engine) fn applied(self, sequence: u64) {
        self.indexes.count(&self.counting);
        for (row, value) in self.sizes {
            self.table.remember(row, value, sequence);
        }
    }
}

/// The size that a collection's row holds; none is an empty collection.
pub(in crate::engine) fn collection_bytes(value: Option<&Bytes>) -> Result<u64, StorageError> {
    let Some(value) = value else { return Ok(0) };
    let bytes = <[u8; 8]>::try_from(&value[..])
        .map_err(|_| StorageError::Damaged("the size of an item collection does not parse".to_owned()))?;
    Ok(u64::from_be_bytes(bytes))
}

fn bytes_of(stored: Option<&Bytes>) -> Result<i64, StorageError> {
    let bytes = stored.map_or(Ok(0), |stored| stored::item_bytes(stored));
    bytes.map(|bytes| bytes as i64).map_err(|error| StorageError::Damaged(error.to_string()))
}
