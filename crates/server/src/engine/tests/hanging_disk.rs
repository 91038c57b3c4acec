//! The loss of a key while the disk hangs at a table's objects: nobody waits for the disk to be told of the key.

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, RenameOptions, Result,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::*;
use crate::engine::access::grant_missing;
use crate::storage::Doors;

/// A disk at which calls hang for objects of chosen folders, as long as it is told to.
#[derive(Clone, Debug)]
struct HangingDisk {
    objects: Arc<InMemory>,
    hanging: watch::Sender<Vec<String>>,
    held: watch::Sender<usize>,
}

impl HangingDisk {
    fn new() -> Self {
        Self { objects: Arc::default(), hanging: watch::Sender::new(Vec::new()), held: watch::Sender::new(0) }
    }

    /// From now on no opening of these tables comes further than to its key.
    fn hang(&self, tables: &[&Arc<Table>]) {
        let manifests = tables.iter().map(|table| format!("{}/manifest", table.record().folder()));
        self.hanging.send_replace(manifests.collect());
    }

    fn mend(&self) {
        self.hanging.send_replace(Vec::new());
    }

    /// Returns when so many calls hang.
    async fn holds(&self, calls: usize) {
        self.held.subscribe().wait_for(|held| *held == calls).await.unwrap();
    }

    async fn passed(&self, location: &Path) {
        let hangs =
            |folders: &Vec<String>| folders.iter().any(|folder| location.as_ref().starts_with(folder));
        if hangs(&self.hanging.borrow()) {
            self.held.send_modify(|held| *held += 1);
            self.hanging.subscribe().wait_for(|folders| !hangs(folders)).await.unwrap();
            self.held.send_modify(|held| *held -= 1);
        }
    }
}

impl fmt::Display for HangingDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HangingDisk")
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for HangingDisk {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.passed(location).await;
        self.objects.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.passed(location).await;
        self.objects.put_multipart_opts(location, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.passed(location).await;
        self.objects.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.passed(location).await;
        self.objects.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.objects.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (disk, prefix) = (self.clone(), prefix.cloned());
        let listed = self.objects.list(prefix.as_ref());
        futures::stream::once(async move { disk.passed(&prefix.unwrap_or_default()).await })
            .flat_map(move |()| futures::stream::empty())
            .chain(listed)
            .boxed()
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.objects.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.objects.copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.objects.rename_opts(from, to, options).await
    }
}

async fn world_over(disk: &HangingDisk) -> Arc<World> {
    let place = Place::over(Arc::new(disk.clone()), Doors::default());
    Arc::new(World::over(Arc::new(place)).await)
}

fn spawn_read(world: &Arc<World>, table: &Arc<Table>) -> JoinHandle<Result<Option<Bytes>, AccessError>> {
    let (world, table) = (Arc::clone(world), Arc::clone(table));
    tokio::spawn(async move { world.read(&table, b"a").await })
}

/// Why a request was refused, which it is within two seconds.
async fn refusal(request: JoinHandle<Result<Option<Bytes>, AccessError>>) -> TableKmsError {
    let answer = tokio::time::timeout(Duration::from_secs(2), request).await.expect("it waits for the disk");
    match answer.unwrap() {
        Err(AccessError::Key(refusal @ TableKmsError::Refused { .. })) => refusal,
        other => panic!("it is not refused: {other:?}"),
    }
}

/// A table with a row in it that is not open.
async fn closed_table(world: &World, name: &str, key: &str) -> Arc<Table> {
    let table = world.create_table(name, Some(key)).await;
    world.put(&table, b"a", b"1").await.unwrap();
    world.clock.0.fetch_add(60_000, Ordering::Relaxed);
    world.engine.step().await;
    assert!(table.opening().is_none());
    table
}

// One request is opening the table, at a disk that hangs; another waits for the same, and a third comes after the key has
// been disabled. All three hear of the key, and not from the disk.
#[tokio::test(start_paused = true)]
async fn r52_nobody_waits_for_a_hanging_disk_to_hear_of_a_lost_key() {
    let disk = HangingDisk::new();
    let world = world_over(&disk).await;
    let key = world.create_key().await;
    let table = closed_table(&world, "guarded", &key).await;
    let asked = world.kms.calls(&key, "Decrypt");
    disk.hang(&[&table]);
    let opener = spawn_read(&world, &table);
    disk.holds(1).await;
    let waiter = spawn_read(&world, &table);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!opener.is_finished() && !waiter.is_finished(), "a disk that hangs is no refusal");
    world.kms_call("DisableKey", json!({"KeyId": key})).await;
    let newcomer = spawn_read(&world, &table);
    for request in [opener, waiter, newcomer] {
        assert_eq!(refusal(request).await.to_string(), format!("DisabledException: {key} is disabled."));
    }
    // Only the opener has asked the key service, before the key was disabled.
    assert_eq!(world.kms.calls(&key, "Decrypt"), asked + 1);
    disk.holds(1).await;
    disk.mend();
    world.eventually(|| table.record().inaccessible_millis.is_some()).await;
    assert!(table.opening().is_none());
    assert_eq!(world.kms.calls(&key, "Decrypt"), asked + 1);
    world.kms_call("EnableKey", json!({"KeyId": key})).await;
    world.eventually(|| table.record().inaccessible_millis.is_none()).await;
    assert_eq!(world.read(&table, b"a").await.unwrap().unwrap(), "1");
}

// The same for a grant that is revoked, which the table needs as much.
#[tokio::test(start_paused = true)]
async fn r42_nobody_waits_for_a_hanging_disk_to_hear_of_a_lost_grant() {
    let disk = HangingDisk::new();
    let world = world_over(&disk).await;
    let key = world.create_key().await;
    let table = closed_table(&world, "guarded", &key).await;
    disk.hang(&[&table]);
    let opener = spawn_read(&world, &table);
    disk.holds(1).await;
    let grant = table.record().protection.grants[0].clone();
    world.kms_call("RevokeGrant", json!({"KeyId": key, "GrantId": grant})).await;
    for request in [opener, spawn_read(&world, &table)] {
        assert_eq!(refusal(request).await.to_string(), grant_missing(&table.record()).to_string());
    }
    disk.mend();
    world.eventually(|| table.record().inaccessible_millis.is_some()).await;
    assert!(table.opening().is_none());
}

// The key is disabled when the opening has its table key already, and the disk is back before anybody looks: the opening
// succeeds, and must not be handed out.
#[tokio::test(start_paused = true)]
async fn r52_an_opening_whose_key_was_lost_meanwhile_is_handed_to_nobody() {
    let disk = HangingDisk::new();
    let world = world_over(&disk).await;
    let key = world.create_key().await;
    let table = closed_table(&world, "guarded", &key).await;
    disk.hang(&[&table]);
    let (opener, waiter) = (spawn_read(&world, &table), spawn_read(&world, &table));
    disk.holds(1).await;
    world.kms_call("DisableKey", json!({"KeyId": key})).await;
    disk.mend();
    for request in [opener, waiter] {
        assert_eq!(refusal(request).await.to_string(), format!("DisabledException: {key} is disabled."));
        assert!(table.opening().is_none());
    }
    world.eventually(|| table.record().inaccessible_millis.is_some()).await;
}

// More tables than are looked at at once hang at the disk when the key that they share with others is disabled. What is open
// is wiped all the same, and a second key's loss is followed too. Nobody asks for anything.
#[tokio::test(start_paused = true)]
async fn r52_tables_that_hang_keep_no_other_from_being_wiped() {
    let disk = HangingDisk::new();
    let world = world_over(&disk).await;
    let (key, other_key) = (world.create_key().await, world.create_key().await);
    let mut hanging = Vec::new();
    for number in 0..40 {
        hanging.push(world.create_table(&format!("hanging-{number}"), Some(&key)).await);
    }
    let open = world.create_table("open", Some(&key)).await;
    let other = world.create_table("other", Some(&other_key)).await;
    for table in [&open, &other] {
        world.put(table, b"a", b"1").await.unwrap();
    }
    let keys_of = |table: &Arc<Table>| Arc::clone(table.opening().unwrap().table.data_keys());
    let (open_keys, other_keys) = (keys_of(&open), keys_of(&other));
    disk.hang(&hanging.iter().collect::<Vec<_>>());
    let openers: Vec<_> = hanging.iter().map(|table| spawn_read(&world, table)).collect();
    disk.holds(40).await;
    world.kms_call("DisableKey", json!({"KeyId": key})).await;
    world.eventually(|| !open_keys.is_open()).await;
    world.kms_call("DisableKey", json!({"KeyId": other_key})).await;
    world.eventually(|| !other_keys.is_open() && other.record().inaccessible_millis.is_some()).await;
    for opener in openers {
        refusal(opener).await;
    }
    disk.holds(40).await;
    disk.mend();
    world.eventually(|| hanging.iter().all(|table| table.record().inaccessible_millis.is_some())).await;
    assert!(open.record().inaccessible_millis.is_some());
}

// One table that hangs does not keep another of the same key from being shown as inaccessible.
#[tokio::test(start_paused = true)]
async fn r52_a_table_that_hangs_keeps_no_other_from_being_marked() {
    let disk = HangingDisk::new();
    let world = world_over(&disk).await;
    let key = world.create_key().await;
    let hanging = closed_table(&world, "a", &key).await;
    let others = [closed_table(&world, "b", &key).await, closed_table(&world, "c", &key).await];
    disk.hang(&[&hanging]);
    let opener = spawn_read(&world, &hanging);
    disk.holds(1).await;
    world.kms_call("DisableKey", json!({"KeyId": key})).await;
    world.eventually(|| others.iter().all(|table| table.record().inaccessible_millis.is_some())).await;
    refusal(opener).await;
    assert!(hanging.record().inaccessible_millis.is_none());
    disk.mend();
    world.eventually(|| hanging.record().inaccessible_millis.is_some()).await;
}
