//! The parts joined: storage, key service, audit trail, engine and the services above them.
//!
//! A final failure of its disk closes the system store for good, and memory may then be
//! behind what its log holds. So new parts are loaded from a new opening of it, and take the
//! place of the old ones between two requests.

mod parts;

use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use strongroom_model::clock::{Clock, Random};
use strongroom_seal::root::Provider;
use tokio::task::JoinHandle;

pub use self::parts::Parts;
use crate::engine::CallerRules;
use crate::kms::KeyCalls;
use crate::kms::ca_bundle::CaBundleError;
use crate::service::{Output, Request, cloudtrail, dynamodb, kms, sts};
use crate::storage::system::SystemError;
use crate::storage::{BlockCache, Place, PlaceError, StorageError, SystemStore};
use crate::wire::{ApiError, Dispatch, Service};

/// A server's parts, running; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    place: Arc<Place>,
    block_cache: Arc<BlockCache>,
    options: AppOptions,
    parts: RwLock<Arc<Parts>>,
    resuming: Mutex<Option<JoinHandle<()>>>,
}

/// What an app is opened with.
pub struct AppOptions {
    /// What seals the root key.
    pub root: Provider,
    /// The endpoint of another key service for customers' keys.
    pub kms_endpoint: Option<String>,
    /// The rules of the table-key cache.
    pub callers: CallerRules,
    /// Whether a change of a key's state bites at once.
    pub push_key_state: bool,
    /// Memory for items, bytes.
    pub item_cache_bytes: u64,
    /// Memory for decrypted blocks, bytes.
    pub block_cache_bytes: u64,
    /// How long a table may be unused before it is closed, milliseconds.
    pub idle_millis: i64,
    /// Changes of a table's key in 24 hours.
    pub switches_per_day_max: usize,
    /// How long the statuses of tables that pass are shown, milliseconds.
    pub status_millis: i64,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The random source.
    pub random: Arc<dyn Random>,
}

/// Why an app does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The root key or the system store.
    #[error(transparent)]
    System(#[from] SystemError),
    /// Another key service is named, but no credentials for it.
    #[error("--kms-endpoint needs credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")]
    KmsCredentials,
    /// Another key service is named, and a CA for it that is none.
    #[error(transparent)]
    KmsCaBundle(#[from] CaBundleError),
    /// What the system store holds.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl App {
    /// Opens everything in the data place. Tables are opened when they are first used.
    pub async fn open(place: Arc<Place>, options: AppOptions) -> Result<Self, StartError> {
        let AppOptions { clock, random, root, .. } = &options;
        let block_cache = Arc::new(BlockCache::new(options.block_cache_bytes));
        let system = SystemStore::open(&place, root, Arc::clone(&block_cache), &**clock, random).await?;
        let parts = Parts::open(system, &place, &block_cache, &options).await?;
        let parts = RwLock::new(Arc::new(parts));
        let inner = Arc::new(Inner { place, block_cache, options, parts, resuming: Mutex::default() });
        *inner.resuming.lock() = Some(tokio::spawn(resume_after_failures(Arc::downgrade(&inner))));
        Ok(Self(inner))
    }

    /// The parts that serve now. Ask again for each request: a failure of the disk replaces them.
    pub fn parts(&self) -> Arc<Parts> {
        Arc::clone(&self.0.parts.read())
    }

    /// Closes tables and stores, so that the next start has nothing to replay.
    pub async fn close(&self) {
        if let Some(resuming) = self.0.resuming.lock().take() {
            resuming.abort();
        }
        let parts = self.parts();
        parts.engine.close().await;
        if let Err(error) = parts.system.close().await {
            tracing::warn!(%error, "the system store did not close cleanly; what was acknowledged is in its log");
        }
    }
}

async fn resume_after_failures(app: Weak<Inner>) {
    loop {
        let Some(parts) = app.upgrade().map(|inner| Arc::clone(&inner.parts.read())) else { return };
        let cause = parts.system.closed().await;
        tracing::error!(
            cause,
            "the system store has failed; keys and tables are loaded again as soon as the disk serves"
        );
        drop(parts);
        loop {
            let Some(inner) = app.upgrade() else { return };
            match inner.resume().await {
                Ok(()) => break,
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::warn!(%error, cause, "the system store does not open yet; it will be tried again");
                }
            }
            drop(inner);
            tokio::time::sleep(RESUME_INTERVAL).await;
        }
        tracing::info!("the system store is open again");
    }
}

impl Inner {
    // The old parts go on reading until the new ones are complete: the old store takes no writes, so nothing that
    // the new ones have loaded can change behind them.
    async fn resume(&self) -> Result<(), StartError> {
        let before = Arc::clone(&self.parts.read());
        let system = before.system.open_again(Arc::clone(&self.block_cache), &self.place.doors).await?;
        let parts = Parts::open(system, &self.place, &self.block_cache, &self.options).await?;
        *self.parts.write() = Arc::new(parts);
        before.engine.abandon().await;
        before.system.abandon().await;
        Ok(())
    }
}

const RESUME_INTERVAL: Duration = Duration::from_secs(1);

impl Dispatch for App {
    fn key_calls(&self) -> Vec<KeyCalls> {
        self.parts().kms.all_calls()
    }

    async fn refused(&self, service: Service, request: Request, error: &ApiError) -> Result<(), ApiError> {
        match service {
            Service::Kms => kms::record_refused(&self.parts().kms, &request, error).await,
            _ => Ok(()),
        }
    }

    async fn call(&self, service: Service, request: Request) -> Result<Output, ApiError> {
        if only_reads(service, request.operation) {
            return self.run(service, request).await;
        }
        // What changes something goes on to its end even when the client hangs up.
        let app = self.clone();
        match tokio::spawn(async move { app.run(service, request).await }).await {
            Ok(answer) => answer,
            Err(_) => Err(ApiError::new("InternalServerError", "Internal server error").with_status(500)),
        }
    }
}

impl App {
    async fn run(&self, service: Service, request: Request) -> Result<Output, ApiError> {
        let parts = self.parts();
        match service {
            Service::DynamoDb => dynamodb::dispatch(&parts.engine, request).await,
            Service::Kms => kms::dispatch(&parts.kms, &request).await,
            Service::CloudTrail => cloudtrail::dispatch(parts.kms.audit(), &request).await,
            Service::Sts => sts::dispatch(&request).await,
            Service::DynamoDbStreams | Service::Iam => Err(ApiError::new("UnknownOperationException", "")),
        }
    }
}

fn only_reads(service: Service, operation: &str) -> bool {
    service == Service::DynamoDb
        && matches!(operation, "GetItem" | "BatchGetItem" | "Query" | "Scan" | "DescribeTable")
}
