//! The write-ahead log before a database is opened: its numbers have no gaps, and its end is there.
//!
//! SlateDB looks for the log's end at numbers that double, and takes the first one that is not there for it. If that
//! object was lost, the rows of everything behind it would be lost too, without an error, and opening would write an
//! empty object into the hole. So the numbers are looked at first, and a gap is refused before anything is written.
//! A log that has lost its end, or all of itself, shows no gap: what was seen of the database before says how far it
//! must reach. One that is empty has lost nothing if the database was closed and not opened since.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use futures::StreamExt;
use object_store::ObjectStore;
use object_store::path::Path;
use slatedb::admin::{Admin, AdminBuilder};
use slatedb::{VersionedManifest, WalFile, WalReader};

use super::StorageError;
use super::doors::Doors;

/// How far a database has come, kept outside of it by whoever opened or closed it last; zeros where nobody has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The number of a manifest: a database with only older ones was rolled back.
    pub manifest_id: u64,
    /// The number of an object of the log: it is there, unless all of it is in sorted runs. Of a database that was closed,
    /// that of the last one which is.
    pub log_id: u64,
}

/// What must be there of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    /// The numbers of the objects whose rows are in no sorted run yet, as far as they are known; there may be later
    /// ones. Empty if there is none.
    pub numbers: RangeInclusive<u64>,
    /// Whether there must be an object at all, whatever its number.
    pub any: bool,
}

/// What is not there of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Objects that are needed.
    Objects(RangeInclusive<u64>),
    /// All there was, which nobody knows.
    All,
}

/// A log that is whole.
pub struct Log {
    /// Its objects, oldest first.
    pub files: Vec<WalFile>,
    /// The number that the next object gets at the least: there is none from here on.
    pub end: u64,
}

/// The log of the database at `path` of `store`; damaged if a part of it is missing, or if the database has not come as
/// far as it was `seen`.
///
/// INVARIANT (a log has no holes): whoever opens a database asks this first.
pub async fn whole(
    path: &str,
    store: &Arc<dyn ObjectStore>,
    doors: &Doors,
    seen: Seen,
) -> Result<Log, StorageError> {
    let admin = admin(path, store, doors);
    let reader = WalReader::new(path, Arc::clone(store));
    let mut found_before = None;
    loop {
        let manifest = admin.read_manifest(None).await?;
        let files = reader.list(..).await?;
        let Some(manifest) = manifest else {
            let holds_data = !files.is_empty() || holds_sorted_runs(path, store).await?;
            return match (holds_data, seen == Seen::default()) {
                (true, _) => Err(no_manifest(path)),
                (false, true) => Ok(Log { files, end: 1 }),
                (false, false) => Err(gone(path)),
            };
        };
        if manifest.id() < seen.manifest_id {
            return Err(rolled_back(path, manifest.id(), seen.manifest_id));
        }
        let present: BTreeSet<u64> = files.iter().map(|file| file.id).collect();
        let Some(lost) = needed(&manifest, seen).lost(&present).into_iter().next() else {
            let last = present.last().copied().unwrap_or(0).max(manifest.replay_after_wal_id());
            return Ok(Log { files, end: last + 1 });
        };
        // Whoever had the database open in this process may be finishing: it moves the log's beginning on and then
        // collects what lies before. A gap that stays while the manifest stays is one.
        let found = (manifest.id(), lost.clone());
        if found_before.as_ref() == Some(&found) {
            return Err(StorageError::Damaged(format!(
                "object `{}`: {}; restore what is missing from a backup",
                lost.object(path),
                lost.what()
            )));
        }
        found_before = Some(found);
    }
}

/// The newest manifest of the database at `path` of `store`, as it is stored, and how far its sorted runs go.
pub async fn stored(
    path: &str,
    store: &Arc<dyn ObjectStore>,
    doors: &Doors,
) -> Result<Option<Seen>, StorageError> {
    let manifest = admin(path, store, doors).read_manifest(None).await?;
    Ok(manifest.map(|manifest| Seen { manifest_id: manifest.id(), log_id: manifest.replay_after_wal_id() }))
}

/// The number of the last object of the log; 0 where there is none.
pub async fn last(path: &str, store: &Arc<dyn ObjectStore>) -> Result<u64, StorageError> {
    let files = WalReader::new(path, Arc::clone(store)).list(..).await?;
    Ok(files.last().map_or(0, |file| file.id))
}

fn admin(path: &str, store: &Arc<dyn ObjectStore>, doors: &Doors) -> Admin {
    let mut admin = AdminBuilder::new(path, Arc::clone(store));
    if let Some(clock) = &doors.clock {
        admin = admin.with_system_clock(Arc::clone(clock));
    }
    if let Some(seed) = doors.seed() {
        admin = admin.with_seed(seed);
    }
    admin.build()
}

// What is stored once there is a manifest, the log apart.
async fn holds_sorted_runs(path: &str, store: &Arc<dyn ObjectStore>) -> Result<bool, StorageError> {
    for folder in ["compacted", "compactions"] {
        match store.list(Some(&Path::from(format!("{path}/{folder}")))).next().await {
            Some(Ok(_)) => return Ok(true),
            Some(Err(error)) => return Err(StorageError::of_object(&error)),
            None => {}
        }
    }
    Ok(false)
}

/// What must be there of the log of a database with this manifest, which has come as far as it was `seen`.
pub fn needed(manifest: &VersionedManifest, seen: Seen) -> Needed {
    let in_runs = manifest.replay_after_wal_id();
    // Each opening stores a manifest, so nobody has written since.
    let is_closed = manifest.id() == seen.manifest_id && seen.log_id <= in_runs;
    let known = if is_closed { in_runs } else { manifest.next_wal_sst_id().saturating_sub(1) };
    Needed {
        numbers: in_runs + 1..=known.max(seen.log_id),
        // Each opening leaves an object that stays for good. Without any, what the log got after the last sorted run was
        // made is gone too, and nothing tells whether that was something.
        any: in_runs > 0 && manifest.id() > seen.manifest_id,
    }
}

impl Needed {
    /// What is missing where `present` is there. The numbers of a log have no gaps: each object is stored before the
    /// next one is begun.
    pub fn lost(&self, present: &BTreeSet<u64>) -> Vec<Lost> {
        let mut lost = Vec::new();
        let mut expected = *self.numbers.start();
        let end = (!self.numbers.is_empty()).then(|| self.numbers.end() + 1);
        let end = end.filter(|end| present.last().is_none_or(|last| last < end));
        for number in present.range(expected..).copied().chain(end) {
            if number > expected {
                lost.push(Lost::Objects(expected..=number - 1));
            }
            expected = number + 1;
        }
        if lost.is_empty() && self.any && present.is_empty() {
            lost.push(Lost::All);
        }
        lost
    }
}

impl Lost {
    /// The path of what is missing, or of the first of it, in the database at `path`.
    pub fn object(&self, path: &str) -> String {
        match self {
            Self::Objects(numbers) => object(path, *numbers.start()),
            Self::All => format!("{path}/wal"),
        }
    }

    /// What that is, said of this object.
    pub fn what(&self) -> String {
        match self {
            Self::Objects(numbers) => match numbers.end() - numbers.start() {
                0 => "it is missing: a part of the write-ahead log that is in no sorted run yet".to_owned(),
                more => format!(
                    "it and the next {more} are missing: parts of the write-ahead log that are in no sorted run yet"
                ),
            },
            Self::All => "it is empty: the write-ahead log is gone, and with it what was written since the last sorted run \
                          was made"
                .to_owned(),
        }
    }
}

/// The path of an object of the log.
pub fn object(path: &str, number: u64) -> String {
    format!("{path}/wal/{number:020}.sst")
}

fn no_manifest(path: &str) -> StorageError {
    StorageError::Damaged(format!(
        "`{path}` holds data, but no manifest says what belongs to it: restore `{path}/manifest` from a \
         backup"
    ))
}

fn gone(path: &str) -> StorageError {
    StorageError::Damaged(format!(
        "`{path}` holds neither a manifest nor a write-ahead log any more: put that folder back, or restore the whole \
         data directory from one backup"
    ))
}

// Each object of an older copy is authentic.
fn rolled_back(path: &str, newest: u64, seen: u64) -> StorageError {
    StorageError::Damaged(format!(
        "`{path}` was rolled back: its newest manifest is number {newest}, and `{path}/manifest/{seen:020}.manifest` was \
         seen; put the newer copy back, or restore the whole data directory from one backup"
    ))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::time::Duration;

    use object_store::memory::InMemory;
    use object_store::{ObjectStoreExt, PutPayload};
    use slatedb::config::CheckpointOptions;

    use super::*;
    use crate::storage::{Batch, BlockCache, Database, Visibility};

    #[test]
    fn a_gap_is_found_wherever_it_is() {
        let found =
            |numbers, any, present: &[u64]| Needed { numbers, any }.lost(&present.iter().copied().collect());
        let objects = |numbers| Lost::Objects(numbers);
        assert_eq!(found(4..=5, false, &[2, 4, 5, 6, 7]), []);
        assert_eq!(found(4..=5, false, &[5, 6]), [objects(4..=4)]);
        assert_eq!(found(4..=5, false, &[4, 6, 9]), [objects(5..=5), objects(7..=8)]);
        assert_eq!(found(4..=5, false, &[4]), [objects(5..=5)]);
        assert_eq!(found(4..=5, true, &[]), [objects(4..=5)]);
        assert_eq!(found(4..=4, false, &[9]), [objects(4..=8)]);
        // Nothing is known to be needed.
        let none = RangeInclusive::new(6, 5);
        assert_eq!(found(none.clone(), false, &[1, 3]), []);
        assert_eq!(found(none.clone(), false, &[]), []);
        assert_eq!(found(none.clone(), true, &[1, 3]), []);
        assert_eq!(found(none, true, &[]), [Lost::All]);
        assert!(objects(4..=8).what().contains("the next 4 are missing"));
        assert_eq!(Lost::All.object("system"), "system/wal");
    }

    async fn open(store: &Arc<InMemory>) -> Result<Database, StorageError> {
        open_seen(store, Seen::default()).await
    }

    async fn open_seen(store: &Arc<InMemory>, seen: Seen) -> Result<Database, StorageError> {
        let cache = Arc::new(BlockCache::new(1 << 20));
        Database::open("db", Arc::clone(store) as _, cache, &Doors::default(), seen).await
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

    // Without what was seen a log that is gone is one that was never written: the next opening would start a new one.
    #[tokio::test]
    async fn a_log_that_has_lost_its_end_is_refused_and_nothing_is_written() {
        let store = Arc::new(InMemory::new());
        let mut seen = Seen::default();
        for opening in 1..=3 {
            let database = open_seen(&store, seen).await.unwrap();
            assert!(database.seen().log_id > seen.log_id && database.seen().manifest_id > seen.manifest_id);
            seen = database.seen();
            let mut batch = Batch::new();
            batch.put([opening], "value");
            database.commit(batch).await.unwrap();
            database.abandon().await;
        }
        let last = object("db", seen.log_id);
        let of_log = |paths: BTreeSet<Path>| paths.into_iter().filter(|path| path.as_ref().contains("/wal/"));
        for path in of_log(paths(&store).await).filter(|path| path.as_ref() >= last.as_str()) {
            store.delete(&path).await.unwrap();
        }
        let before = paths(&store).await;
        let error = open_seen(&store, seen).await.err().unwrap();
        assert!(matches!(&error, StorageError::Damaged(text) if text.contains(&last)), "{error}");
        for path in of_log(paths(&store).await) {
            store.delete(&path).await.unwrap();
        }
        let error = open_seen(&store, seen).await.err().unwrap();
        let first = object("db", 1);
        assert!(matches!(&error, StorageError::Damaged(text) if text.contains(&first)), "{error}");
        assert!(paths(&store).await.is_subset(&before));
    }

    // Closing empties the log into a sorted run; what is collected then is not missed.
    #[tokio::test]
    async fn a_log_that_is_in_sorted_runs_has_lost_nothing() {
        let store = Arc::new(InMemory::new());
        let mut seen = Seen::default();
        for round in 0..3_u8 {
            let database = open_seen(&store, seen).await.unwrap();
            let mut batch = Batch::new();
            batch.put([round], "value");
            database.commit(batch).await.unwrap();
            database.close().await.unwrap();
            seen = database.seen();
            for number in 1..=seen.log_id {
                store.delete(&Path::from(object("db", number))).await.unwrap();
            }
        }
        let database = open_seen(&store, seen).await.unwrap();
        assert!(database.get(&[2], Visibility::Durable).await.unwrap().is_some());
        let older = Seen { manifest_id: database.seen().manifest_id + 1, ..seen };
        drop(database);
        let error = open_seen(&store, older).await.err().unwrap();
        assert!(matches!(&error, StorageError::Damaged(text) if text.contains("rolled back")), "{error}");
    }

    // What a database that is open writes after its log was emptied into a sorted run is in the log only, and no manifest
    // knows of it. With one that was closed the log may go.
    #[tokio::test]
    async fn a_log_that_is_gone_is_missed_unless_the_database_was_closed() {
        let store = Arc::new(InMemory::new());
        let clear = async |store: &InMemory| {
            for path in paths(store).await.into_iter().filter(|path| path.as_ref().contains("/wal/")) {
                store.delete(&path).await.unwrap();
            }
        };
        let write = async |database: &Database, row: u8| {
            let mut batch = Batch::new();
            batch.put([row], "value");
            database.commit(batch).await.unwrap();
        };
        let database = open(&store).await.unwrap();
        let seen = database.seen();
        write(&database, 1).await;
        database.close().await.unwrap();
        let closed = database.seen();
        assert!(closed.manifest_id > seen.manifest_id);
        clear(&store).await;
        // As if whoever closed it had not told.
        let error = open_seen(&store, seen).await.err().unwrap();
        assert!(matches!(&error, StorageError::Damaged(text) if text.contains("`db/wal`")), "{error}");
        assert!(!paths(&store).await.iter().any(|path| path.as_ref().contains("/wal/")));
        let mut seen = closed;
        for _ in 0..2 {
            let database = open_seen(&store, seen).await.unwrap();
            assert!(database.get(&[1], Visibility::Durable).await.unwrap().is_some());
            database.close().await.unwrap();
            seen = database.seen();
            clear(&store).await;
        }
        // Opened, and never closed.
        open_seen(&store, seen).await.unwrap().abandon().await;
        clear(&store).await;
        assert!(open_seen(&store, seen).await.is_err());
    }

    // The collection at the end stores a manifest when a checkpoint has expired, as each merge leaves one.
    #[tokio::test]
    async fn a_closing_knows_the_manifest_that_it_has_left() {
        let store = Arc::new(InMemory::new());
        let database = open(&store).await.unwrap();
        let mut batch = Batch::new();
        batch.put([1], "value");
        database.commit(batch).await.unwrap();
        let options =
            CheckpointOptions { lifetime: Some(Duration::from_millis(1)), ..CheckpointOptions::default() };
        let admin = AdminBuilder::new("db", Arc::clone(&store) as _).build();
        admin.create_detached_checkpoint(&options).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
        database.close().await.unwrap();
        let newest = admin.read_manifest(None).await.unwrap().unwrap();
        assert!(newest.checkpoints().is_empty());
        assert_eq!(database.seen().manifest_id, newest.id());
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
