//! A store's keyring: its table key as the key service wrapped it, and its data keys as the table key wraps them.
//!
//! A keyring is a small object that is never edited: a change of keys is a new
//! keyring with the next version. All that is in it is authenticated under the
//! table key; who wrapped the table key can be read without any key. The layout
//! is in `docs/formats/keyring.md`.

mod format;
mod store;

use std::collections::HashSet;

use strongroom_model::clock::Random;
use zeroize::Zeroizing;

use crate::chunked;
use crate::data_keys::{DataKey, DataKeys, Structure};
use crate::object::{DataKeyId, StoreId};
use crate::secret::SecretKey;

pub use store::KeyringStore;

/// The most data keys a keyring may hold.
pub const DATA_KEYS_MAX: usize = 1000;

/// The most bytes a wrapped table key may have: what KMS allows a ciphertext.
pub const WRAPPED_BYTES_MAX: usize = 6144;

/// The most bytes the name of a wrapping key, or of its material, may have.
pub const NAME_BYTES_MAX: usize = 2048;

/// A table key as its source wrapped it, and under what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedTableKey {
    /// The ARN of the KMS key, or another name of the source. Not a secret.
    pub key_arn: String,
    /// The key material within that key, as text; empty where the source has no such thing.
    pub key_material_id: String,
    /// The wrapped key, which only its source can open.
    pub wrapped: Vec<u8>,
}

/// What a keyring says of a data key to those who cannot open it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataKeyEntry {
    /// The key's name, which the objects sealed under it carry.
    pub id: DataKeyId,
    /// What it seals.
    pub structure: Structure,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_millis: i64,
}

/// When a data key has done enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenewalBounds {
    /// The age at which a current key is renewed, in milliseconds.
    pub age_millis_max: i64,
    /// The plaintext bytes after which a current key is renewed, counted since the store was opened.
    pub sealed_bytes_max: u64,
}

/// One version of a store's keyring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyring {
    store: StoreId,
    version: u64,
    created_millis: i64,
    table_key: WrappedTableKey,
    // INVARIANT (current keys): the last entry of each structure seals new objects, and each structure has one.
    entries: Vec<DataKeyEntry>,
    // The keys themselves, in the order of `entries`: a chunked message under the table key.
    sealed_keys: Vec<u8>,
}

/// Why a keyring cannot be read, made or published. Every text names the keyring.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The bytes are not a keyring.
    #[error("object `{object}` is not a keyring")]
    NotAKeyring {
        /// The object's path.
        object: String,
    },
    /// Another release wrote the keyring.
    #[error("keyring `{object}` has format version {format}, which this release does not read")]
    Format {
        /// The object's path.
        object: String,
        /// The format version it names.
        format: u8,
    },
    /// The keyring lies under another version's name or in another store's place.
    #[error("object `{object}` is keyring version {version} of store `{store}`, which belongs elsewhere")]
    Misplaced {
        /// The object's path.
        object: String,
        /// The version the keyring says it is.
        version: u64,
        /// The store the keyring says it belongs to.
        store: String,
    },
    /// The table key is not the one this keyring was made with, or the keyring was changed.
    #[error(
        "keyring version {version} of store `{store}` does not authenticate under its table key: {damage}"
    )]
    DoesNotOpen {
        /// The keyring's version.
        version: u64,
        /// The keyring's store.
        store: String,
        /// What failed.
        damage: chunked::ChunkedError,
    },
    /// A name or the wrapped key is longer than a keyring holds, or the data keys are more.
    #[error("the keyring of store `{store}` would hold too much: {what}")]
    TooMuch {
        /// The keyring's store.
        store: String,
        /// What there is too much of.
        what: &'static str,
    },
    /// Somebody else has published this version.
    #[error("keyring `{object}` exists already")]
    Conflict {
        /// The object's path.
        object: String,
    },
    /// The object store failed.
    #[error("the object store failed on keyring `{object}`: {source}")]
    Store {
        /// The object's path.
        object: String,
        /// What it said.
        source: object_store::Error,
    },
}

impl Keyring {
    /// The first keyring of a store: one fresh data key for each structure, wrapped by `table_key`.
    ///
    /// Errors with `TooMuch` if `wrapped` holds more than a keyring takes.
    pub fn create(
        store: &StoreId,
        table_key: &SecretKey,
        wrapped: WrappedTableKey,
        now_millis: i64,
        random: &dyn Random,
    ) -> Result<Self, KeyringError> {
        let mut keys = Keys::default();
        for structure in Structure::ALL {
            keys.add(structure, now_millis, random);
        }
        Self::seal(store, 1, now_millis, table_key, wrapped, keys, random)
    }

    /// The store's id.
    pub fn store(&self) -> &StoreId {
        &self.store
    }

    /// The keyring's version, from 1.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// When this version was made, in milliseconds since the Unix epoch.
    pub fn created_millis(&self) -> i64 {
        self.created_millis
    }

    /// The table key as its source wrapped it.
    pub fn table_key(&self) -> &WrappedTableKey {
        &self.table_key
    }

    /// The data keys, oldest first; the last of each structure seals new objects.
    pub fn data_keys(&self) -> &[DataKeyEntry] {
        &self.entries
    }

    /// Opens the data keys.
    ///
    /// Errors with `DoesNotOpen` unless `table_key` is the one this keyring was made with and every byte is unchanged.
    pub fn open(&self, table_key: &SecretKey) -> Result<DataKeys, KeyringError> {
        let keys = self.unseal(table_key)?;
        let data_keys = self.entries.iter().zip(keys.iter()).map(|(entry, bytes)| {
            let mut bytes = Zeroizing::new(*bytes);
            let key = SecretKey::from_slice(bytes.as_mut_slice()).expect("a data key has 32 bytes");
            DataKey::new(entry.id, entry.structure, entry.created_millis, key)
        });
        Ok(DataKeys::new(self.store.clone(), self.version, data_keys.collect())
            .expect("a keyring has a key for each structure"))
    }

    /// The next version, under another table key: all data keys wrapped by `new_table_key`, and a fresh one for each
    /// structure. No data is touched.
    pub fn rewrap(
        &self,
        old_table_key: &SecretKey,
        new_table_key: &SecretKey,
        new_wrapped: WrappedTableKey,
        now_millis: i64,
        random: &dyn Random,
    ) -> Result<Self, KeyringError> {
        let mut keys = self.keys(old_table_key)?;
        for structure in Structure::ALL {
            keys.add(structure, now_millis, random);
        }
        self.next(new_table_key, new_wrapped, keys, now_millis, random)
    }

    /// The next version with fresh data keys in place of current ones that `bounds` says have done enough, or `None`
    /// if none has. `in_use` knows how much each key has sealed.
    pub fn renew(
        &self,
        table_key: &SecretKey,
        in_use: &DataKeys,
        bounds: RenewalBounds,
        now_millis: i64,
        random: &dyn Random,
    ) -> Result<Option<Self>, KeyringError> {
        let worn = self.worn(in_use, bounds, now_millis);
        if worn.is_empty() {
            return Ok(None);
        }
        let mut keys = self.keys(table_key)?;
        for structure in worn {
            keys.add(structure, now_millis, random);
        }
        self.next(table_key, self.table_key.clone(), keys, now_millis, random).map(Some)
    }

    /// Whether a current data key has done enough by `bounds`. Needs no key.
    pub fn needs_renewal(&self, in_use: &DataKeys, bounds: RenewalBounds, now_millis: i64) -> bool {
        !self.worn(in_use, bounds, now_millis).is_empty()
    }

    fn worn(&self, in_use: &DataKeys, bounds: RenewalBounds, now_millis: i64) -> Vec<Structure> {
        Structure::ALL
            .into_iter()
            .filter(|structure| {
                let entry = self.current(*structure);
                let sealed_bytes = match in_use.by_id(entry.id) {
                    Ok(Some(key)) => key.sealed_bytes(),
                    _ => 0,
                };
                now_millis.saturating_sub(entry.created_millis) >= bounds.age_millis_max
                    || sealed_bytes >= bounds.sealed_bytes_max
            })
            .collect()
    }

    /// The next version without the data keys that seal nothing any more, or `None` if all are needed. Current keys and
    /// those in `needed` stay.
    pub fn retire(
        &self,
        table_key: &SecretKey,
        needed: &HashSet<DataKeyId>,
        now_millis: i64,
        random: &dyn Random,
    ) -> Result<Option<Self>, KeyringError> {
        let current = Structure::ALL.map(|structure| self.current(structure).id);
        let mut keys = self.keys(table_key)?;
        keys.0.retain(|(entry, _)| current.contains(&entry.id) || needed.contains(&entry.id));
        if keys.0.len() == self.entries.len() {
            return Ok(None);
        }
        self.next(table_key, self.table_key.clone(), keys, now_millis, random).map(Some)
    }

    fn current(&self, structure: Structure) -> &DataKeyEntry {
        let last = self.entries.iter().rev().find(|entry| entry.structure == structure);
        last.expect("a keyring has a key for each structure")
    }

    fn keys(&self, table_key: &SecretKey) -> Result<Keys, KeyringError> {
        let keys = self.unseal(table_key)?;
        Ok(Keys(self.entries.iter().copied().zip(keys.iter().map(|key| Zeroizing::new(*key))).collect()))
    }

    fn next(
        &self,
        table_key: &SecretKey,
        wrapped: WrappedTableKey,
        keys: Keys,
        now_millis: i64,
        random: &dyn Random,
    ) -> Result<Self, KeyringError> {
        Self::seal(&self.store, self.version + 1, now_millis, table_key, wrapped, keys, random)
    }

    fn seal(
        store: &StoreId,
        version: u64,
        now_millis: i64,
        table_key: &SecretKey,
        wrapped: WrappedTableKey,
        keys: Keys,
        random: &dyn Random,
    ) -> Result<Self, KeyringError> {
        let too_much = |what| KeyringError::TooMuch { store: store.to_string(), what };
        if wrapped.key_arn.len() > NAME_BYTES_MAX || wrapped.key_material_id.len() > NAME_BYTES_MAX {
            return Err(too_much("a key's name has at most 2,048 bytes"));
        }
        if wrapped.wrapped.len() > WRAPPED_BYTES_MAX {
            return Err(too_much("a wrapped table key has at most 6,144 bytes"));
        }
        if keys.0.len() > DATA_KEYS_MAX {
            return Err(too_much("there are at most 1,000 data keys"));
        }
        let mut plain = Zeroizing::new(Vec::with_capacity(keys.0.len() * 32));
        for (_, key) in &keys.0 {
            plain.extend_from_slice(key.as_slice());
        }
        let mut keyring = Self {
            store: store.clone(),
            version,
            created_millis: now_millis,
            table_key: wrapped,
            entries: keys.0.iter().map(|(entry, _)| *entry).collect(),
            sealed_keys: Vec::new(),
        };
        keyring.sealed_keys = chunked::seal(table_key, &[&keyring.encode_head()], &plain, random);
        Ok(keyring)
    }

    fn unseal(&self, table_key: &SecretKey) -> Result<Zeroizing<Vec<[u8; 32]>>, KeyringError> {
        let does_not_open = |damage| KeyringError::DoesNotOpen {
            version: self.version,
            store: self.store.to_string(),
            damage,
        };
        let plain =
            chunked::open(table_key, &[&self.encode_head()], &self.sealed_keys).map_err(does_not_open)?;
        let (keys, rest) = plain.as_chunks::<32>();
        // The list of entries is part of the context, so its writer has counted them too.
        if keys.len() != self.entries.len() || !rest.is_empty() {
            return Err(does_not_open(chunked::ChunkedError::Length));
        }
        Ok(Zeroizing::new(keys.to_vec()))
    }
}

#[derive(Default)]
struct Keys(Vec<(DataKeyEntry, Zeroizing<[u8; 32]>)>);

impl Keys {
    fn add(&mut self, structure: Structure, now_millis: i64, random: &dyn Random) {
        let mut key = Zeroizing::new([0; 32]);
        random.fill(key.as_mut_slice());
        let entry = DataKeyEntry { id: DataKeyId::generate(random), structure, created_millis: now_millis };
        self.0.push((entry, key));
    }
}

#[cfg(test)]
mod tests;
