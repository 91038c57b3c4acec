//! One module per service, one file per API action: input, checks in AWS's
//! order, effect, output.

pub mod cloudtrail;
pub mod dynamodb;
pub mod kms;
pub mod sts;

use std::sync::Arc;

use serde_json::Value;
use strongroom_model::document::Document;

use crate::auth::Caller;
use crate::wire::ObjectWriter;

/// One API call, authenticated and checked against the service's model.
pub struct Request {
    /// Who calls.
    pub caller: Caller,
    /// The request id that the answer and the audit event carry (a UUID, upper-case letters and digits for DynamoDB).
    pub id: Arc<str>,
    /// The operation's name, such as `PutItem`.
    pub operation: &'static str,
    /// The body: a JSON object that has passed `Operation::validate`.
    pub input: Document,
    /// Where the client reached this server.
    pub reached: Reached,
}

/// The address by which a client reached this server.
#[derive(Clone, Debug, Default)]
pub struct Reached {
    /// The request's `Host`, cut to 1,024 bytes; empty when absent.
    pub host: Arc<str>,
    /// Whether the client speaks TLS, to this server or to a proxy in front of it.
    pub tls: bool,
}

/// What an action answers.
pub enum Output {
    /// A JSON document, serialised by the wire.
    Json(Value),
    /// A JSON document that the action has serialised itself, where speed matters.
    Bytes(Vec<u8>),
}

impl From<ObjectWriter> for Output {
    fn from(object: ObjectWriter) -> Self {
        Self::Bytes(object.finish())
    }
}

impl From<Value> for Output {
    fn from(value: Value) -> Self {
        Self::Json(value)
    }
}
