//! Writes of several keys of a table together.

use bytes::Bytes;

use super::access::AccessError;
use super::index::{CollectionFull, IndexWrites, Upkeep};
use super::large_writes::PART_BYTES_MAX;
use super::open_table::OpenTable;
use crate::storage::{Batch, StorageError};

/// A key and the item it holds from now on; none where it is removed.
pub type KeyChange = (Vec<u8>, Option<Vec<u8>>);

/// What became of one key.
pub struct Changed {
    /// What was stored before.
    pub before: Option<Bytes>,
    /// What is stored now.
    pub after: Option<Bytes>,
    /// What it did to the indexes.
    pub indexes: IndexWrites,
}

impl OpenTable {
    /// Puts and deletes several different keys, without conditions: in one batch, or where that would be too large, in
    /// several, one after the other.
    ///
    /// INVARIANT (a refusal did nothing).
    pub async fn change_all<E: From<StorageError> + From<AccessError> + From<CollectionFull>>(
        &self,
        changes: Vec<KeyChange>,
    ) -> Result<Vec<Changed>, E> {
        if self.bytes_of_rows(changes.iter().map(item_bytes).sum()) <= PART_BYTES_MAX {
            return self.change_part(changes, true).await;
        }
        Box::pin(self.change_in_parts(changes)).await
    }

    async fn change_in_parts<E: From<StorageError> + From<AccessError> + From<CollectionFull>>(
        &self,
        changes: Vec<KeyChange>,
    ) -> Result<Vec<Changed>, E> {
        let mut changed = Vec::with_capacity(changes.len());
        let mut rest = changes.into_iter().peekable();
        while let Some(first) = rest.next() {
            let mut bytes = item_bytes(&first);
            let mut part = vec![first];
            let fits = |bytes| self.bytes_of_rows(bytes) <= PART_BYTES_MAX;
            while let Some(next) = rest.next_if(|next| fits(bytes + item_bytes(next))) {
                bytes += item_bytes(&next);
                part.push(next);
            }
            let is_first = changed.is_empty();
            changed.append(&mut self.change_part::<E>(part, is_first).await?);
        }
        Ok(changed)
    }

    // One batch. Unless it is the first, something was written already.
    async fn change_part<E: From<StorageError> + From<AccessError> + From<CollectionFull>>(
        &self,
        changes: Vec<KeyChange>,
        is_first: bool,
    ) -> Result<Vec<Changed>, E> {
        // INVARIANT (a refusal did nothing): what a part did stands, so the table's loss after it is no refusal.
        let refusal = |error| match error {
            AccessError::NotFound | AccessError::Key(_) if !is_first => {
                StorageError::Closed("the table was lost in the middle of a batch".to_owned()).into()
            }
            error => error,
        };
        let held = self.latches.of_all(changes.iter().map(|(key, _)| key.as_slice())).await;
        let bytes = changes.iter().map(item_bytes).sum();
        let room = self.large_writes.room(self.bytes_of_rows(bytes)).await;
        let mut upkeep = Upkeep::of(self);
        let mut batch = Batch::new();
        let mut entries = Vec::with_capacity(changes.len());
        for (key, item) in changes {
            let before = self.newest(&key).await.map_err(|error| refusal(self.reason(error)))?.stored;
            let key = Bytes::from(key);
            let after = item.map(Bytes::from);
            match &after {
                Some(item) => {
                    self.filter.add(&key);
                    batch.put_bytes(key.clone(), item.clone());
                }
                None => batch.delete(&key),
            }
            if before.is_some() && after.is_some() {
                batch.overwrites_one();
            }
            let indexes = match &mut upkeep {
                None => IndexWrites::default(),
                Some(upkeep) => {
                    Box::pin(upkeep.item(&key, before.as_ref(), after.as_ref(), &mut batch)).await?
                }
            };
            entries.push((key, Changed { before, after, indexes }));
        }
        if let Some(upkeep) = &mut upkeep {
            Box::pin(upkeep.complete::<E>(&mut batch)).await?;
        }
        self.check_not_gone().map_err(refusal)?;
        let written = self.database().apply(batch).await?;
        let sequence = self.applied(&written);
        if let Some(upkeep) = upkeep {
            upkeep.applied(sequence);
        }
        let mut outcome = Vec::with_capacity(entries.len());
        for (key, changed) in entries {
            self.count(changed.before.as_ref(), changed.after.as_ref());
            self.remember(key, changed.after.clone(), sequence);
            outcome.push(changed);
        }
        drop(held);
        written.durable().await?;
        drop(room);
        Ok(outcome)
    }
}

fn item_bytes((_, item): &KeyChange) -> usize {
    item.as_ref().map_or(0, Vec::len)
}
