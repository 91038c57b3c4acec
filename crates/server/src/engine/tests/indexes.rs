//! Indexes under random writes, builds, restarts and crashes, against a recomputation from the items.

use std::collections::BTreeMap;

use proptest::prelude::*;
use strongroom_model::attribute::{AttributeValue, Item};
use strongroom_model::key::{KeyValue, PrimaryKey, item_key};
use strongroom_model::stored::{self, Attributes};

use super::*;
use crate::engine::index::{COLLECTION_BYTES_MAX, collection_bytes};
use crate::engine::record::first_index;
use crate::storage::{Batch, Order, prefix_range};

#[derive(Clone, Debug)]
enum Step {
    /// Stores an item: partition, sort key, and attributes `g` and `n` if there are such.
    Put(u8, u8, Option<u8>, Option<i64>),
    Delete(u8, u8),
    /// Stores and removes several at once.
    Batch(Vec<(u8, u8, Option<u8>)>),
    /// Makes an index by `g`, unless there is one.
    Build,
    /// Deletes it, if it is complete.
    Drop,
    /// Stops the server and starts it again.
    Restart,
    /// Loses what is not durable; here, everything acknowledged is.
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let put = (0..3_u8, 0..5_u8, proptest::option::of(0..4_u8), proptest::option::of(-3..3_i64));
    prop_oneof![
        10 => put.prop_map(|(pk, sk, g, n)| Step::Put(pk, sk, g, n)),
        4 => (0..3_u8, 0..5_u8).prop_map(|(pk, sk)| Step::Delete(pk, sk)),
        3 => proptest::collection::vec((0..3_u8, 0..5_u8, proptest::option::of(0..4_u8)), 1..6).prop_map(Step::Batch),
        2 => Just(Step::Build),
        1 => Just(Step::Drop),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
    ]
}

fn row(pk: u8, sk: u8) -> Vec<u8> {
    let text = |prefix: &str, number: u8| KeyValue::S(format!("{prefix}{number}"));
    item_key(&PrimaryKey { hash: text("p", pk), range: Some(text("s", sk)) })
}

fn item(pk: u8, sk: u8, g: Option<u8>, n: Option<i64>) -> Vec<u8> {
    let text = |prefix: &str, number: u8| AttributeValue::S(format!("{prefix}{number}"));
    let mut item = Item::from([("pk".to_owned(), text("p", pk)), ("sk".to_owned(), text("s", sk))]);
    item.extend(g.map(|g| ("g".to_owned(), text("g", g))));
    item.extend(n.map(|n| ("n".to_owned(), AttributeValue::N(n.into()))));
    stored::encode(&item).unwrap()
}

fn new_index(name: &str, local: bool, hash: &str, range: Option<(&str, &str)>) -> NewIndex {
    NewIndex {
        name: name.to_owned(),
        local,
        hash: vec![(hash.to_owned(), "S".to_owned())],
        range: range.map(|(name, kind)| (name.to_owned(), kind.to_owned())).into_iter().collect(),
        projection: if local { ProjectionRecord::KeysOnly } else { ProjectionRecord::All },
        provisioned: None,
        throughput: crate::engine::ThroughputRecord::default(),
    }
}

impl World {
    async fn create_indexed(&self) -> Arc<Table> {
        let new = NewTable {
            name: "indexed".to_owned(),
            hash: ("pk".to_owned(), "S".to_owned()),
            range: Some(("sk".to_owned(), "S".to_owned())),
            provisioned: None,
            table_class: None,
            deletion_protection: false,
            tags: Default::default(),
            key: None,
            options: crate::engine::TableOptions::default(),
            indexes: vec![
                new_index("by-n", true, "pk", Some(("n", "N"))),
                new_index("by-s", false, "sk", Some(("g", "S"))),
            ],
        };
        self.engine.create(&caller(), new).await.unwrap()
    }

    fn indexed(&self) -> Arc<Table> {
        self.engine.table(&caller().principal.account, &caller().region, "indexed").unwrap()
    }

    async fn take(&self, step: Step) {
        let table = self.indexed();
        let opening = self.engine.access(&table, &caller()).await.unwrap();
        match step {
            Step::Put(pk, sk, g, n) => {
                let item = item(pk, sk, g, n);
                opening.table.change(&row(pk, sk), |_| done(Change::Put(item))).await.unwrap();
            }
            Step::Delete(pk, sk) => {
                opening.table.change(&row(pk, sk), |_| done(Change::Delete)).await.unwrap();
            }
            Step::Batch(items) => {
                let changes: BTreeMap<Vec<u8>, Option<Vec<u8>>> = items
                    .into_iter()
                    .map(|(pk, sk, g)| (row(pk, sk), g.map(|g| item(pk, sk, Some(g), Some(1)))))
                    .collect();
                opening.table.change_all::<AccessError>(changes.into_iter().collect()).await.unwrap();
            }
            Step::Build => {
                drop(opening);
                let add = |record: TableRecord| {
                    let mut record = record;
                    if record.indexes.iter().all(|index| index.name != "by-g") {
                        let new = new_index("by-g", false, "g", None).record(record.next_index);
                        record.indexes.push(IndexRecord { state: IndexState::Allocating, ..new });
                        record.next_index += 1;
                    }
                    record
                };
                self.engine.change_record(&table, add).await.unwrap();
                self.engine.work_on_indexes(&table);
                // Some of the work is done before the next step.
                tokio::task::yield_now().await;
            }
            Step::Drop => {
                drop(opening);
                let drop_it = |mut record: TableRecord| {
                    let index = record.indexes.iter_mut().find(|index| index.name == "by-g");
                    if let Some(index) = index.filter(|index| index.is_complete()) {
                        index.state = IndexState::Deleting;
                    }
                    record
                };
                self.engine.change_record(&table, drop_it).await.unwrap();
                self.engine.work_on_indexes(&table);
            }
            Step::Crash => opening.table.abandon(AccessError::NotFound).await,
            Step::Restart => unreachable!("the runner restarts"),
        }
    }

    /// Waits until the indexes are at rest, and compares all that the store has besides items with what follows
    /// from the items.
    async fn check(&self) {
        let table = self.indexed();
        for _ in 0..2_000 {
            if table.record().indexes.iter().all(IndexRecord::is_complete) {
                break;
            }
            self.engine.work_on_indexes(&table);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert!(
            table.record().indexes.iter().all(IndexRecord::is_complete),
            "work on the indexes never ends"
        );
        let opening = self.engine.access(&table, &caller()).await.unwrap();
        // A table that a crash found open is counted anew.
        for _ in 0..400 {
            self.engine.recount(&table);
            if opening.table.exactness.is_exact() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(opening.table.exactness.is_exact(), "the table is never counted");
        let rows = |kind: u8| {
            let opening = &opening;
            async move {
                let range = prefix_range(&[kind]);
                let mut rows = opening.table.rows(range, Order::Ascending, true).await.unwrap();
                let mut found = BTreeMap::new();
                while let Some((key, value)) = rows.next().await.unwrap() {
                    found.insert(key.to_vec(), value);
                }
                found
            }
        };
        let items = rows(0x10).await;
        let indexes = table.indexes();
        let mut expected: BTreeMap<u8, BTreeMap<Vec<u8>, Bytes>> = BTreeMap::new();
        let mut collections: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        let mut counted: BTreeMap<u16, Counted> = BTreeMap::new();
        for (row, item) in &items {
            let attributes = Attributes::read(item).unwrap();
            let collection = collections.entry(table.schema.collection_row(row).unwrap()).or_default();
            *collection += stored::item_bytes(item).unwrap() as u64;
            for index in indexes.iter() {
                let Some(entry) = index.schema.entry(&attributes, item) else { continue };
                let bytes = stored::item_bytes(&entry.value).unwrap();
                if index.schema.local {
                    *collection += bytes as u64;
                }
                let count = counted.entry(index.schema.number).or_default();
                count.items += 1;
                count.bytes += bytes as i64;
                expected.entry(entry.row[0]).or_default().insert(entry.row, entry.value);
            }
        }
        for kind in [0x20, 0x30] {
            assert_eq!(rows(kind).await, expected.remove(&kind).unwrap_or_default());
        }
        let found: BTreeMap<Vec<u8>, u64> = rows(0x02)
            .await
            .into_iter()
            .map(|(row, value)| (row, collection_bytes(Some(&value)).unwrap()))
            .collect();
        assert_eq!(found, collections);
        let bytes = items.values().map(|item| stored::item_bytes(item).unwrap() as i64).sum();
        assert_eq!(opening.table.counted(), Counted { items: items.len() as i64, bytes });
        for index in indexes.iter() {
            let expected = counted.get(&index.schema.number).copied().unwrap_or_default();
            assert_eq!(index.counted(), expected, "{}", index.schema.name);
        }
    }
}

fn done(change: Change) -> Result<(Change, ()), AccessError> {
    Ok((change, ()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever was written, built, dropped and interrupted: indexes, their figures and the sizes of collections are
    /// what the items make of them.
    #[test]
    fn what_is_derived_from_items_is_always_what_they_make_of_it(
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            world.create_indexed().await;
            for step in steps {
                match step {
                    Step::Restart => world = world.restarted().await,
                    step => world.take(step).await,
                }
            }
            world.check().await;
        });
    }
}

/// Many items are there before the index is, and all of them are written to while it is built.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_is_built_under_writes_to_every_item() {
    let world = World::new().await;
    let table = world.create_indexed().await;
    let rows: Vec<(u8, u8)> = (0..20).flat_map(|pk| (0..40).map(move |sk| (pk, sk))).collect();
    for chunk in rows.chunks(25) {
        let changes = chunk.iter().map(|(pk, sk)| (row(*pk, *sk), Some(item(*pk, *sk, Some(1), None))));
        let opening = world.engine.access(&table, &caller()).await.unwrap();
        opening.table.change_all::<AccessError>(changes.collect()).await.unwrap();
    }
    world.take(Step::Build).await;
    for (position, (pk, sk)) in rows.iter().rev().enumerate() {
        let step = match position % 3 {
            0 => Step::Delete(*pk, *sk),
            1 => Step::Put(*pk, *sk, Some(2), None),
            _ => Step::Put(*pk, *sk, None, None),
        };
        let opening = world.engine.access(&table, &caller()).await.unwrap();
        // Not waited for one by one, so that the build and the writes take turns.
        let change = match step {
            Step::Put(pk, sk, g, n) => Change::Put(item(pk, sk, g, n)),
            _ => Change::Delete,
        };
        opening.table.change(&row(*pk, *sk), |_| done(change)).await.unwrap();
    }
    world.check().await;
}

#[tokio::test]
async fn a_collection_grows_to_its_limit_and_no_further() {
    let world = World::new().await;
    let table = world.create_indexed().await;
    let opening = world.engine.access(&table, &caller()).await.unwrap();
    // As if the partition held so much already.
    let collection = table.schema.collection_row(&row(1, 1)).unwrap();
    let mut batch = Batch::new();
    batch.put(&collection, (COLLECTION_BYTES_MAX - 20).to_be_bytes());
    opening.table.database().commit(batch).await.unwrap();
    let put = |pk, sk, n| {
        let opening = &opening;
        async move {
            let item = item(pk, sk, None, n);
            opening.table.change(&row(pk, sk), |_| Ok::<_, Refused>((Change::Put(item), ()))).await
        }
    };
    // An item of 8 bytes, or of 11 with an entry as large.
    assert!(matches!(put(1, 1, Some(1)).await, Err(Refused::Full)));
    assert_eq!(opening.table.read(&row(1, 1), true).await.unwrap(), None);
    assert!(put(1, 1, None).await.is_ok());
    assert!(put(1, 2, None).await.is_ok());
    assert!(matches!(put(1, 3, None).await, Err(Refused::Full)));
    assert!(put(2, 3, None).await.is_ok(), "another partition has room");
    let size = opening.table.collection_bytes(&row(1, 1)).await.unwrap();
    assert_eq!(size, Some(COLLECTION_BYTES_MAX - 4));
    opening.table.change(&row(1, 1), |_| done(Change::Delete)).await.unwrap();
    assert!(put(1, 3, None).await.is_ok(), "what was removed makes room");
}

#[derive(Debug)]
enum Refused {
    Full,
    Storage,
}

impl From<CollectionFull> for Refused {
    fn from(_: CollectionFull) -> Self {
        Self::Full
    }
}

impl From<AccessError> for Refused {
    fn from(_: AccessError) -> Self {
        Self::Storage
    }
}

impl From<StorageError> for Refused {
    fn from(_: StorageError) -> Self {
        Self::Storage
    }
}

/// The rows that older releases wrote have no indexes.
#[test]
fn a_record_without_indexes_is_read() {
    let row = serde_json::json!({
        "id": "0b5e0b5e-0000-4000-8000-000000000000", "name": "t", "account": "0", "region": "r", "created_millis": 0,
        "hash": ["pk", "S"], "range": null, "provisioned": null, "table_class": null, "deletion_protection": false,
        "tags": {}, "deleting": false, "protection": {"manager": "Service", "key_arn": "", "grants": []}, "switch": null,
        "inaccessible_millis": null, "keyring_version": 1, "manifest_id": 0, "switches_millis": [],
        "counted": {"items": 0, "bytes": 0},
    });
    let record = TableRecord::parse(row.to_string().as_bytes()).unwrap();
    assert_eq!((record.indexes.len(), record.next_index), (0, first_index()));
}
