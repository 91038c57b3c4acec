//! A sealed store behaves as a plain one does, and below it nothing can be read.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions, Result};
use proptest::prelude::*;
use strongroom_seal::SealedStore;
use strongroom_seal::keyring::{Keyring, WrappedTableKey};
use strongroom_seal::object::StoreId;
use strongroom_seal::primitive::OsRandom;
use strongroom_seal::secret::SecretKey;

/// What every plaintext in these tests is made of; no random ciphertext contains it.
const CANARY: &[u8] = b"canary-in-the-vault";

const PATHS: [&str; 4] = ["db/wal/1", "db/wal/2", "db/compacted/1", "db/manifest/1"];

#[derive(Clone, Debug)]
enum Step {
    Put { path: usize, bytes: usize, create: bool },
    Upload { path: usize, parts: Vec<usize>, complete: bool },
    Get { path: usize },
    Head { path: usize },
    Range { path: usize, range: GetRange },
    Ranges { path: usize, starts: Vec<u64>, bytes: u64 },
    List { after: Option<usize> },
    Copy { from: usize, to: usize, create: bool },
    Rename { from: usize, to: usize },
    Delete { path: usize },
    Reopen,
}

fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![
        Just(0_usize),
        1..200_usize,
        (0..3_usize, -2..=2_i64)
            .prop_map(|(chunks, off)| { usize::try_from(16_384 * chunks as i64 + off).unwrap_or(0) }),
        0..60_000_usize,
    ]
}

fn ranges() -> impl Strategy<Value = GetRange> {
    let offset = || sizes().prop_map(|bytes| bytes as u64);
    prop_oneof![
        (offset(), 1..40_000_u64).prop_map(|(start, bytes)| GetRange::Bounded(start..start + bytes)),
        (offset(), 0..3_u64).prop_map(|(start, bytes)| GetRange::Bounded(start..start + bytes)),
        offset().prop_map(GetRange::Offset),
        offset().prop_map(GetRange::Suffix),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let path = || 0..PATHS.len();
    prop_oneof![
        4 => (path(), sizes(), any::<bool>())
            .prop_map(|(path, bytes, create)| Step::Put { path, bytes, create }),
        2 => (path(), prop::collection::vec(sizes(), 0..4), any::<bool>())
            .prop_map(|(path, parts, complete)| Step::Upload { path, parts, complete }),
        2 => path().prop_map(|path| Step::Get { path }),
        2 => path().prop_map(|path| Step::Head { path }),
        6 => (path(), ranges()).prop_map(|(path, range)| Step::Range { path, range }),
        1 => (path(), prop::collection::vec(0..40_000_u64, 1..4), 1..5000_u64)
            .prop_map(|(path, starts, bytes)| Step::Ranges { path, starts, bytes }),
        1 => prop::option::of(path()).prop_map(|after| Step::List { after }),
        1 => (path(), path(), any::<bool>())
            .prop_map(|(from, to, create)| Step::Copy { from, to, create }),
        1 => (path(), path()).prop_map(|(from, to)| Step::Rename { from, to }),
        1 => path().prop_map(|path| Step::Delete { path }),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_sealed_store_answers_as_a_plain_one(steps in prop::collection::vec(steps(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let below: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let open = opener(below.clone());
            let mut sealed = open();
            let plain = InMemory::new();
            for (number, step) in steps.into_iter().enumerate() {
                if matches!(step, Step::Reopen) {
                    sealed = open();
                    continue;
                }
                let expected = apply(&plain, &step, number).await;
                let answered = apply(&sealed, &step, number).await;
                assert_eq!(answered, expected, "step {number}: {step:?}");
            }
            assert_nothing_readable(&*below).await;
        });
    }
}

fn opener(below: Arc<dyn ObjectStore>) -> impl Fn() -> SealedStore {
    let table_key = SecretKey::generate(&OsRandom);
    let wrapped =
        WrappedTableKey { key_arn: "arn".into(), key_material_id: String::new(), wrapped: Vec::new() };
    let store = StoreId::new("table-1").unwrap();
    let keyring = Keyring::create(&store, &table_key, wrapped, 0, &OsRandom).unwrap();
    move || {
        let keys = Arc::new(keyring.open(&table_key).unwrap());
        SealedStore::new(below.clone(), keys, Arc::new(OsRandom))
    }
}

// Everything a caller can see of a step but times and etags.
async fn apply(store: &dyn ObjectStore, step: &Step, number: usize) -> Result<String, &'static str> {
    let done = match step {
        Step::Put { path, bytes, create } => {
            let mode = if *create { PutMode::Create } else { PutMode::Overwrite };
            let content = content(*bytes, number);
            store.put_opts(&path_of(*path), content.into(), mode.into()).await.map(|_| String::new())
        }
        Step::Upload { path, parts, complete } => upload(store, *path, parts, *complete, number).await,
        Step::Get { path } => whole(store.get_opts(&path_of(*path), GetOptions::default()).await).await,
        Step::Head { path } => {
            let head = GetOptions { head: true, ..GetOptions::default() };
            store.get_opts(&path_of(*path), head).await.map(|found| found.meta.size.to_string())
        }
        Step::Range { path, range } => {
            let options = GetOptions { range: Some(range.clone()), ..GetOptions::default() };
            whole(store.get_opts(&path_of(*path), options).await).await
        }
        Step::Ranges { path, starts, bytes } => {
            let ranges: Vec<_> = starts.iter().map(|start| *start..start + bytes).collect();
            let size = store.head(&path_of(*path)).await.map_or(0, |meta| meta.size);
            // Where a range reaches past the end, stores differ in what they answer.
            if ranges.iter().any(|range| range.end > size) {
                return Ok(String::new());
            }
            store.get_ranges(&path_of(*path), &ranges).await.map(|parts| format!("{parts:?}"))
        }
        Step::List { after } => {
            let listed = match after {
                Some(after) => store.list_with_offset(None, &path_of(*after)),
                None => store.list(None),
            };
            let shallow = store.list_with_delimiter(Some(&Path::from("db/wal"))).await;
            let listed: Result<Vec<_>> = listed.map_ok(|meta| (meta.location, meta.size)).try_collect().await;
            listed.and_then(|mut listed| {
                listed.sort();
                let shallow: Vec<_> = shallow?.objects.into_iter().map(|meta| meta.size).collect();
                Ok(format!("{listed:?} {shallow:?}"))
            })
        }
        Step::Copy { from, to, create: false } => {
            store.copy(&path_of(*from), &path_of(*to)).await.map(|()| String::new())
        }
        Step::Copy { from, to, create: true } => {
            store.copy_if_not_exists(&path_of(*from), &path_of(*to)).await.map(|()| String::new())
        }
        // A plain store in memory loses an object that is renamed to itself.
        Step::Rename { from, to } if from == to => Ok(String::new()),
        Step::Rename { from, to } => {
            store.rename(&path_of(*from), &path_of(*to)).await.map(|()| String::new())
        }
        Step::Delete { path } => match store.delete(&path_of(*path)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(String::new()),
            Err(error) => Err(error),
        },
        Step::Reopen => Ok(String::new()),
    };
    done.map_err(|error| match error {
        Error::NotFound { .. } => "not found",
        Error::AlreadyExists { .. } => "exists",
        Error::Generic { .. } => "refused",
        _ => "other",
    })
}

async fn whole(found: Result<object_store::GetResult>) -> Result<String> {
    let found = found?;
    let (range, size) = (found.range.clone(), found.meta.size);
    Ok(format!("{range:?} of {size}: {:?}", found.bytes().await?))
}

async fn upload(
    store: &dyn ObjectStore,
    path: usize,
    parts: &[usize],
    complete: bool,
    number: usize,
) -> Result<String> {
    let mut upload = store.put_multipart_opts(&path_of(path), Default::default()).await?;
    for bytes in parts {
        upload.put_part(content(*bytes, number).into()).await?;
    }
    if complete {
        upload.complete().await.map(|_| String::new())
    } else {
        upload.abort().await.map(|()| String::new())
    }
}

fn path_of(path: usize) -> Path {
    Path::from(PATHS[path])
}

fn content(bytes: usize, number: usize) -> Bytes {
    let seed = format!("{number:04}");
    CANARY.iter().chain(seed.as_bytes()).copied().cycle().take(bytes).collect::<Vec<u8>>().into()
}

async fn assert_nothing_readable(below: &dyn ObjectStore) {
    let objects: Vec<_> = below.list(None).try_collect().await.unwrap();
    for object in objects {
        let bytes = below.get(&object.location).await.unwrap().bytes().await.unwrap();
        let found = bytes.windows(8).any(|window| window == &CANARY[..8]);
        assert!(!found, "plaintext in `{}`", object.location);
    }
}

// The search of the property above would find what it looks for.
#[tokio::test]
#[should_panic(expected = "plaintext in `db/wal/1`")]
async fn a_plain_store_gives_the_canary_away() {
    let plain = InMemory::new();
    plain.put(&path_of(0), content(100, 0).into()).await.unwrap();
    assert_nothing_readable(&plain).await;
}

#[tokio::test]
async fn put_options_that_would_reach_storage_in_clear_are_refused() {
    let sealed = opener(Arc::new(InMemory::new()))();
    let mut tags = object_store::TagSet::default();
    tags.push("name", "value");
    let options = PutOptions { tags, ..PutOptions::default() };
    let refused = sealed.put_opts(&path_of(0), content(1, 0).into(), options).await;
    assert!(matches!(refused, Err(Error::NotSupported { .. })), "{refused:?}");
}
