//! The key service's memory: what the rows say, ready to be looked up.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::grant::Grant;
use super::key::{Key, KeyMaterial, KeyState, KeyStatus, Place};
use super::rows::{self, Alias, Row};
use crate::storage::{Batch, StorageError};

/// All keys, aliases and grants.
#[derive(Debug, Default)]
pub(crate) struct State(HashMap<Place, Keys>);

/// The keys of one account in one region.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// By key id.
    pub keys: BTreeMap<Arc<str>, Arc<Key>>,
    /// By alias name, `alias/` included.
    pub aliases: BTreeMap<String, Alias>,
    /// By key id and grant id.
    pub grants: BTreeMap<(Arc<str>, String), Arc<Grant>>,
}

/// One change of the state, with the rows that make it last.
pub(crate) enum Change {
    /// A new key with its first material.
    NewKey(Key),
    /// A key whose record has changed.
    Key(Key),
    /// A key with one material more, the last.
    NewMaterial(Key),
    /// A key that has come to its end: material, aliases and grants go with it.
    Destroy(Arc<Key>),
    /// A new alias, or one that points elsewhere now.
    Alias(Place, String, Alias),
    /// An alias that is no more.
    AliasGone(Place, String),
    /// A new grant.
    Grant(Place, Grant),
    /// A grant that its principal gave back.
    GrantRetired(Arc<Key>, Arc<Grant>),
    /// A grant that was taken away.
    GrantRevoked(Arc<Key>, Arc<Grant>),
}

/// What happened to a key, for those who hold something that depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChange {
    /// The key's ARN.
    pub key_arn: Arc<str>,
    /// What happened.
    pub event: KeyEvent,
}

/// The things that can happen to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyEvent {
    /// It may be used (again).
    Enabled,
    /// It may not be used: somebody disabled it, or its deletion was cancelled.
    Disabled,
    /// It will be deleted and may not be used.
    PendingDeletion,
    /// It is gone for good.
    Deleted,
    /// A grant was taken away.
    GrantRevoked {
        /// The grant's id.
        grant_id: String,
    },
    /// A grant was given back.
    GrantRetired {
        /// The grant's id.
        grant_id: String,
    },
}

// A material's id, and the material unless its object is gone.
type StoredMaterial = ([u8; 32], Option<Arc<KeyMaterial>>);

impl State {
    /// The keys of a place; `None` when it has none.
    pub fn keys(&self, place: &Place) -> Option<&Keys> {
        self.0.get(place)
    }

    /// All places with keys.
    pub fn places(&self) -> impl Iterator<Item = (&Place, &Keys)> {
        self.0.iter()
    }

    /// A key that is not past its end.
    pub fn key(&self, place: &Place, key_id: &str, now_millis: i64) -> Option<&Arc<Key>> {
        self.keys(place)?.keys.get(key_id).filter(|key| !key.is_expired(now_millis))
    }

    /// The rows that were read at start, in any order of kinds.
    pub(super) fn load(rows: impl Iterator<Item = Row>) -> Result<Self, StorageError> {
        let mut state = Self::default();
        let mut materials: BTreeMap<(Place, String), Vec<StoredMaterial>> = BTreeMap::new();
        let mut records = Vec::new();
        for row in rows {
            match row {
                Row::Key { place, id, record } => records.push((place, id, record)),
                Row::Material { place, key_id, id, created_millis, secret } => {
                    let of_key = materials.entry((place, key_id)).or_default();
                    of_key.push((
                        id,
                        secret.map(|secret| Arc::new(KeyMaterial { id, created_millis, secret })),
                    ));
                }
                // The service clears these away.
                Row::Doomed { .. } => {}
                Row::Alias { place, name, alias } => {
                    state.0.entry(place).or_default().aliases.insert(name, alias);
                }
                Row::Grant { place, grant } => state.put_grant(place, grant),
            }
        }
        for (place, id, record) in records {
            let damaged = || StorageError::Damaged(format!("key `{}` has no material", place.key_arn(&id)));
            let materials = materials.remove(&(place.clone(), id.clone())).ok_or_else(damaged)?;
            let materials = materials.into_iter().map(|(id, material)| {
                let lost = || {
                    StorageError::Damaged(format!(
                        "object `{}` is missing: it holds material of a key that was never destroyed, or whose \
                         destruction was rolled back; restore it from a backup of the same time as the system store",
                        super::materials::path(&id)
                    ))
                };
                material.ok_or_else(lost)
            });
            let materials = materials.collect::<Result<_, _>>()?;
            let status = Arc::new(KeyStatus::new(record.state));
            let (id, arn) = (Arc::from(id.as_str()), place.key_arn(&id).into());
            state.put_key(Key { id, arn, place, record, materials, status });
        }
        Ok(state)
    }

    /// Makes a change that is durable visible, and says whom to tell what.
    pub fn apply(&mut self, change: Change) -> Option<KeyChange> {
        let told = |key: &Key, event| Some(KeyChange { key_arn: Arc::clone(&key.arn), event });
        match change {
            Change::NewKey(key) | Change::NewMaterial(key) => {
                self.put_key(key);
                None
            }
            Change::Key(key) => {
                let before = self.keys(&key.place).and_then(|keys| keys.keys.get(&key.id));
                let is_same_state = before.is_some_and(|before| before.record.state == key.record.state);
                key.status.set(key.record.state);
                let event = match key.record.state {
                    KeyState::Enabled => KeyEvent::Enabled,
                    KeyState::Disabled => KeyEvent::Disabled,
                    KeyState::PendingDeletion => KeyEvent::PendingDeletion,
                };
                let news = if is_same_state { None } else { told(&key, event) };
                self.put_key(key);
                news
            }
            Change::Destroy(key) => {
                key.status.set_deleted();
                let keys = self.0.entry(key.place.clone()).or_default();
                keys.keys.remove(&key.id);
                keys.aliases.retain(|_, alias| alias.target_key_id != key.id);
                keys.grants.retain(|(key_id, _), _| *key_id != key.id);
                told(&key, KeyEvent::Deleted)
            }
            Change::Alias(place, name, alias) => {
                self.0.entry(place).or_default().aliases.insert(name, alias);
                None
            }
            Change::AliasGone(place, name) => {
                self.0.entry(place).or_default().aliases.remove(&name);
                None
            }
            Change::Grant(place, grant) => {
                self.put_grant(place, grant);
                None
            }
            Change::GrantRetired(key, grant) => {
                self.remove_grant(&key, &grant);
                told(&key, KeyEvent::GrantRetired { grant_id: grant.id.clone() })
            }
            Change::GrantRevoked(key, grant) => {
                self.remove_grant(&key, &grant);
                told(&key, KeyEvent::GrantRevoked { grant_id: grant.id.clone() })
            }
        }
    }

    fn remove_grant(&mut self, key: &Key, grant: &Grant) {
        let keys = self.0.entry(key.place.clone()).or_default();
        keys.grants.remove(&(Arc::clone(&key.id), grant.id.clone()));
    }

    fn put_key(&mut self, key: Key) {
        self.0.entry(key.place.clone()).or_default().keys.insert(Arc::clone(&key.id), Arc::new(key));
    }

    fn put_grant(&mut self, place: Place, grant: Grant) {
        let at = (Arc::from(grant.key_id.as_str()), grant.id.clone());
        self.0.entry(place).or_default().grants.insert(at, Arc::new(grant));
    }
}

impl Keys {
    /// The grants on one key, by grant id.
    pub fn grants_of(&self, key_id: &str) -> impl Iterator<Item = &Arc<Grant>> {
        let first = (Arc::from(key_id), String::new());
        self.grants.range(first..).take_while(move |((of, _), _)| &**of == key_id).map(|(_, grant)| grant)
    }
}

impl Change {
    /// Adds the rows of this change to `batch`; `keys` is the place before the change.
    pub fn write(&self, batch: &mut Batch, keys: Option<&Keys>) {
        match self {
            Self::NewKey(key) => {
                batch.put(rows::key_row(&key.place, &key.id), rows::json_value(&key.record));
                for (number, material) in key.materials.iter().enumerate() {
                    batch
                        .put(rows::material_row(&key.place, &key.id, number), rows::material_value(material));
                }
            }
            Self::NewMaterial(key) => {
                let number = key.materials.len() - 1;
                let value = rows::material_value(key.current_material());
                batch.put(rows::material_row(&key.place, &key.id, number), value);
            }
            Self::Key(key) => batch.put(rows::key_row(&key.place, &key.id), rows::json_value(&key.record)),
            Self::Destroy(key) => {
                batch.delete(rows::key_row(&key.place, &key.id));
                for (number, material) in key.materials.iter().enumerate() {
                    batch.delete(rows::material_row(&key.place, &key.id, number));
                    batch.put(rows::doomed_row(&key.place, &material.id), rows::doomed_value(&material.id));
                }
                let aliases = keys.into_iter().flat_map(|keys| &keys.aliases);
                for (name, _) in aliases.filter(|(_, alias)| alias.target_key_id == key.id) {
                    batch.delete(rows::alias_row(&key.place, name));
                }
                for grant in keys.into_iter().flat_map(|keys| keys.grants_of(&key.id)) {
                    batch.delete(rows::grant_row(&key.place, grant));
                }
            }
            Self::Alias(place, name, alias) => {
                batch.put(rows::alias_row(place, name), rows::json_value(alias))
            }
            Self::AliasGone(place, name) => batch.delete(rows::alias_row(place, name)),
            Self::Grant(place, grant) => batch.put(rows::grant_row(place, grant), rows::json_value(grant)),
            Self::GrantRetired(key, grant) | Self::GrantRevoked(key, grant) => {
                batch.delete(rows::grant_row(&key.place, grant));
            }
        }
    }

    /// Material that must be in its object before the change is written.
    pub fn new_materials(&self) -> &[Arc<KeyMaterial>] {
        match self {
            Self::NewKey(key) => &key.materials,
            Self::NewMaterial(key) => key.materials.last().map_or(&[], std::slice::from_ref),
            _ => &[],
        }
    }

    /// Material whose object is to be deleted once the change is durable.
    pub fn doomed_materials(&self) -> Vec<(Place, [u8; 32])> {
        match self {
            Self::Destroy(key) => {
                key.materials.iter().map(|material| (key.place.clone(), material.id)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// When something comes due for the changed key.
    pub fn due_millis(&self) -> Option<i64> {
        match self {
            Self::NewKey(key) | Self::Key(key) | Self::NewMaterial(key) => key.due_millis(),
            _ => None,
        }
    }

    /// The place that changes.
    pub fn place(&self) -> &Place {
        match self {
            Self::NewKey(key) | Self::Key(key) | Self::NewMaterial(key) => &key.place,
            Self::Destroy(key) | Self::GrantRetired(key, _) | Self::GrantRevoked(key, _) => &key.place,
            Self::Alias(place, ..) | Self::AliasGone(place, _) | Self::Grant(place, _) => place,
        }
    }
}
