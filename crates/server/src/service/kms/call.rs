//! One call under way: its input, the keys it names, and the event it leaves.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::audit::{Actor, Event};
use crate::auth::Caller;
use crate::kms::authorize::{Requester, Via, authorize};
use crate::kms::error::KmsError;
use crate::kms::grant::{EncryptionContext, GrantToken};
use crate::kms::identifier::Aliases;
use crate::kms::key::{Key, Place};
use crate::kms::service::{Kms, WriterTurn};
use crate::kms::state::Change;
use crate::service::Request;
use crate::wire::ApiError;

/// One call of an API action.
pub(super) struct Call<'a> {
    pub kms: &'a Arc<Kms>,
    pub place: Place,
    /// Goes into the event once the call is over.
    pub additional_data: Value,
    request: &'a Request,
    input: &'a Value,
    resources: Vec<String>,
    is_recorded: bool,
}

impl<'a> Call<'a> {
    /// `input` is the request's.
    pub fn new(kms: &'a Arc<Kms>, request: &'a Request, input: &'a Value) -> Result<Self, ApiError> {
        let place = Place::of(&request.caller)?;
        Ok(Self {
            kms,
            place,
            additional_data: Value::Null,
            request,
            input,
            resources: Vec::new(),
            is_recorded: false,
        })
    }

    pub fn caller(&self) -> &'a Caller {
        &self.request.caller
    }

    pub fn operation(&self) -> &'static str {
        self.request.operation
    }

    /// A member of the input; `None` also for a null.
    pub fn member(&self, name: &str) -> Option<&'a Value> {
        self.input.get(name).filter(|value| !value.is_null())
    }

    pub fn string(&self, name: &str) -> Option<&'a str> {
        self.member(name).and_then(Value::as_str)
    }

    pub fn required_string(&self, name: &str) -> Result<&'a str, KmsError> {
        self.string(name).ok_or_else(|| KmsError::missing(&member_name(name)))
    }

    pub fn integer(&self, name: &str) -> Option<i64> {
        self.member(name).and_then(Value::as_i64)
    }

    pub fn flag(&self, name: &str) -> bool {
        self.member(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A binary member of `bytes_max` bytes at most.
    pub fn required_blob(&self, name: &str, bytes_max: usize) -> Result<Vec<u8>, KmsError> {
        let text = self.required_string(name)?;
        let bytes = STANDARD
            .decode(text)
            .map_err(|_| KmsError::new("SerializationException", format!("{name} is not valid Base64")))?;
        let of_length = |bound: &str, limit: usize| {
            let constraint = format!("Member must have length {bound} than or equal to {limit}");
            KmsError::constraint("", &member_name(name), &constraint)
        };
        match bytes.len() {
            0 => Err(of_length("greater", 1)),
            length if length > bytes_max => Err(of_length("less", bytes_max)),
            _ => Ok(bytes),
        }
    }

    /// An encryption context; empty when there is none.
    pub fn context(&self, name: &str) -> Result<EncryptionContext, KmsError> {
        let Some(value) = self.member(name) else { return Ok(EncryptionContext::new()) };
        let context: EncryptionContext = serde_json::from_value(value.clone()).map_err(|_| {
            KmsError::new("SerializationException", format!("{name} is not a map of strings"))
        })?;
        let bytes: usize = context.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > CONTEXT_BYTES_MAX {
            let text = format!("{name} is longer than the {CONTEXT_BYTES_MAX} bytes it may have");
            return Err(KmsError::validation(text));
        }
        Ok(context)
    }

    /// Refuses members that this server does not honour.
    pub fn refuse(&self, names: &[&str]) -> Result<(), KmsError> {
        match names.iter().find(|name| self.member(name).is_some()) {
            None => Ok(()),
            Some(name) => Err(KmsError::unsupported(format!("{name} is not supported"))),
        }
    }

    /// Refuses any algorithm but the one that symmetric encryption keys have.
    pub fn check_algorithm(&self, name: &str) -> Result<(), KmsError> {
        match self.string(name) {
            None | Some("SYMMETRIC_DEFAULT") => Ok(()),
            Some(algorithm) => {
                let text = format!("Algorithm {algorithm} is incompatible with key spec SYMMETRIC_DEFAULT.");
                Err(KmsError::new("InvalidKeyUsageException", text))
            }
        }
    }

    /// Grants count at once, so a grant token is not needed; but it must be one.
    pub fn check_grant_tokens(&self) -> Result<(), KmsError> {
        let tokens = self.member("GrantTokens").and_then(Value::as_array);
        let are_ours = tokens
            .into_iter()
            .flatten()
            .all(|token| token.as_str().is_some_and(|token| GrantToken::decode(token).is_some()));
        if are_ours {
            Ok(())
        } else {
            Err(KmsError::new("InvalidGrantTokenException", "Invalid grant token"))
        }
    }

    /// The key that the member `name` names, once its caller may do `action` with it.
    pub fn key(&mut self, name: &str, aliases: Aliases, action: &str) -> Result<Arc<Key>, KmsError> {
        let identifier = self.required_string(name)?;
        let requester = self.requester(action);
        let key = self.kms.resolve(requester, identifier, aliases)?;
        self.use_key(&key);
        authorize(requester, &key)?;
        Ok(key)
    }

    pub fn requester<'b>(&self, action: &'b str) -> Requester<'b>
    where
        'a: 'b,
    {
        Requester { caller: self.caller(), action, via: Via::Direct }
    }

    /// Counts the call for `key` and names the key in the event.
    pub fn use_key(&mut self, key: &Key) {
        if !self.resources.iter().any(|arn| **arn == *key.arn) {
            self.kms.count_call(&key.arn, self.operation());
            self.resources.push(key.arn.to_string());
        }
    }

    /// Names something else in the event.
    pub fn use_resource(&mut self, arn: String) {
        self.resources.push(arn);
    }

    /// Ends a dry run: everything before has passed.
    pub fn end_dry_run(&self) -> Result<(), KmsError> {
        if self.flag("DryRun") { Err(KmsError::dry_run()) } else { Ok(()) }
    }

    /// Makes changes durable and visible, together with this call's event.
    pub async fn commit(
        &mut self,
        turn: WriterTurn,
        changes: Vec<Change>,
        response_elements: Value,
    ) -> Result<(), KmsError> {
        let event = self.event(response_elements, None);
        self.kms.commit(turn, changes, Some(event)).await?;
        self.is_recorded = true;
        Ok(())
    }

    /// Records the call unless that is done, and hands over its outcome.
    pub async fn finish(self, outcome: Result<Value, KmsError>) -> Result<Value, KmsError> {
        if !self.is_recorded {
            let error =
                outcome.as_ref().err().map(|error| (error.code().to_owned(), error.message().to_owned()));
            self.kms.commit_event(&self.event(Value::Null, error)).await?;
        }
        outcome
    }

    /// Records a call that no action has looked at. What its parameters mean, and which of them are secret, is not known:
    /// the event shows none.
    pub async fn finish_refused(self, error: &ApiError) -> Result<(), KmsError> {
        let error = (error.code.to_string(), error.message.clone());
        let event = Event { request_parameters: Value::Null, ..self.event(Value::Null, Some(error)) };
        self.kms.commit_event(&event).await
    }

    fn event(&self, response_elements: Value, error: Option<(String, String)>) -> Event {
        Event {
            account: Arc::clone(&self.place.account),
            region: Arc::clone(&self.place.region),
            source: "kms.amazonaws.com",
            name: self.operation(),
            actor: Actor::User(self.caller().clone()),
            request_id: Arc::clone(&self.request.id),
            is_read_only: is_read_only(self.operation()),
            request_parameters: request_parameters(self.input),
            response_elements,
            additional_data: self.additional_data.clone(),
            resources: self.resources.clone(),
            error,
        }
    }
}

fn is_read_only(operation: &str) -> bool {
    ["Describe", "Get", "List", "Encrypt", "Decrypt", "ReEncrypt", "Generate", "Sign", "Verify", "Derive"]
        .iter()
        .any(|prefix| operation.starts_with(prefix))
}

/// The input as the trail shows it: first letters in lower case, without plaintexts, ciphertexts and tokens.
fn request_parameters(input: &Value) -> Value {
    const HIDDEN: [&str; 4] = ["Plaintext", "CiphertextBlob", "GrantToken", "GrantTokens"];
    let Some(input) = input.as_object().filter(|input| !input.is_empty()) else { return Value::Null };
    let shown = input.iter().filter(|(name, _)| !HIDDEN.contains(&name.as_str()));
    let shown: Map<String, Value> = shown
        .map(|(name, value)| {
            let value = match name.as_str() {
                "Constraints" => lower_names(value),
                "Tags" => value.as_array().map_or(Value::Null, |tags| tags.iter().map(lower_names).collect()),
                _ => value.clone(),
            };
            (member_name(name), value)
        })
        .collect();
    if shown.is_empty() { Value::Null } else { Value::Object(shown) }
}

/// An object with first letters in lower case.
pub(super) fn lower_names(value: &Value) -> Value {
    let Some(members) = value.as_object() else { return value.clone() };
    json!(members.iter().map(|(name, value)| (member_name(name), value.clone())).collect::<Map<_, _>>())
}

/// A member's name as errors and events show it.
fn member_name(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// AWS's limit for an encryption context.
const CONTEXT_BYTES_MAX: usize = 8_192;
