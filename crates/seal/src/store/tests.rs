#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};

use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::{Error, GetRange};

use super::*;
use crate::chunked::CHUNK_BYTES;
use crate::keyring::{Keyring, WrappedTableKey};
use crate::object::StoreId;
use crate::primitive::OsRandom;
use crate::secret::SecretKey;

#[tokio::test]
async fn what_is_put_comes_back_whole_and_in_parts_from_memory_and_disk() {
    let dir = tempfile::tempdir().unwrap();
    let disk = LocalFileSystem::new_with_prefix(dir.path()).unwrap();
    let stores: [Arc<dyn ObjectStore>; 2] = [Arc::new(InMemory::new()), Arc::new(disk)];
    for below in stores {
        let keys = table("t1").open();
        let writer = SealedStore::new(below.clone(), keys.clone(), Arc::new(OsRandom));
        for bytes in [0, 1, 16_383, 16_384, 16_385, 32_768, 50_000] {
            let path = Path::from(format!("db/compacted/{bytes}"));
            let plain = pattern(bytes);
            writer.put(&path, plain.clone().into()).await.unwrap();
            let reader = SealedStore::new(below.clone(), keys.clone(), Arc::new(OsRandom));
            for store in [&writer, &reader] {
                assert_eq!(store.head(&path).await.unwrap().size, bytes as u64);
                assert_eq!(content(store, &path).await, plain);
                for (start, end) in [(0, 1), (100, 20_000), (16_383, 16_385), (40_000, 50_000)] {
                    if end <= bytes {
                        let part = store.get_range(&path, start as u64..end as u64).await.unwrap();
                        assert_eq!(part, plain[start..end]);
                    }
                }
                let suffix = ranged(store, &path, GetRange::Suffix(7)).await.unwrap();
                assert_eq!(suffix, plain[bytes.saturating_sub(7)..]);
            }
        }
    }
}

// Too large to open at once, written in parts that end nowhere near a chunk.
#[tokio::test]
async fn large_objects_go_in_and_out_in_pieces() {
    let store = sealed(Arc::new(InMemory::new()), &table("t1").open());
    let path = Path::from("db/compacted/large");
    let plain = pattern(21_000_001);
    let mut upload = store.put_multipart(&path).await.unwrap();
    for part in plain.chunks(5_500_003) {
        upload.put_part(part.to_vec().into()).await.unwrap();
    }
    upload.complete().await.unwrap();
    assert_eq!(store.head(&path).await.unwrap().size, plain.len() as u64);
    assert_eq!(content(&store, &path).await, plain);
    let range = 10..plain.len() - 10;
    let part = store.get_range(&path, range.start as u64..range.end as u64).await.unwrap();
    assert_eq!(part, plain[range]);

    // What has ended takes no more.
    assert!(upload.put_part(vec![1].into()).await.is_err());
    assert!(upload.complete().await.is_err());
}

#[tokio::test]
async fn parts_below_are_of_equal_size_but_the_last() {
    let below = Arc::new(Counted::default());
    let store = sealed(below.clone(), &table("t1").open());
    let mut upload = store.put_multipart(&Path::from("db/compacted/1")).await.unwrap();
    for _ in 0..4 {
        upload.put_part(pattern(10 * 1024 * 1024).into()).await.unwrap();
    }
    upload.complete().await.unwrap();
    let parts = below.parts.lock().clone();
    let (last, others) = parts.split_last().unwrap();
    assert!(others.len() >= 4 && others.iter().all(|part| *part == others[0]) && *last <= others[0]);
    assert!(others[0] >= 5 * 1024 * 1024);
}

#[tokio::test]
async fn a_known_object_is_read_in_one_read_below() {
    let below = Arc::new(Counted::default());
    let keys = table("t1").open();
    let path = Path::from("db/compacted/1");
    sealed(below.clone(), &keys).put(&path, pattern(100_000).into()).await.unwrap();

    let store = sealed(below.clone(), &keys);
    let reads = || below.reads.swap(0, Ordering::Relaxed);
    store.head(&path).await.unwrap();
    assert_eq!(reads(), 1, "the size, and the header with it");
    store.get_range(&path, 40_000..60_000).await.unwrap();
    assert_eq!(reads(), 1, "a range of a known object");
    content(&store, &path).await;
    assert_eq!(reads(), 1, "a whole object");
    let range = below.last_range.lock().clone();
    assert_eq!(range, None);
    store.get_range(&path, 40_000..40_001).await.unwrap();
    let chunk = 112 + 2 * 16_400..112 + 3 * 16_400;
    assert_eq!(*below.last_range.lock(), Some(GetRange::Bounded(chunk)));
}

// SlateDB takes an empty object of the write-ahead log for a fence and skips it. If cutting an object short made it
// look empty, that would be a way to lose acknowledged writes without a sound.
#[tokio::test]
async fn only_what_was_written_empty_is_empty() {
    let below = Arc::new(InMemory::new());
    let keys = table("t1").open();
    let store = sealed(below.clone(), &keys);
    let [fence, log] = ["db/wal/00000000000000000001.sst", "db/wal/00000000000000000002.sst"].map(Path::from);
    store.put(&fence, PutPayload::new()).await.unwrap();
    store.put(&log, pattern(5000).into()).await.unwrap();
    assert_eq!(below.head(&fence).await.unwrap().size, 128);

    let cut = below.get(&log).await.unwrap().bytes().await.unwrap().slice(..128);
    below.put(&log, cut.into()).await.unwrap();
    let store = sealed(below.clone(), &keys);
    assert_eq!(store.head(&fence).await.unwrap().size, 0);
    assert_eq!(content(&store, &fence).await, Bytes::new());
    assert_damaged(store.head(&log).await.unwrap_err(), &log);
    assert_damaged(store.get(&log).await.unwrap_err(), &log);
}

#[tokio::test]
async fn what_is_no_sealed_object_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let disk = LocalFileSystem::new_with_prefix(dir.path()).unwrap();
    let stores: [Arc<dyn ObjectStore>; 2] = [Arc::new(InMemory::new()), Arc::new(disk)];
    for below in stores {
        let store = sealed(below.clone(), &table("t1").open());
        let path = Path::from("db/wal/1");
        for bytes in [0, 1, 100, 127, 128, 20_000] {
            below.put(&path, pattern(bytes).into()).await.unwrap();
            assert_damaged(store.head(&path).await.unwrap_err(), &path);
            assert_damaged(store.get(&path).await.unwrap_err(), &path);
            assert_damaged(store.get_range(&path, 0..10).await.unwrap_err(), &path);
            assert_damaged(store.copy(&path, &Path::from("db/wal/2")).await.unwrap_err(), &path);
        }
        below.put(&path, pattern(100).into()).await.unwrap();
        let listed: Result<Vec<_>> = store.list(None).try_collect().await;
        assert_damaged(listed.unwrap_err(), &path);
        assert_damaged(store.list_with_delimiter(Some(&Path::from("db/wal"))).await.unwrap_err(), &path);
    }
}

#[tokio::test]
async fn closed_keys_end_every_call_and_leave_nothing_in_memory() {
    let below = Arc::new(InMemory::new());
    let keys = table("t1").open();
    let store = sealed(below.clone(), &keys);
    let path = Path::from("db/compacted/1");
    store.put(&path, pattern(20_000_000).into()).await.unwrap();
    let mut under_way = store.get(&path).await.unwrap().into_stream();
    under_way.next().await.unwrap().unwrap();
    let mut upload = store.put_multipart(&Path::from("db/compacted/2")).await.unwrap();
    assert!(store.seal.objects.get(&path).is_some());

    keys.close();
    assert!(store.seal.objects.get(&path).is_none(), "the derived key is gone too");
    let other = Path::from("db/compacted/3");
    assert_closed(store.put(&path, pattern(1).into()).await.unwrap_err());
    assert_closed(store.get(&path).await.unwrap_err());
    assert_closed(store.head(&path).await.unwrap_err());
    assert_closed(store.get_range(&path, 0..1).await.unwrap_err());
    assert_closed(store.get_ranges(&path, std::slice::from_ref(&(0..1))).await.unwrap_err());
    assert_closed(store.copy(&path, &other).await.unwrap_err());
    assert_closed(store.rename(&path, &other).await.unwrap_err());
    assert_closed(store.delete(&path).await.unwrap_err());
    assert_closed(store.list(None).try_collect::<Vec<_>>().await.unwrap_err());
    assert_closed(store.list_with_offset(None, &path).try_collect::<Vec<_>>().await.unwrap_err());
    assert_closed(store.list_with_delimiter(None).await.unwrap_err());
    assert_closed(store.put_multipart(&path).await.unwrap_err());
    assert_closed(upload.put_part(pattern(1).into()).await.unwrap_err());
    assert_closed(upload.complete().await.unwrap_err());
    let rest: Result<Vec<_>> = under_way.try_collect().await;
    assert_closed(rest.unwrap_err());
    // A store that is made too late keeps nothing either.
    assert_closed(sealed(below, &keys).get(&path).await.unwrap_err());
}

#[tokio::test]
async fn a_live_store_takes_newer_keys_without_a_failed_call() {
    let below = Arc::new(InMemory::new());
    let table = table("t1");
    let keys = table.open();
    let store = sealed(below.clone(), &keys);
    let [old, new] = ["db/wal/1", "db/wal/2"].map(Path::from);
    store.put(&old, pattern(100).into()).await.unwrap();
    let sealed_before = below.get(&old).await.unwrap().bytes().await.unwrap();

    let new_key = SecretKey::generate(&OsRandom);
    let newer = table.keyring.rewrap(&table.table_key, &new_key, wrapped(), 5, &OsRandom).unwrap();
    keys.replace(newer.open(&new_key).unwrap()).unwrap();
    store.put(&new, pattern(200).into()).await.unwrap();
    for store in [&store, &sealed(below.clone(), &Arc::new(newer.open(&new_key).unwrap()))] {
        assert_eq!(content(store, &old).await, pattern(100));
        assert_eq!(content(store, &new).await, pattern(200));
        let [before, after] = [store.inspect(&old).await.unwrap(), store.inspect(&new).await.unwrap()];
        assert_ne!(before.data_key, after.data_key);
        assert_eq!((after.plain_bytes, after.sealed_bytes), (200, 112 + 200 + 16));
    }
    assert_eq!(below.get(&old).await.unwrap().bytes().await.unwrap(), sealed_before);

    // Who still has the old keyring only cannot read what came after, and is told which key is missing.
    let behind = sealed(below, &table.open());
    let error = behind.get(&new).await.unwrap_err();
    assert!(matches!(SealError::find(&error), Some(SealError::UnknownDataKey { .. })), "{error}");
}

#[tokio::test]
async fn each_structure_has_its_own_data_key() {
    let store = sealed(Arc::new(InMemory::new()), &table("t1").open());
    let mut keys = std::collections::HashSet::new();
    for path in ["db/wal/1.sst", "db/compacted/1.sst", "db/manifest/1.manifest", "db/compactions/1"] {
        store.put(&Path::from(path), pattern(10).into()).await.unwrap();
        keys.insert(store.inspect(&Path::from(path)).await.unwrap().data_key);
    }
    assert_eq!(keys.len(), 3);
}

// A put whose answer is lost is tried again, finds the object there, and asks whether it is its own.
#[tokio::test]
async fn a_writer_recognises_its_own_conditional_put() {
    let below = Arc::new(InMemory::new());
    let keys = table("t1").open();
    let store = sealed(below.clone(), &keys);
    let path = Path::from("db/manifest/1");
    let tagged = |tag: &'static str| {
        let mut attributes = Attributes::new();
        attributes.insert(Attribute::Metadata(PUT_TAG_ATTRIBUTE.into()), tag.into());
        PutOptions { mode: PutMode::Create, attributes, ..PutOptions::default() }
    };
    let mine = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    store.put_opts(&path, pattern(10).into(), tagged(mine)).await.unwrap();
    let again = store.put_opts(&path, pattern(10).into(), tagged(mine)).await;
    assert!(matches!(again, Err(Error::AlreadyExists { .. })));
    for store in [&store, &sealed(below.clone(), &keys)] {
        let head = GetOptions { head: true, ..GetOptions::default() };
        let found = store.get_opts(&path, head).await.unwrap().attributes;
        let tag = found.get(&Attribute::Metadata(PUT_TAG_ATTRIBUTE.into())).unwrap();
        assert_eq!(tag.as_ref(), mine);
    }
    assert!(below.get(&path).await.unwrap().attributes.is_empty(), "nothing is stored in clear");

    let too_long =
        store.put_opts(&path, pattern(1).into(), tagged("0123456789012345678901234567890123")).await;
    assert!(matches!(too_long, Err(Error::NotSupported { .. })));
    let attributes = Attributes::from_iter([(Attribute::ContentType, "text/plain")]);
    let other = PutOptions { attributes, ..PutOptions::default() };
    let refused = store.put_opts(&path, pattern(1).into(), other).await;
    assert!(matches!(refused, Err(Error::NotSupported { .. })));
}

#[tokio::test]
async fn conditions_and_etags_pass_through() {
    let store = sealed(Arc::new(InMemory::new()), &table("t1").open());
    let path = Path::from("db/gc/1.boundary");
    let first = store.put(&path, pattern(10).into()).await.unwrap();
    let update = |put: &PutResult| PutOptions::from(PutMode::Update(put.clone().into()));
    let second = store.put_opts(&path, pattern(20).into(), update(&first)).await.unwrap();
    let late = store.put_opts(&path, pattern(30).into(), update(&first)).await;
    assert!(matches!(late, Err(Error::Precondition { .. })));
    assert_eq!(store.head(&path).await.unwrap().e_tag, second.e_tag);
    for range in [None, Some(GetRange::Bounded(0..5))] {
        let stale = GetOptions { if_match: first.e_tag.clone(), range: range.clone(), ..Default::default() };
        assert!(matches!(store.get_opts(&path, stale).await, Err(Error::Precondition { .. })));
        let known = GetOptions { if_none_match: second.e_tag.clone(), range, ..Default::default() };
        assert!(matches!(store.get_opts(&path, known).await, Err(Error::NotModified { .. })));
    }
}

#[tokio::test]
async fn an_object_that_another_writer_replaces_is_seen_as_it_is() {
    let below = Arc::new(InMemory::new());
    let keys = table("t1").open();
    let [ours, theirs] = [sealed(below.clone(), &keys), sealed(below.clone(), &keys)];
    let path = Path::from("db/compacted/1");
    ours.put(&path, pattern(50_000).into()).await.unwrap();
    ours.head(&path).await.unwrap();
    for bytes in [50_000, 10, 0, 70_000] {
        let replaced: Vec<u8> = pattern(bytes).iter().map(|byte| !byte).collect();
        theirs.put(&path, replaced.clone().into()).await.unwrap();
        if bytes > 5 {
            assert_eq!(ours.get_range(&path, 1..6).await.unwrap(), replaced[1..6]);
        }
        assert_eq!(ours.head(&path).await.unwrap().size, bytes as u64);
        assert_eq!(content(&ours, &path).await, replaced);
    }
    theirs.delete(&path).await.unwrap();
    assert!(matches!(ours.get_range(&path, 0..1).await, Err(Error::NotFound { .. })));
    assert!(matches!(ours.head(&path).await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn a_range_past_the_end_is_refused_for_good() {
    let store = sealed(Arc::new(InMemory::new()), &table("t1").open());
    let path = Path::from("db/compacted/1");
    store.put(&path, pattern(CHUNK_BYTES).into()).await.unwrap();
    for range in [GetRange::Bounded(CHUNK_BYTES as u64..20_000), GetRange::Offset(20_000)] {
        let error = ranged(&store, &path, range).await.unwrap_err();
        assert!(!slatedb_common::retry::should_retry(&error), "{error}");
    }
    let cut = ranged(&store, &path, GetRange::Bounded(16_000..20_000)).await.unwrap();
    assert_eq!(cut, pattern(CHUNK_BYTES)[16_000..]);
}

// Who knows an object's size from elsewhere asks for what is cut off: that is damage, not the reader's mistake.
#[tokio::test]
async fn a_range_of_an_end_that_is_cut_off_is_damage() {
    let below = Arc::new(InMemory::new());
    let keys = table("t1").open();
    let path = Path::from("db/compacted/1");
    sealed(below.clone(), &keys).put(&path, pattern(3 * CHUNK_BYTES).into()).await.unwrap();
    let whole = below.get(&path).await.unwrap().bytes().await.unwrap();
    for bytes in [whole.len() - 1, whole.len() - CHUNK_BYTES - 16, whole.len() / 2, 200] {
        below.put(&path, whole.slice(..bytes).into()).await.unwrap();
        let store = sealed(below.clone(), &keys);
        for range in [GetRange::Offset(3 * CHUNK_BYTES as u64 - 1), GetRange::Bounded(49_000..49_152)] {
            assert_damaged(ranged(&store, &path, range).await.unwrap_err(), &path);
        }
    }
}

#[tokio::test]
async fn renaming_an_object_to_itself_keeps_it() {
    let store = sealed(Arc::new(InMemory::new()), &table("t1").open());
    let [path, other] = ["db/compacted/1", "db/compacted/2"].map(Path::from);
    store.put(&path, pattern(10).into()).await.unwrap();
    store.rename(&path, &path).await.unwrap();
    assert!(store.rename_if_not_exists(&path, &path).await.is_err());
    assert_eq!(content(&store, &path).await, pattern(10));
    store.rename(&path, &other).await.unwrap();
    assert_eq!(content(&store, &other).await, pattern(10));
    assert!(matches!(store.head(&path).await, Err(Error::NotFound { .. })));
}

struct Table {
    keyring: Keyring,
    table_key: SecretKey,
}

impl Table {
    fn open(&self) -> Arc<DataKeys> {
        Arc::new(self.keyring.open(&self.table_key).unwrap())
    }
}

fn table(id: &str) -> Table {
    let table_key = SecretKey::generate(&OsRandom);
    let keyring = Keyring::create(&StoreId::new(id).unwrap(), &table_key, wrapped(), 0, &OsRandom).unwrap();
    Table { keyring, table_key }
}

fn wrapped() -> WrappedTableKey {
    WrappedTableKey {
        key_arn: "arn:aws:kms:...".into(),
        key_material_id: String::new(),
        wrapped: vec![1; 32],
    }
}

fn sealed(below: Arc<dyn ObjectStore>, keys: &Arc<DataKeys>) -> SealedStore {
    SealedStore::new(below, keys.clone(), Arc::new(OsRandom))
}

fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| (i % 251) as u8).collect()
}

async fn content(store: &SealedStore, path: &Path) -> Bytes {
    store.get(path).await.unwrap().bytes().await.unwrap()
}

async fn ranged(store: &SealedStore, path: &Path, range: GetRange) -> Result<Bytes> {
    store.get_opts(path, GetOptions { range: Some(range), ..Default::default() }).await?.bytes().await
}

fn assert_damaged(error: Error, path: &Path) {
    let found = SealError::find(&error).unwrap_or_else(|| panic!("{error:?}"));
    assert!(found.is_damage() && found.to_string().contains(path.as_ref()), "{found}");
    assert!(!slatedb_common::retry::should_retry(&error), "{error}");
}

fn assert_closed(error: Error) {
    assert!(matches!(SealError::find(&error), Some(SealError::KeysClosed { .. })), "{error:?}");
    assert!(!slatedb_common::retry::should_retry(&error), "{error}");
}

// A store in memory that counts what it is asked.
#[derive(Debug, Default)]
struct Counted {
    inner: InMemory,
    reads: AtomicUsize,
    last_range: parking_lot::Mutex<Option<GetRange>>,
    parts: Arc<parking_lot::Mutex<Vec<usize>>>,
}

impl std::fmt::Display for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counted")
    }
}

#[async_trait]
impl ObjectStore for Counted {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let inner = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(CountedUpload { inner, parts: self.parts.clone() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        *self.last_range.lock() = options.range.clone();
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct CountedUpload {
    inner: Box<dyn MultipartUpload>,
    parts: Arc<parking_lot::Mutex<Vec<usize>>>,
}

#[async_trait]
impl MultipartUpload for CountedUpload {
    fn put_part(&mut self, data: PutPayload) -> object_store::UploadPart {
        self.parts.lock().push(data.content_length());
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
