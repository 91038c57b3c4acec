//! The events that DynamoDB's own key calls leave in the trail, whichever key service answers them.
//!
//! CreateGrant, DescribeKey and Decrypt are in the name of the caller, GenerateDataKey and RetireGrant in
//! DynamoDB's own. Service-owned keys leave no trace (R8).

use std::sync::Arc;

use serde_json::{Value, json};

use super::error::KmsError;
use super::grant::TABLE_OPERATIONS;
use super::identifier::split_key_arn;
use super::key::Place;
use super::service::Kms;
use super::table_kms::{TableContext, TableKmsError};
use crate::audit::{Actor, Event, uuid};
use crate::auth::Caller;

impl Kms {
    /// DescribeKey for who selects a key by what was typed; `found` is the ARN of the key behind it, if there is one.
    pub(super) fn describe_event(&self, caller: &Caller, typed: &str, found: Option<&str>) -> Event {
        let place =
            Place { account: Arc::clone(&caller.principal.account), region: Arc::clone(&caller.region) };
        Event {
            request_parameters: json!({ "keyId": found.unwrap_or(typed) }),
            resources: found.map(str::to_owned).into_iter().collect(),
            ..self.table_event("DescribeKey", Actor::UserThroughDynamoDb(caller.clone()), place)
        }
    }

    /// CreateGrant for who puts a table under a key; the grant is not known yet.
    pub(super) fn create_grant_event(&self, caller: &Caller, key_arn: &str, context: &TableContext) -> Event {
        let principal = context.service_principal();
        Event {
            request_parameters: json!({
                "keyId": key_arn,
                "granteePrincipal": principal,
                "retiringPrincipal": principal,
                "operations": TABLE_OPERATIONS,
                "constraints": { "encryptionContextSubset": context.pairs() },
            }),
            ..self.event_on("CreateGrant", Actor::UserThroughDynamoDb(caller.clone()), key_arn, context)
        }
    }

    /// GenerateDataKey of the service.
    pub(super) fn generate_event(&self, key_arn: &str, context: &TableContext) -> Event {
        Event {
            request_parameters: json!({
                "keyId": key_arn, "keySpec": "AES_256", "encryptionContext": context.pairs(),
            }),
            ..self.event_on("GenerateDataKey", Actor::DynamoDb, key_arn, context)
        }
    }

    /// Decrypt for a caller, or of the service itself.
    pub(super) fn decrypt_event(
        &self,
        caller: Option<&Caller>,
        key_arn: &str,
        context: &TableContext,
    ) -> Event {
        let actor = caller.map_or(Actor::DynamoDb, |caller| Actor::UserThroughDynamoDb(caller.clone()));
        Event {
            request_parameters: json!({ "encryptionContext": context.pairs() }),
            ..self.event_on("Decrypt", actor, key_arn, context)
        }
    }

    /// RetireGrant of the service.
    pub(super) fn retire_grant_event(&self, key_arn: &str, grant_id: &str, context: &TableContext) -> Event {
        Event {
            additional_data: json!({ "grantId": grant_id }),
            response_elements: json!({ "keyId": key_arn }),
            ..self.event_on("RetireGrant", Actor::DynamoDb, key_arn, context)
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
            Err(_) => return outcome,
        }
        if let Some(key_arn) = event.resources.first() {
            self.count_call(&key_arn.as_str().into(), event.name);
        }
        if &*event.account != Place::SERVICE_ACCOUNT {
            self.commit_event(&event).await.map_err(|error| refusal(&error, &event.request_id))?;
        }
        outcome
    }

    fn event_on(&self, name: &'static str, actor: Actor, key_arn: &str, context: &TableContext) -> Event {
        let place = split_key_arn(key_arn).map(|(place, _)| place);
        let place = place.unwrap_or_else(|| Place {
            account: context.account.as_str().into(),
            region: context.region.as_str().into(),
        });
        Event { resources: vec![key_arn.to_owned()], ..self.table_event(name, actor, place) }
    }

    fn table_event(&self, name: &'static str, actor: Actor, place: Place) -> Event {
        Event {
            account: place.account,
            region: place.region,
            source: "kms.amazonaws.com",
            name,
            actor,
            request_id: uuid(self.random()).into(),
            is_read_only: !matches!(name, "CreateGrant" | "RetireGrant"),
            request_parameters: Value::Null,
            response_elements: Value::Null,
            additional_data: Value::Null,
            resources: Vec::new(),
            error: None,
        }
    }
}

/// A refusal as the engine gets it.
pub(super) fn refusal(error: &KmsError, request_id: &str) -> TableKmsError {
    match error {
        KmsError::Refused { code, message } => TableKmsError::Refused {
            code: (*code).to_owned(),
            message: message.clone(),
            request_id: request_id.to_owned(),
        },
        KmsError::Storage(cause) => cause.clone().into(),
    }
}
