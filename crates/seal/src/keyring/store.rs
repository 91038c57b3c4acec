//! Keyrings in an object store: `keyring/<version, twenty digits>` under the place of the store they belong to.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;

use super::format::KEYRING_BYTES_MAX;
use super::{Keyring, KeyringError};
use crate::numbered::{NumberedError, NumberedObjects};
use crate::object::StoreId;

/// The keyrings of one store.
#[derive(Clone, Debug)]
pub struct KeyringStore {
    objects: NumberedObjects,
    store: StoreId,
}

impl KeyringStore {
    /// The keyrings of `store` at `<root>/keyring/` of `objects`, which is not a sealed store.
    pub fn new(objects: Arc<dyn ObjectStore>, root: &Path, store: StoreId) -> Self {
        Self { objects: NumberedObjects::new(objects, root.clone().join("keyring")), store }
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
        let bytes = self.objects.read(version, KEYRING_BYTES_MAX).await?;
        let keyring = Keyring::decode(self.objects.path(version).as_ref(), &bytes)?;
        if keyring.version() != version || *keyring.store() != self.store {
            return Err(self.misplaced(version, &keyring));
        }
        Ok(keyring)
    }

    /// Writes a keyring under its version.
    ///
    /// Errors with `Conflict` if that version exists: then somebody else has changed the keys meanwhile.
    pub async fn publish(&self, keyring: &Keyring) -> Result<(), KeyringError> {
        if *keyring.store() != self.store {
            return Err(self.misplaced(keyring.version(), keyring));
        }
        Ok(self.objects.create(keyring.version(), keyring.encode()).await?)
    }

    /// The versions that exist, oldest first.
    pub async fn list(&self) -> Result<Vec<u64>, KeyringError> {
        Ok(self.objects.versions().await?)
    }

    /// Deletes the keyrings older than `version`: the table keys they were wrapped by open nothing any more.
    ///
    /// A backup that relies on an older keyring keeps a copy of it.
    pub async fn delete_before(&self, version: u64) -> Result<(), KeyringError> {
        for old in self.list().await?.into_iter().filter(|listed| *listed < version) {
            self.objects.delete(old).await?;
        }
        Ok(())
    }

    fn misplaced(&self, version: u64, keyring: &Keyring) -> KeyringError {
        KeyringError::Misplaced {
            object: self.objects.path(version).to_string(),
            version: keyring.version(),
            store: keyring.store().to_string(),
        }
    }
}

impl From<NumberedError> for KeyringError {
    fn from(error: NumberedError) -> Self {
        match error {
            NumberedError::Taken { object } => Self::Conflict { object },
            NumberedError::TooLarge { object } => Self::NotAKeyring { object },
            NumberedError::Store { object, source } => Self::Store { object, source },
        }
    }
}
