//! The data keys of one open store, in memory.
//!
//! A keyring that was opened gives the keys; a store that is live takes a newer
//! keyring's keys in one step, and wipes them all in one step when it is closed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use object_store::path::Path;
use parking_lot::RwLock;

use crate::object::{DataKeyId, StoreId};
use crate::primitive::constant_time_eq;
use crate::secret::SecretKey;

/// The parts of a database that have data keys of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Structure {
    /// The write-ahead log.
    WriteAheadLog,
    /// The sorted runs, which hold the bulk of the data.
    SortedRuns,
    /// Manifests, compaction state and all else.
    Manifests,
}

impl Structure {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::WriteAheadLog, Self::SortedRuns, Self::Manifests];

    /// The structure an object belongs to, which the directory it lies in says.
    pub fn of_path(path: &Path) -> Self {
        let mut parts = path.as_ref().rsplit('/');
        let _file = parts.next();
        match parts.next() {
            Some("wal") => Self::WriteAheadLog,
            Some("compacted") => Self::SortedRuns,
            _ => Self::Manifests,
        }
    }

    fn index(self) -> usize {
        match self {
            Self::WriteAheadLog => 0,
            Self::SortedRuns => 1,
            Self::Manifests => 2,
        }
    }
}

/// A data key in use.
#[derive(Debug)]
pub struct DataKey {
    /// Its name, which the objects sealed under it carry.
    pub id: DataKeyId,
    /// What it seals.
    pub structure: Structure,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_millis: i64,
    key: SecretKey,
    sealed_bytes: AtomicU64,
}

impl DataKey {
    /// A data key from its parts.
    pub fn new(id: DataKeyId, structure: Structure, created_millis: i64, key: SecretKey) -> Self {
        Self { id, structure, created_millis, key, sealed_bytes: AtomicU64::new(0) }
    }

    /// Plaintext bytes sealed under this key since this process opened it.
    pub fn sealed_bytes(&self) -> u64 {
        self.sealed_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn secret(&self) -> &SecretKey {
        &self.key
    }

    pub(crate) fn count_sealed(&self, plain_bytes: u64) {
        self.sealed_bytes.fetch_add(plain_bytes, Ordering::Relaxed);
    }
}

/// The keys are wiped; nothing more can be sealed or opened with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the data keys are closed")]
pub struct KeysClosed;

/// Newer keys cannot take the place of the ones in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplaceError {
    /// The keys in use were closed meanwhile.
    #[error("the data keys are closed")]
    Closed,
    /// The newer keys are another store's.
    #[error("the newer data keys belong to another store")]
    OtherStore,
    /// The newer keys are of an older keyring than those in use.
    #[error("the newer data keys come from an older keyring")]
    Older,
}

/// The data keys of one store. Shared by all who read and write it.
#[derive(Debug)]
pub struct DataKeys {
    store: StoreId,
    state: RwLock<Option<Arc<KeySet>>>,
    derived: RwLock<Vec<Weak<dyn Wipe>>>,
}

/// A place that keeps keys derived from data keys, and drops them when it is told.
pub(crate) trait Wipe: Send + Sync + std::fmt::Debug {
    fn wipe(&self);
}

#[derive(Debug)]
struct KeySet {
    keyring_version: u64,
    by_id: HashMap<DataKeyId, Arc<DataKey>>,
    current: [Arc<DataKey>; 3],
}

impl DataKeys {
    /// The keys of `store` as a keyring of version `keyring_version` lists them, oldest first.
    /// The last key of each structure seals new objects. `None` if a structure has no key.
    pub(crate) fn new(store: StoreId, keyring_version: u64, keys: Vec<DataKey>) -> Option<Self> {
        let keys: Vec<Arc<DataKey>> = keys.into_iter().map(Arc::new).collect();
        let set = KeySet::new(keyring_version, &keys)?;
        Some(Self { store, state: RwLock::new(Some(Arc::new(set))), derived: RwLock::new(Vec::new()) })
    }

    /// The store these keys belong to.
    pub fn store(&self) -> &StoreId {
        &self.store
    }

    /// The version of the keyring that the keys come from.
    pub fn keyring_version(&self) -> Result<u64, KeysClosed> {
        self.set().map(|set| set.keyring_version)
    }

    /// The key that seals new objects of `structure`.
    pub fn current(&self, structure: Structure) -> Result<Arc<DataKey>, KeysClosed> {
        self.set().map(|set| Arc::clone(&set.current[structure.index()]))
    }

    /// The key named `id`, or `None` if no such key is known.
    pub fn by_id(&self, id: DataKeyId) -> Result<Option<Arc<DataKey>>, KeysClosed> {
        self.set().map(|set| set.by_id.get(&id).cloned())
    }

    /// Whether the keys are still there.
    pub fn is_open(&self) -> bool {
        self.state.read().is_some()
    }

    /// Takes the keys of a newer keyring: from now on new objects are sealed under its current keys.
    ///
    /// Calls that are under way finish under the keys they started with.
    pub fn replace(&self, newer: DataKeys) -> Result<(), ReplaceError> {
        if newer.store != self.store {
            return Err(ReplaceError::OtherStore);
        }
        let Some(newer) = newer.state.into_inner() else {
            return Err(ReplaceError::Closed);
        };
        let mut state = self.state.write();
        let Some(in_use) = state.as_ref() else {
            return Err(ReplaceError::Closed);
        };
        if newer.keyring_version < in_use.keyring_version {
            return Err(ReplaceError::Older);
        }
        // Keys that stay keep their place in memory, and the count of what they sealed.
        let keep = |key: &Arc<DataKey>| match in_use.by_id.get(&key.id) {
            Some(known) if constant_time_eq(known.key.expose(), key.key.expose()) => Arc::clone(known),
            _ => Arc::clone(key),
        };
        let set = KeySet {
            keyring_version: newer.keyring_version,
            by_id: newer.by_id.iter().map(|(id, key)| (*id, keep(key))).collect(),
            current: std::array::from_fn(|index| keep(&newer.current[index])),
        };
        *state = Some(Arc::new(set));
        Ok(())
    }

    /// Wipes the keys and everything derived from them. Every later call fails; there is no way back.
    ///
    /// A call that is sealing or opening a piece at this moment keeps its key until the piece is done.
    pub fn close(&self) {
        *self.state.write() = None;
        for derived in self.derived.write().drain(..) {
            if let Some(derived) = derived.upgrade() {
                derived.wipe();
            }
        }
    }

    /// Has `derived` wiped when the keys are closed, or now if they are.
    pub(crate) fn wipe_with_keys(&self, derived: Weak<dyn Wipe>) {
        let state = self.state.read();
        if state.is_some() {
            let mut all = self.derived.write();
            all.retain(|other| other.strong_count() > 0);
            all.push(derived);
        } else if let Some(derived) = derived.upgrade() {
            derived.wipe();
        }
    }

    fn set(&self) -> Result<Arc<KeySet>, KeysClosed> {
        self.state.read().clone().ok_or(KeysClosed)
    }
}

impl KeySet {
    fn new(keyring_version: u64, keys: &[Arc<DataKey>]) -> Option<Self> {
        let last = |structure| keys.iter().rev().find(|key| key.structure == structure).cloned();
        let [wal, runs, manifests] = Structure::ALL.map(last);
        Some(Self {
            keyring_version,
            by_id: keys.iter().map(|key| (key.id, Arc::clone(key))).collect(),
            current: [wal?, runs?, manifests?],
        })
    }
}
