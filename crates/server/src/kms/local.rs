//! The key calls DynamoDB makes, answered by the key service of this process.
//!
//! Calls on managed and customer keys are audited as the service documents: see `table_events`.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use strongroom_seal::secret::SecretKey;

use super::authorize::{Requester, Via, access_denied, authorize};
use super::cipher;
use super::error::KmsError;
use super::grant::{Grant, GrantConstraints, TABLE_OPERATIONS};
use super::identifier::{Aliases, Identifier, local_identifier};
use super::key::{Key, Place};
use super::managed::DYNAMODB_ALIAS;
use super::service::Kms;
use super::state::Change;
use super::table_events::refusal;
use super::table_kms::{KeyDescription, KeyManager, NewTableKey, TableContext, TableKms, TableKmsError};
use crate::audit::uuid;
use crate::auth::Caller;

impl Kms {
    /// Refuses a key that may not be used now, in the words that a call on it would get; nothing is recorded, for no call
    /// is made.
    pub fn check_usable(&self, key_arn: &str) -> Result<(), TableKmsError> {
        let key = self.key_by_arn(key_arn).ok_or_else(|| KmsError::key_missing(key_arn));
        key.and_then(|key| key.check_enabled()).map_err(|error| refusal(&error, &uuid(self.random())))
    }
}

/// The key service of this process, as DynamoDB uses it.
#[derive(Clone)]
pub struct LocalTableKms(Arc<Kms>);

impl LocalTableKms {
    /// DynamoDB's view of `kms`.
    pub fn new(kms: Arc<Kms>) -> Self {
        Self(kms)
    }

    /// The key service behind this view.
    pub fn kms(&self) -> &Arc<Kms> {
        &self.0
    }

    /// Whether a key lives here and is the service's own or the managed one, never a customer's.
    pub(super) fn holds_built_in(&self, key_arn: &str) -> bool {
        self.0.key_by_arn(key_arn).is_some_and(|key| key.record.manager != KeyManager::Customer)
    }

    // Every table key operation needs a grant that covers the table (R37, R40, R42).
    fn check_grant(&self, key: &Key, action: &str, context: &TableContext) -> Result<(), KmsError> {
        let principal = key.place.dynamodb_principal();
        let pairs = context.pairs();
        if self.0.grants(key).iter().any(|grant| grant.allows(&principal, action, &pairs)) {
            return Ok(());
        }
        Err(access_denied(format!(
            "User: {principal} is not authorized to perform: kms:{action} on resource: {} because no grant \
             allows the kms:{action} action",
            key.arn
        )))
    }

    fn key_by_arn(&self, key_arn: &str) -> Result<Arc<Key>, KmsError> {
        self.0.key_by_arn(key_arn).ok_or_else(|| KmsError::key_missing(key_arn))
    }

    async fn describe(&self, caller: &Caller, identifier: &str) -> Result<Arc<Key>, KmsError> {
        // Reaching for a foreign key fails on the grant that the service wants to make there.
        let requester = Requester { caller, action: "CreateGrant", via: Via::DynamoDb };
        let place = Place::of(caller)?;
        let key = match local_identifier(requester, &place, identifier, Aliases::Allowed)? {
            Identifier::Alias(DYNAMODB_ALIAS) => self.0.managed_key(&place).await?,
            _ => self.0.resolve(requester, identifier, Aliases::Allowed)?,
        };
        authorize(Requester { caller, action: "DescribeKey", via: Via::DynamoDb }, &key)?;
        Ok(key)
    }

    fn decrypt(
        &self,
        caller: Option<&Caller>,
        key_arn: &str,
        wrapped: &[u8],
        context: &TableContext,
    ) -> Result<SecretKey, KmsError> {
        let key = self.key_by_arn(key_arn)?;
        if key.record.manager != KeyManager::Service {
            // On behalf of a caller it is the caller's permission that counts (R31), for the service its grant.
            match caller {
                Some(caller) => authorize(Requester { caller, action: "Decrypt", via: Via::DynamoDb }, &key)?,
                None => self.check_grant(&key, "Decrypt", context)?,
            }
        }
        key.check_enabled()?;
        if cipher::named(wrapped)?.key_id != *key.id {
            return Err(KmsError::incorrect_key());
        }
        let (mut plaintext, _) = cipher::decrypt(&key, wrapped, &context.pairs())?;
        SecretKey::from_slice(plaintext.expose_mut()).ok_or_else(KmsError::invalid_ciphertext)
    }

    fn generate(&self, key_arn: &str, context: &TableContext) -> Result<NewTableKey, KmsError> {
        let key = self.key_by_arn(key_arn)?;
        if key.record.manager != KeyManager::Service {
            self.check_grant(&key, "GenerateDataKey", context)?;
        }
        key.check_enabled()?;
        let plaintext = SecretKey::generate(self.0.random());
        let wrapped = cipher::encrypt(&key, plaintext.expose(), &context.pairs(), self.0.random())?;
        Ok(NewTableKey { plaintext, wrapped })
    }
}

#[async_trait]
impl TableKms for LocalTableKms {
    fn is_silent(&self) -> bool {
        false
    }

    async fn service_key(&self, region: &str) -> Result<KeyDescription, TableKmsError> {
        let key = self.0.service_key(region).await.map_err(|error| refusal(&error, ""))?;
        Ok(KeyDescription { arn: key.arn.to_string(), manager: KeyManager::Service })
    }

    async fn describe_key(&self, caller: &Caller, key: &str) -> Result<KeyDescription, TableKmsError> {
        let outcome = self.describe(caller, key).await;
        let event = self.0.describe_event(caller, key, outcome.as_ref().ok().map(|key| &*key.arn));
        let request_id = Arc::clone(&event.request_id);
        let outcome = outcome.map_err(|error| refusal(&error, &request_id));
        let key = self.0.finish(event, outcome).await?;
        Ok(KeyDescription { arn: key.arn.to_string(), manager: key.record.manager })
    }

    async fn create_grant(
        &self,
        caller: &Caller,
        key_arn: &str,
        context: &TableContext,
    ) -> Result<String, TableKmsError> {
        let mut event = self.0.create_grant_event(caller, key_arn, context);
        let turn = self.0.turn().await;
        let checked = self.key_by_arn(key_arn).and_then(|key| {
            authorize(Requester { caller, action: "CreateGrant", via: Via::DynamoDb }, &key)?;
            key.check_enabled()?;
            Ok(key)
        });
        let key = match checked {
            Ok(key) => key,
            Err(error) => {
                let refused = refusal(&error, &event.request_id);
                return self.0.finish(event, Err(refused)).await;
            }
        };
        let grant = Grant {
            id: self.0.new_grant_id(),
            key_id: key.id.to_string(),
            name: String::new(),
            grantee_principal: context.service_principal(),
            retiring_principal: Some(context.service_principal()),
            operations: TABLE_OPERATIONS.map(str::to_owned).to_vec(),
            constraints: GrantConstraints {
                encryption_context_subset: Some(context.pairs()),
                encryption_context_equals: None,
            },
            created_millis: self.0.now_millis(),
        };
        let grant_id = grant.id.clone();
        event.response_elements = json!({ "grantId": grant_id, "keyId": key.arn });
        self.0.count_call(&key.arn, event.name);
        let request_id = Arc::clone(&event.request_id);
        let committed = self.0.commit(turn, vec![Change::Grant(key.place.clone(), grant)], Some(event)).await;
        committed.map(|()| grant_id).map_err(|error| refusal(&error, &request_id))
    }

    async fn generate_table_key(
        &self,
        key_arn: &str,
        context: &TableContext,
    ) -> Result<NewTableKey, TableKmsError> {
        let event = self.0.generate_event(key_arn, context);
        let outcome = self.generate(key_arn, context).map_err(|error| refusal(&error, &event.request_id));
        self.0.finish(event, outcome).await
    }

    async fn decrypt_table_key(
        &self,
        caller: Option<&Caller>,
        key_arn: &str,
        wrapped: &[u8],
        context: &TableContext,
    ) -> Result<SecretKey, TableKmsError> {
        let event = self.0.decrypt_event(caller, key_arn, context);
        let outcome = self.decrypt(caller, key_arn, wrapped, context);
        let outcome = outcome.map_err(|error| refusal(&error, &event.request_id));
        self.0.finish(event, outcome).await
    }

    async fn has_grant(
        &self,
        key_arn: &str,
        grant_id: &str,
        _context: &TableContext,
    ) -> Result<bool, TableKmsError> {
        let key = self.0.key_by_arn(key_arn);
        Ok(key.is_some_and(|key| self.0.grants(&key).iter().any(|grant| grant.id == grant_id)))
    }

    async fn table_grants(
        &self,
        key_arn: &str,
        context: &TableContext,
    ) -> Result<Vec<String>, TableKmsError> {
        let Some(key) = self.0.key_by_arn(key_arn) else { return Ok(Vec::new()) };
        let principal = key.place.dynamodb_principal();
        let pairs = Some(context.pairs());
        let of_table = |grant: &Arc<Grant>| {
            grant.grantee_principal == principal && grant.constraints.encryption_context_subset == pairs
        };
        Ok(self.0.grants(&key).iter().filter(|grant| of_table(grant)).map(|grant| grant.id.clone()).collect())
    }

    async fn retire_grant(
        &self,
        key_arn: &str,
        grant_id: &str,
        context: &TableContext,
    ) -> Result<(), TableKmsError> {
        let event = self.0.retire_grant_event(key_arn, grant_id, context);
        let turn = self.0.turn().await;
        let found = self.key_by_arn(key_arn).and_then(|key| {
            let grant = self.0.grants(&key).into_iter().find(|grant| grant.id == grant_id);
            grant.map(|grant| (Arc::clone(&key), grant)).ok_or_else(|| KmsError::grant_missing(grant_id))
        });
        let (key, grant) = match found {
            Ok(found) => found,
            Err(error) => {
                let refused = refusal(&error, &event.request_id);
                return self.0.finish(event, Err(refused)).await;
            }
        };
        self.0.count_call(&key.arn, event.name);
        let request_id = Arc::clone(&event.request_id);
        let committed = self.0.commit(turn, vec![Change::GrantRetired(key, grant)], Some(event)).await;
        committed.map_err(|error| refusal(&error, &request_id))
    }
}
