//! The root key's object in an object store: `root/<version, twenty digits>`.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use strongroom_model::clock::Random;

use super::{OBJECT_BYTES_MAX, Provider, RootError, RootKey};

/// Where the sealed root key of a data place lies.
#[derive(Clone, Debug)]
pub struct RootStore {
    objects: Arc<dyn ObjectStore>,
    directory: Path,
}

impl RootStore {
    /// The root keys at `root/` of `objects`, which is not a sealed store.
    pub fn new(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects, directory: Path::from("root") }
    }

    /// Whether the data place has a root key. One without is new.
    pub async fn exists(&self) -> Result<bool, RootError> {
        Ok(self.latest_version().await?.is_some())
    }

    /// Makes the first root key and writes it, sealed by `provider`.
    ///
    /// Errors with `Conflict` if there is one already.
    pub async fn create(&self, provider: &Provider, random: &dyn Random) -> Result<RootKey, RootError> {
        let root = RootKey::generate(random);
        self.publish(1, root.seal(provider, random)?).await?;
        Ok(root)
    }

    /// Opens the root key, or returns `None` if there is none. Writes nothing.
    pub async fn open(&self, provider: &Provider) -> Result<Option<RootKey>, RootError> {
        let Some(version) = self.latest_version().await? else {
            return Ok(None);
        };
        let path = self.path(version);
        let failed = |source| RootError::Store { object: path.to_string(), source };
        let found = self.objects.get(&path).await.map_err(failed)?;
        if found.meta.size > OBJECT_BYTES_MAX {
            return Err(RootError::NotARootKey { object: path.to_string() });
        }
        let bytes = found.bytes().await.map_err(failed)?;
        RootKey::open(path.as_ref(), &bytes, provider).map(Some)
    }

    /// Seals the root key by another provider from now on, and deletes the objects of the earlier ones.
    pub async fn reseal(
        &self,
        root: &RootKey,
        provider: &Provider,
        random: &dyn Random,
    ) -> Result<(), RootError> {
        let versions = self.versions().await?;
        let next = versions.last().map_or(1, |latest| latest + 1);
        self.publish(next, root.seal(provider, random)?).await?;
        for old in versions {
            let path = self.path(old);
            self.objects
                .delete(&path)
                .await
                .map_err(|source| RootError::Store { object: path.to_string(), source })?;
        }
        Ok(())
    }

    async fn publish(&self, version: u64, object: Vec<u8>) -> Result<(), RootError> {
        let path = self.path(version);
        match self.objects.put_opts(&path, object.into(), PutOptions::from(PutMode::Create)).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => {
                Err(RootError::Conflict { object: path.to_string() })
            }
            Err(source) => Err(RootError::Store { object: path.to_string(), source }),
        }
    }

    async fn latest_version(&self) -> Result<Option<u64>, RootError> {
        Ok(self.versions().await?.last().copied())
    }

    async fn versions(&self) -> Result<Vec<u64>, RootError> {
        let failed = |source| RootError::Store { object: self.directory.to_string(), source };
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

    fn path(&self, version: u64) -> Path {
        self.directory.clone().join(format!("{version:020}"))
    }
}
