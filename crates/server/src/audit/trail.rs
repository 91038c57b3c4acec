//! Where events are kept and in which order; see `docs/formats/audit.md`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use strongroom_model::clock::{Clock, Random};

use super::event::Event;
use crate::storage::database::Visibility;
use crate::storage::{Batch, StorageError, SystemStore};

/// The trail of all accounts and regions.
#[derive(Clone)]
pub struct Audit(Arc<Inner>);

struct Inner {
    store: SystemStore,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    // INVARIANT (event order): sequences grow over restarts, times within one process.
    next_sequence: AtomicU64,
    last_millis: AtomicI64,
}

/// An event's row: the document, and what `LookupEvents` looks at without standing in it.
#[derive(Serialize, Deserialize)]
pub(super) struct Stored {
    pub user_name: Option<String>,
    pub document: String,
}

impl Audit {
    /// Opens the trail and starts a new run of sequence numbers.
    pub async fn open(
        store: SystemStore,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, StorageError> {
        let run = match store.get(RUN_ROW, Visibility::Applied).await? {
            None => 1,
            Some(value) => {
                let bytes = value.as_ref().try_into().map_err(|_| damaged())?;
                u64::from_be_bytes(bytes) + 1
            }
        };
        let mut batch = Batch::new();
        batch.put(RUN_ROW, run.to_be_bytes());
        store.commit(batch).await?;
        let next_sequence = AtomicU64::new(run << EVENTS_PER_RUN_BITS);
        let last_millis = AtomicI64::new(0);
        Ok(Self(Arc::new(Inner { store, clock, random, next_sequence, last_millis })))
    }

    /// Adds the event's row to `batch`. The event lasts when the batch does.
    pub fn record(&self, batch: &mut Batch, event: &Event) {
        let now = self.0.clock.now_millis().max(0);
        let millis = self.0.last_millis.fetch_max(now, Ordering::AcqRel).max(now);
        let sequence = self.0.next_sequence.fetch_add(1, Ordering::AcqRel);
        let document = event.document(millis, &*self.0.random).to_string();
        let stored = Stored { user_name: event.actor.user_name().map(str::to_owned), document };
        let mut value = vec![VERSION];
        serde_json::to_writer(&mut value, &stored).expect("two strings always serialize");
        batch.put(event_row(&event.account, &event.region, millis, sequence), value);
    }

    /// Records an event of a call that changed nothing.
    pub async fn commit(&self, event: &Event) -> Result<(), StorageError> {
        let mut batch = Batch::new();
        self.record(&mut batch, event);
        self.0.store.commit(batch).await
    }

    pub(super) fn store(&self) -> &SystemStore {
        &self.0.store
    }
}

/// The row of one event. Account and region each end with a zero byte.
pub(super) fn event_row(account: &str, region: &str, millis: i64, sequence: u64) -> Vec<u8> {
    let mut row = place_prefix(account, region);
    // No event is older than 1970, so times are never negative and sort as bytes.
    row.extend_from_slice(&millis.max(0).to_be_bytes());
    row.extend_from_slice(&sequence.to_be_bytes());
    row
}

/// What all events of one account in one region start with.
pub(super) fn place_prefix(account: &str, region: &str) -> Vec<u8> {
    [b"ae", account.as_bytes(), b"\0", region.as_bytes(), b"\0"].concat()
}

pub(super) fn parse(value: &[u8]) -> Result<Stored, StorageError> {
    let [VERSION, json @ ..] = value else { return Err(damaged()) };
    serde_json::from_slice(json).map_err(|_| damaged())
}

/// Time and sequence of an event's row.
pub(super) fn position(row: &[u8]) -> Result<(i64, u64), StorageError> {
    let at = row.len().checked_sub(16).ok_or_else(damaged)?;
    let (millis, sequence) = row[at..].split_at(8);
    let millis = millis.try_into().map_err(|_| damaged())?;
    let sequence = sequence.try_into().map_err(|_| damaged())?;
    Ok((i64::from_be_bytes(millis), u64::from_be_bytes(sequence)))
}

pub(super) fn damaged() -> StorageError {
    StorageError::Damaged("a row of the audit trail cannot be read".to_owned())
}

/// Counts how often the trail was opened.
const RUN_ROW: &[u8] = b"ar";
/// The first byte of every value.
const VERSION: u8 = 1;
/// A run has room for a trillion events, and there is room for 16 million runs.
const EVENTS_PER_RUN_BITS: u32 = 40;
