//! The key calls DynamoDB makes, answered by a key service over the network.
//!
//! Customers' keys live there; service-owned keys and the managed key stay in
//! this process, so that a table without a customer's key never depends on a
//! network. The other side's trail sees only this server's own credentials, so
//! the trail here keeps who they were used for.
//!
//! Nothing is retried behind the caller's back: the cache of table keys decides
//! what an unanswered call means.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_sdk_kms::Client;
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::config::{BehaviorVersion, Config, Region};
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::operation::RequestId;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{
    DataKeySpec, GrantConstraints, GrantOperation, KeyManagerType, KeyMetadata, KeySpec,
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use strongroom_seal::secret::SecretKey;

use super::authorize::{Requester, Via, foreign_key_refused};
use super::ca_bundle::{CaBundle, CaBundleError};
use super::error::KmsError;
use super::grant::TABLE_OPERATIONS;
use super::identifier::split_key_arn;
use super::key::Place;
use super::local::LocalTableKms;
use super::managed::DYNAMODB_ALIAS;
use super::silence::Silence;
use super::table_events::refusal;
use super::table_kms::{KeyDescription, KeyManager, NewTableKey, TableContext, TableKms, TableKmsError};
use crate::auth::Caller;

/// A key service over the network, as DynamoDB uses it.
pub struct RemoteTableKms {
    local: LocalTableKms,
    endpoint: String,
    credentials: Credentials,
    // A CA of the operator's to trust; the system's otherwise.
    ca_bundle: Option<CaBundle>,
    clients: Mutex<HashMap<String, Client>>,
    silence: Silence,
}

impl RemoteTableKms {
    /// Uses the key service at `endpoint` (an `http` or `https` URL) for customers' keys, and `local` for all others.
    /// Whom an `https` endpoint is trusted by is the system's matter, or that of `AWS_CA_BUNDLE` where it is set.
    pub fn new(
        local: LocalTableKms,
        endpoint: impl Into<String>,
        credentials: Credentials,
    ) -> Result<Self, CaBundleError> {
        let ca_bundle = CaBundle::from_environment()?;
        Ok(Self {
            local,
            endpoint: endpoint.into(),
            credentials,
            ca_bundle,
            clients: Mutex::default(),
            silence: Silence::default(),
        })
    }

    /// The credentials in `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, if there is one,
    /// `AWS_SESSION_TOKEN`; `None` unless the first two are set.
    pub fn credentials_from_environment() -> Option<Credentials> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let access_key_id = variable("AWS_ACCESS_KEY_ID")?;
        let secret_access_key = variable("AWS_SECRET_ACCESS_KEY")?;
        let session_token = variable("AWS_SESSION_TOKEN");
        Some(Credentials::new(access_key_id, secret_access_key, session_token, None, "environment"))
    }

    fn client(&self, region: &str) -> Client {
        let mut clients = self.clients.lock();
        clients.entry(region.to_owned()).or_insert_with(|| self.new_client(region)).clone()
    }

    fn new_client(&self, region: &str) -> Client {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(CALL_TIMEOUT)
            .operation_timeout(CALL_TIMEOUT)
            .build();
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(region.to_owned()))
            .endpoint_url(&self.endpoint)
            .credentials_provider(self.credentials.clone())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts);
        config.set_http_client(self.ca_bundle.as_ref().map(CaBundle::client));
        Client::from_conf(config.build())
    }

    fn client_of(&self, key_arn: &str, context: &TableContext) -> Client {
        self.client(&region_of(key_arn, context))
    }

    // For one call whose answer holds a key. Its connection ends with it, and what the answer has left in the buffers
    // of HTTP and TLS goes back to the allocator, which wipes it (see `main.rs`).
    fn client_for_a_key(&self, key_arn: &str, context: &TableContext) -> Client {
        self.new_client(&region_of(key_arn, context))
    }

    // Whether `key`, as a caller typed it, means a key of this process.
    fn is_local(&self, caller: &Caller, key: &str) -> bool {
        let Ok(place) = Place::of(caller) else { return false };
        let arn = if key.starts_with("arn:") {
            key.to_owned()
        } else if key.starts_with("alias/") {
            place.alias_arn(key)
        } else {
            place.key_arn(key)
        };
        arn.ends_with(&format!(":{DYNAMODB_ALIAS}")) || self.local.holds_built_in(&arn)
    }

    // Calls the key service, and remembers whether it answered.
    async fn ask<T, E: ProvideErrorMetadata + RequestId + std::error::Error + 'static>(
        &self,
        call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, TableKmsError> {
        let outcome = call.await.map_err(|error| failure(&error));
        self.silence.learn(outcome, self.now_millis())
    }

    fn check_silence(&self) -> Result<(), TableKmsError> {
        self.silence.check(self.now_millis())
    }

    fn now_millis(&self) -> i64 {
        self.local.kms().now_millis()
    }

    async fn describe(&self, caller: &Caller, key: &str) -> Result<KeyMetadata, TableKmsError> {
        let described = self.ask(self.client(&caller.region).describe_key().key_id(key).send()).await?;
        let nothing = || TableKmsError::Unreachable("DescribeKey was answered without a key".to_owned());
        described.key_metadata.ok_or_else(nothing)
    }
}

#[async_trait]
impl TableKms for RemoteTableKms {
    fn is_silent(&self) -> bool {
        self.silence.is_silent()
    }

    async fn service_key(&self, region: &str) -> Result<KeyDescription, TableKmsError> {
        self.local.service_key(region).await
    }

    async fn describe_key(&self, caller: &Caller, key: &str) -> Result<KeyDescription, TableKmsError> {
        if self.is_local(caller, key) {
            return self.local.describe_key(caller, key).await;
        }
        self.check_silence()?;
        let outcome = self.describe(caller, key).await;
        let found = outcome.as_ref().ok().and_then(|metadata| metadata.arn.as_deref());
        let event = self.local.kms().describe_event(caller, key, found);
        let request_id = Arc::clone(&event.request_id);
        let metadata = self.local.kms().finish(event, outcome).await?;
        usable(caller, metadata).map_err(|error| refusal(&error, &request_id))
    }

    async fn create_grant(
        &self,
        caller: &Caller,
        key_arn: &str,
        context: &TableContext,
    ) -> Result<String, TableKmsError> {
        if self.local.holds_built_in(key_arn) {
            return self.local.create_grant(caller, key_arn, context).await;
        }
        let principal = context.service_principal();
        let constraints =
            GrantConstraints::builder().set_encryption_context_subset(Some(pairs(context))).build();
        let operations = TABLE_OPERATIONS.map(GrantOperation::from).to_vec();
        self.check_silence()?;
        let call = self
            .client_of(key_arn, context)
            .create_grant()
            .key_id(key_arn)
            .grantee_principal(&principal)
            .retiring_principal(&principal)
            .set_operations(Some(operations))
            .constraints(constraints)
            .send();
        let created = self.ask(call).await;
        let outcome = created.and_then(|created| {
            let nothing =
                || TableKmsError::Unreachable("CreateGrant was answered without a grant".to_owned());
            created.grant_id.ok_or_else(nothing)
        });
        let mut event = self.local.kms().create_grant_event(caller, key_arn, context);
        event.response_elements =
            outcome.as_ref().map_or(Value::Null, |grant_id| json!({ "grantId": grant_id, "keyId": key_arn }));
        self.local.kms().finish(event, outcome).await
    }

    async fn generate_table_key(
        &self,
        key_arn: &str,
        context: &TableContext,
    ) -> Result<NewTableKey, TableKmsError> {
        if self.local.holds_built_in(key_arn) {
            return self.local.generate_table_key(key_arn, context).await;
        }
        self.check_silence()?;
        let call = self
            .client_for_a_key(key_arn, context)
            .generate_data_key()
            .key_id(key_arn)
            .key_spec(DataKeySpec::Aes256)
            .set_encryption_context(Some(pairs(context)))
            .send();
        let generated = self.ask(call).await;
        let outcome = generated.and_then(|generated| {
            let nothing =
                || TableKmsError::Unreachable("GenerateDataKey was answered without a key".to_owned());
            let plaintext = generated.plaintext.and_then(secret).ok_or_else(nothing)?;
            let wrapped = generated.ciphertext_blob.ok_or_else(nothing)?.into_inner();
            Ok(NewTableKey { plaintext, wrapped })
        });
        let event = self.local.kms().generate_event(key_arn, context);
        self.local.kms().finish(event, outcome).await
    }

    async fn decrypt_table_key(
        &self,
        caller: Option<&Caller>,
        key_arn: &str,
        wrapped: &[u8],
        context: &TableContext,
    ) -> Result<SecretKey, TableKmsError> {
        if self.local.holds_built_in(key_arn) {
            return self.local.decrypt_table_key(caller, key_arn, wrapped, context).await;
        }
        self.check_silence()?;
        let call = self
            .client_for_a_key(key_arn, context)
            .decrypt()
            .key_id(key_arn)
            .ciphertext_blob(Blob::new(wrapped))
            .set_encryption_context(Some(pairs(context)))
            .send();
        let decrypted = self.ask(call).await;
        let outcome = decrypted.and_then(|decrypted| {
            let nothing = || TableKmsError::Unreachable("Decrypt was answered without a key".to_owned());
            decrypted.plaintext.and_then(secret).ok_or_else(nothing)
        });
        let event = self.local.kms().decrypt_event(caller, key_arn, context);
        self.local.kms().finish(event, outcome).await
    }

    async fn has_grant(
        &self,
        key_arn: &str,
        grant_id: &str,
        context: &TableContext,
    ) -> Result<bool, TableKmsError> {
        if self.local.holds_built_in(key_arn) {
            return self.local.has_grant(key_arn, grant_id, context).await;
        }
        let client = self.client_of(key_arn, context);
        self.check_silence()?;
        let listed = self.ask(client.list_grants().key_id(key_arn).grant_id(grant_id).send()).await?;
        Ok(listed.grants().iter().any(|grant| grant.grant_id() == Some(grant_id)))
    }

    async fn table_grants(
        &self,
        key_arn: &str,
        context: &TableContext,
    ) -> Result<Vec<String>, TableKmsError> {
        if self.local.holds_built_in(key_arn) {
            return self.local.table_grants(key_arn, context).await;
        }
        let client = self.client_of(key_arn, context);
        let principal = context.service_principal();
        let pairs: HashMap<String, String> = context.pairs().into_iter().collect();
        let mut ids = Vec::new();
        let mut marker = None;
        loop {
            self.check_silence()?;
            let listed = self.ask(client.list_grants().key_id(key_arn).set_marker(marker).send()).await?;
            for grant in listed.grants() {
                let context = grant.constraints().and_then(|bounds| bounds.encryption_context_subset());
                if grant.grantee_principal() == Some(&principal) && context == Some(&pairs) {
                    ids.extend(grant.grant_id().map(str::to_owned));
                }
            }
            marker = listed.next_marker().map(str::to_owned);
            if marker.is_none() {
                return Ok(ids);
            }
        }
    }

    async fn retire_grant(
        &self,
        key_arn: &str,
        grant_id: &str,
        context: &TableContext,
    ) -> Result<(), TableKmsError> {
        if self.local.holds_built_in(key_arn) {
            return self.local.retire_grant(key_arn, grant_id, context).await;
        }
        let client = self.client_of(key_arn, context);
        self.check_silence()?;
        let retired = self.ask(client.retire_grant().key_id(key_arn).grant_id(grant_id).send()).await;
        let outcome = retired.map(|_| ());
        let event = self.local.kms().retire_grant_event(key_arn, grant_id, context);
        self.local.kms().finish(event, outcome).await
    }
}

// Whether a table can be protected with the described key, in the words the service has for it.
fn usable(caller: &Caller, metadata: KeyMetadata) -> Result<KeyDescription, KmsError> {
    let arn = metadata.arn.unwrap_or_default();
    let (place, _) = split_key_arn(&arn).ok_or_else(|| KmsError::key_missing(&arn))?;
    if place.region != caller.region {
        return Err(KmsError::arn_elsewhere(&place.region));
    }
    if place.account != caller.principal.account {
        let requester = Requester { caller, action: "CreateGrant", via: Via::DynamoDb };
        return Err(foreign_key_refused(requester, &arn));
    }
    if metadata.key_spec.is_some_and(|spec| spec != KeySpec::SymmetricDefault) {
        let text = format!("{arn} is not a symmetric encryption key, which a table needs.");
        return Err(KmsError::new("InvalidKeyUsageException", text));
    }
    let manager = match metadata.key_manager {
        Some(KeyManagerType::Aws) => KeyManager::Aws,
        _ => KeyManager::Customer,
    };
    Ok(KeyDescription { arn, manager })
}

// Refused is what the key service decided; everything else was no answer. It decides about this server too: credentials that
// it does not know, or know any more, are a refusal (R25), so that whoever takes them back takes the tables away.
// A signature that comes too late or too early says no such thing: one of the two clocks is wrong.
fn failure<E: ProvideErrorMetadata + RequestId + std::error::Error + 'static>(
    error: &SdkError<E, HttpResponse>,
) -> TableKmsError {
    let SdkError::ServiceError(answer) = error else {
        return TableKmsError::Unreachable(causes(error));
    };
    let status = answer.raw().status().as_u16();
    let Some(code) = answer.err().code().filter(|_| status < 500 && status != 429) else {
        return TableKmsError::Unreachable(format!("HTTP status {status}"));
    };
    if UNANSWERED.contains(&code) {
        return TableKmsError::Unreachable(format!("{code}, HTTP status {status}"));
    }
    let message = answer.err().message().unwrap_or_default();
    if OUT_OF_TIME.contains(&code)
        || code == "InvalidSignatureException"
            && OUT_OF_TIME_TEXTS.iter().any(|text| message.starts_with(text))
    {
        return TableKmsError::ClocksDiffer(format!("{code}: {message}"));
    }
    TableKmsError::Refused {
        code: code.to_owned(),
        message: message.to_owned(),
        request_id: answer.err().request_id().unwrap_or_default().to_owned(),
    }
}

// An error with its sources; the outermost alone says only "dispatch failure".
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

fn region_of(key_arn: &str, context: &TableContext) -> String {
    split_key_arn(key_arn).map_or_else(|| context.region.clone(), |(place, _)| place.region.to_string())
}

fn pairs(context: &TableContext) -> HashMap<String, String> {
    context.pairs().into_iter().collect()
}

fn secret(plaintext: Blob) -> Option<SecretKey> {
    SecretKey::from_slice(&mut plaintext.into_inner())
}

/// Codes by which the key service says that it could not decide.
const UNANSWERED: [&str; 6] = [
    "DependencyTimeoutException",
    "KMSInternalException",
    "KeyUnavailableException",
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
];
/// Codes by which it says that a request was signed too long ago, or too far ahead.
const OUT_OF_TIME: [&str; 3] = ["RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"];
/// The same with the code that it also has for a wrong secret key: how the texts begin.
const OUT_OF_TIME_TEXTS: [&str; 2] = ["Signature expired:", "Signature not yet current:"];
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
