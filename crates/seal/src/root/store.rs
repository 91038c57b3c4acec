//! The root key's object in an object store: `root/<version, twenty digits>`.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use strongroom_model::clock::Random;

use super::{OBJECT_BYTES_MAX, Provider, RootError, RootKey};
use crate::numbered::{NumberedError, NumberedObjects};

/// Where the sealed root key of a data place lies.
#[derive(Clone, Debug)]
pub struct RootStore(NumberedObjects);

impl RootStore {
    /// The root keys at `root/` of `objects`, which is not a sealed store.
    pub fn new(objects: Arc<dyn ObjectStore>) -> Self {
        Self(NumberedObjects::new(objects, Path::from("root")))
    }

    /// Whether the data place has a root key. One without is new.
    pub async fn exists(&self) -> Result<bool, RootError> {
        Ok(!self.0.versions().await?.is_empty())
    }

    /// Makes the first root key and writes it, sealed by `provider`.
    ///
    /// Errors with `Conflict` if there is one already.
    pub async fn create(&self, provider: &Provider, random: &dyn Random) -> Result<RootKey, RootError> {
        let root = RootKey::generate(random);
        self.0.create(1, root.seal(provider, random)?).await?;
        Ok(root)
    }

    /// Opens the root key, or returns `None` if there is none. Writes nothing.
    pub async fn open(&self, provider: &Provider) -> Result<Option<RootKey>, RootError> {
        let Some(version) = self.0.versions().await?.last().copied() else {
            return Ok(None);
        };
        let bytes = self.0.read(version, OBJECT_BYTES_MAX).await?;
        RootKey::open(self.0.path(version).as_ref(), &bytes, provider).map(Some)
    }

    /// Seals the root key by another provider from now on, and deletes the objects of the earlier ones.
    pub async fn reseal(
        &self,
        root: &RootKey,
        provider: &Provider,
        random: &dyn Random,
    ) -> Result<(), RootError> {
        let versions = self.0.versions().await?;
        let next = versions.last().map_or(1, |latest| latest + 1);
        self.0.create(next, root.seal(provider, random)?).await?;
        for old in versions {
            self.0.delete(old).await?;
        }
        Ok(())
    }
}

impl From<NumberedError> for RootError {
    fn from(error: NumberedError) -> Self {
        match error {
            NumberedError::Taken { object } => Self::Conflict { object },
            NumberedError::TooLarge { object } => Self::NotARootKey { object },
            NumberedError::Store { object, source } => Self::Store { object, source },
        }
    }
}
