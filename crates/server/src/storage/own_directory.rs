//! The local store, as long as its directory is still the one that was opened.
//!
//! The local store makes folders that are missing. If the data directory is
//! moved away under a running server, it would start an empty one in its place
//! and acknowledge writes into it. Each call looks first.

use std::fs;
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use slatedb_common::retry::NonRetryable;

/// The store of one directory.
#[derive(Debug)]
pub struct OwnDirectory {
    inner: LocalFileSystem,
    root: PathBuf,
    // Device and inode number: what the directory is, whatever its name.
    identity: (u64, u64),
}

impl OwnDirectory {
    /// The store in the directory `root`, which must exist. Files are synced to disk.
    pub fn open(root: PathBuf) -> io::Result<Self> {
        let inner = LocalFileSystem::new_with_prefix(&root).map_err(io::Error::other)?.with_fsync(true);
        let identity = identity(&root)?;
        Ok(Self { inner, root, identity })
    }

    fn check(&self) -> Result<()> {
        match identity(&self.root) {
            Ok(identity) if identity == self.identity => Ok(()),
            _ => Err(object_store::Error::Generic {
                store: "OwnDirectory",
                source: Box::new(NonRetryable(Box::new(io::Error::new(
                    io::ErrorKind::NotFound,
                    format!(
                        "the data directory `{}` is not the one that was opened; put it back, or restart the server",
                        self.root.display()
                    ),
                )))),
            }),
        }
    }
}

fn identity(path: &std::path::Path) -> io::Result<(u64, u64)> {
    let metadata = fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

impl std::fmt::Display for OwnDirectory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OwnDirectory({})", self.root.display())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for OwnDirectory {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.check()?;
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.check()?;
        self.inner.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.check()?;
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.check()?;
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        match self.check() {
            Ok(()) => self.inner.delete_stream(locations),
            Err(error) => stream::once(async move { Err(error) }).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.check() {
            Ok(()) => self.inner.list(prefix),
            Err(error) => stream::once(async move { Err(error) }).boxed(),
        }
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.check() {
            Ok(()) => self.inner.list_with_offset(prefix, offset),
            Err(error) => stream::once(async move { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.check()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.check()?;
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.check()?;
        self.inner.rename_opts(from, to, options).await
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use object_store::ObjectStoreExt;

    use super::*;

    // Moved away: refused, and no new directory appears. Moved back: served again.
    #[tokio::test]
    async fn a_directory_that_is_moved_away_is_not_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (here, away) = (folder.path().join("data"), folder.path().join("away"));
        fs::create_dir(&here).unwrap();
        let store = OwnDirectory::open(here.clone()).unwrap();
        let path = Path::from("a/b");
        store.put(&path, "1".into()).await.unwrap();
        fs::rename(&here, &away).unwrap();
        let error = store.put(&path, "2".into()).await.unwrap_err();
        assert!(NonRetryable::find(&error).is_some(), "{error}");
        assert!(!here.exists());
        fs::rename(&away, &here).unwrap();
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "1");
    }
}
