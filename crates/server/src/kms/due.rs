//! What comes due by itself: the end of keys whose waiting period is over, and fresh material for the service's own keys.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use super::error::KmsError;
use super::key::Key;
use super::service::Kms;
use super::state::Change;
use crate::audit::{Actor, Event, uuid};

impl Kms {
    /// Destroys keys as their time comes, until the process ends.
    pub fn start(self: &Arc<Self>) {
        let kms = Arc::downgrade(self);
        tokio::spawn(async move {
            while let Some(kms) = kms.upgrade() {
                kms.clear_doomed().await;
                if let Err(error) = kms.settle().await {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::warn!(%error, cause, "keys whose waiting period is over are not destroyed yet");
                }
                drop(kms);
                tokio::time::sleep(STEP).await;
            }
        });
    }

    /// Destroys what is due now. Costs one atomic load when nothing is.
    ///
    /// Every API call does this first, so nobody sees the end of a key that a restart could undo.
    pub(crate) async fn settle(self: &Arc<Self>) -> Result<(), KmsError> {
        let now = self.now_millis();
        if self.next_due_millis.load(Ordering::Acquire) <= now {
            self.run_due(now).await?;
            // A key that was scheduled meanwhile has lowered the value already; it is only ever too low.
            let state = self.state();
            let keys = state.places().flat_map(|(_, keys)| keys.keys.values());
            let next = keys.filter_map(|key| key.due_millis()).min();
            self.next_due_millis.store(next.unwrap_or(i64::MAX), Ordering::Release);
        }
        Ok(())
    }

    /// Destroys every key whose waiting period was over at `now_millis`, and renews the service's own keys whose material
    /// was a year old then; returns how many were destroyed.
    ///
    /// Such a key is treated as gone from that moment on, whether this has run
    /// or not; this removes its material, aliases and grants for good.
    pub async fn run_due(self: &Arc<Self>, now_millis: i64) -> Result<usize, KmsError> {
        let due: Vec<Arc<Key>> = {
            let state = self.state();
            let keys = state.places().flat_map(|(_, keys)| keys.keys.values());
            keys.filter(|key| key.is_expired(now_millis)).cloned().collect()
        };
        self.renew_service_keys(now_millis).await?;
        for key in &due {
            let turn = self.turn().await;
            let event = Event {
                account: Arc::clone(&key.place.account),
                region: Arc::clone(&key.place.region),
                source: "kms.amazonaws.com",
                name: "DeleteKey",
                actor: Actor::Kms,
                request_id: uuid(self.random()).into(),
                is_read_only: false,
                request_parameters: Value::Null,
                response_elements: json!({ "keyId": key.arn }),
                additional_data: Value::Null,
                resources: vec![key.arn.to_string()],
                error: None,
            };
            self.commit(turn, vec![Change::Destroy(Arc::clone(key))], Some(event)).await?;
        }
        Ok(due.len())
    }

    // What was encrypted before stays so: old material opens what names it. Nobody can see these keys, so no event
    // tells of it (R8).
    async fn renew_service_keys(self: &Arc<Self>, now_millis: i64) -> Result<(), KmsError> {
        let due: Vec<_> = {
            let state = self.state();
            let keys = state.places().flat_map(|(_, keys)| keys.keys.values());
            keys.filter(|key| key.is_to_be_renewed(now_millis)).map(|key| key.arn.clone()).collect()
        };
        for key_arn in due {
            let turn = self.turn().await;
            // Somebody else's turn may have done it.
            let Some(key) = self.key_by_arn(&key_arn).filter(|key| key.is_to_be_renewed(now_millis)) else {
                continue;
            };
            let mut renewed = (*key).clone();
            renewed.materials.push(Arc::new(self.new_material(now_millis)));
            self.commit(turn, vec![Change::NewMaterial(renewed)], None).await?;
        }
        Ok(())
    }
}

/// How often due keys are looked for, in real time; what is due is the injected clock's to say.
const STEP: Duration = Duration::from_secs(1);
