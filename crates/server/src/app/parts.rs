//! What serves requests: key service, audit trail and engine over one opening of the system store.

use std::sync::Arc;

use super::{AppOptions, StartError};
use crate::audit::Audit;
use crate::engine::{Engine, EngineParts};
use crate::kms::table_kms::TableKms;
use crate::kms::{Kms, LocalTableKms, RemoteTableKms};
use crate::storage::{BlockCache, Place, SystemStore};

/// The parts of an app that live as long as one opening of the system store.
pub struct Parts {
    /// The tables.
    pub engine: Arc<Engine>,
    /// The key service.
    pub kms: Arc<Kms>,
    /// The system store.
    pub system: SystemStore,
}

impl Parts {
    /// Loads what the system store holds and starts the parts' own work.
    pub(super) async fn open(
        system: SystemStore,
        place: &Arc<Place>,
        block_cache: &Arc<BlockCache>,
        options: &AppOptions,
    ) -> Result<Self, StartError> {
        let AppOptions { clock, random, .. } = options;
        let audit = Audit::open(system.clone(), Arc::clone(clock), Arc::clone(random)).await?;
        let kms = Kms::open(system.clone(), audit, Arc::clone(clock), Arc::clone(random)).await?;
        let local = LocalTableKms::new(Arc::clone(&kms));
        let table_kms: Arc<dyn TableKms> = match &options.kms_endpoint {
            None => Arc::new(local),
            Some(endpoint) => {
                let credentials =
                    RemoteTableKms::credentials_from_environment().ok_or(StartError::KmsCredentials)?;
                Arc::new(RemoteTableKms::new(local, endpoint, credentials)?)
            }
        };
        let engine = Engine::load(EngineParts {
            system: system.clone(),
            place: Arc::clone(place),
            table_kms,
            kms: Arc::clone(&kms),
            push_key_state: options.push_key_state,
            kms_is_remote: options.kms_endpoint.is_some(),
            clock: Arc::clone(clock),
            random: Arc::clone(random),
            block_cache: Arc::clone(block_cache),
            item_cache_bytes: options.item_cache_bytes,
            callers: options.callers,
            idle_millis: options.idle_millis,
            switches_per_day_max: options.switches_per_day_max,
            status_millis: options.status_millis,
        })
        .await?;
        engine.start();
        kms.start();
        Ok(Self { engine, kms, system })
    }
}
