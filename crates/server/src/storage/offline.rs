//! A database as it lies in the store, read without opening it: nothing is written, and nobody is fenced.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::ObjectStore;
use object_store::path::Path;
use slatedb::admin::Admin;
use slatedb::config::DbReaderOptions;
use slatedb::{DbReader, DbReaderMode, PathResolver};

use super::StorageError;
use super::database::prefix_range;
use super::write_ahead_log;

/// What the newest manifest of a database says must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The numbers of the manifests in use: the newest, and those that checkpoints hold on to.
    pub manifests: BTreeSet<u64>,
    /// The sorted runs of these manifests.
    pub sorted_runs: BTreeSet<Path>,
    /// Numbers of the log's objects whose rows are in no sorted run yet, as far as the manifest
    /// knows them; there may be later ones. Empty if there is none.
    pub log: RangeInclusive<u64>,
}

/// Reads the layout of the database at `path` of `store`; `None` if there is no manifest.
///
/// Whoever calls this makes sure that nobody writes meanwhile.
pub async fn layout(path: &str, store: Arc<dyn ObjectStore>) -> Result<Option<Layout>, StorageError> {
    let admin = Admin::builder(path, store).build();
    let Some(newest) = admin.read_manifest(None).await? else { return Ok(None) };
    let mut manifests = BTreeSet::from([newest.id()]);
    manifests.extend(newest.checkpoints().iter().map(|checkpoint| checkpoint.manifest_id));
    let mut sorted_runs = BTreeSet::new();
    for id in &manifests {
        // What a checkpoint holds on to may be gone once it has expired: then nobody needs it.
        let Some(manifest) = admin.read_manifest(Some(*id)).await? else { continue };
        let paths = PathResolver::new(path, &manifest);
        sorted_runs.extend(manifest.all_sst_views().map(|view| paths.sst_path(&view.sst.id)));
    }
    // A checkpoint holds on to sorted runs; the log before the newest manifest's is nobody's to replay any more.
    Ok(Some(Layout { manifests, sorted_runs, log: write_ahead_log::needed(&newest) }))
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
