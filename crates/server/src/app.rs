//! The parts joined: storage, key service, audit trail, engine and the services above them.

use std::sync::Arc;

use strongroom_model::clock::{Clock, Random};
use strongroom_seal::root::Provider;

use crate::audit::Audit;
use crate::engine::{CallerRules, Engine, EngineParts};
use crate::kms::table_kms::TableKms;
use crate::kms::{Kms, LocalTableKms, RemoteTableKms};
use crate::service::{Output, Request, cloudtrail, dynamodb, kms, sts};
use crate::storage::system::SystemError;
use crate::storage::{BlockCache, DataSetting, Place, PlaceError, StorageError, SystemStore};
use crate::wire::{ApiError, Dispatch, Service};

/// A server's parts, running; cheap to clone.
#[derive(Clone)]
pub struct App {
    engine: Arc<Engine>,
    kms: Arc<Kms>,
    system: SystemStore,
}

/// What an app is opened with.
pub struct AppOptions {
    /// Where the data lives.
    pub data: DataSetting,
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
    /// What the system store holds.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl App {
    /// Opens the data place and everything in it. Tables are opened when they are first used.
    pub async fn open(options: AppOptions) -> Result<Self, StartError> {
        let place = Arc::new(Place::open(&options.data)?);
        Self::open_in(place, options).await
    }

    /// The same over a place that is open already.
    pub async fn open_in(place: Arc<Place>, options: AppOptions) -> Result<Self, StartError> {
        let AppOptions { clock, random, .. } = &options;
        let block_cache = Arc::new(BlockCache::new(options.block_cache_bytes));
        let system =
            SystemStore::open(&place, &options.root, Arc::clone(&block_cache), &**clock, random).await?;
        let audit = Audit::open(system.clone(), Arc::clone(clock), Arc::clone(random)).await?;
        let kms = Kms::open(system.clone(), audit, Arc::clone(clock), Arc::clone(random)).await?;
        let local = LocalTableKms::new(Arc::clone(&kms));
        let table_kms: Arc<dyn TableKms> = match &options.kms_endpoint {
            None => Arc::new(local),
            Some(endpoint) => {
                let credentials =
                    RemoteTableKms::credentials_from_environment().ok_or(StartError::KmsCredentials)?;
                Arc::new(RemoteTableKms::new(local, endpoint, credentials))
            }
        };
        let engine = Engine::load(EngineParts {
            system: system.clone(),
            place,
            table_kms,
            kms: Arc::clone(&kms),
            push_key_state: options.push_key_state,
            kms_is_remote: options.kms_endpoint.is_some(),
            clock: Arc::clone(clock),
            random: Arc::clone(random),
            block_cache,
            item_cache_bytes: options.item_cache_bytes,
            callers: options.callers,
            idle_millis: options.idle_millis,
            switches_per_day_max: options.switches_per_day_max,
        })
        .await?;
        engine.start();
        kms.start();
        Ok(Self { engine, kms, system })
    }

    /// The tables.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The key service.
    pub fn kms(&self) -> &Arc<Kms> {
        &self.kms
    }

    /// The system store.
    pub fn system(&self) -> &SystemStore {
        &self.system
    }

    /// Closes tables and stores, so that the next start has nothing to replay.
    pub async fn close(&self) {
        self.engine.close().await;
        if let Err(error) = self.system.close().await {
            tracing::warn!(%error, "the system store did not close cleanly; what was acknowledged is in its log");
        }
    }
}

impl Dispatch for App {
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
        match service {
            Service::DynamoDb => dynamodb::dispatch(&self.engine, request).await,
            Service::Kms => kms::dispatch(&self.kms, &request).await,
            Service::CloudTrail => cloudtrail::dispatch(self.kms.audit(), &request).await,
            Service::Sts => sts::dispatch(&request).await,
            Service::DynamoDbStreams | Service::Iam => Err(ApiError::new("UnknownOperationException", "")),
        }
    }
}

fn only_reads(service: Service, operation: &str) -> bool {
    service == Service::DynamoDb
        && matches!(operation, "GetItem" | "BatchGetItem" | "Query" | "Scan" | "DescribeTable")
}
