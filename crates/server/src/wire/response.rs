//! Answers as each service sends them: bodies, headers, checksums, compression.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::Value;

use super::service::{content_type, is_dynamodb, is_query};
use super::{ApiError, ObjectWriter, Service, metrics, query};
use crate::service::Output;

/// An HTTP answer; the body is in one piece, so that it leaves in one write with its head.
pub(super) type Answer = Response<Full<Bytes>>;

/// The answer to an API call.
pub(super) async fn api(
    service: Service,
    operation: &str,
    request_id: &Arc<str>,
    result: Result<Output, ApiError>,
    gzip_wanted: bool,
) -> Answer {
    if let Err(error) = &result
        && !error.cause.is_empty()
    {
        let ApiError { code, cause, .. } = error;
        tracing::error!(operation, %request_id, %code, cause, "a request failed");
    }
    let (status, body) = match result {
        Ok(Output::Bytes(bytes)) => (StatusCode::OK, bytes),
        Ok(Output::Json(value)) if is_query(service) => {
            (StatusCode::OK, query::success(service, operation, request_id, &value))
        }
        Ok(Output::Json(value)) => (StatusCode::OK, to_json(&value)),
        Err(error) if is_query(service) => query::error(service, operation, request_id, &error),
        Err(error) => (status(&error), json_error(service, &error)),
    };
    let mut body = Bytes::from(body);
    let packed = gzip_wanted && body.len() >= GZIP_BYTES_MIN;
    if packed {
        body = gzip(body).await;
    }
    let checksum = is_dynamodb(service).then(|| crc32fast::hash(&body));
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(&X_AMZN_REQUEST_ID, header_value(request_id));
    if let Some(checksum) = checksum {
        // Over the bytes as sent, that is after compression: this is what clients check.
        headers.insert(&X_AMZ_CRC32, HeaderValue::from(checksum));
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(service)));
    if packed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    answer
}

/// A plain text answer.
pub(super) fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}

/// The answer to a question for figures.
pub(super) fn metrics(body: String) -> Answer {
    let mut answer = text(StatusCode::OK, body);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE));
    answer
}

/// A JSON answer outside the AWS protocols.
pub(super) fn json(status: StatusCode, body: &Value) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(to_json(body))));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// An answer after which the connection closes, because the rest of the request was not read.
pub(super) fn closing(mut answer: Answer) -> Answer {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// The same answer with a request id.
pub(super) fn with_request_id(mut answer: Answer, request_id: &Arc<str>) -> Answer {
    answer.headers_mut().insert(&X_AMZN_REQUEST_ID, header_value(request_id));
    answer
}

/// What DynamoDB's fleet answers to what is not an API call at all.
pub(super) fn not_a_call(request_id: &Arc<str>) -> Answer {
    let body = "<UnknownOperationException/>\n";
    let mut answer = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *answer.status_mut() = StatusCode::NOT_FOUND;
    answer.headers_mut().insert(&X_AMZN_REQUEST_ID, header_value(request_id));
    answer.headers_mut().insert(&X_AMZ_CRC32, HeaderValue::from(crc32fast::hash(body.as_bytes())));
    answer
}

fn json_error(service: Service, error: &ApiError) -> Vec<u8> {
    let mut body = ObjectWriter::new();
    let code = match namespace(service, &error.code) {
        Some(namespace) => format!("{namespace}#{}", error.code),
        None => error.code.to_string(),
    };
    body.value("__type", &code.into());
    if !error.message.is_empty() {
        let name = message_member(service, &error.code);
        body.value(name, &error.message.as_str().into());
    }
    for (name, json) in &error.members {
        body.json(name, json);
    }
    body.finish()
}

/// The namespace that `__type` carries before `#`; only DynamoDB sends one.
fn namespace(service: Service, code: &str) -> Option<&'static str> {
    if !is_dynamodb(service) {
        return None;
    }
    Some(match code {
        "ValidationException" => "com.amazon.coral.validate",
        "AccessDeniedException"
        | "ExpiredTokenException"
        | "IncompleteSignatureException"
        | "InternalFailure"
        | "InvalidSignatureException"
        | "MissingAuthenticationTokenException"
        | "RequestEntityTooLargeException"
        | "SerializationException"
        | "UnknownOperationException"
        | "UnrecognizedClientException" => "com.amazon.coral.service",
        "ServiceUnavailableException" | "ThrottlingException" => "com.amazon.coral.availability",
        _ => "com.amazonaws.dynamodb.v20120810",
    })
}

/// The member that holds the text. The service models and the services themselves spell it both ways.
fn message_member(service: Service, code: &str) -> &'static str {
    match code {
        "AccessDeniedException" | "SerializationException" => "Message",
        "IdempotentParameterMismatchException"
        | "TransactionCanceledException"
        | "TransactionInProgressException"
            if is_dynamodb(service) =>
        {
            "Message"
        }
        _ => "message",
    }
}

fn status(error: &ApiError) -> StatusCode {
    StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn to_json(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).expect("a JSON value always serialises")
}

fn header_value(request_id: &Arc<str>) -> HeaderValue {
    HeaderValue::from_str(request_id).expect("request ids are ASCII letters, digits and dashes")
}

// Compression of a large page takes milliseconds, which the runtime's threads must not.
async fn gzip(body: Bytes) -> Bytes {
    if body.len() <= GZIP_HERE_BYTES_MAX {
        return gzip_now(&body);
    }
    let copy = body.clone();
    tokio::task::spawn_blocking(move || gzip_now(&copy))
        .await
        .expect("compression in memory does not panic and is not aborted")
}

fn gzip_now(body: &[u8]) -> Bytes {
    let buffer = Vec::with_capacity(body.len() / 3);
    let mut packer = flate2::write::GzEncoder::new(buffer, flate2::Compression::fast());
    packer.write_all(body).expect("a vector takes every write");
    packer.finish().expect("a vector takes every write").into()
}

static X_AMZN_REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
static X_AMZ_CRC32: HeaderName = HeaderName::from_static("x-amz-crc32");
/// The service sends smaller bodies as they are.
const GZIP_BYTES_MIN: usize = 4096;
const GZIP_HERE_BYTES_MAX: usize = 16 << 10;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::json;

    use super::*;

    fn rendered(service: Service, error: &ApiError) -> Value {
        serde_json::from_slice(&json_error(service, error)).unwrap()
    }

    /// SDKs choose the exception class by `__type`, and people by its text.
    #[test]
    fn errors_look_as_each_service_sends_them() {
        let missing = ApiError::new("ResourceNotFoundException", "Requested resource not found");
        assert_eq!(
            rendered(Service::DynamoDb, &missing),
            json!({
                "__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
                "message": "Requested resource not found",
            }),
        );
        assert_eq!(
            rendered(Service::DynamoDb, &ApiError::validation("no")),
            json!({"__type": "com.amazon.coral.validate#ValidationException", "message": "no"}),
        );
        let serialization =
            ApiError::new("SerializationException", "NUMBER_VALUE cannot be converted to String");
        assert_eq!(
            rendered(Service::DynamoDb, &serialization),
            json!({
                "__type": "com.amazon.coral.service#SerializationException",
                "Message": "NUMBER_VALUE cannot be converted to String",
            }),
        );
        assert_eq!(
            rendered(Service::Kms, &ApiError::new("SerializationException", "Expected null")),
            json!({"__type": "SerializationException", "Message": "Expected null"}),
        );
        assert_eq!(
            rendered(Service::Kms, &ApiError::new("NotFoundException", "Invalid keyId 'x'")),
            json!({"__type": "NotFoundException", "message": "Invalid keyId 'x'"}),
        );
        assert_eq!(
            rendered(Service::DynamoDb, &ApiError::new("UnknownOperationException", "")),
            json!({"__type": "com.amazon.coral.service#UnknownOperationException"}),
        );
    }

    #[test]
    fn an_errors_own_members_stand_beside_its_message() {
        let failed = ApiError::new("ConditionalCheckFailedException", "The conditional request failed")
            .with_member("Item", br#"{"pk":{"S":"a"}}"#.to_vec());
        assert_eq!(
            rendered(Service::DynamoDb, &failed),
            json!({
                "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
                "message": "The conditional request failed",
                "Item": {"pk": {"S": "a"}},
            }),
        );
    }
}
