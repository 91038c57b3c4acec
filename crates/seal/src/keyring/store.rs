//! Keyrings in an object store: `keyring/<version, twenty digits>` under the place of the store they belong to.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};

use super::format::KEYRING_BYTES_MAX;
use super::{Keyring, KeyringError};
use crate::object::StoreId;

/// The keyrings of one store.
#[derive(Clone, Debug)]
pub struct KeyringStore {
    objects: Arc<dyn ObjectStore>,
    directory: Path,
    store: StoreId,
}

impl KeyringStore {
    /// The keyrings of `store` at `<root>/keyring/` of `objects`, which is not a sealed store.
    pub fn new(objects: Arc<dyn ObjectStore>, root: &Path, store: StoreId) -> Self {
        Self { objects, directory: root.clone().join("keyring"), store }
    }

    /// The newest keyring, or `None` if there is none.
    pub async fn latest(&self) -> Result<Option<Keyring>, KeyringError> {
        match self.list().await?.last() {
            Some(version) => self.read(*version).await.map(Some),
            None => Ok(None),
        }
    }

    /// The keyring of one version.
    ///
    /// Errors with `Misplaced` if what lies there says that it is another version's or another store's.
    pub async fn read(&self, version: u64) -> Result<Keyring, KeyringError> {
        let path = self.path(version);
        let failed = |source| KeyringError::Store { object: path.to_string(), source };
        let found = self.objects.get(&path).await.map_err(failed)?;
        if found.meta.size > KEYRING_BYTES_MAX {
            return Err(KeyringError::NotAKeyring { object: path.to_string() });
        }
        let bytes = found.bytes().await.map_err(failed)?;
        let keyring = Keyring::decode(path.as_ref(), &bytes)?;
        if keyring.version() != version || *keyring.store() != self.store {
            return Err(KeyringError::Misplaced {
                object: path.to_string(),
                version: keyring.version(),
                store: keyring.store().to_string(),
            });
        }
        Ok(keyring)
    }

    /// Writes a keyring under its version.
    ///
    /// Errors with `Conflict` if that version exists: then somebody else has changed the keys meanwhile.
    pub async fn publish(&self, keyring: &Keyring) -> Result<(), KeyringError> {
        let path = self.path(keyring.version());
        if *keyring.store() != self.store {
            return Err(KeyringError::Misplaced {
                object: path.to_string(),
                version: keyring.version(),
                store: keyring.store().to_string(),
            });
        }
        let create = PutOptions::from(PutMode::Create);
        match self.objects.put_opts(&path, keyring.encode().into(), create).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => {
                Err(KeyringError::Conflict { object: path.to_string() })
            }
            Err(source) => Err(KeyringError::Store { object: path.to_string(), source }),
        }
    }

    /// The versions that exist, oldest first.
    pub async fn list(&self) -> Result<Vec<u64>, KeyringError> {
        let failed = |source| KeyringError::Store { object: self.directory.to_string(), source };
        let objects: Vec<_> = self.objects.list(Some(&self.directory)).try_collect().await.map_err(failed)?;
        let mut versions: Vec<u64> = objects
            .iter()
            .filter_map(|object| object.location.filename())
            .filter(|name| name.len() == 20)
            .filter_map(|name| name.parse().ok())
            .collect();
        versions.sort_unstable();
        Ok(versions)
    }

    /// Deletes the keyrings older than `version`: the table keys they were wrapped by open nothing any more.
    ///
    /// A backup that relies on an older keyring keeps a copy of it.
    pub async fn delete_before(&self, version: u64) -> Result<(), KeyringError> {
        for old in self.list().await?.into_iter().filter(|listed| *listed < version) {
            let path = self.path(old);
            match self.objects.delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(source) => return Err(KeyringError::Store { object: path.to_string(), source }),
            }
        }
        Ok(())
    }

    fn path(&self, version: u64) -> Path {
        self.directory.clone().join(format!("{version:020}"))
    }
}
