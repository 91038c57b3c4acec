#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod hanging_disk;
mod indexes;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::ObjectStore;
use serde_json::{Value, json};
use strongroom_model::attribute::{AttributeValue, Item};
use strongroom_model::clock::{Clock, Random};
use strongroom_model::key::kind;
use strongroom_model::stored;
use strongroom_seal::primitive::OsRandom;
use strongroom_seal::root::{PassphraseCost, Provider};
use strongroom_seal::secret::SecretBytes;

use super::*;
use crate::audit::Audit;
use crate::auth::{Caller, Principal, PrincipalKind};
use crate::kms::table_kms::TableKmsError;
use crate::kms::{Kms, LocalTableKms};
use crate::service::{Output, Request, kms as kms_api};
use crate::storage::{BlockCache, DataSetting, Place, StorageError, SystemStore};

// The tables here have no item collections, and what changes them fails for storage's reasons only.
impl From<CollectionFull> for AccessError {
    fn from(full: CollectionFull) -> Self {
        StorageError::Damaged(full.to_string()).into()
    }
}

#[derive(Debug)]
struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn now_millis(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

struct World {
    place: Arc<Place>,
    clock: Arc<HandClock>,
    kms: Arc<Kms>,
    engine: Arc<Engine>,
    system: SystemStore,
}

impl World {
    async fn new() -> Self {
        Self::over(Arc::new(Place::open(&DataSetting::Memory).unwrap())).await
    }

    async fn over(place: Arc<Place>) -> Self {
        let hand = Arc::new(HandClock(AtomicI64::new(1_800_000_000_000)));
        let clock: Arc<dyn Clock> = Arc::clone(&hand) as _;
        let random: Arc<dyn Random> = Arc::new(OsRandom);
        let cost = PassphraseCost { memory_kib: 8, passes: 1, lanes: 1 };
        let passphrase = Arc::new(SecretBytes::new(b"correct horse".to_vec()));
        let provider = Provider::Passphrase { passphrase, cost };
        let block_cache = Arc::new(BlockCache::new(1 << 20));
        let system =
            SystemStore::open(&place, &provider, Arc::clone(&block_cache), &*clock, &random).await.unwrap();
        let audit = Audit::open(system.clone(), Arc::clone(&clock), Arc::clone(&random)).await.unwrap();
        let kms = Kms::open(system.clone(), audit, Arc::clone(&clock), Arc::clone(&random)).await.unwrap();
        let engine = Engine::load(EngineParts {
            system: system.clone(),
            place: Arc::clone(&place),
            table_kms: Arc::new(LocalTableKms::new(Arc::clone(&kms))),
            kms: Arc::clone(&kms),
            kms_is_remote: false,
            push_key_state: true,
            clock,
            random,
            block_cache,
            item_cache_bytes: 1 << 20,
            callers: CallerRules {
                scope: CallerScope::Caller,
                renewal: Renewal::Ttl,
                renewal_millis: 300_000,
                outage_millis_max: 12 * 3_600_000,
            },
            idle_millis: 60_000,
            switches_per_day_max: 4,
            status_millis: 0,
        })
        .await
        .unwrap();
        engine.start();
        Self { place, clock: hand, kms, engine, system }
    }

    async fn restarted(self) -> Self {
        self.engine.close().await;
        self.system.close().await.unwrap();
        Self::over(self.place).await
    }

    async fn kms_call(&self, operation: &'static str, input: Value) -> Value {
        let input = input.into();
        let request =
            Request { caller: caller(), id: "id".into(), operation, input, reached: Default::default() };
        match kms_api::dispatch(&self.kms, &request).await.unwrap() {
            Output::Json(value) => value,
            Output::Bytes(bytes) => serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }

    async fn create_key(&self) -> String {
        self.kms_call("CreateKey", json!({})).await["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
    }

    async fn create_table(&self, name: &str, key: Option<&str>) -> Arc<Table> {
        self.engine.create(&caller(), new_table(name, key)).await.unwrap()
    }

    async fn put(&self, table: &Arc<Table>, key: &[u8], value: &[u8]) -> Result<(), AccessError> {
        let opening = self.engine.access(table, &caller()).await?;
        opening.table.change(key, |_| Ok::<_, AccessError>((Change::Put(value.to_vec()), ()))).await?;
        Ok(())
    }

    async fn read(&self, table: &Arc<Table>, key: &[u8]) -> Result<Option<Bytes>, AccessError> {
        let opening = self.engine.access(table, &caller()).await?;
        opening.table.read(key, true).await
    }

    async fn eventually(&self, mut done: impl FnMut() -> bool) {
        for _ in 0..400 {
            if done() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("it never happened");
    }

    async fn objects(&self, table: &Table) -> Vec<(String, Bytes)> {
        let folder = object_store::path::Path::from(table.record().folder());
        let found: Vec<_> = self.place.store.list(Some(&folder)).try_collect().await.unwrap();
        let mut objects = Vec::new();
        for meta in found {
            use object_store::ObjectStoreExt;
            let bytes = self.place.store.get(&meta.location).await.unwrap().bytes().await.unwrap();
            objects.push((meta.location.to_string(), bytes));
        }
        objects
    }
}

fn new_table(name: &str, key: Option<&str>) -> NewTable {
    NewTable {
        name: name.to_owned(),
        hash: ("pk".to_owned(), "S".to_owned()),
        range: None,
        provisioned: None,
        table_class: None,
        deletion_protection: false,
        tags: Default::default(),
        key: key.map(str::to_owned),
        indexes: Vec::new(),
        options: crate::engine::TableOptions::default(),
    }
}

fn caller() -> Caller {
    Caller {
        principal: Arc::new(Principal {
            kind: PrincipalKind::User,
            account: "000000000000".into(),
            arn: "arn:aws:iam::000000000000:user/alice".into(),
            principal_id: "AIDAALICE".into(),
            user_name: "alice".into(),
            access_key_id: "AKIAALICE".into(),
        }),
        region: "us-east-1".into(),
        source_ip: "127.0.0.1".into(),
        user_agent: "test".into(),
        connection: 1,
    }
}

fn refusal_code(error: &AccessError) -> &str {
    match error {
        AccessError::Key(TableKmsError::Refused { code, .. }) => code,
        other => panic!("not a refusal: {other}"),
    }
}

// The sixty seconds of the design, without the wire: disable the key, lose the table, have it back.
#[tokio::test]
async fn r52_r59_a_disabled_key_takes_the_table_away_and_gives_it_back() {
    let world = World::new().await;
    let key = world.create_key().await;
    let guarded = world.create_table("guarded", Some(&key)).await;
    let other = world.create_table("other", None).await;
    world.put(&guarded, b"a", b"1").await.unwrap();
    world.put(&other, b"a", b"2").await.unwrap();
    world.kms_call("DisableKey", json!({"KeyId": key})).await;
    let error = world.read(&guarded, b"a").await.unwrap_err();
    assert_eq!(refusal_code(&error), "DisabledException");
    assert!(world.put(&guarded, b"b", b"3").await.is_err());
    assert!(guarded.record().inaccessible_millis.is_some());
    assert_eq!(world.read(&other, b"a").await.unwrap().unwrap(), "2");
    world.kms_call("EnableKey", json!({"KeyId": key})).await;
    world.eventually(|| guarded.record().inaccessible_millis.is_none()).await;
    assert_eq!(world.read(&guarded, b"a").await.unwrap().unwrap(), "1");
    assert_eq!(world.read(&guarded, b"b").await.unwrap(), None);
}

// Nobody has to ask: the keys are wiped and the status is shown without a request.
#[tokio::test]
async fn r52_the_loss_is_noticed_without_a_request() {
    let world = World::new().await;
    let key = world.create_key().await;
    let table = world.create_table("guarded", Some(&key)).await;
    world.put(&table, b"a", b"1").await.unwrap();
    let opening = table.opening().unwrap();
    world.kms_call("ScheduleKeyDeletion", json!({"KeyId": key, "PendingWindowInDays": 7})).await;
    world.eventually(|| table.record().inaccessible_millis.is_some()).await;
    world.eventually(|| !opening.table.data_keys().is_open()).await;
    assert_eq!(refusal_code(&world.read(&table, b"a").await.unwrap_err()), "KMSInvalidStateException");
}

#[tokio::test]
async fn r42_a_revoked_grant_takes_the_table_away_and_another_key_heals_it() {
    let world = World::new().await;
    let (key, second) = (world.create_key().await, world.create_key().await);
    let table = world.create_table("guarded", Some(&key)).await;
    world.put(&table, b"a", b"1").await.unwrap();
    let grant = table.record().protection.grants[0].clone();
    world.kms_call("RevokeGrant", json!({"KeyId": key, "GrantId": grant})).await;
    world.eventually(|| table.record().inaccessible_millis.is_some()).await;
    assert_eq!(refusal_code(&world.read(&table, b"a").await.unwrap_err()), "AccessDeniedException");
    world.engine.switch_key(&table, &caller(), Some(&second)).await.unwrap();
    world.eventually(|| table.record().switch.is_none()).await;
    // Nobody has to ask for an item first.
    assert_eq!(table.record().inaccessible_millis, None);
    assert_eq!(world.read(&table, b"a").await.unwrap().unwrap(), "1");
}

// The text is that of the key's state now, not of the state in which the first request was refused.
#[tokio::test]
async fn r52_a_refusal_follows_the_state_of_the_key() {
    let world = World::new().await;
    let key = world.create_key().await;
    let table = world.create_table("guarded", Some(&key)).await;
    world.put(&table, b"a", b"1").await.unwrap();
    world.kms_call("DisableKey", json!({"KeyId": key})).await;
    assert_eq!(refusal_code(&world.read(&table, b"a").await.unwrap_err()), "DisabledException");
    world.kms_call("ScheduleKeyDeletion", json!({"KeyId": key, "PendingWindowInDays": 7})).await;
    assert_eq!(refusal_code(&world.read(&table, b"a").await.unwrap_err()), "KMSInvalidStateException");
    world.kms_call("CancelKeyDeletion", json!({"KeyId": key})).await;
    assert_eq!(refusal_code(&world.read(&table, b"a").await.unwrap_err()), "DisabledException");
}

// A key that was lost between the request and the work must not hold the table for ever.
#[tokio::test]
async fn r13_a_switch_to_a_key_that_is_refused_is_given_up() {
    let world = World::new().await;
    let (key, lost) = (world.create_key().await, world.create_key().await);
    let table = world.create_table("guarded", Some(&key)).await;
    world.put(&table, b"a", b"1").await.unwrap();
    let to = Protection {
        manager: crate::kms::table_kms::KeyManager::Customer,
        key_arn: lost.clone(),
        grants: Vec::new(),
    };
    world.kms_call("DisableKey", json!({"KeyId": lost})).await;
    let switch = Some(record::Switch::To(to));
    world.engine.change_record(&table, |record| TableRecord { switch, ..record }).await.unwrap();
    world.engine.step().await;
    assert_eq!(table.record().switch, None);
    assert_eq!(table.record().protection.key_arn, key);
    assert_eq!(world.read(&table, b"a").await.unwrap().unwrap(), "1");
    world.engine.switch_key(&table, &caller(), None).await.unwrap();
    world.eventually(|| table.record().switch.is_none()).await;
    assert_eq!(world.read(&table, b"a").await.unwrap().unwrap(), "1");
}

// A switch re-wraps the keyring and touches no data object.
#[tokio::test]
async fn r16_a_switch_rewrites_no_data() {
    let world = World::new().await;
    let key = world.create_key().await;
    let table = world.create_table("books", None).await;
    for number in 0..50_u32 {
        world.put(&table, &number.to_be_bytes(), b"value").await.unwrap();
    }
    let before = world.objects(&table).await;
    world.engine.switch_key(&table, &caller(), Some(&key)).await.unwrap();
    world.eventually(|| table.record().switch.is_none()).await;
    assert_eq!(table.record().protection.key_arn, key);
    let after = world.objects(&table).await;
    for (path, bytes) in before.iter().filter(|(path, _)| !path.contains("/keyring/")) {
        assert_eq!(
            after.iter().find(|(other, _)| other == path).map(|(_, bytes)| bytes),
            Some(bytes),
            "{path}"
        );
    }
    assert_eq!(world.read(&table, &7_u32.to_be_bytes()).await.unwrap().unwrap(), "value");
    world.put(&table, b"new", b"under the new key").await.unwrap();
    // The old key is not needed any more, after a restart either.
    let world = world.restarted().await;
    let table = world.engine.table(&"000000000000".into(), &"us-east-1".into(), "books").unwrap();
    assert_eq!(world.read(&table, b"new").await.unwrap().unwrap(), "under the new key");
    assert_eq!(world.read(&table, &7_u32.to_be_bytes()).await.unwrap().unwrap(), "value");
}

// Five minutes after its Decrypt a caller is asked about again; in between never.
#[tokio::test]
async fn r22_r23_a_caller_costs_one_decrypt_in_five_minutes() {
    let world = World::new().await;
    let key = world.create_key().await;
    let table = world.create_table("guarded", Some(&key)).await;
    for _ in 0..100 {
        world.read(&table, b"a").await.unwrap();
        world.clock.0.fetch_add(2_990, Ordering::Relaxed);
    }
    assert_eq!(world.kms.calls(&key, "Decrypt"), 1);
    world.clock.0.fetch_add(1_000, Ordering::Relaxed);
    world.read(&table, b"a").await.unwrap();
    assert_eq!(world.kms.calls(&key, "Decrypt"), 2);
}

#[tokio::test]
async fn an_idle_table_is_closed_and_opens_again() {
    let world = World::new().await;
    let table = world.create_table("sleepy", None).await;
    world.put(&table, b"a", b"1").await.unwrap();
    let opening = table.opening().unwrap();
    world.clock.0.fetch_add(61_000, Ordering::Relaxed);
    let closing = {
        let engine = Arc::clone(&world.engine);
        tokio::spawn(async move { engine.step().await })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    // A request that holds the table finishes first.
    assert!(opening.table.data_keys().is_open());
    let keys = Arc::clone(opening.table.data_keys());
    drop(opening);
    closing.await.unwrap();
    world.eventually(|| !keys.is_open()).await;
    assert_eq!(world.read(&table, b"a").await.unwrap().unwrap(), "1");
}

#[tokio::test]
async fn a_deleted_table_leaves_nothing_behind() {
    let world = World::new().await;
    let key = world.create_key().await;
    let table = world.create_table("books", Some(&key)).await;
    world.put(&table, b"a", b"1").await.unwrap();
    world.engine.delete(&table).await.unwrap();
    assert!(world.objects(&table).await.is_empty());
    assert!(world.engine.table(&"000000000000".into(), &"us-east-1".into(), "books").is_none());
    let grants = world.kms_call("ListGrants", json!({"KeyId": key})).await;
    assert_eq!(grants["Grants"], json!([]));
    assert!(matches!(world.read(&table, b"a").await, Err(AccessError::NotFound)));
}

// A refused condition must not be told before what it saw is durable; a burst shares flushes.
#[tokio::test]
async fn writers_of_one_key_see_each_other_and_share_flushes() {
    let world = World::new().await;
    let table = world.create_table("counter", None).await;
    let opening = world.engine.access(&table, &caller()).await.unwrap();
    let mut writers = Vec::new();
    for _ in 0..64 {
        let opening = Arc::clone(&opening);
        writers.push(tokio::spawn(async move {
            for _ in 0..10 {
                opening
                    .table
                    .change(b"n", |before| {
                        let number =
                            before.map_or(0, |bytes| u32::from_be_bytes(bytes[..].try_into().unwrap()));
                        Ok::<_, AccessError>((Change::Put((number + 1).to_be_bytes().to_vec()), ()))
                    })
                    .await
                    .unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let total = world.read(&table, b"n").await.unwrap().unwrap();
    assert_eq!(u32::from_be_bytes(total[..].try_into().unwrap()), 640);
}

// A filter that forgot a key would take an item that is there for a new one: the table's size would be wrong, and a
// condition would hold that must not.
#[tokio::test]
async fn a_filter_of_keys_knows_what_was_written_before_beside_and_after_its_scan() {
    let world = World::new().await;
    let table = world.create_table("filtered", None).await;
    let key = |number: u32| [&[kind::ITEM][..], &number.to_be_bytes()].concat();
    let value = stored::encode(&Item::new()).unwrap();
    let exists = async |number: u32| {
        let opening = world.engine.access(&table, &caller()).await.unwrap();
        let before = |before: Option<&Bytes>| Ok::<_, AccessError>((Change::Keep, before.is_some()));
        opening.table.change(&key(number), before).await.unwrap()
    };
    for number in 0..3_000 {
        world.put(&table, &key(number), &value).await.unwrap();
    }
    // The opening that scans has none of them in its cache.
    world.clock.0.fetch_add(60_000, Ordering::Relaxed);
    while table.opening().is_some() {
        world.engine.step().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for number in 100_000..100_200 {
        assert!(!exists(number).await);
    }
    let opening = table.opening().unwrap();
    assert!(!opening.table.filter_excludes(&key(200_000)));
    let writer = async {
        for number in 3_000..4_000 {
            world.put(&table, &key(number), &value).await.unwrap();
        }
    };
    tokio::join!(world.engine.step(), writer);
    world.eventually(|| opening.table.filter_excludes(&key(200_000))).await;
    for batch in (4_000..5_000).collect::<Vec<u32>>().chunks(25) {
        let puts = batch.iter().map(|number| (key(*number), Some(value.clone()))).collect();
        opening.table.change_all::<AccessError>(puts).await.unwrap();
    }
    assert!((0..5_000).all(|number| !opening.table.filter_excludes(&key(number))));
    for number in 0..5_000 {
        world.put(&table, &key(number), &value).await.unwrap();
        assert!(exists(number).await, "{number}");
    }
    assert_eq!(opening.table.counted().items, 5_000);
    let excluded = (100_000..101_000).filter(|number| opening.table.filter_excludes(&key(*number))).count();
    assert!(excluded > 950, "{excluded}");
}

// A request that has the table already when its key goes: it answers what every later one answers, and has done nothing.
#[tokio::test]
async fn r52_requests_under_way_name_the_key_too() {
    let world = World::new().await;
    let key = world.create_key().await;
    let table = world.create_table("guarded", Some(&key)).await;
    for number in 0..3_u8 {
        world.put(&table, &[number], b"1").await.unwrap();
    }
    let opening = world.engine.access(&table, &caller()).await.unwrap();
    let range = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
    let mut rows = opening.table.rows(range.clone(), crate::storage::Order::Ascending, true).await.unwrap();
    rows.next().await.unwrap().unwrap();
    world.kms_call("DisableKey", json!({"KeyId": key})).await;
    world.eventually(|| !opening.table.data_keys().is_open()).await;
    let put = opening.table.change(b"new", |_| Ok::<_, AccessError>((Change::Put(b"2".to_vec()), ()))).await;
    assert_eq!(refusal_code(&put.unwrap_err()), "DisabledException");
    let put_all = opening.table.change_all::<AccessError>(vec![(b"new".to_vec(), Some(b"2".to_vec()))]).await;
    assert_eq!(refusal_code(&put_all.err().unwrap()), "DisabledException");
    // What memory still holds may be read; what fails says why.
    for number in 0..3_u8 {
        if let Err(error) = opening.table.read(&[number], true).await {
            assert_eq!(refusal_code(&error), "DisabledException");
        }
    }
    let scanned = opening
        .table
        .visit::<AccessError>(range, crate::storage::Order::Ascending, true, |_, _| Ok(true))
        .await;
    if let Err(error) = scanned {
        assert_eq!(refusal_code(&error), "DisabledException");
    }
    drop(rows);
    drop(opening);
    world.kms_call("EnableKey", json!({"KeyId": key})).await;
    world.eventually(|| table.record().inaccessible_millis.is_none()).await;
    assert_eq!(world.read(&table, b"new").await.unwrap(), None);
}

// An engine whose disk failed has been replaced: a request that it still serves must not open the table, for that would
// close it for the new one.
#[tokio::test]
async fn an_engine_that_was_replaced_opens_nothing() {
    let world = World::new().await;
    let table = world.create_table("books", None).await;
    world.put(&table, b"a", b"1").await.unwrap();
    let opening = world.engine.access(&table, &caller()).await.unwrap();
    world.engine.abandon().await;
    let unavailable =
        |error: &AccessError| matches!(error, AccessError::Storage(StorageError::Unavailable(_)));
    let put = opening.table.change(b"b", |_| Ok::<_, AccessError>((Change::Put(b"2".to_vec()), ()))).await;
    assert!(unavailable(&put.unwrap_err()));
    assert!(unavailable(&world.read(&table, b"a").await.unwrap_err()));
    assert!(table.opening().is_none());
}

// Two switches, one after the other before the first is done: the second starts from the key that the first one leads to,
// not from the key that the table had when it was asked for.
#[tokio::test]
async fn r13_a_switch_starts_from_the_key_that_the_table_has_in_its_turn() {
    let world = World::new().await;
    let [first, second, third] =
        [world.create_key().await, world.create_key().await, world.create_key().await];
    let table = world.create_table("guarded", Some(&first)).await;
    world.put(&table, b"a", b"1").await.unwrap();
    let asked = world.kms.calls(&first, "Decrypt");
    let turn = table.turn.lock().await;
    let spawn_switch = |key: String| {
        let (engine, table) = (Arc::clone(&world.engine), Arc::clone(&table));
        tokio::spawn(async move { engine.switch_key(&table, &caller(), Some(&key)).await.map(drop) })
    };
    // Each stands in the line for the table's turn before the next one comes.
    let to_second = spawn_switch(second.clone());
    tokio::time::sleep(Duration::from_millis(30)).await;
    let finishing = {
        let (engine, table) = (Arc::clone(&world.engine), Arc::clone(&table));
        tokio::spawn(async move { engine.finish_switch(&table, None).await })
    };
    tokio::time::sleep(Duration::from_millis(30)).await;
    let to_third = spawn_switch(third.clone());
    tokio::time::sleep(Duration::from_millis(30)).await;
    drop(turn);
    to_second.await.unwrap().unwrap();
    finishing.await.unwrap();
    to_third.await.unwrap().unwrap();
    world.eventually(|| table.record().switch.is_none()).await;
    assert_eq!(table.record().protection.key_arn, third);
    // On the caller's behalf for the first switch, and by the service to carry it through; the second switch asked the
    // second key. A table key that does not open the keyring any more would have cost another try.
    assert_eq!(world.kms.calls(&first, "Decrypt"), asked + 2);
    assert_eq!(world.kms.calls(&third, "GenerateDataKey"), 1);
    assert_eq!(world.read(&table, b"a").await.unwrap().unwrap(), "1");
}

// The news of a key that is disabled while a table is being made under it comes before the table is in the catalogue.
#[tokio::test]
async fn r52_a_key_that_is_disabled_while_a_table_is_made_is_noticed() {
    let world = Arc::new(World::new().await);
    for delay_micros in (0..4_000).step_by(150) {
        let key = world.create_key().await;
        let name = format!("made-{delay_micros}");
        let making = {
            let (world, key, name) = (Arc::clone(&world), key.clone(), name.clone());
            tokio::spawn(
                async move { world.engine.create(&caller(), new_table(&name, Some(&key))).await.ok() },
            )
        };
        tokio::time::sleep(Duration::from_micros(delay_micros)).await;
        world.kms_call("DisableKey", json!({"KeyId": key})).await;
        if let Some(table) = making.await.unwrap() {
            world.eventually(|| table.record().inaccessible_millis.is_some()).await;
            world.kms_call("EnableKey", json!({"KeyId": key})).await;
            world.eventually(|| table.record().inaccessible_millis.is_none()).await;
        } else {
            assert!(world.engine.table(&"000000000000".into(), &"us-east-1".into(), &name).is_none());
        }
    }
}

// A switch ends while the old key is disabled, or the new one: what is shown afterwards is true of the key that the
// table is under then.
#[tokio::test]
async fn r14_r52_a_key_that_is_disabled_at_the_end_of_a_switch_marks_only_its_own_tables() {
    let world = World::new().await;
    for round in 0..24_u64 {
        let [old, new] = [world.create_key().await, world.create_key().await];
        let table = world.create_table(&format!("switched-{round}"), Some(&old)).await;
        world.put(&table, b"a", b"1").await.unwrap();
        // To another key, and to the service's own.
        let to = (round % 3 != 0).then_some(new.as_str());
        world.engine.switch_key(&table, &caller(), to).await.unwrap();
        tokio::time::sleep(Duration::from_micros(round * 100)).await;
        let lost = if round % 2 == 0 { &old } else { &new };
        world.kms_call("DisableKey", json!({"KeyId": lost})).await;
        world.eventually(|| table.record().switch.is_none()).await;
        let under_lost = || table.record().protection.key_arn == *lost;
        world.eventually(|| table.record().inaccessible_millis.is_some() == under_lost()).await;
        // It stays so: no news is still on its way.
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(table.record().inaccessible_millis.is_some(), under_lost(), "round {round}");
        assert_eq!(world.read(&table, b"a").await.is_err(), under_lost());
        world.kms_call("EnableKey", json!({"KeyId": lost})).await;
        world.eventually(|| table.record().inaccessible_millis.is_none()).await;
        assert_eq!(world.read(&table, b"a").await.unwrap().unwrap(), "1");
    }
}

// The news comes while the table is being opened with the key: what was opened goes, though nobody asks.
#[tokio::test]
async fn r52_a_key_that_is_disabled_while_its_table_is_opened_leaves_nothing_open() {
    let world = Arc::new(World::new().await);
    let key = world.create_key().await;
    let table = world.create_table("opened", Some(&key)).await;
    world.put(&table, b"a", b"1").await.unwrap();
    for delay_micros in (0..3_000).step_by(150) {
        world.clock.0.fetch_add(60_000, Ordering::Relaxed);
        world.engine.step().await;
        let reading = {
            let (world, table) = (Arc::clone(&world), Arc::clone(&table));
            tokio::spawn(async move { world.read(&table, b"a").await })
        };
        tokio::time::sleep(Duration::from_micros(delay_micros)).await;
        world.kms_call("DisableKey", json!({"KeyId": key})).await;
        let _ = reading.await.unwrap();
        world.eventually(|| table.record().inaccessible_millis.is_some() && table.opening().is_none()).await;
        world.kms_call("EnableKey", json!({"KeyId": key})).await;
        world.eventually(|| table.record().inaccessible_millis.is_none()).await;
    }
}

// Rows on their way to the disk are in memory several times, so there must not be any number of them in one batch.
#[tokio::test]
async fn a_large_batch_is_written_in_parts() {
    let world = World::new().await;
    let table = world.create_table("large", None).await;
    let opening = world.engine.access(&table, &caller()).await.unwrap();
    let puts = (0..25_u8).map(|number| (vec![kind::ITEM, number], Some(vec![number; 3 << 20]))).collect();
    let changed = opening.table.change_all::<AccessError>(puts).await.unwrap();
    assert_eq!(changed.len(), 25);
    let mut sequences = Vec::new();
    for number in 0..25_u8 {
        let row = opening.table.database().get_with_sequence(&[kind::ITEM, number]).await.unwrap();
        let (item, sequence) = row.unwrap();
        assert!(
            item.len() == 3 << 20 && item[0] == number && changed[usize::from(number)].after == Some(item)
        );
        sequences.push(sequence);
    }
    sequences.dedup();
    // Two items of 3 MiB fit a part of 8 MiB.
    assert_eq!(sequences.len(), 13);
}

// INVARIANT (a refusal did nothing): once a part is written, the loss of the table's key is no refusal any more.
#[tokio::test]
async fn a_key_lost_between_the_parts_of_a_batch_is_no_refusal() {
    let world = World::new().await;
    let table = world.create_table("large", None).await;
    let opening = world.engine.access(&table, &caller()).await.unwrap();
    // Of two latches.
    let key = |number: u8| vec![kind::ITEM, number, 0, 0, 0];
    let puts = [1, 2].map(|number| (key(number), Some(vec![0; 5 << 20])));
    let latch = opening.table.latches.of(&key(2)).lock().await;
    let batch = opening.table.change_all::<AccessError>(puts.into());
    let loss = async {
        world.eventually(|| opening.table.counted().items == 1).await;
        opening.table.refuse_writes(AccessError::NotFound);
        drop(latch);
    };
    let (written, ()) = tokio::join!(batch, loss);
    assert!(matches!(written, Err(AccessError::Storage(StorageError::Closed(_)))));
}

// The figures of a record may be a minute old when the server is killed. They are put right beside the requests, whatever
// is written meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_was_not_closed_is_counted_anew_under_writes() {
    let world = World::new().await;
    let table = world.create_table("counted", None).await;
    let key = |number: u32| [&[kind::ITEM][..], &number.to_be_bytes()].concat();
    let value = stored::encode(&Item::from([("pk".to_owned(), AttributeValue::S("a".to_owned()))])).unwrap();
    for batch in (0..5_000).collect::<Vec<u32>>().chunks(100) {
        let puts = batch.iter().map(|number| (key(*number), Some(value.clone()))).collect();
        let opening = world.engine.access(&table, &caller()).await.unwrap();
        opening.table.change_all::<AccessError>(puts).await.unwrap();
    }
    world.engine.abandon().await;
    world.system.close().await.unwrap();
    let world = World::over(world.place).await;
    let table = world.engine.table(&"000000000000".into(), &"us-east-1".into(), "counted").unwrap();
    let opening = world.engine.access(&table, &caller()).await.unwrap();
    let remove = async |number: u32| {
        opening.table.change(&key(number), |_| Ok::<_, AccessError>((Change::Delete, ()))).await.unwrap();
    };
    // More are removed than the record knows of.
    for number in 0..10 {
        remove(number).await;
    }
    assert_eq!(opening.table.counted().items, 0);
    world.engine.recount(&table);
    for number in (10..2_000).step_by(2) {
        remove(number).await;
        world.put(&table, &key(number + 10_000), &value).await.unwrap();
    }
    world.eventually(|| opening.table.exactness.is_exact()).await;
    let bytes = 4_990 * stored::item_bytes(&value).unwrap() as i64;
    assert_eq!(opening.table.counted(), Counted { items: 4_990, bytes });
    drop(opening);
    // Closed, its figures are exact, and the next opening counts nothing.
    let world = world.restarted().await;
    let table = world.engine.table(&"000000000000".into(), &"us-east-1".into(), "counted").unwrap();
    assert_eq!(table.record().counted.items, 4_990);
    assert!(world.engine.access(&table, &caller()).await.unwrap().table.exactness.is_exact());
}

// The next opening counts, and the record after it.
#[tokio::test]
async fn figures_kept_at_the_loss_of_a_key_are_told_until_the_next_opening() {
    let world = World::new().await;
    let table = world.create_table("kept", None).await;
    let value = stored::encode(&Item::from([("pk".to_owned(), AttributeValue::S("a".to_owned()))])).unwrap();
    world.put(&table, &[kind::ITEM, 1], &value).await.unwrap();
    let opening = table.set_opening(None).unwrap();
    table.keep_counts(&opening.table);
    opening.table.abandon(AccessError::NotFound).await;
    assert_eq!((table.counted().items, table.record().counted.items), (1, 0));
    world.engine.access(&table, &caller()).await.unwrap();
    drop(table.set_opening(None));
    assert_eq!(table.counted(), table.record().counted);
}
