//! The object store that a simulated server lives on.
//!
//! It numbers the calls from 1 and asks the plan what becomes of each. A disk
//! keeps what a successful put promised: a crash takes nothing that was answered
//! `Ok`. After a crash no call comes back; whoever runs the server drops it then.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryFutureExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
};
use strongroom_model::clock::Clock;
use tokio::sync::Notify;

use crate::clock::SimClock;
use crate::disk::Disk;
use crate::fault::{Failure, Fault, Plan};
use crate::history::History;
use crate::random::Dice;

// What is told of a call before it happens.
struct Call<'a> {
    name: &'static str,
    location: &'a Path,
    writes: bool,
    // What a torn write would have been.
    torn: Option<(PutPayload, PutMode)>,
}

impl<'a> Call<'a> {
    fn reads(name: &'static str, location: &'a Path) -> Self {
        Self { name, location, writes: false, torn: None }
    }

    fn writes(name: &'static str, location: &'a Path) -> Self {
        Self { name, location, writes: true, torn: None }
    }
}

/// One run's view of the disk; clones share it.
#[derive(Clone, Debug)]
pub struct FaultyStore(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    disk: Arc<Disk>,
    clock: Arc<SimClock>,
    plan: Plan,
    history: History,
    calls: AtomicU64,
    crashed: AtomicBool,
    crash: Notify,
}

impl FaultyStore {
    /// A store over `disk` whose calls go wrong as `plan` says.
    pub fn new(disk: Arc<Disk>, clock: Arc<SimClock>, plan: Plan, history: History) -> Self {
        Self(Arc::new(Shared {
            disk,
            clock,
            plan,
            history,
            calls: AtomicU64::new(0),
            crashed: AtomicBool::new(false),
            crash: Notify::new(),
        }))
    }

    /// How many calls were made.
    pub fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::Relaxed)
    }

    /// Comes back when the power has gone.
    pub async fn crashed(&self) {
        self.0.crash.notified().await;
    }

    /// Turns the power off from outside.
    pub fn crash(&self) {
        self.0.crashed.store(true, Ordering::Relaxed);
        self.0.crash.notify_one();
    }

    /// From now on things go wrong by chance, where the plan held that back.
    pub fn begin(&self) {
        self.0.plan.begin();
    }

    /// Nothing more goes wrong by chance from now on.
    pub fn mend(&self) {
        self.0.plan.mend();
    }

    async fn call<T>(&self, call: Call<'_>, effect: impl Future<Output = Result<T>>) -> Result<T> {
        let Call { location, writes, .. } = call;
        let latency_millis = self.0.plan.latency_millis();
        if latency_millis > 0 {
            tokio::time::sleep(Duration::from_millis(latency_millis)).await;
        }
        match self.next(&call).await {
            (_, None) => effect.await,
            (_, Some(Fault::Delay(millis))) => {
                // The effect comes somewhere in the middle.
                tokio::time::sleep(Duration::from_millis(millis / 2)).await;
                let done = effect.await;
                tokio::time::sleep(Duration::from_millis(millis - millis / 2)).await;
                self.unless_crashed().await;
                done
            }
            (_, Some(Fault::FailBefore(failure))) => Err(failure.error(location, writes)),
            (_, Some(Fault::FailAfter(failure))) => {
                effect.await?;
                Err(failure.error(location, writes))
            }
            (number, Some(Fault::Tear)) => {
                self.tear(call, number);
                Err(Failure::Final.error(location, writes))
            }
            (number, Some(Fault::TearAndCrash)) => {
                self.tear(call, number);
                self.power_goes().await
            }
            (_, Some(Fault::CrashBefore)) => self.power_goes().await,
            (_, Some(Fault::CrashAfter)) => {
                // Nobody hears how it ended.
                let _ = effect.await;
                self.power_goes().await
            }
        }
    }

    // Numbers the call and says what becomes of it.
    async fn next(&self, call: &Call<'_>) -> (u64, Option<Fault>) {
        self.unless_crashed().await;
        let number = self.0.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let fault = self.0.plan.fault(number);
        let told = fault.map(|fault| format!(": {fault:?}")).unwrap_or_default();
        self.0.history.write(format!("    store call {number} {} {}{told}", call.name, call.location));
        (number, fault)
    }

    // Leaves the first part of what was to be written. A write that would have been refused tears nothing.
    fn tear(&self, call: Call<'_>, number: u64) {
        let Some((payload, mode)) = call.torn else { return };
        if matches!(mode, PutMode::Create) && self.0.disk.paths().contains(call.location) {
            return;
        }
        let whole = Bytes::from(payload);
        let kept = Dice::new(number, "tear").below(whole.len().max(1) as u64);
        self.0.disk.write_damaged(call.location, whole.slice(..kept as usize));
        self.0.disk.wrote(call.location, self.now_millis());
    }

    async fn unless_crashed(&self) {
        if self.0.crashed.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }

    async fn power_goes<T>(&self) -> T {
        self.crash();
        std::future::pending().await
    }

    fn now_millis(&self) -> i64 {
        self.0.clock.now_millis()
    }

    fn dated(&self, meta: ObjectMeta) -> ObjectMeta {
        self.0.disk.dated(meta)
    }

    async fn put_whole(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let put = self.0.disk.objects().put_opts(location, payload, opts).await?;
        self.0.disk.wrote(location, self.now_millis());
        Ok(put)
    }
}

impl fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyStore")
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let name = match opts.mode {
            PutMode::Create => "create",
            PutMode::Overwrite => "put",
            PutMode::Update(_) => "update",
        };
        let torn = Some((payload.clone(), opts.mode.clone()));
        let call = Call { torn, ..Call::writes(name, location) };
        self.call(call, self.put_whole(location, payload, opts)).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let start = self.0.disk.objects().put_multipart_opts(location, opts);
        let inner = self.call(Call::writes("start upload of", location), start).await?;
        Ok(Box::new(FaultyUpload { inner, store: self.clone(), location: location.clone() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let name = if options.head { "head" } else { "get" };
        let found =
            self.call(Call::reads(name, location), self.0.disk.objects().get_opts(location, options)).await?;
        let meta = self.dated(found.meta.clone());
        Ok(GetResult { meta, ..found })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.call(Call::reads("get ranges of", location), self.0.disk.objects().get_ranges(location, ranges))
            .await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        locations
            .then(move |location| {
                let store = store.clone();
                async move {
                    let location = location?;
                    let effect = store.0.disk.objects().delete(&location);
                    store.call(Call::writes("delete", &location), effect).await?;
                    Ok(location)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(prefix, self.0.disk.objects().list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(prefix, self.0.disk.objects().list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let folder = prefix.cloned().unwrap_or_default();
        let effect = self.0.disk.objects().list_with_delimiter(prefix);
        let found = self.call(Call::reads("list folders of", &folder), effect).await?;
        let objects = found.objects.into_iter().map(|meta| self.dated(meta)).collect();
        Ok(ListResult { objects, ..found })
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.call(Call::writes("copy to", to), self.0.disk.objects().copy_opts(from, to, options)).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.call(Call::writes("rename to", to), self.0.disk.objects().rename_opts(from, to, options)).await
    }
}

impl FaultyStore {
    fn listed(
        &self,
        prefix: Option<&Path>,
        objects: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (store, folder) = (self.clone(), prefix.cloned().unwrap_or_default());
        let all = async move {
            let found: Vec<ObjectMeta> =
                store.call(Call::reads("list", &folder), objects.try_collect()).await?;
            Ok(stream::iter(found.into_iter().map(move |meta| Ok(store.dated(meta)))))
        };
        all.try_flatten_stream().boxed()
    }
}

/// An upload in parts: each part and its end are calls of their own.
#[derive(Debug)]
struct FaultyUpload {
    inner: Box<dyn MultipartUpload>,
    store: FaultyStore,
    location: Path,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let part = self.inner.put_part(data);
        let (store, location) = (self.store.clone(), self.location.clone());
        async move { store.call(Call::writes("put part of", &location), part).await }.boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let put = self.store.call(Call::writes("complete", &self.location), self.inner.complete()).await?;
        self.store.0.disk.wrote(&self.location, self.store.now_millis());
        Ok(put)
    }

    async fn abort(&mut self) -> Result<()> {
        self.store.call(Call::writes("abort", &self.location), self.inner.abort()).await
    }
}
