//! A database as it lies in the store, read without opening it: nothing is written, and nobody is fenced.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::ObjectStore;
use object_store::path::Path;
use slatedb::admin::Admin;
use slatedb::config::DbReaderOptions;
use slatedb::{DbReader, DbReaderMode, PathResolver, VersionedManifest};

use super::StorageError;
use super::database::prefix_range;
use super::write_ahead_log::{self, Needed, Seen};

/// What the newest manifest of a database says must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The numbers of the manifests in use: the newest, and those that checkpoints hold on to.
    pub manifests: BTreeSet<u64>,
    /// The sorted runs of the newest.
    pub sorted_runs: BTreeSet<Path>,
    /// Those of the others, which nobody needs once whoever made the checkpoint is gone.
    pub held_runs: BTreeSet<Path>,
    /// What must be there of the log.
    pub log: Needed,
}

/// Reads the layout of the database at `path` of `store`, which has come as far as it was `seen`; `None` if there is no
/// manifest.
///
/// Whoever calls this makes sure that nobody writes meanwhile.
pub async fn layout(
    path: &str,
    store: Arc<dyn ObjectStore>,
    seen: Seen,
) -> Result<Option<Layout>, StorageError> {
    let admin = Admin::builder(path, store).build();
    let Some(newest) = admin.read_manifest(None).await? else { return Ok(None) };
    let runs = |manifest: &VersionedManifest| -> BTreeSet<Path> {
        let paths = PathResolver::new(path, manifest);
        manifest.all_sst_views().map(|view| paths.sst_path(&view.sst.id)).collect()
    };
    let (sorted_runs, mut held_runs) = (runs(&newest), BTreeSet::new());
    let mut manifests = BTreeSet::from([newest.id()]);
    for checkpoint in newest.checkpoints() {
        // What a checkpoint holds on to may be gone once it has expired.
        if let Some(manifest) = admin.read_manifest(Some(checkpoint.manifest_id)).await? {
            held_runs.extend(runs(&manifest));
        }
        manifests.insert(checkpoint.manifest_id);
    }
    let log = write_ahead_log::needed(&newest, seen);
    Ok(Some(Layout { manifests, sorted_runs, held_runs, log }))
}

/// The rows of the database at `path` of `store` whose keys start with one of `prefixes`.
pub async fn rows(
    path: &str,
    store: Arc<dyn ObjectStore>,
    prefixes: &[u8],
) -> Result<Vec<(Bytes, Bytes)>, StorageError> {
    let options = DbReaderOptions {
        // Nobody writes meanwhile, so there is no news to look for.
        manifest_poll_interval: Duration::from_hours(24),
        object_store_max_retries: Some(3),
        ..DbReaderOptions::default()
    };
    let reader = DbReader::builder(path, store)
        .with_reader_mode(DbReaderMode::FollowLatest)
        .with_options(options)
        .with_db_cache_disabled()
        .build()
        .await?;
    let mut rows = Vec::new();
    let read = async {
        for prefix in prefixes {
            let mut scan = reader.scan(prefix_range(&[*prefix])).await?;
            while let Some(row) = scan.next().await? {
                rows.push((row.key, row.value));
            }
        }
        Ok(())
    };
    let read: Result<(), StorageError> = read.await;
    reader.close().await?;
    read.map(|()| rows)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;
    use slatedb::config::CheckpointOptions;

    use super::*;
    use crate::storage::{Batch, BlockCache, Database, Doors};

    // A compaction leaves its checkpoint behind, and the collection has rightly taken log objects that only the
    // checkpoint's manifest starts from.
    #[tokio::test]
    async fn what_only_a_checkpoint_starts_from_is_not_needed() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let write = async |row: u8| {
            let cache = Arc::new(BlockCache::new(1 << 20));
            let store = Arc::clone(&store);
            let opened = Database::open("db", store, cache, &Doors::default(), Seen::default()).await;
            let database = opened.unwrap();
            let mut batch = Batch::new();
            batch.put([row], "value");
            database.commit(batch).await.unwrap();
            database.close().await.unwrap();
        };
        write(1).await;
        let admin = Admin::builder("db", Arc::clone(&store)).build();
        let first = layout("db", Arc::clone(&store), Seen::default()).await.unwrap().unwrap();
        admin.create_detached_checkpoint(&CheckpointOptions::default()).await.unwrap();
        write(2).await;
        write(3).await;
        let newest = layout("db", Arc::clone(&store), Seen::default()).await.unwrap().unwrap();
        assert_eq!((first.manifests.len(), newest.manifests.len()), (1, 2));
        assert!(
            newest.log.numbers.start() > first.log.numbers.start()
                && newest.held_runs.is_subset(&newest.sorted_runs)
        );
        for number in *first.log.numbers.start()..*newest.log.numbers.start() {
            let collected = Path::from(write_ahead_log::object("db", number));
            assert!(store.delete(&collected).await.is_ok(), "{number}");
        }
        write(4).await;
    }
}
