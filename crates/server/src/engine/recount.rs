//! Counts a table anew that was not closed: a crash, or the loss of its key, leaves the figures of its record behind.
//!
//! The figures in memory follow every write; the record learns them once a minute and when the table is closed. So of a
//! table whose record says that it is open still, nobody knows how far they are behind.
//!
//! INVARIANT (exact recount): at one moment no write is under way. What is stored then is counted from a snapshot, and what
//! memory had counted until then is replaced by it; what came after it stays added.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use bytes::Bytes;
use strongroom_model::key::items_after;
use strongroom_model::stored;

use super::catalogue::Engine;
use super::open_table::{OpenTable, Range};
use super::record::Counted;
use super::table::Table;
use crate::storage::{Snapshot, StorageError};

/// How exact the figures of an opening are.
pub(super) struct Exactness(AtomicU8);

const BEHIND: u8 = 0;
const COUNTING: u8 = 1;
const EXACT: u8 = 2;

/// A recount that is under way.
struct Recount {
    snapshot: Snapshot,
    parts: Vec<Part>,
}

// The items, or the entries of one index.
struct Part {
    // None for the items.
    index: Option<u16>,
    range: Range,
    // What memory had counted at the moment of the snapshot.
    believed: Counted,
    stored: Counted,
}

/// How many rows are counted before the opening is let go of for a moment.
const STEP_ROWS: usize = 1_000;

impl Exactness {
    pub(super) fn new(is_exact: bool) -> Self {
        Self(AtomicU8::new(if is_exact { EXACT } else { BEHIND }))
    }

    /// Whether the figures are those of what is stored.
    pub(super) fn is_exact(&self) -> bool {
        self.0.load(Ordering::Acquire) == EXACT
    }

    // Whether the caller is the one to count.
    fn begin(&self) -> bool {
        self.0.compare_exchange(BEHIND, COUNTING, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

impl Engine {
    /// Opens the tables that a crash left open, one after the other, so that they are counted though nobody uses them.
    /// A table whose key is elsewhere waits for its next use: nobody but its users asks that key service.
    pub(super) async fn open_unclosed(&self) {
        for table in self.all_tables() {
            if table.record().open {
                self.open_to_count(&table).await;
            }
        }
    }

    /// Opens a table whose figures are behind. One whose key is lost is opened when that is back.
    pub(super) async fn open_to_count(&self, table: &Arc<Table>) {
        let record = table.record();
        if record.deleting || self.is_remote(&record) {
            return;
        }
        table.mark_used(self.clock().now_millis());
        let opened = match record.inaccessible_millis {
            None => self.open(table, None).await,
            Some(_) => return table.mark_behind(),
        };
        if let Err(error) = opened {
            tracing::info!(table = %record.id, %error, "the table's figures wait until it can be opened");
            table.mark_behind();
        }
    }

    /// Counts an open table beside its requests, if its figures are behind. The task holds the opening for a moment at
    /// a time, so that closing the table does not wait for it; the next opening begins anew then.
    pub(super) fn recount(self: &Arc<Self>, table: &Arc<Table>) {
        let Some(opening) = table.opening().filter(|opening| opening.table.exactness.begin()) else { return };
        let weak = Arc::downgrade(&opening);
        drop(opening);
        let (engine, table) = (Arc::clone(self), Arc::clone(table));
        let task = tokio::spawn(async move {
            let Some(opening) = weak.upgrade() else { return };
            let mut recount = match opening.table.begin_recount().await {
                Ok(recount) => recount,
                Err(error) => return failed(&opening.table, &error),
            };
            drop(opening);
            for place in 0..recount.parts.len() {
                let mut after: Option<Bytes> = None;
                loop {
                    let Some(opening) = weak.upgrade() else { return };
                    table.mark_used(engine.clock().now_millis());
                    match recount.step(place, after.as_deref()).await {
                        Ok(Some(last)) => after = Some(last),
                        Ok(None) => break,
                        Err(error) => return failed(&opening.table, &error),
                    }
                    drop(opening);
                    tokio::task::yield_now().await;
                }
            }
            if let Some(opening) = weak.upgrade() {
                opening.table.take_counts(&recount);
            }
        });
        self.keep_task(task);
    }
}

// It is tried again with the next round of the engine's work.
fn failed(table: &OpenTable, error: &StorageError) {
    tracing::warn!(%error, "a table could not be counted after it was not closed");
    table.exactness.0.store(BEHIND, Ordering::Release);
}

impl OpenTable {
    async fn begin_recount(&self) -> Result<Recount, StorageError> {
        let _held = self.latches.all().await;
        let snapshot = self.database().snapshot()?;
        let mut parts = vec![Part {
            index: None,
            range: items_after(None),
            believed: self.counted_so_far(),
            stored: Counted::default(),
        }];
        if let Some(indexes) = self.indexes() {
            parts.extend(indexes.maintained().map(|index| Part {
                index: Some(index.schema.number),
                range: index.schema.range_of_all(),
                believed: index.counted_so_far(),
                stored: Counted::default(),
            }));
        }
        Ok(Recount { snapshot, parts })
    }

    fn take_counts(&self, recount: &Recount) {
        let indexes = self.indexes();
        for part in &recount.parts {
            let items = part.stored.items - part.believed.items;
            let bytes = part.stored.bytes - part.believed.bytes;
            match part.index {
                None => self.add_to_counts(items, bytes),
                Some(number) => {
                    if let Some(index) = indexes.as_ref().and_then(|indexes| indexes.by_number(number)) {
                        index.count(items, bytes);
                    }
                }
            }
        }
        self.exactness.0.store(EXACT, Ordering::Release);
    }
}

impl Recount {
    // Counts some rows of a part after `after`. Returns the last one; none at the end of the part.
    async fn step(&mut self, place: usize, after: Option<&[u8]>) -> Result<Option<Bytes>, StorageError> {
        let part = &mut self.parts[place];
        let (start, end) = part.range.clone();
        let start = after.map_or(start, |after| std::ops::Bound::Excluded(after.to_vec()));
        let mut rows = self.snapshot.scan_once((start, end)).await?;
        let mut last = None;
        for _ in 0..STEP_ROWS {
            let Some((key, value)) = rows.next().await? else { return Ok(None) };
            let bytes =
                stored::item_bytes(&value).map_err(|error| StorageError::Damaged(error.to_string()))?;
            part.stored.items += 1;
            part.stored.bytes += bytes as i64;
            last = Some(key);
        }
        Ok(last)
    }
}
