//! The key service itself: state in memory, rows in the system store, and news of changes.
//!
//! Changes go one after another: whoever makes one holds the writer's turn from
//! the checks until the rows are durable and memory shows them. A change and its
//! audit event are one batch. Calls that only use a key take no turn.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::{RwLock, RwLockReadGuard};
use strongroom_model::clock::{Clock, Random};
use tokio::sync::{Mutex, OwnedMutexGuard, broadcast};

use super::error::KmsError;
use super::grant::Grant;
use super::key::{Key, KeyStatus, Place};
use super::materials;
use super::rows::{self, Row};
use super::state::{Change, KeyChange, State};
use crate::audit::{Audit, Event};
use crate::storage::database::{Visibility, prefix_range};
use crate::storage::{Batch, Order, StorageError, SystemStore};

/// The key service of this process.
pub struct Kms {
    store: SystemStore,
    audit: Audit,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    state: RwLock<State>,
    // Material of destroyed keys whose objects are still there.
    doomed: Mutex<Vec<(Place, [u8; 32])>>,
    turn: Arc<Mutex<()>>,
    news: broadcast::Sender<KeyChange>,
    calls: RwLock<HashMap<Arc<str>, OperationCalls>>,
    // INVARIANT (due keys): nothing comes due for a key before this. Lowered while the state is
    // locked for writing, raised while it is locked for reading, so no lowering is lost.
    pub(super) next_due_millis: AtomicI64,
}

/// How often one operation used one key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyCalls {
    /// The key's ARN.
    pub key_arn: Arc<str>,
    /// The operation's name, such as `Decrypt`.
    pub operation: &'static str,
    /// Calls since the start, refused ones included.
    pub count: u64,
}

/// How often each operation used one key.
type OperationCalls = HashMap<&'static str, AtomicU64>;

/// The right to make the next change.
pub struct WriterTurn(OwnedMutexGuard<()>);

impl Kms {
    /// Loads the key service from the system store.
    pub async fn open(
        store: SystemStore,
        audit: Audit,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Arc<Self>, StorageError> {
        let mut scan =
            store.scan(prefix_range(&[rows::OWNER]), Order::Ascending, Visibility::Applied).await?;
        let mut loaded = Vec::new();
        while let Some((key, value)) = scan.next().await? {
            loaded.push(rows::parse(&key, &value)?);
        }
        let doomed = loaded.iter().filter_map(|row| match row {
            Row::Doomed { place, material_id } => Some((place.clone(), *material_id)),
            _ => None,
        });
        let doomed = Mutex::new(doomed.collect());
        let loaded = materials::read(&**store.objects(), loaded).await?;
        let state = RwLock::new(State::load(loaded.into_iter())?);
        let (news, _) = broadcast::channel(NEWS_BACKLOG);
        let turn = Arc::new(Mutex::new(()));
        // Too low, so that the first look finds the true value.
        let next_due_millis = AtomicI64::new(i64::MIN);
        let calls = RwLock::default();
        Ok(Arc::new(Self { store, audit, clock, random, state, doomed, turn, news, calls, next_due_millis }))
    }

    /// Changes of keys from now on, each sent once it is durable.
    ///
    /// A receiver that falls 4,096 changes behind gets `Lagged`: it must look at every key again.
    pub fn subscribe(&self) -> broadcast::Receiver<KeyChange> {
        self.news.subscribe()
    }

    /// The state of a key, to be watched without asking again; `None` when there is no such key.
    pub fn status(&self, key_arn: &str) -> Option<Arc<KeyStatus>> {
        self.key_by_arn(key_arn).map(|key| Arc::clone(&key.status))
    }

    /// How often `operation` was asked of a key since the start, refusals included (R51).
    pub fn calls(&self, key_arn: &str, operation: &str) -> u64 {
        let calls = self.calls.read();
        let count = calls.get(key_arn).and_then(|of_key| of_key.get(operation));
        count.map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// How often each key was used by each operation since the start, in order (R51).
    pub fn all_calls(&self) -> Vec<KeyCalls> {
        let calls = self.calls.read();
        let mut all: Vec<_> = calls
            .iter()
            .flat_map(|(key_arn, of_key)| {
                of_key.iter().map(|(operation, count)| KeyCalls {
                    key_arn: Arc::clone(key_arn),
                    operation,
                    count: count.load(Ordering::Relaxed),
                })
            })
            .collect();
        all.sort();
        all
    }

    /// The audit trail.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    pub(crate) fn count_call(&self, key_arn: &Arc<str>, operation: &'static str) {
        let counted = self.calls.read().get(key_arn).and_then(|of_key| of_key.get(operation)).map(increment);
        if counted.is_none() {
            increment(
                self.calls.write().entry(Arc::clone(key_arn)).or_default().entry(operation).or_default(),
            );
        }
    }

    pub(crate) fn now_millis(&self) -> i64 {
        self.clock.now_millis()
    }

    pub(crate) fn random(&self) -> &dyn Random {
        &*self.random
    }

    pub(crate) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read()
    }

    /// A key of `place` that is not past its end.
    pub(crate) fn key(&self, place: &Place, key_id: &str) -> Option<Arc<Key>> {
        self.state.read().key(place, key_id, self.now_millis()).cloned()
    }

    /// The key behind a key ARN, whosever it is; `None` when it is missing or past its end.
    pub(crate) fn key_by_arn(&self, key_arn: &str) -> Option<Arc<Key>> {
        let (place, key_id) = super::identifier::split_key_arn(key_arn)?;
        self.key(&place, key_id)
    }

    /// Whether a live key of `place` has this material. Looks at every key: for error texts only.
    pub(crate) fn has_material(&self, place: &Place, material_id: &[u8; 32]) -> bool {
        let now = self.now_millis();
        let state = self.state.read();
        let keys = state.keys(place).into_iter().flat_map(|keys| keys.keys.values());
        let mut materials = keys.filter(|key| !key.is_expired(now)).flat_map(|key| &key.materials);
        materials.any(|material| material.id == *material_id)
    }

    /// The grants on a key, by grant id.
    pub(crate) fn grants(&self, key: &Key) -> Vec<Arc<Grant>> {
        let state = self.state.read();
        state.keys(&key.place).into_iter().flat_map(|keys| keys.grants_of(&key.id)).cloned().collect()
    }

    pub(crate) async fn turn(&self) -> WriterTurn {
        WriterTurn(Arc::clone(&self.turn).lock_owned().await)
    }

    /// Makes changes durable together with the event that tells of them, then visible.
    ///
    /// Runs to its end even when the caller goes away, so memory never falls behind the rows.
    pub(crate) async fn commit(
        self: &Arc<Self>,
        turn: WriterTurn,
        changes: Vec<Change>,
        event: Option<Event>,
    ) -> Result<(), KmsError> {
        let kms = Arc::clone(self);
        let finished = tokio::spawn(async move {
            for material in changes.iter().flat_map(Change::new_materials) {
                materials::put(&**kms.store.objects(), material).await?;
            }
            let doomed: Vec<_> = changes.iter().flat_map(Change::doomed_materials).collect();
            let mut batch = Batch::new();
            {
                let state = kms.state.read();
                changes.iter().for_each(|change| change.write(&mut batch, state.keys(change.place())));
            }
            if let Some(event) = &event {
                kms.audit.record(&mut batch, event);
            }
            kms.store.commit(batch).await?;
            let news: Vec<KeyChange> = {
                let mut state = kms.state.write();
                for due_millis in changes.iter().filter_map(Change::due_millis) {
                    kms.next_due_millis.fetch_min(due_millis, Ordering::AcqRel);
                }
                changes.into_iter().filter_map(|change| state.apply(change)).collect()
            };
            for change in news {
                // Nobody listening is no failure.
                let _ = kms.news.send(change);
            }
            if !doomed.is_empty() {
                kms.doomed.lock().await.extend(doomed);
                kms.clear_doomed().await;
            }
            drop(turn.0);
            Ok(())
        });
        finished
            .await
            .unwrap_or_else(|_| Err(StorageError::Closed("the server is stopping".to_owned()).into()))
    }

    /// Deletes the objects of destroyed material. One that cannot be deleted now is tried again.
    pub(super) async fn clear_doomed(&self) {
        let mut doomed = self.doomed.lock().await;
        while let Some((place, material_id)) = doomed.last() {
            let mut batch = Batch::new();
            batch.delete(rows::doomed_row(place, material_id));
            let cleared = match materials::delete(&**self.store.objects(), material_id).await {
                Ok(()) => self.store.commit(batch).await,
                Err(error) => Err(error),
            };
            if let Err(error) = cleared {
                tracing::warn!(%error, "the material of a destroyed key is not cleared away yet");
                return;
            }
            doomed.pop();
        }
    }

    /// Records a call that changed nothing.
    pub(crate) async fn commit_event(&self, event: &Event) -> Result<(), KmsError> {
        Ok(self.audit.commit(event).await?)
    }
}

fn increment(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// How many changes a subscriber may fall behind.
const NEWS_BACKLOG: usize = 4_096;
