//! One event, in CloudTrail's shape.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};
use strongroom_model::clock::Random;

use crate::auth::{Caller, Principal, PrincipalKind};

/// A call to be recorded.
///
/// Whoever fills in the parameters leaves out every plaintext, key and ciphertext.
#[derive(Clone, Debug)]
pub struct Event {
    /// The account whose trail this is.
    pub account: Arc<str>,
    /// The region whose trail this is.
    pub region: Arc<str>,
    /// The service that was called, such as `kms.amazonaws.com`.
    pub source: &'static str,
    /// The operation's name.
    pub name: &'static str,
    /// Who called.
    pub actor: Actor,
    /// The id that the answer carries.
    pub request_id: Arc<str>,
    /// Whether the call changes nothing.
    pub is_read_only: bool,
    /// The call's parameters, with first letters in lower case; `Null` when there are none.
    pub request_parameters: Value,
    /// What was made or changed; `Null` for calls that only read.
    pub response_elements: Value,
    /// `additionalEventData`; `Null` when there is none.
    pub additional_data: Value,
    /// ARNs of what the call is about.
    pub resources: Vec<String>,
    /// Code and text of the error that was answered.
    pub error: Option<(String, String)>,
}

/// Who made a call.
#[derive(Clone, Debug)]
pub enum Actor {
    /// A user, directly.
    User(Caller),
    /// DynamoDB on behalf of a user.
    UserThroughDynamoDb(Caller),
    /// DynamoDB for itself.
    DynamoDb,
    /// The key service for itself.
    Kms,
}

/// How DynamoDB names itself.
const DYNAMODB: &str = "dynamodb.amazonaws.com";

impl Event {
    /// The event's document.
    pub fn document(&self, time_millis: i64, random: &dyn Random) -> Value {
        let mut document = Map::new();
        let mut put = |name: &str, value: Value| document.insert(name.to_owned(), value);
        put("eventVersion", json!("1.11"));
        put("userIdentity", self.actor.identity(&self.account));
        put("eventTime", json!(time_text(time_millis)));
        put("eventSource", json!(self.source));
        put("eventName", json!(self.name));
        put("awsRegion", json!(self.region));
        put("sourceIPAddress", json!(self.actor.source_ip()));
        put("userAgent", json!(self.actor.user_agent()));
        put("requestParameters", bounded("requestParameters", &self.request_parameters));
        put("responseElements", bounded("responseElements", &self.response_elements));
        if let Some((code, message)) = &self.error {
            put("errorCode", json!(code));
            if !message.is_empty() {
                put("errorMessage", json!(message[..message.floor_char_boundary(ERROR_MESSAGE_BYTES_MAX)]));
            }
        }
        if !self.additional_data.is_null() {
            put("additionalEventData", self.additional_data.clone());
        }
        put("requestID", json!(self.request_id));
        put("eventID", json!(uuid(random)));
        put("readOnly", json!(self.is_read_only));
        put("resources", self.resources.iter().map(|arn| self.resource(arn)).collect());
        let is_own_doing = matches!(self.actor, Actor::Kms);
        put("eventType", json!(if is_own_doing { "AwsServiceEvent" } else { "AwsApiCall" }));
        put("managementEvent", json!(true));
        put("recipientAccountId", json!(self.account));
        if matches!(self.actor, Actor::DynamoDb) {
            put("sharedEventID", json!(uuid(random)));
        }
        put("eventCategory", json!("Management"));
        Value::Object(document)
    }

    fn resource(&self, arn: &str) -> Value {
        let owner = arn.split(':').nth(4).unwrap_or(&self.account);
        let kind = if arn.contains(":alias/") { "AWS::KMS::Alias" } else { "AWS::KMS::Key" };
        json!({ "ARN": arn, "accountId": owner, "type": kind })
    }
}

impl Actor {
    fn identity(&self, account: &str) -> Value {
        match self {
            Self::User(caller) => principal(&caller.principal),
            Self::UserThroughDynamoDb(caller) => {
                let mut identity = principal(&caller.principal);
                identity["invokedBy"] = json!(DYNAMODB);
                identity
            }
            Self::DynamoDb => json!({ "type": "AWSService", "invokedBy": DYNAMODB }),
            Self::Kms => json!({ "accountId": account, "invokedBy": "AWS Internal" }),
        }
    }

    fn source_ip(&self) -> &str {
        match self {
            Self::User(caller) => &caller.source_ip,
            Self::UserThroughDynamoDb(_) | Self::DynamoDb => DYNAMODB,
            Self::Kms => "AWS Internal",
        }
    }

    fn user_agent(&self) -> &str {
        match self {
            Self::User(caller) => &caller.user_agent,
            Self::UserThroughDynamoDb(_) | Self::DynamoDb => DYNAMODB,
            Self::Kms => "AWS Internal",
        }
    }

    /// What `LookupEvents` calls the user name: none for a service.
    pub(super) fn user_name(&self) -> Option<&str> {
        match self {
            Self::User(caller) | Self::UserThroughDynamoDb(caller) => match caller.principal.kind {
                PrincipalKind::Root => Some("root"),
                PrincipalKind::User | PrincipalKind::AssumedRole => Some(&caller.principal.user_name),
            },
            Self::DynamoDb | Self::Kms => None,
        }
    }
}

fn principal(principal: &Principal) -> Value {
    let mut identity = json!({
        "principalId": principal.principal_id,
        "arn": principal.arn,
        "accountId": principal.account,
        "accessKeyId": principal.access_key_id,
    });
    match principal.kind {
        PrincipalKind::Root => identity["type"] = json!("Root"),
        PrincipalKind::User => {
            identity["type"] = json!("IAMUser");
            identity["userName"] = json!(principal.user_name);
        }
        PrincipalKind::AssumedRole => {
            identity["type"] = json!("AssumedRole");
            identity["sessionContext"] = session(principal);
        }
    }
    identity
}

// The role behind a session: its name stands in the session's ARN, its id before the colon.
fn session(principal: &Principal) -> Value {
    let role = principal.arn.split('/').nth(1).unwrap_or_default();
    let role_id = principal.principal_id.split(':').next().unwrap_or_default();
    json!({
        "attributes": { "mfaAuthenticated": "false" },
        "sessionIssuer": {
            "type": "Role",
            "principalId": role_id,
            "arn": format!("arn:aws:iam::{}:role/{role}", principal.account),
            "accountId": principal.account,
            "userName": role,
        },
    })
}

// What is too large for an event is left out, and the event says so, as CloudTrail's do.
fn bounded(name: &str, value: &Value) -> Value {
    let bytes = value.to_string().len();
    if bytes <= FIELD_BYTES_MAX {
        return value.clone();
    }
    json!({ "omitted": true, "originalSize": bytes, "reason": format!("{name} too large") })
}

/// CloudTrail's bound for parameters, and for what was answered.
const FIELD_BYTES_MAX: usize = 100 * 1024;
/// CloudTrail's bound for the text of an error.
const ERROR_MESSAGE_BYTES_MAX: usize = 1024;

fn time_text(millis: i64) -> String {
    let time = DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::UNIX_EPOCH);
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A random UUID.
pub(crate) fn uuid(random: &dyn Random) -> String {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}
