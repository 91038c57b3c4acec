//! The keys as their rows have them, for looking at a data directory that no server has open.
//!
//! A table key is opened directly with the key's material: no grant is asked
//! for, nothing is audited, because nobody is given anything.

use std::collections::BTreeSet;

use bytes::Bytes;
use object_store::ObjectStore;
use strongroom_seal::keyring::WrappedTableKey;
use strongroom_seal::secret::SecretKey;

use super::cipher;
use super::identifier::split_key_arn;
use super::key::KeyState;
use super::materials;
use super::rows::{self, Row};
use super::state::State;
use super::table_kms::TableContext;
use crate::storage::StorageError;

/// The first byte of the rows that [`StoredKeys::load`] takes.
pub const ROWS: u8 = rows::OWNER;

/// All keys of the key service.
#[derive(Debug)]
pub struct StoredKeys {
    state: State,
    materials: BTreeSet<String>,
}

/// Why a table key is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyUnusable {
    /// There is no such key here.
    #[error("the key is not in this key service: it was deleted, or it is in another one")]
    Elsewhere,
    /// Somebody disabled it.
    #[error("key disabled")]
    Disabled,
    /// It will be deleted.
    #[error("key pending deletion")]
    PendingDeletion,
    /// The key is there, but it does not open what it wrapped.
    #[error("the wrapped table key does not open under its key and the table's encryption context")]
    DoesNotOpen,
}

impl StoredKeys {
    /// Reads the rows of the system store that belong to the key service, and the material that they name from
    /// `store`, the system store's sealed store.
    pub async fn load<'a>(
        rows: impl Iterator<Item = &'a (Bytes, Bytes)>,
        store: &dyn ObjectStore,
    ) -> Result<Self, StorageError> {
        let rows: Result<Vec<_>, _> = rows.map(|(key, value)| rows::parse(key, value)).collect();
        let rows = rows?;
        let materials = rows.iter().filter_map(|row| match row {
            Row::Material { id, .. } | Row::Doomed { material_id: id, .. } => {
                Some(materials::path(id).to_string())
            }
            _ => None,
        });
        let materials = materials.collect();
        let rows = materials::read(store, rows).await?;
        Ok(Self { state: State::load(rows.into_iter())?, materials })
    }

    /// Whether a row names the object at `path`, which holds the material of a key.
    pub fn names_material(&self, path: &str) -> bool {
        self.materials.contains(path)
    }

    /// Opens a table key, at `now_millis`, if its key may be used then.
    pub fn open_table_key(
        &self,
        wrapped: &WrappedTableKey,
        context: &TableContext,
        now_millis: i64,
    ) -> Result<SecretKey, KeyUnusable> {
        let (place, key_id) = split_key_arn(&wrapped.key_arn).ok_or(KeyUnusable::Elsewhere)?;
        let key = self.state.key(&place, key_id, now_millis).ok_or(KeyUnusable::Elsewhere)?;
        match key.record.state {
            KeyState::Enabled => {}
            KeyState::Disabled => return Err(KeyUnusable::Disabled),
            KeyState::PendingDeletion => return Err(KeyUnusable::PendingDeletion),
        }
        let opened = cipher::decrypt(key, &wrapped.wrapped, &context.pairs());
        let (mut plaintext, _) = opened.map_err(|_| KeyUnusable::DoesNotOpen)?;
        SecretKey::from_slice(plaintext.expose_mut()).ok_or(KeyUnusable::DoesNotOpen)
    }
}
