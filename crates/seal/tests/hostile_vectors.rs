//! What must not open, kept as a file: `vectors/sealed-object.json`.
//!
//! The file holds a table key, a keyring, objects sealed under it, and edits of
//! those objects with the error that each must end in. Objects of released
//! formats stay in it, so old data keeps opening. It is made from seeded
//! randomness; `SEAL_VECTORS=write cargo test -p strongroom-seal --test hostile_vectors`
//! writes it anew, after a change that is meant to change it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use serde::{Deserialize, Serialize};
use strongroom_model::clock::Random;
use strongroom_seal::chunked::SEALED_CHUNK_BYTES;
use strongroom_seal::keyring::{Keyring, WrappedTableKey};
use strongroom_seal::object::{self, Header, PREFIX_BYTES, StoreId};
use strongroom_seal::primitive::{hex, sha256};
use strongroom_seal::secret::SecretKey;
use strongroom_seal::{DataKeys, SealError, SealedStore};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/sealed-object.json");

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Vectors {
    about: String,
    table_key: String,
    keyring: String,
    other_table_key: String,
    other_keyring: String,
    objects: Vec<Object>,
    hostile: Vec<Hostile>,
}

/// An object that opens under the keyring at its path.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Object {
    path: String,
    plain_bytes: usize,
    plain_sha256: String,
    sealed: String,
}

/// An edited object, and the error that reading it at `path` ends in.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Hostile {
    story: String,
    /// Which of the objects it is made of.
    object: usize,
    edit: Edit,
    path: String,
    /// Whether it is read with the other table's keyring.
    #[serde(default)]
    in_other_store: bool,
    error: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Edit {
    Nothing,
    FlipBit { at: usize },
    Write { at: usize, hex: String },
    Cut { bytes: usize },
    Append { hex: String },
    SwapChunks(usize, usize),
    RepeatChunk { chunk: usize, over: usize },
    DropChunk(usize),
    AppendChunkOf { object: usize, chunk: usize },
    TakePrefixOf { object: usize },
}

#[tokio::test]
async fn the_kept_objects_open_and_the_hostile_ones_do_not() {
    let vectors = kept();
    let [keys, others] =
        [open(&vectors.keyring, &vectors.table_key), open(&vectors.other_keyring, &vectors.other_table_key)];
    for object in &vectors.objects {
        let store = holding(&object.path, bytes(&object.sealed), &keys).await;
        let path = Path::from(object.path.as_str());
        assert_eq!(store.head(&path).await.unwrap().size, object.plain_bytes as u64);
        let plain = store.get(&path).await.unwrap().bytes().await.unwrap();
        assert_eq!(hex::encode(&sha256(&plain)), object.plain_sha256, "{}", object.path);
    }
    for hostile in &vectors.hostile {
        let edited = hostile.edit.apply(&vectors.objects, hostile.object);
        let keys = if hostile.in_other_store { &others } else { &keys };
        let store = holding(&hostile.path, edited, keys).await;
        assert_eq!(failure(&store, &hostile.path).await, hostile.error, "{}", hostile.story);
        assert!(hostile.error.contains(&hostile.path), "the error names the object: {}", hostile.error);
        let inspected = store.inspect(&Path::from(hostile.path.as_str())).await;
        assert!(inspected.is_err(), "{}", hostile.story);
    }
}

// A change of what is written shows here before it shows as data that an older release cannot read.
#[tokio::test]
async fn the_kept_vectors_are_those_this_release_makes() {
    let made = made().await;
    if std::env::var("SEAL_VECTORS").is_ok_and(|value| value == "write") {
        std::fs::write(FILE, serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
    }
    assert_eq!(kept(), made);
}

#[tokio::test]
async fn no_byte_of_an_object_can_be_changed_cut_off_or_added() {
    let vectors = kept();
    let keys = open(&vectors.keyring, &vectors.table_key);
    let below = Arc::new(InMemory::new());
    let store = SealedStore::new(below.clone(), keys.clone(), Arc::new(Seeded::new("unused")));
    for object in vectors.objects.iter().filter(|object| object.plain_bytes <= 1000) {
        let path = Path::from(object.path.as_str());
        let sealed = bytes(&object.sealed);
        let flips = (0..sealed.len()).map(|at| {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1 << (at % 8);
            flipped
        });
        let cuts = (0..sealed.len()).map(|at| sealed[..at].to_vec());
        let longer = (1..40).map(|more| [sealed.as_slice(), &vec![0; more]].concat());
        for (number, touched) in flips.chain(cuts).chain(longer).enumerate() {
            below.put(&path, touched.into()).await.unwrap();
            let read = match store.get(&path).await {
                Ok(found) => found.bytes().await,
                Err(error) => Err(error),
            };
            let error = read.expect_err(&format!("{path}, change {number}"));
            let found = SealError::find(&error).unwrap();
            assert!(found.is_damage() && found.to_string().contains(path.as_ref()), "{found}");
            assert!(!slatedb_common::retry::should_retry(&error));
        }
    }
}

// The same key under another store's id: what a thief of one table's directory would try in another's place.
#[test]
fn an_object_opens_under_its_own_store_and_path_only() {
    let key = SecretKey::generate(&Seeded::new("key"));
    let [store, other] = ["t1", "t2"].map(|id| StoreId::new(id).unwrap());
    let header = Header::new(object::DataKeyId([1; 16]), b"").unwrap();
    let mut sealed = Vec::new();
    let sealer = object::start_sealing(&header, &key, &store, "db/wal/1", &Seeded::new("salt"), &mut sealed);
    sealer.finish(&mut sealed).unwrap();
    let prefix: [u8; PREFIX_BYTES] = sealed[..PREFIX_BYTES].try_into().unwrap();
    assert!(object::opener(&prefix, &key, &store, "db/wal/1").is_ok());
    assert!(object::opener(&prefix, &key, &other, "db/wal/1").is_err());
    assert!(object::opener(&prefix, &key, &store, "db/wal/10").is_err());
    assert!(object::opener(&prefix, &key, &StoreId::new("t1db").unwrap(), "/wal/1").is_err());
    assert!(object::opener(&prefix, &SecretKey::generate(&Seeded::new("k2")), &store, "db/wal/1").is_err());
}

impl Edit {
    fn apply(&self, objects: &[Object], of: usize) -> Vec<u8> {
        let mut sealed = bytes(&objects[of].sealed);
        match self {
            Self::Nothing => {}
            Self::FlipBit { at } => sealed[*at] ^= 1,
            Self::Write { at, hex } => {
                let new = bytes(hex);
                sealed[*at..at + new.len()].copy_from_slice(&new);
            }
            Self::Cut { bytes } => sealed.truncate(*bytes),
            Self::Append { hex } => sealed.extend(bytes(hex)),
            Self::SwapChunks(a, b) => {
                let [first, second] = [chunk(&sealed, *a).to_vec(), chunk(&sealed, *b).to_vec()];
                sealed[start(*a)..start(*a) + second.len()].copy_from_slice(&second);
                sealed[start(*b)..start(*b) + first.len()].copy_from_slice(&first);
            }
            Self::RepeatChunk { chunk: from, over } => {
                let repeated = chunk(&sealed, *from).to_vec();
                sealed[start(*over)..start(*over) + repeated.len()].copy_from_slice(&repeated);
            }
            Self::DropChunk(dropped) => {
                sealed.drain(start(*dropped)..start(*dropped) + chunk(&sealed, *dropped).len());
            }
            Self::AppendChunkOf { object, chunk: number } => {
                sealed.extend(chunk(&bytes(&objects[*object].sealed), *number));
            }
            Self::TakePrefixOf { object } => {
                sealed[..PREFIX_BYTES].copy_from_slice(&bytes(&objects[*object].sealed)[..PREFIX_BYTES]);
            }
        }
        sealed
    }
}

fn start(chunk: usize) -> usize {
    PREFIX_BYTES + chunk * SEALED_CHUNK_BYTES
}

fn chunk(sealed: &[u8], number: usize) -> &[u8] {
    &sealed[start(number)..sealed.len().min(start(number + 1))]
}

async fn made() -> Vectors {
    let random = Arc::new(Seeded::new("vectors"));
    let [table_key, other_table_key] = std::array::from_fn(|_| SecretKey::generate(&*random));
    let keyring = |id, key| {
        let wrapped = WrappedTableKey {
            key_arn: "arn:aws:kms:eu-west-1:000000000000:key/1".into(),
            key_material_id: "material".into(),
            wrapped: b"opaque".to_vec(),
        };
        Keyring::create(&StoreId::new(id).unwrap(), key, wrapped, 1_790_000_000_000, &*random).unwrap()
    };
    let [first, other] = [keyring("table-1", &table_key), keyring("table-2", &other_table_key)];
    let keys = Arc::new(first.open(&table_key).unwrap());
    let others = Arc::new(other.open(&other_table_key).unwrap());

    let below = Arc::new(InMemory::new());
    let store = SealedStore::new(below.clone(), keys.clone(), random.clone());
    let mut objects = Vec::new();
    let sizes = [
        ("db/wal/00000000000000000001.sst", 0),
        ("db/wal/00000000000000000002.sst", 300),
        ("db/wal/00000000000000000003.sst", 300),
        ("db/compacted/01ARZ3NDEKTSV4RRFFQ69G5FAV.sst", 2 * 16_384 + 100),
        ("db/compacted/01ARZ3NDEKTSV4RRFFQ69G5FAW.sst", 16_384),
        ("db/manifest/00000000000000000001.manifest", 40),
    ];
    for (path, plain_bytes) in sizes {
        let plain: Vec<u8> = (0..plain_bytes).map(|i| (i % 251) as u8).collect();
        let attributes = object_store::Attributes::from_iter([(
            object_store::Attribute::Metadata("slatedbputid".into()),
            "01ARZ3NDEKTSV4RRFFQ69G5FAX",
        )]);
        let options = PutOptions { mode: PutMode::Create, attributes, ..PutOptions::default() };
        store.put_opts(&Path::from(path), plain.clone().into(), options).await.unwrap();
        let sealed = below.get(&Path::from(path)).await.unwrap().bytes().await.unwrap();
        let (path, sealed) = (path.to_owned(), hex::encode(&sealed));
        objects.push(Object { path, plain_bytes, plain_sha256: hex::encode(&sha256(&plain)), sealed });
    }

    let manifests_key = hex::encode(&first.data_keys()[2].id.0);
    let [log, log_2, runs, full, manifest] = [1, 2, 3, 4, 5];
    let stories = [
        ("one bit of the magic is flipped", log, Edit::FlipBit { at: 0 }),
        ("the header says an older version", log, Edit::Write { at: 7, hex: "00".into() }),
        ("the header says a newer version", log, Edit::Write { at: 7, hex: "02".into() }),
        ("the header names a key that nobody has", log, Edit::Write { at: 8, hex: "00".repeat(16) }),
        ("the header names another key of the keyring", log, Edit::Write { at: 8, hex: manifests_key }),
        ("the put tag's length is past its field", log, Edit::Write { at: 24, hex: "20".into() }),
        ("the put tag is changed", log, Edit::FlipBit { at: 25 }),
        ("there is something after the put tag", log, Edit::Write { at: 55, hex: "01".into() }),
        ("one bit of the salt is flipped", log, Edit::FlipBit { at: 56 }),
        ("one bit of the commitment is flipped", log, Edit::FlipBit { at: 80 }),
        ("one bit of the content is flipped", log, Edit::FlipBit { at: 112 }),
        ("one bit of the last tag is flipped", log, Edit::FlipBit { at: 112 + 300 }),
        ("the object is cut to nothing", log, Edit::Cut { bytes: 0 }),
        ("the object is cut within its header", log, Edit::Cut { bytes: 55 }),
        ("the object is cut before its first chunk", log, Edit::Cut { bytes: 112 }),
        ("the object is cut so that it looks empty", log, Edit::Cut { bytes: 128 }),
        ("the last byte is missing", log, Edit::Cut { bytes: 112 + 315 }),
        ("a byte is added", log, Edit::Append { hex: "00".into() }),
        ("the chunks come from another object", log, Edit::TakePrefixOf { object: log_2 }),
        ("the object stands in another's place", log, Edit::Nothing),
        ("two chunks are swapped", runs, Edit::SwapChunks(0, 1)),
        ("a chunk is repeated in place of another", runs, Edit::RepeatChunk { chunk: 0, over: 1 }),
        ("the first chunk is dropped", runs, Edit::DropChunk(0)),
        ("a chunk in the middle is dropped", runs, Edit::DropChunk(1)),
        ("the short last chunk is dropped", runs, Edit::DropChunk(2)),
        ("the empty last chunk is dropped", full, Edit::DropChunk(1)),
        ("the second last chunk is dropped as well", runs, Edit::Cut { bytes: start(1) }),
        ("a chunk is added after the last", manifest, Edit::AppendChunkOf { object: manifest, chunk: 0 }),
        ("another object's chunk follows a full one", full, Edit::AppendChunkOf { object: log, chunk: 0 }),
        ("one bit of the second chunk is flipped", runs, Edit::FlipBit { at: start(1) + 77 }),
    ];
    let mut hostile = Vec::new();
    for (story, object, edit) in stories {
        let place = if story.contains("another's place") { log_2 } else { object };
        let path = objects[place].path.clone();
        hostile.push(Hostile {
            story: story.into(),
            object,
            edit,
            path,
            in_other_store: false,
            error: String::new(),
        });
    }
    hostile.push(Hostile {
        story: "the object stands in another table's place".into(),
        object: log,
        edit: Edit::Nothing,
        path: objects[log].path.clone(),
        in_other_store: true,
        error: String::new(),
    });
    for hostile in &mut hostile {
        let edited = hostile.edit.apply(&objects, hostile.object);
        let keys = if hostile.in_other_store { &others } else { &keys };
        hostile.error = failure(&holding(&hostile.path, edited, keys).await, &hostile.path).await;
    }
    Vectors {
        about: "See hostile_vectors.rs and docs/formats/sealed-object.md.".into(),
        table_key: hex::encode(table_key.expose()),
        keyring: hex::encode(&first.encode()),
        other_table_key: hex::encode(other_table_key.expose()),
        other_keyring: hex::encode(&other.encode()),
        objects,
        hostile,
    }
}

fn kept() -> Vectors {
    serde_json::from_str(&std::fs::read_to_string(FILE).unwrap()).unwrap()
}

fn open(keyring: &str, table_key: &str) -> Arc<DataKeys> {
    let table_key = SecretKey::from_slice(&mut bytes(table_key)).unwrap();
    Arc::new(Keyring::decode("keyring/1", &bytes(keyring)).unwrap().open(&table_key).unwrap())
}

async fn holding(path: &str, sealed: Vec<u8>, keys: &Arc<DataKeys>) -> SealedStore {
    let below = InMemory::new();
    below.put(&Path::from(path), sealed.into()).await.unwrap();
    SealedStore::new(Arc::new(below), keys.clone(), Arc::new(Seeded::new("unused")))
}

async fn failure(store: &SealedStore, path: &str) -> String {
    let error = match store.get(&Path::from(path)).await {
        Ok(found) => found.bytes().await.expect_err("a hostile object opened"),
        Err(error) => error,
    };
    SealError::find(&error).unwrap_or_else(|| panic!("{error}")).to_string()
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

// Bytes that look random and are the same in every run.
#[derive(Debug)]
struct Seeded {
    seed: &'static str,
    drawn: AtomicU64,
}

impl Seeded {
    fn new(seed: &'static str) -> Self {
        Self { seed, drawn: AtomicU64::new(0) }
    }
}

impl Random for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for block in bytes.chunks_mut(32) {
            let number = self.drawn.fetch_add(1, Ordering::Relaxed);
            let hash = sha256(format!("{} {number}", self.seed).as_bytes());
            block.copy_from_slice(&hash[..block.len()]);
        }
    }
}
