//! One table: what the catalogue knows of it, and its opening if it is open.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use strongroom_model::key::KeySchema;
use strongroom_seal::keyring::Keyring;

use super::callers::Callers;
use super::index::IndexSet;
use super::open_table::OpenTable;
use super::record::{Counted, TableRecord};
use crate::kms::key::{KeyStatus, SeenStatus};
use crate::kms::table_kms::TableKmsError;

/// A table of the catalogue; share it with `Arc`.
pub struct Table {
    /// The primary key's schema; it never changes.
    pub schema: KeySchema,
    record: RwLock<Arc<TableRecord>>,
    indexes: RwLock<Arc<IndexSet>>,
    /// Whether a task works on the table's indexes.
    pub(super) building: AtomicBool,
    opening: RwLock<Option<Arc<Opening>>>,
    /// Held by whoever opens or closes the table, or changes its record.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
    /// Whether somebody stands in line for the turn to judge the table's key.
    pub(super) awaits_look: AtomicBool,
    gone: AtomicBool,
    used_millis: AtomicI64,
    counted_millis: AtomicI64,
    refusal: RwLock<Option<Refusal>>,
    /// How large the table was when its opening was taken from it, until the record says so or it is open again.
    counted_at_loss: RwLock<Option<Counted>>,
    /// Whether the record's figures are known to be behind, and nobody counts.
    is_behind: AtomicBool,
}

/// A table's opening: what requests work on.
pub struct Opening {
    /// The rows.
    pub table: OpenTable,
    /// Who may use the table key without asking the key service again.
    pub(super) callers: Callers,
    pub(super) renewing: tokio::sync::Mutex<()>,
    /// Whether a key service that did not answer is being asked while requests go on.
    pub(super) asking_beside: AtomicBool,
    /// When the table's grants were last asked for.
    pub(super) grants_seen_millis: AtomicI64,
    keyring: RwLock<Arc<Keyring>>,
    // The key's state, where the key service is in this process: looked at by every request.
    key_status: RwLock<Option<Arc<KeyStatus>>>,
    guarded: AtomicBool,
}

impl Opening {
    pub(super) fn new(
        table: OpenTable,
        callers: Callers,
        keyring: Keyring,
        key_status: Option<Arc<KeyStatus>>,
        guarded: bool,
        now_millis: i64,
    ) -> Self {
        Self {
            table,
            grants_seen_millis: AtomicI64::new(now_millis),
            callers,
            renewing: tokio::sync::Mutex::new(()),
            asking_beside: AtomicBool::new(false),
            keyring: RwLock::new(Arc::new(keyring)),
            key_status: RwLock::new(key_status),
            guarded: AtomicBool::new(guarded),
        }
    }

    /// Waits for requests that hold an opening which nobody can get any more: they finish first, within bounds. False where
    /// some are under way still.
    pub(super) async fn requests_have_passed(self: &Arc<Self>) -> bool {
        for _ in 0..REQUESTS_WAIT_STEPS {
            if Arc::strong_count(self) == 1 {
                return true;
            }
            tokio::time::sleep(REQUESTS_WAIT_STEP).await;
        }
        false
    }

    /// Whether the key service is asked for each caller; not for the service-owned key (R8).
    pub(super) fn is_guarded(&self) -> bool {
        self.guarded.load(Ordering::Acquire)
    }

    /// Whether the key's state allows its use, as far as this process can see it.
    pub(super) fn key_is_usable(&self) -> bool {
        self.key_status.read().as_ref().is_none_or(|status| status.is_enabled())
    }

    /// The keyring that the table was opened with, or that took its place.
    pub(super) fn keyring(&self) -> Arc<Keyring> {
        Arc::clone(&self.keyring.read())
    }

    /// The table has newer data keys under the same table key.
    pub(super) fn renewed(&self, keyring: Keyring) {
        *self.keyring.write() = Arc::new(keyring);
    }

    /// The table is under another key now: every caller has to ask for that one.
    pub(super) fn rekeyed(&self, keyring: Keyring, key_status: Option<Arc<KeyStatus>>, guarded: bool) {
        *self.keyring.write() = Arc::new(keyring);
        *self.key_status.write() = key_status;
        self.callers.forget();
        self.guarded.store(guarded, Ordering::Release);
    }
}

/// A table that is closed or deleted waits a second at most for requests that came before.
const REQUESTS_WAIT_STEPS: u32 = 200;
const REQUESTS_WAIT_STEP: Duration = Duration::from_millis(5);

/// The key service's last no, which stands for everybody until it says yes.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) error: TableKmsError,
    pub(super) since_millis: i64,
    /// The key's state then, where this process can see it.
    pub(super) key_status: Option<SeenStatus>,
}

impl Table {
    /// A table that is not open.
    pub fn new(record: TableRecord) -> Self {
        let schema = record.schema();
        let indexes = IndexSet::new(&record.indexes, &schema, &IndexSet::default());
        Self {
            schema,
            indexes: RwLock::new(Arc::new(indexes)),
            building: AtomicBool::new(false),
            record: RwLock::new(Arc::new(record)),
            opening: RwLock::new(None),
            turn: Arc::default(),
            awaits_look: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            used_millis: AtomicI64::new(0),
            counted_millis: AtomicI64::new(0),
            refusal: RwLock::new(None),
            counted_at_loss: RwLock::new(None),
            is_behind: AtomicBool::new(false),
        }
    }

    /// What the catalogue knows.
    pub fn record(&self) -> Arc<TableRecord> {
        Arc::clone(&self.record.read())
    }

    /// The secondary indexes.
    pub fn indexes(&self) -> Arc<IndexSet> {
        Arc::clone(&self.indexes.read())
    }

    pub(super) fn set_record(&self, record: TableRecord) {
        let indexes = self.indexes();
        if !record.indexes.iter().eq(indexes.iter().map(|index| &index.record)) {
            let indexes = Arc::new(IndexSet::new(&record.indexes, &self.schema, &indexes));
            *self.indexes.write() = Arc::clone(&indexes);
            if let Some(opening) = self.opening.read().as_ref() {
                opening.table.set_indexes(indexes);
            }
        }
        *self.record.write() = Arc::new(record);
    }

    /// The record with the figures of this moment; `counted` are the table's own.
    pub(super) fn counted_record(&self, counted: Counted) -> TableRecord {
        let mut record = (*self.record()).clone();
        record.counted = counted;
        let indexes = self.indexes();
        for index in &mut record.indexes {
            if let Some(live) = indexes.by_number(index.number) {
                index.counted = live.counted();
            }
        }
        record
    }

    /// How large the table is.
    pub fn counted(&self) -> Counted {
        match self.opening() {
            Some(opening) => opening.table.counted(),
            None => self.counted_at_loss.read().unwrap_or(self.record().counted),
        }
    }

    /// Keeps the figures of an opening that is lost: its record may be a minute behind.
    pub(super) fn keep_counts(&self, lost: &OpenTable) {
        *self.counted_at_loss.write() = Some(lost.counted());
        if !lost.exactness.is_exact() {
            self.mark_behind();
        }
    }

    pub(super) fn take_counts_at_loss(&self) -> Option<Counted> {
        self.counted_at_loss.write().take()
    }

    /// The record's figures are behind, and the table cannot be counted now.
    pub(super) fn mark_behind(&self) {
        self.is_behind.store(true, Ordering::Release);
    }

    /// Whether the table is to be counted; that is said once.
    pub(super) fn take_behind(&self) -> bool {
        self.is_behind.swap(false, Ordering::AcqRel)
    }

    /// The opening that requests work on, if the table is open and works.
    pub fn opening(&self) -> Option<Arc<Opening>> {
        self.opening.read().as_ref().filter(|opening| opening.table.is_open()).map(Arc::clone)
    }

    pub(super) fn set_opening(&self, opening: Option<Arc<Opening>>) -> Option<Arc<Opening>> {
        if opening.is_some() {
            // From here on the opening counts, and the record after it.
            *self.counted_at_loss.write() = None;
        }
        std::mem::replace(&mut *self.opening.write(), opening)
    }

    /// Takes the opening away from requests that come from now on, if it is as the caller expects it.
    pub(super) fn take_opening(&self, if_so: impl FnOnce(&Opening) -> bool) -> Option<Arc<Opening>> {
        let mut opening = self.opening.write();
        if opening.as_ref().is_some_and(|opening| if_so(opening)) { opening.take() } else { None }
    }

    pub(super) fn refusal(&self) -> Option<Refusal> {
        self.refusal.read().clone()
    }

    pub(super) fn set_refusal(&self, refusal: Option<Refusal>) {
        *self.refusal.write() = refusal;
    }

    /// Whether the catalogue has forgotten this table; another may have taken its name since.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    pub(super) fn mark_gone(&self) {
        self.gone.store(true, Ordering::Release);
    }

    pub(super) fn mark_used(&self, now_millis: i64) {
        self.used_millis.store(now_millis, Ordering::Relaxed);
    }

    pub(super) fn mark_counted(&self, now_millis: i64) {
        self.counted_millis.store(now_millis, Ordering::Relaxed);
    }

    pub(super) fn counted_millis(&self) -> i64 {
        self.counted_millis.load(Ordering::Relaxed)
    }

    pub(super) fn used_millis(&self) -> i64 {
        self.used_millis.load(Ordering::Relaxed)
    }
}
