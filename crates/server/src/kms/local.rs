//! The key calls DynamoDB makes, answered by the key service of this process.
//!
//! Calls on managed and customer keys are audited as the service documents:
//! CreateGrant, DescribeKey and Decrypt in the name of the caller, GenerateDataKey
//! and RetireGrant in DynamoDB's own. Service-owned keys leave no trace (R8).

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use strongroom_seal::secret::SecretKey;

use super::authorize::{Requester, Via, access_denied, authorize};
use super::cipher;
use super::error::KmsError;
use super::grant::{Grant, GrantConstraints};
use super::identifier::{Aliases, Identifier, local_identifier, split_key_arn};
use super::key::{Key, Place};
use super::managed::DYNAMODB_ALIAS;
use super::service::Kms;
use super::state::Change;
use super::table_kms::{KeyDescription, KeyManager, NewTableKey, TableContext, TableKms, TableKmsError};
use crate::audit::{Actor, Event, uuid};
use crate::auth::Caller;

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

    /// An event about one key call for a table, filled in as far as is known before the call.
    pub(super) fn event(
        &self,
        name: &'static str,
        actor: Actor,
        key_arn: &str,
        context: &TableContext,
    ) -> Event {
        let place = split_key_arn(key_arn).map(|(place, _)| place);
        let place = place.unwrap_or_else(|| Place {
            account: context.account.as_str().into(),
            region: context.region.as_str().into(),
        });
        Event {
            account: place.account,
            region: place.region,
            source: "kms.amazonaws.com",
            name,
            actor,
            request_id: uuid(self.0.random()).into(),
            is_read_only: !matches!(name, "CreateGrant" | "RetireGrant"),
            request_parameters: Value::Null,
            response_elements: Value::Null,
            additional_data: Value::Null,
            resources: vec![key_arn.to_owned()],
            error: None,
        }
    }

    /// Records what came out of a call. A call that was not answered leaves no event.
    pub(super) async fn finish<T>(
        &self,
        mut event: Event,
        outcome: Result<T, TableKmsError>,
    ) -> Result<T, TableKmsError> {
        match &outcome {
            Ok(_) => {}
            Err(TableKmsError::Refused { code, message, request_id }) => {
                event.error = Some((code.clone(), message.clone()));
                event.response_elements = Value::Null;
                event.request_id = request_id.as_str().into();
            }
            Err(TableKmsError::Unreachable(_)) => return outcome,
        }
        if let Some(key_arn) = event.resources.first() {
            self.0.count_call(&key_arn.as_str().into(), event.name);
        }
        if &*event.account != Place::SERVICE_ACCOUNT {
            self.0.commit_event(&event).await.map_err(|error| refusal(&error, &event.request_id))?;
        }
        outcome
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
    async fn service_key(&self, region: &str) -> Result<KeyDescription, TableKmsError> {
        let key = self.0.service_key(region).await.map_err(|error| refusal(&error, ""))?;
        Ok(KeyDescription { arn: key.arn.to_string(), manager: KeyManager::Service })
    }

    async fn describe_key(&self, caller: &Caller, key: &str) -> Result<KeyDescription, TableKmsError> {
        let context = TableContext {
            table_name: String::new(),
            account: caller.principal.account.to_string(),
            region: caller.region.to_string(),
        };
        let outcome = self.describe(caller, key).await;
        let resource = outcome.as_ref().map_or(key, |key| &key.arn);
        let actor = Actor::UserThroughDynamoDb(caller.clone());
        let mut event = self.event("DescribeKey", actor, resource, &context);
        event.account = Arc::clone(&caller.principal.account);
        event.region = Arc::clone(&caller.region);
        event.request_parameters = json!({ "keyId": resource });
        if outcome.is_err() {
            event.resources = Vec::new();
        }
        let request_id = Arc::clone(&event.request_id);
        let outcome = outcome.map_err(|error| refusal(&error, &request_id));
        let key = self.finish(event, outcome).await?;
        // DescribeKey itself succeeds on a key in any state; a table needs one that can be used.
        key.check_enabled().map_err(|error| refusal(&error, &request_id))?;
        Ok(KeyDescription { arn: key.arn.to_string(), manager: key.record.manager })
    }

    async fn create_grant(
        &self,
        caller: &Caller,
        key_arn: &str,
        context: &TableContext,
    ) -> Result<String, TableKmsError> {
        let actor = Actor::UserThroughDynamoDb(caller.clone());
        let mut event = self.event("CreateGrant", actor, key_arn, context);
        let principal = format!("dynamodb.{}.amazonaws.com", context.region);
        event.request_parameters = json!({
            "keyId": key_arn,
            "granteePrincipal": principal,
            "retiringPrincipal": principal,
            "operations": TABLE_GRANT_OPERATIONS,
            "constraints": { "encryptionContextSubset": context.pairs() },
        });
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
                return self.finish(event, Err(refused)).await;
            }
        };
        let grant = Grant {
            id: self.0.new_grant_id(),
            key_id: key.id.to_string(),
            name: String::new(),
            grantee_principal: principal.clone(),
            retiring_principal: Some(principal),
            operations: TABLE_GRANT_OPERATIONS.map(str::to_owned).to_vec(),
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
        let mut event = self.event("GenerateDataKey", Actor::DynamoDb, key_arn, context);
        event.request_parameters =
            json!({ "keyId": key_arn, "keySpec": "AES_256", "encryptionContext": context.pairs() });
        let outcome = self.generate(key_arn, context).map_err(|error| refusal(&error, &event.request_id));
        self.finish(event, outcome).await
    }

    async fn decrypt_table_key(
        &self,
        caller: Option<&Caller>,
        key_arn: &str,
        wrapped: &[u8],
        context: &TableContext,
    ) -> Result<SecretKey, TableKmsError> {
        let actor = caller.map_or(Actor::DynamoDb, |caller| Actor::UserThroughDynamoDb(caller.clone()));
        let mut event = self.event("Decrypt", actor, key_arn, context);
        event.request_parameters = json!({ "encryptionContext": context.pairs() });
        let outcome = self.decrypt(caller, key_arn, wrapped, context);
        let outcome = outcome.map_err(|error| refusal(&error, &event.request_id));
        self.finish(event, outcome).await
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
        let mut event = self.event("RetireGrant", Actor::DynamoDb, key_arn, context);
        event.additional_data = json!({ "grantId": grant_id });
        event.response_elements = json!({ "keyId": key_arn });
        let turn = self.0.turn().await;
        let found = self.key_by_arn(key_arn).and_then(|key| {
            let grant = self.0.grants(&key).into_iter().find(|grant| grant.id == grant_id);
            grant.map(|grant| (Arc::clone(&key), grant)).ok_or_else(|| KmsError::grant_missing(grant_id))
        });
        let (key, grant) = match found {
            Ok(found) => found,
            Err(error) => {
                let refused = refusal(&error, &event.request_id);
                return self.finish(event, Err(refused)).await;
            }
        };
        self.0.count_call(&key.arn, event.name);
        let request_id = Arc::clone(&event.request_id);
        let committed = self.0.commit(turn, vec![Change::GrantRetired(key, grant)], Some(event)).await;
        committed.map_err(|error| refusal(&error, &request_id))
    }
}

pub(super) fn refusal(error: &KmsError, request_id: &str) -> TableKmsError {
    match error {
        KmsError::Refused { code, message } => TableKmsError::Refused {
            code: (*code).to_owned(),
            message: message.clone(),
            request_id: request_id.to_owned(),
        },
        KmsError::Storage(cause) => TableKmsError::Unreachable(cause.to_string()),
    }
}

/// What a table's grant allows, in the order the service documents (R38).
pub(super) const TABLE_GRANT_OPERATIONS: [&str; 7] =
    ["DescribeKey", "GenerateDataKey", "Decrypt", "Encrypt", "ReEncryptFrom", "ReEncryptTo", "RetireGrant"];
