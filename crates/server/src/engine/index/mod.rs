//! Secondary indexes of a table.
//!
//! INVARIANT (an entry is its item's): an item's entries are written and removed in the batch that writes or
//! removes the item, under the item's latch. Whoever makes entries otherwise, as the backfill does, holds
//! the item's latch too and makes the entry of the item's newest state. So an entry is never lost and never
//! comes back, whatever the order.

mod build;
mod record;
mod upkeep;
mod writes;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

pub use record::{IndexRecord, IndexState, ProjectionRecord};
use strongroom_model::index::IndexSchema;
use strongroom_model::key::KeySchema;
#[cfg(test)]
pub(super) use upkeep::COLLECTION_BYTES_MAX;
pub use upkeep::CollectionFull;
pub(super) use upkeep::{Upkeep, collection_bytes};
pub use writes::{IndexWrite, IndexWrites};

use super::record::Counted;

/// The indexes of a table, as one moment's record has them; share it with `Arc`.
#[derive(Debug, Default)]
pub struct IndexSet {
    indexes: Vec<Index>,
}

/// One secondary index.
#[derive(Debug)]
pub struct Index {
    /// How its entries are made.
    pub schema: IndexSchema,
    /// What the record says, its figures apart.
    pub record: IndexRecord,
    counters: Arc<Counters>,
}

// They outlive the set, which changes with the record.
#[derive(Debug)]
struct Counters {
    items: AtomicI64,
    bytes: AtomicI64,
}

impl IndexSet {
    /// The indexes of a record. Those that `before` has too keep counting.
    pub fn new(records: &[IndexRecord], table: &KeySchema, before: &IndexSet) -> Self {
        let index = |record: &IndexRecord| {
            let old = before.indexes.iter().find(|index| index.record.number == record.number);
            let counters = old.map_or_else(
                || {
                    let Counted { items, bytes } = record.counted;
                    Arc::new(Counters { items: AtomicI64::new(items), bytes: AtomicI64::new(bytes) })
                },
                |old| Arc::clone(&old.counters),
            );
            Index { schema: record.schema(table), record: record.clone(), counters }
        };
        Self { indexes: records.iter().map(index).collect() }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.indexes.is_empty()
    }

    /// All indexes, in the order in which they were made.
    pub fn iter(&self) -> impl Iterator<Item = &Index> + Clone {
        self.indexes.iter()
    }

    /// The index of that name, unless it is being deleted.
    pub fn by_name(&self, name: &str) -> Option<&Index> {
        self.maintained().find(|index| index.schema.name == name)
    }

    /// The index of that number.
    pub fn by_number(&self, number: u16) -> Option<&Index> {
        self.indexes.iter().find(|index| index.schema.number == number)
    }

    /// The schemas that a write must fit: of global indexes, then of local ones.
    pub fn schemas(&self) -> impl Iterator<Item = &IndexSchema> + Clone {
        let of_kind =
            |local| self.maintained().map(|index| &index.schema).filter(move |schema| schema.local == local);
        of_kind(false).chain(of_kind(true))
    }

    /// The indexes that writes of items maintain.
    pub fn maintained(&self) -> impl Iterator<Item = &Index> + Clone {
        self.indexes.iter().filter(|index| index.record.is_maintained())
    }

    /// One of the local indexes, if there are any: then the table has item collections.
    pub fn local(&self) -> Option<&IndexSchema> {
        self.indexes.iter().map(|index| &index.schema).find(|schema| schema.local)
    }
}

impl Index {
    /// How large it is.
    pub fn counted(&self) -> Counted {
        self.counted_so_far().at_least_none()
    }

    // Until a recount, an index of a table that was not closed may have counted more removals than entries.
    pub(super) fn counted_so_far(&self) -> Counted {
        let Counters { items, bytes } = &*self.counters;
        Counted { items: items.load(Ordering::Relaxed), bytes: bytes.load(Ordering::Relaxed) }
    }

    pub(super) fn count(&self, items: i64, bytes: i64) {
        if items != 0 {
            self.counters.items.fetch_add(items, Ordering::Relaxed);
        }
        if bytes != 0 {
            self.counters.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}
