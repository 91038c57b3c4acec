//! The local store, as long as its directory is still the one that was opened.
//!
//! The local store makes folders that are missing. If the data directory or
//! a folder in it is moved away under a running server, it would start an empty one
//! in its place and acknowledge writes into it. Each call looks first; and as the directory may
//! be moved in the next moment, a write counts once its object is found in the
//! directory that was opened, wherever that is now.

use std::fs;
use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};
use rustix::fs::{AtFlags, Mode, OFlags};
use slatedb_common::retry::NonRetryable;

use super::names;

/// The store of one directory.
#[derive(Debug)]
pub struct OwnDirectory {
    inner: LocalFileSystem,
    root: PathBuf,
    // Device and inode number: what the directory is, whatever its name.
    identity: (u64, u64),
    // The directory itself, whatever its name.
    opened: Arc<OwnedFd>,
}

impl OwnDirectory {
    /// The store in the directory `root`, which must exist. Files are synced to disk.
    pub fn open(root: PathBuf) -> io::Result<Self> {
        let inner = LocalFileSystem::new_with_prefix(&root).map_err(io::Error::other)?.with_fsync(true);
        let identity = identity(&root)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = Arc::new(rustix::fs::open(&root, flags, Mode::empty())?);
        Ok(Self { inner, root, identity, opened })
    }

    /// Makes the folder `prefix` and `folders` in it, and syncs them: the local store syncs files and their own folder,
    /// not the folders above.
    ///
    /// They are made in the directory that was opened, wherever that is now.
    pub fn make_folders(&self, prefix: &str, folders: &[&str]) -> io::Result<()> {
        self.check()?;
        let prefix = std::path::Path::new(prefix);
        // The nearest first: `tables/1`, `tables`, and the directory itself.
        let above: Vec<_> = prefix.ancestors().filter(|folder| !folder.as_os_str().is_empty()).collect();
        for folder in above.iter().rev() {
            self.make_folder(folder)?;
        }
        for folder in folders {
            self.make_folder(&prefix.join(folder))?;
        }
        for folder in above.into_iter().chain([std::path::Path::new(".")]) {
            self.sync_folder(folder)?;
        }
        Ok(())
    }

    /// Makes those of `folders` in the folder `prefix`, which must be there, that are missing: a copy of the directory
    /// may have left out what is empty.
    pub fn mend_folders(&self, prefix: &str, folders: &[&str]) -> io::Result<()> {
        self.check()?;
        let prefix = std::path::Path::new(prefix);
        let mut made = false;
        for folder in folders {
            made |= self.make_folder(&prefix.join(folder))?;
        }
        if made {
            self.sync_folder(prefix)?;
        }
        Ok(())
    }

    // Whether it was missing.
    fn make_folder(&self, folder: &std::path::Path) -> io::Result<bool> {
        match rustix::fs::mkdirat(&*self.opened, folder, Mode::from_raw_mode(0o777)) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::EXIST) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn sync_folder(&self, folder: &std::path::Path) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(rustix::fs::fsync(rustix::fs::openat(&*self.opened, folder, flags, Mode::empty())?)?)
    }

    /// Removes what is left of a folder whose objects are deleted.
    pub fn remove_folder(&self, prefix: &str) -> io::Result<()> {
        self.check()?;
        match fs::remove_dir_all(self.root.join(prefix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether there is a folder of this name.
    pub fn has_folder(&self, folder: &str) -> bool {
        self.root.join(folder).is_dir()
    }

    /// The first thing found below `prefix` that has the name of an object and is no file: a folder, or a link that leads
    /// nowhere.
    pub fn no_file_for_object(&self, prefix: &str) -> io::Result<Option<String>> {
        let entries = match fs::read_dir(self.root.join(prefix)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let file_type = entry.file_type()?;
            if file_type.is_file() || file_type.is_symlink() && entry.path().is_file() {
                continue;
            }
            let path = format!("{prefix}/{}", entry.file_name().to_string_lossy());
            if names::kind(&path).is_some() {
                return Ok(Some(path));
            }
            if names::is_folder(&path)
                && let Some(found) = self.no_file_for_object(&path)?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn check(&self) -> Result<()> {
        match identity(&self.root) {
            Ok(identity) if identity == self.identity => Ok(()),
            _ => Err(final_error(format!(
                "the data directory `{}` is not the one that was opened; put it back, or restart the server",
                self.root.display()
            ))),
        }
    }

    // A folder that was there when the database was opened and is gone is not made anew either: what was written into
    // it would lie where the next start looks for everything, and finds nothing else.
    fn check_writable(&self, location: &Path) -> Result<()> {
        self.check()?;
        let Some((folder, _)) = location.as_ref().rsplit_once('/') else { return Ok(()) };
        match rustix::fs::statat(&self.opened, folder, AtFlags::empty()) {
            Ok(_) => Ok(()),
            Err(error) => Err(final_error(format!(
                "the folder `{folder}` of the data directory is missing ({error}), so `{location}` is not written; put \
                 it back"
            ))),
        }
    }

    fn check_written(&self, location: &Path) -> Result<()> {
        check_written(&self.opened, location)
    }
}

// INVARIANT (nothing lost): what was written lies in the directory that the next start opens. Each name is written once,
// so whatever has the name is what was written.
fn check_written(opened: &OwnedFd, location: &Path) -> Result<()> {
    match rustix::fs::statat(opened, location.as_ref(), AtFlags::empty()) {
        Ok(_) => Ok(()),
        Err(error) => Err(final_error(format!(
            "`{location}` is not in the data directory after it was written ({error}): the directory was moved \
             meanwhile; put it back, or restart the server"
        ))),
    }
}

// What an operating system or a person has put between the objects is none: it is not listed, so nobody tries to open it.
fn only_ours(listed: BoxStream<'static, Result<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
    let kept = |found: &Result<ObjectMeta>| std::future::ready(found.as_ref().map_or(true, is_ours));
    listed.filter(kept).boxed()
}

fn is_ours(object: &ObjectMeta) -> bool {
    names::kind(object.location.as_ref()).is_some()
}

fn final_error(text: String) -> object_store::Error {
    object_store::Error::Generic {
        store: "OwnDirectory",
        source: Box::new(NonRetryable(Box::new(io::Error::new(io::ErrorKind::NotFound, text)))),
    }
}

/// An upload that counts once it is found in the directory.
#[derive(Debug)]
struct OwnUpload {
    inner: Box<dyn MultipartUpload>,
    opened: Arc<OwnedFd>,
    location: Path,
}

#[async_trait]
impl MultipartUpload for OwnUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let put = self.inner.complete().await?;
        check_written(&self.opened, &self.location)?;
        Ok(put)
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
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
        self.check_writable(location)?;
        let put = self.inner.put_opts(location, payload, opts).await?;
        self.check_written(location)?;
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.check_writable(location)?;
        let inner = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(OwnUpload { inner, opened: Arc::clone(&self.opened), location: location.clone() }))
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
            Ok(()) => only_ours(self.inner.list(prefix)),
            Err(error) => stream::once(async move { Err(error) }).boxed(),
        }
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.check() {
            Ok(()) => only_ours(self.inner.list_with_offset(prefix, offset)),
            Err(error) => stream::once(async move { Err(error) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.check()?;
        let mut listed = self.inner.list_with_delimiter(prefix).await?;
        listed.objects.retain(is_ours);
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.check_writable(to)?;
        self.inner.copy_opts(from, to, options).await?;
        self.check_written(to)
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.check_writable(to)?;
        self.inner.rename_opts(from, to, options).await?;
        self.check_written(to)
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
        let error = store.put(&path, "1".into()).await.unwrap_err();
        assert!(error.to_string().contains("the folder `a`") && !here.join("a").exists(), "{error}");
        store.make_folders("a", &[]).unwrap();
        store.put(&path, "1".into()).await.unwrap();
        fs::rename(&here, &away).unwrap();
        let error = store.put(&path, "2".into()).await.unwrap_err();
        assert!(NonRetryable::find(&error).is_some(), "{error}");
        let error = store.make_folders("tables/1", &["wal"]).unwrap_err();
        assert!(error.to_string().contains("is not the one that was opened"), "{error}");
        assert!(store.remove_folder("a").is_err());
        assert!(!here.exists());
        // The directory was there when the call looked, and was moved before the object was written.
        store.inner.put(&Path::from("a/other"), "lost".into()).await.unwrap();
        assert!(store.check_written(&Path::from("a/other")).is_err());
        assert!(store.check_written(&path).is_ok());
        fs::remove_dir_all(&here).unwrap();
        fs::rename(&away, &here).unwrap();
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "1");
        for _ in 0..2 {
            store.make_folders("tables/1", &["wal", "manifest"]).unwrap();
        }
        assert!(here.join("tables/1/wal").is_dir() && here.join("tables/1/manifest").is_dir());
        fs::remove_dir(here.join("tables/1/wal")).unwrap();
        store.mend_folders("tables/1", &["wal"]).unwrap();
        assert!(here.join("tables/1/wal").is_dir());
        store.remove_folder("tables/1").unwrap();
        assert!(store.mend_folders("tables/1", &["wal"]).is_err());
        assert!(here.join("tables").is_dir() && !here.join("tables/1").exists());
    }
}
