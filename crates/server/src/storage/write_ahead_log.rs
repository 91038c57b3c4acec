//! The write-ahead log before a database is opened: its numbers have no gaps.
//!
//! SlateDB looks for the log's end at numbers that double, and takes the first one that is not there for it. If that
//! object was lost, the rows of everything behind it would be lost too, without an error, and opening would write an
//! empty object into the hole. So the numbers are looked at first, and a gap is refused before anything is written.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use object_store::ObjectStore;
use slatedb::admin::AdminBuilder;
use slatedb::{VersionedManifest, WalFile, WalReader};

use super::StorageError;
use super::doors::Doors;

/// The log of the database at `path` of `store`, oldest object first; damaged if a part of it is missing.
///
/// INVARIANT (a log has no holes): whoever opens a database asks this first.
pub async fn whole(
    path: &str,
    store: &Arc<dyn ObjectStore>,
    doors: &Doors,
) -> Result<Vec<WalFile>, StorageError> {
    let mut admin = AdminBuilder::new(path, Arc::clone(store));
    if let Some(clock) = &doors.clock {
        admin = admin.with_system_clock(Arc::clone(clock));
    }
    if let Some(seed) = doors.seed() {
        admin = admin.with_seed(seed);
    }
    let admin = admin.build();
    let reader = WalReader::new(path, Arc::clone(store));
    let mut seen_before = None;
    loop {
        let manifest = admin.read_manifest(None).await?;
        let files = reader.list(..).await?;
        let Some(manifest) = manifest else {
            return if files.is_empty() { Ok(files) } else { Err(no_manifest(path)) };
        };
        let present = files.iter().map(|file| file.id).collect();
        let Some(gap) = gaps(&needed(&manifest), &present).into_iter().next() else { return Ok(files) };
        // Whoever had the database open in this process may be finishing: it moves the log's beginning on and then
        // collects what lies before. A gap that stays while the manifest stays is one.
        let seen = (manifest.id(), gap.clone());
        if seen_before.as_ref() == Some(&seen) {
            return Err(StorageError::Damaged(format!(
                "object `{}`: {}; restore what is missing from a backup",
                object(path, *gap.start()),
                describe(&gap)
            )));
        }
        seen_before = Some(seen);
    }
}

/// The numbers of the log's objects whose rows are in no sorted run yet, as far as a manifest knows them; there may
/// be later ones. Empty if there is none.
pub fn needed(manifest: &VersionedManifest) -> RangeInclusive<u64> {
    manifest.replay_after_wal_id() + 1..=manifest.next_wal_sst_id().saturating_sub(1)
}

/// What is missing of a log of which `needed` must be there and `present` is. Its numbers have no gaps: each object
/// is stored before the next one is begun.
pub fn gaps(needed: &RangeInclusive<u64>, present: &BTreeSet<u64>) -> Vec<RangeInclusive<u64>> {
    let mut gaps = Vec::new();
    let mut expected = *needed.start();
    let end = (!needed.is_empty()).then(|| needed.end() + 1);
    let end = end.filter(|end| present.last().is_none_or(|last| last < end));
    for number in present.range(expected..).copied().chain(end) {
        if number > expected {
            gaps.push(expected..=number - 1);
        }
        expected = number + 1;
    }
    gaps
}

/// The path of an object of the log.
pub fn object(path: &str, number: u64) -> String {
    format!("{path}/wal/{number:020}.sst")
}

/// What a gap is, said of its first object.
pub fn describe(gap: &RangeInclusive<u64>) -> String {
    match gap.end() - gap.start() {
        0 => "it is missing: a part of the write-ahead log that is in no sorted run yet".to_owned(),
        more => format!(
            "it and the next {more} are missing: parts of the write-ahead log that are in no sorted run yet"
        ),
    }
}

fn no_manifest(path: &str) -> StorageError {
    StorageError::Damaged(format!(
        "`{path}` holds a write-ahead log, but no manifest says what belongs to it: restore `{path}/manifest` from a \
         backup"
    ))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use object_store::{ObjectStoreExt, PutPayload};

    use super::*;
    use crate::storage::{Batch, BlockCache, Database, Visibility};

    #[test]
    fn a_gap_is_found_wherever_it_is() {
        let found = |needed, present: &[u64]| gaps(&needed, &present.iter().copied().collect());
        assert_eq!(found(4..=5, &[2, 4, 5, 6, 7]), []);
        assert_eq!(found(4..=5, &[5, 6]), [4..=4]);
        assert_eq!(found(4..=5, &[4, 6, 9]), [5..=5, 7..=8]);
        assert_eq!(found(4..=5, &[4]), [5..=5]);
        assert_eq!(found(4..=5, &[]), [4..=5]);
        assert_eq!(found(4..=4, &[9]), [4..=8]);
        // Nothing is known to be needed.
        assert_eq!(found(RangeInclusive::new(6, 5), &[1, 3]), []);
        assert!(describe(&(4..=8)).contains("the next 4 are missing"));
    }

    async fn open(store: &Arc<InMemory>) -> Result<Database, StorageError> {
        let cache = Arc::new(BlockCache::new(1 << 20));
        Database::open("db", Arc::clone(store) as _, cache, &Doors::default()).await
    }

    async fn paths(store: &InMemory) -> BTreeSet<Path> {
        use futures::TryStreamExt;
        store.list(None).map_ok(|meta| meta.location).try_collect().await.unwrap()
    }

    // SlateDB looks for the end at the numbers 1, 2, 4, 8, 16 after the log's beginning, and finds other gaps itself.
    #[tokio::test]
    async fn a_log_with_a_hole_is_refused_and_nothing_is_written() {
        let store = Arc::new(InMemory::new());
        for _ in 0..2 {
            let database = open(&store).await.unwrap();
            for row in 0..9_u8 {
                let mut batch = Batch::new();
                batch.put([row], "value");
                database.commit(batch).await.unwrap();
            }
            database.abandon().await;
        }
        for number in 1..20 {
            let name = object("db", number);
            let bytes = store.get(&Path::from(name.as_str())).await.unwrap().bytes().await.unwrap();
            store.delete(&Path::from(name.as_str())).await.unwrap();
            let before = paths(&store).await;
            let error = open(&store).await.err().unwrap();
            assert!(
                matches!(&error, StorageError::Damaged(text) if text.contains(&name)),
                "{number}: {error}"
            );
            assert_eq!(paths(&store).await, before, "{number}");
            store.put(&Path::from(name.as_str()), PutPayload::from(bytes)).await.unwrap();
        }
        let database = open(&store).await.unwrap();
        for row in 0..9_u8 {
            assert!(database.get(&[row], Visibility::Durable).await.unwrap().is_some(), "{row}");
        }
    }

    #[tokio::test]
    async fn a_log_without_a_manifest_is_refused() {
        let store = Arc::new(InMemory::new());
        drop(open(&store).await.unwrap());
        for path in paths(&store).await {
            if path.as_ref().starts_with("db/manifest/") {
                store.delete(&path).await.unwrap();
            }
        }
        let error = open(&store).await.err().unwrap();
        assert!(matches!(&error, StorageError::Damaged(text) if text.contains("db/manifest")), "{error}");
    }
}
