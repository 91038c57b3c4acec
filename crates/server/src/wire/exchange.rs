//! One HTTP request and its answer: route, body, sender, call.
//!
//! The order of checks is the services' own: target and content type, JSON
//! syntax, signature, shape of the input, then the action's.

use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, USER_AGENT};
use hyper::http::request::Parts;
use hyper::{Method, Request as HttpRequest, StatusCode};
use parking_lot::Mutex;
use serde_json::Value;
use strongroom_model::shape::{Operation, model};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::body::{self, BodyError};
use super::dispatch::Dispatch;
use super::document;
use super::limits::Limits;
use super::request_id::RequestIds;
use super::response::{self, Answer};
use super::service::is_dynamodb;
use super::{ApiError, Service, metrics, plain, query};
use crate::auth::{Authenticator, Caller};
use crate::clock::SystemClock;
use crate::service::{Output, Request};

/// What all connections share.
pub(super) struct Front<D> {
    pub(super) app: Arc<D>,
    pub(super) authenticator: Authenticator,
    pub(super) ids: RequestIds,
    pub(super) limits: Limits,
    /// KiB of memory left for large bodies.
    pub(super) large_kib: Semaphore,
    /// KiB of memory left for their documents.
    pub(super) document_kib: Semaphore,
    /// The clock that `POST /_strongroom/clock` moves; none outside `--dev`.
    pub(super) movable_clock: Option<Arc<SystemClock>>,
    pub(super) draining: std::sync::atomic::AtomicBool,
}

/// What one connection's requests share.
pub(super) struct Peer {
    /// The peer's address, without port.
    pub(super) source_ip: Arc<str>,
    /// The connection's number.
    pub(super) connection: u64,
    /// The last `User-Agent` seen: requests of one connection share one copy.
    pub(super) user_agent: Mutex<Arc<str>>,
}

/// Answers one request.
pub(super) async fn answer<D: Dispatch>(
    front: &Front<D>,
    peer: &Peer,
    request: HttpRequest<Incoming>,
) -> Answer {
    let (head, body) = request.into_parts();
    if let Some(answer) = plain::refuse_foreign_page(front, &head) {
        return response::closing(answer);
    }
    if let Some(answer) = plain::answer(front, &head) {
        return answer;
    }
    let limits = &front.limits;
    let received = body::read(body, limits.body_bytes_max, limits.body_timeout, &front.large_kib).await;
    let received = match received {
        Ok(received) => received,
        Err(error) => return refused_body(front, &error),
    };
    if head.uri.path() == plain::CLOCK_PATH {
        return plain::move_clock(front, &head, &received.bytes);
    }
    // The signature covers the body as it was sent.
    let sent = &received.bytes;
    if head.method == Method::GET && head.uri.path() == metrics::PATH {
        let id = front.ids.next(Service::Kms);
        return match front.authenticator.sender(&head, sent, Service::Kms) {
            Ok(_) => response::metrics(metrics::text(&front.app.key_calls())),
            Err(error) => response::api(Service::Kms, "", &id, Err(error), false).await,
        };
    }
    let unpacked = match unpack(&head.headers, sent, limits.body_bytes_max).await {
        Ok(unpacked) => unpacked,
        Err(error) => return refused_body(front, &error),
    };
    let call = Call { head: &head, sent, body: &unpacked };
    match route(&head, &unpacked) {
        Route::Json(service, operation) => {
            let id = front.ids.next(service);
            let result = json_call(front, peer, &call, service, operation, &id).await;
            response::api(service, operation, &id, result, accepts_gzip(&head.headers)).await
        }
        Route::Query(query) => {
            let id = front.ids.next(Service::Sts);
            let (service, name, result) = match query {
                Ok(query) => {
                    let (service, name) = (query.service, query.operation);
                    (service, name, query_call(front, peer, &call, query, &id).await)
                }
                Err((service, error)) => (service, "", Err(error)),
            };
            response::api(service, name, &id, result, accepts_gzip(&head.headers)).await
        }
        Route::UnknownTarget => {
            let id = front.ids.next(Service::DynamoDb);
            let result = Err(ApiError::new("UnknownOperationException", ""));
            response::api(Service::DynamoDb, "", &id, result, false).await
        }
        Route::NotACall => response::not_a_call(&front.ids.next(Service::DynamoDb)),
    }
}

/// A request whose body has been read.
struct Call<'a> {
    head: &'a Parts,
    /// The body's bytes as they came.
    sent: &'a [u8],
    /// The body, unpacked.
    body: &'a [u8],
}

enum Route<'a> {
    Json(Service, &'a str),
    Query(Result<query::Call, (Service, ApiError)>),
    UnknownTarget,
    NotACall,
}

fn route<'a>(head: &'a Parts, body: &[u8]) -> Route<'a> {
    let content_type = header(&head.headers, &CONTENT_TYPE);
    let content_type = content_type.split(';').next().unwrap_or_default().trim();
    let form = match head.method {
        Method::POST if content_type == "application/x-www-form-urlencoded" => str::from_utf8(body).ok(),
        Method::GET => head.uri.query(),
        _ => None,
    };
    if let Some(query) = form.and_then(query::parse) {
        return Route::Query(query);
    }
    if head.method != Method::POST {
        return Route::NotACall;
    }
    let target = header(&head.headers, &X_AMZ_TARGET);
    let service = Service::from_target(target);
    let json = content_type == "application/json"
        || content_type == "application/x-amz-json-1.0"
        || (content_type == "application/x-amz-json-1.1"
            && !service.is_some_and(|(service, _)| is_dynamodb(service)));
    match service {
        _ if !json && !body.is_empty() => Route::NotACall,
        Some((service, operation)) => Route::Json(service, operation),
        None => Route::UnknownTarget,
    }
}

async fn json_call<D: Dispatch>(
    front: &Front<D>,
    peer: &Peer,
    call: &Call<'_>,
    service: Service,
    operation_name: &str,
    id: &Arc<str>,
) -> Result<Output, ApiError> {
    let Some(operation) = model(service).operation(operation_name) else {
        return document::check_syntax(call.body).and(Err(ApiError::new("UnknownOperationException", "")));
    };
    // Only a known sender makes us build a document: it takes many times the body's memory.
    let caller = match caller(front, peer, call, service) {
        Ok(caller) => caller,
        Err(error) => return document::check_syntax(call.body).and(Err(error)),
    };
    let _share = document_share(front, call.body).await;
    let request = |input| Request { caller, id: Arc::clone(id), operation: operation.name(), input };
    match checked_input(service, operation, call.body) {
        Ok(input) => front.app.call(service, request(input)).await,
        Err(error) => {
            // Boxed, for it is rare and would make every call's future larger.
            Box::pin(front.app.refused(service, request(Value::Null), &error)).await?;
            Err(error)
        }
    }
}

fn checked_input(service: Service, operation: &Operation, body: &[u8]) -> Result<Value, ApiError> {
    let input = document::parse(service, body)?;
    operation.validate(&input).map_err(|error| ApiError::new(error.code(), error.message().to_owned()))?;
    Ok(input)
}

// The share of the memory for documents that a large body's document takes until the call ends. Whoever waits
// holds a share for its body, which nobody who has one for its document waits for.
async fn document_share<'a, D>(front: &'a Front<D>, body: &[u8]) -> Option<SemaphorePermit<'a>> {
    if body.len() <= body::SMALL_BYTES as usize {
        return None;
    }
    let most = front.limits.large_document_bytes_max;
    let kib = u32::try_from(document::memory_bytes(body).min(most).div_ceil(1024)).unwrap_or(u32::MAX);
    front.document_kib.acquire_many(kib).await.ok()
}

async fn query_call<D: Dispatch>(
    front: &Front<D>,
    peer: &Peer,
    call: &Call<'_>,
    query: query::Call,
    id: &Arc<str>,
) -> Result<Output, ApiError> {
    let query::Call { service, operation, input } = query;
    let caller = caller(front, peer, call, service)?;
    front.app.call(service, Request { caller, id: Arc::clone(id), operation, input }).await
}

fn caller<D>(front: &Front<D>, peer: &Peer, call: &Call<'_>, service: Service) -> Result<Caller, ApiError> {
    let sender = front.authenticator.sender(call.head, call.sent, service)?;
    Ok(Caller {
        principal: sender.principal,
        region: sender.region,
        source_ip: Arc::clone(&peer.source_ip),
        user_agent: peer.user_agent(header(&call.head.headers, &USER_AGENT)),
        connection: peer.connection,
    })
}

impl Peer {
    fn user_agent(&self, text: &str) -> Arc<str> {
        let text = &text[..text.floor_char_boundary(USER_AGENT_BYTES_MAX)];
        let mut last = self.user_agent.lock();
        if **last != *text {
            *last = text.into();
        }
        Arc::clone(&last)
    }
}

async fn unpack(headers: &HeaderMap, sent: &Bytes, bytes_max: usize) -> Result<Bytes, BodyError> {
    match header(headers, &CONTENT_ENCODING) {
        "" | "identity" => Ok(sent.clone()),
        encoding if encoding.eq_ignore_ascii_case("gzip") => body::gunzip(sent.clone(), bytes_max).await,
        _ => Err(BodyError::Broken),
    }
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    header(headers, &ACCEPT_ENCODING).split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = weight
            .trim()
            .strip_prefix("q=")
            .is_some_and(|weight| weight.trim().parse::<f32>().is_ok_and(|weight| weight <= 0.0));
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

fn refused_body<D>(front: &Front<D>, error: &BodyError) -> Answer {
    let answer = match error {
        BodyError::TooLarge => response::text(StatusCode::PAYLOAD_TOO_LARGE, ""),
        BodyError::TooSlow => response::text(StatusCode::REQUEST_TIMEOUT, ""),
        BodyError::Broken => response::json(
            StatusCode::BAD_REQUEST,
            &serde_json::json!({"__type": "com.amazon.coral.service#SerializationException"}),
        ),
    };
    response::closing(response::with_request_id(answer, &front.ids.next(Service::DynamoDb)))
}

/// A header's text; empty when it is absent or no text.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

static X_AMZ_TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const USER_AGENT_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn gzip_is_sent_only_to_who_asks_for_it() {
        for (asked, wanted) in [
            ("gzip", true),
            ("deflate, GZip;q=0.5", true),
            ("gzip;q=0", false),
            ("identity", false),
            ("", false),
            ("xgzip", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, asked.parse().unwrap());
            assert_eq!(accepts_gzip(&headers), wanted, "{asked}");
        }
    }
}
