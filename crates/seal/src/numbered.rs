//! Objects that are never edited, only followed by their next version: `<folder>/<version, twenty digits>`.

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};

/// The versions of one thing, in a store that does not seal.
#[derive(Clone, Debug)]
pub(crate) struct NumberedObjects {
    objects: Arc<dyn ObjectStore>,
    folder: Path,
}

/// What went wrong with an object.
#[derive(Debug)]
pub(crate) enum NumberedError {
    /// It exists already.
    Taken { object: String },
    /// It is larger than what it should be.
    TooLarge { object: String },
    /// The store failed.
    Store { object: String, source: object_store::Error },
}

impl NumberedObjects {
    pub(crate) fn new(objects: Arc<dyn ObjectStore>, folder: Path) -> Self {
        Self { objects, folder }
    }

    /// The versions that exist, oldest first.
    pub(crate) async fn versions(&self) -> Result<Vec<u64>, NumberedError> {
        let failed = |source| NumberedError::Store { object: self.folder.to_string(), source };
        let objects: Vec<_> = self.objects.list(Some(&self.folder)).try_collect().await.map_err(failed)?;
        let mut versions: Vec<u64> = objects
            .iter()
            .filter_map(|object| object.location.filename())
            .filter(|name| name.len() == VERSION_DIGITS)
            .filter_map(|name| name.parse().ok())
            .collect();
        versions.sort_unstable();
        Ok(versions)
    }

    /// The bytes of one version, which are `bytes_max` at most.
    pub(crate) async fn read(&self, version: u64, bytes_max: u64) -> Result<Bytes, NumberedError> {
        let path = self.path(version);
        let failed = |source| NumberedError::Store { object: path.to_string(), source };
        let found = self.objects.get(&path).await.map_err(failed)?;
        if found.meta.size > bytes_max {
            return Err(NumberedError::TooLarge { object: path.to_string() });
        }
        found.bytes().await.map_err(failed)
    }

    /// Writes a version that does not exist yet.
    pub(crate) async fn create(&self, version: u64, bytes: Vec<u8>) -> Result<(), NumberedError> {
        let path = self.path(version);
        match self.objects.put_opts(&path, bytes.into(), PutOptions::from(PutMode::Create)).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => {
                Err(NumberedError::Taken { object: path.to_string() })
            }
            Err(source) => Err(NumberedError::Store { object: path.to_string(), source }),
        }
    }

    /// Deletes a version; one that is gone already is no failure.
    pub(crate) async fn delete(&self, version: u64) -> Result<(), NumberedError> {
        let path = self.path(version);
        match self.objects.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(NumberedError::Store { object: path.to_string(), source }),
        }
    }

    /// The path of a version's object.
    pub(crate) fn path(&self, version: u64) -> Path {
        self.folder.clone().join(format!("{version:0VERSION_DIGITS$}"))
    }
}

const VERSION_DIGITS: usize = 20;
