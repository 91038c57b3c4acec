//! One HTTP request and its answer: route, body, sender, call.
//!
//! The order of checks is the services' own: target and content type, JSON
//! syntax, signature, shape of the input, then the action's.

use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use hyper::http::request::Parts;
use hyper::{Method, Request as HttpRequest, StatusCode};
use parking_lot::Mutex;
use strongroom_model::document::Document;
use strongroom_model::shape::{Operation, model};
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use super::body::{self, BodyError, Waits};
use super::body_memory::BodyMemory;
use super::dispatch::Dispatch;
use super::document;
use super::limits::Limits;
use super::request_id::RequestIds;
use super::response::{self, Answer};
use super::service::is_dynamodb;
use super::{ApiError, Service, metrics, plain, query};
use crate::auth::{Authenticator, Caller, Sender, signed_for};
use crate::clock::SystemClock;
use crate::service::{Output, Reached, Request};

/// What all connections share.
pub(super) struct Front<D> {
    pub(super) app: Arc<D>,
    pub(super) authenticator: Authenticator,
    pub(super) ids: RequestIds,
    pub(super) limits: Limits,
    /// The memory for bodies on their way.
    pub(super) body_memory: BodyMemory,
    /// How many more bodies may be unpacked.
    pub(super) unpacking: Semaphore,
    /// KiB of memory left for their documents.
    pub(super) document_kib: Semaphore,
    /// The clock that `POST /_strongroom/clock` moves; none outside `--dev`.
    pub(super) movable_clock: Option<Arc<SystemClock>>,
    /// Whether the server stops.
    pub(super) draining: watch::Sender<bool>,
}

/// What one connection's requests share.
pub(super) struct Peer {
    /// The peer's address, without port.
    pub(super) source_ip: Arc<str>,
    /// The connection's number.
    pub(super) connection: u64,
    /// Whether the connection is encrypted.
    pub(super) tls: bool,
    pub(super) user_agent: LastText,
    pub(super) host: LastText,
}

/// The last text seen in a header: requests of one connection share one copy.
#[derive(Default)]
pub(super) struct LastText(Mutex<Arc<str>>);

/// Answers one request.
pub(super) async fn answer<D: Dispatch>(
    front: &Front<D>,
    peer: &Peer,
    request: HttpRequest<Incoming>,
) -> Answer {
    let (head, body) = request.into_parts();
    // HTTP/1.1 counts them itself.
    if head.headers.len() > front.limits.headers_max {
        return response::closing(response::text(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, ""));
    }
    if let Some(answer) = plain::refuse_foreign_page(front, &head) {
        return response::closing(answer);
    }
    if let Some(answer) = plain::answer(front, &head) {
        return answer;
    }
    let limits = &front.limits;
    let mut body = body;
    // What waits for the rest of a body takes memory: only those who are known here get some of it.
    let admit = || front.authenticator.check_head(&head, addressed_service(&head));
    let waits = Waits { head_bytes: head_bytes(&head), stopped: stopped_waiting(front) };
    let received = body::read(&mut body, limits, &front.body_memory, admit, waits).await;
    let received = match received {
        Ok(received) => received,
        Err(error) => {
            // Where there is no memory for heads of strangers any more, nothing is waited for.
            if matches!(error, BodyError::Stranger(_))
                && let Some(_share) = front.body_memory.stranger_share(head_bytes(&head))
            {
                body::discard(
                    &mut body,
                    limits.body_bytes_max,
                    limits.header_timeout,
                    stopped_waiting(front),
                )
                .await;
            }
            return refused_body(front, &head, &error).await;
        }
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
    // A few kilobytes unpack to the whole limit: only for those who are known, and for some at a time. The signature covers
    // what is packed.
    let (mut sender, mut place) = (None, None);
    if is_packed(&head.headers) {
        let service = addressed_service(&head);
        match front.authenticator.sender(&head, sent, service) {
            Ok(known) => sender = Some((service, known)),
            Err(error) => {
                let id = front.ids.next(service);
                return response::api(service, "", &id, Err(error), false).await;
            }
        }
        place = front.unpacking.acquire().await.ok();
    }
    let unpacked = match unpack(&head.headers, sent, limits.body_bytes_max).await {
        Ok(unpacked) => unpacked,
        Err(error) => return refused_body(front, &head, &error).await,
    };
    let call = Call { head: &head, sent, body: &unpacked, sender, place };
    match route(&head, &unpacked) {
        Route::Json(service, _) if !is_dynamodb(service) && unpacked.len() > limits.other_body_bytes_max => {
            refused_body(front, &head, &BodyError::TooLarge).await
        }
        Route::Json(service, operation) => {
            let id = front.ids.next(service);
            let result = json_call(front, peer, call, service, operation, &id).await;
            let answer = response::api(service, operation, &id, result, accepts_gzip(&head.headers)).await;
            in_the_type_asked_for(answer, service, &head)
        }
        Route::Query(query) => {
            let id = front.ids.next(Service::Sts);
            let (service, name, result) = match query {
                Ok(query) => {
                    let (service, name) = (query.service, query.operation);
                    (service, name, query_call(front, peer, call, query, &id).await)
                }
                Err((service, error)) => (service, "", Err(error)),
            };
            response::api(service, name, &id, result, accepts_gzip(&head.headers)).await
        }
        Route::UnknownTarget => {
            let id = front.ids.next(Service::DynamoDb);
            let unknown = Err(ApiError::new("UnknownOperationException", ""));
            let result = document::check_syntax(&unpacked).and(unknown);
            let answer = response::api(Service::DynamoDb, "", &id, result, false).await;
            in_the_type_asked_for(answer, Service::DynamoDb, &head)
        }
        Route::NotACall => response::not_a_call(&front.ids.next(Service::DynamoDb)),
    }
}

// How much memory a head takes, roughly.
fn head_bytes(head: &Parts) -> usize {
    let headers = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + HEADER_BYTES);
    let query = head.uri.path_and_query().map_or(0, |text| text.as_str().len());
    HEAD_BYTES + query + headers.sum::<usize>()
}

// Resolves once the server stops and has waited long enough for a body that is still on its way: such a request is not
// in flight yet.
async fn stopped_waiting<D>(front: &Front<D>) {
    let mut draining = front.draining.subscribe();
    // The sender lives as long as the front does.
    let _ = draining.wait_for(|draining| *draining).await;
    tokio::time::sleep(front.limits.drain_body_timeout).await;
}

/// A request whose body has been read.
struct Call<'a> {
    head: &'a Parts,
    /// The body's bytes as they came.
    sent: &'a [u8],
    /// The body, unpacked.
    body: &'a [u8],
    /// Who sent it to which service, where that was asked before.
    sender: Option<(Service, Sender)>,
    /// A place among the bodies that are unpacked, if this one was.
    place: Option<SemaphorePermit<'a>>,
}

enum Route<'a> {
    Json(Service, &'a str),
    Query(Result<query::Call, (Service, ApiError)>),
    UnknownTarget,
    NotACall,
}

fn route<'a>(head: &'a Parts, body: &[u8]) -> Route<'a> {
    let is = |media_type: &str| content_type(head).eq_ignore_ascii_case(media_type);
    let form = match head.method {
        Method::POST if is(FORM) => str::from_utf8(body).ok(),
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
    let json = is("application/x-amz-json-1.0")
        || is("application/json")
        || (is("application/x-amz-json-1.1") && !service.is_some_and(|(service, _)| is_dynamodb(service)));
    match service {
        _ if !json && !body.is_empty() => Route::NotACall,
        Some((service, operation)) => Route::Json(service, operation),
        None => Route::UnknownTarget,
    }
}

/// DynamoDB names its own content type to those only who did.
fn in_the_type_asked_for(mut answer: Answer, service: Service, head: &Parts) -> Answer {
    if is_dynamodb(service) && !content_type(head).eq_ignore_ascii_case("application/x-amz-json-1.0") {
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    answer
}

async fn json_call<D: Dispatch>(
    front: &Front<D>,
    peer: &Peer,
    mut call: Call<'_>,
    service: Service,
    operation_name: &str,
    id: &Arc<str>,
) -> Result<Output, ApiError> {
    let Some(operation) = model(service).operation(operation_name) else {
        return document::check_syntax(call.body).and(Err(ApiError::new("UnknownOperationException", "")));
    };
    // Only a known sender makes us build a document: it takes many times the body's memory.
    let caller = match caller(front, peer, &mut call, service) {
        Ok(caller) => caller,
        Err(error) => return document::check_syntax(call.body).and(Err(error)),
    };
    let _share = document_share(front, call.body).await;
    // From here on the share bounds what large bodies take. The call may take long: others are unpacked meanwhile.
    drop(call.place.take());
    let reached = reached(peer, call.head);
    let request = |input| Request { caller, id: Arc::clone(id), operation: operation.name(), input, reached };
    match checked_input(service, operation, call.body) {
        Ok(input) => front.app.call(service, request(input)).await,
        Err(error) => {
            // Boxed, for it is rare and would make every call's future larger.
            Box::pin(front.app.refused(service, request(Document::Null), &error)).await?;
            Err(error)
        }
    }
}

fn checked_input(service: Service, operation: &Operation, body: &[u8]) -> Result<Document, ApiError> {
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
    mut call: Call<'_>,
    query: query::Call,
    id: &Arc<str>,
) -> Result<Output, ApiError> {
    let query::Call { service, operation, input } = query;
    let caller = caller(front, peer, &mut call, service)?;
    let reached = reached(peer, call.head);
    let input = input.into();
    front.app.call(service, Request { caller, id: Arc::clone(id), operation, input, reached }).await
}

fn caller<D>(
    front: &Front<D>,
    peer: &Peer,
    call: &mut Call<'_>,
    service: Service,
) -> Result<Caller, ApiError> {
    let sender = match call.sender.take() {
        Some((asked, sender)) if asked == service => sender,
        _ => front.authenticator.sender(call.head, call.sent, service)?,
    };
    Ok(Caller {
        principal: sender.principal,
        region: sender.region,
        source_ip: Arc::clone(&peer.source_ip),
        user_agent: peer.user_agent.shared(header(&call.head.headers, &USER_AGENT)),
        connection: peer.connection,
    })
}

fn reached(peer: &Peer, head: &Parts) -> Reached {
    // HTTP/2 carries the host in the URL instead.
    let host = match head.uri.authority() {
        Some(authority) => authority.as_str(),
        None => header(&head.headers, &HOST),
    };
    // A proxy that ends TLS in front of this server says so; a client must not be told to leave TLS.
    let tls = peer.tls || header(&head.headers, &X_FORWARDED_PROTO).eq_ignore_ascii_case("https");
    Reached { host: peer.host.shared(host), tls }
}

impl LastText {
    fn shared(&self, text: &str) -> Arc<str> {
        let text = &text[..text.floor_char_boundary(SHARED_BYTES_MAX)];
        let mut last = self.0.lock();
        if **last != *text {
            *last = text.into();
        }
        Arc::clone(&last)
    }
}

fn is_packed(headers: &HeaderMap) -> bool {
    !matches!(header(headers, &CONTENT_ENCODING), "" | "identity")
}

async fn unpack(headers: &HeaderMap, sent: &Bytes, bytes_max: usize) -> Result<Bytes, BodyError> {
    match header(headers, &CONTENT_ENCODING) {
        _ if !is_packed(headers) => Ok(sent.clone()),
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

async fn refused_body<D>(front: &Front<D>, head: &Parts, error: &BodyError) -> Answer {
    let service = addressed_service(head);
    let id = front.ids.next(service);
    let answer = match error {
        BodyError::TooLarge => {
            response::with_request_id(response::text(StatusCode::PAYLOAD_TOO_LARGE, ""), &id)
        }
        BodyError::TooSlow => response::with_request_id(response::text(StatusCode::REQUEST_TIMEOUT, ""), &id),
        BodyError::NoMemory => {
            response::with_request_id(response::text(StatusCode::SERVICE_UNAVAILABLE, ""), &id)
        }
        BodyError::Stranger(refused) => response::api(service, "", &id, Err(refused.clone()), false).await,
        BodyError::Broken => {
            let refused = ApiError::new("SerializationException", "");
            response::api(service, "", &id, Err(refused), false).await
        }
    };
    response::closing(answer)
}

// The service that a request is for, as far as its head tells. Forms say it in the body; in their heads it is what they are
// signed for.
fn addressed_service(head: &Parts) -> Service {
    match Service::from_target(header(&head.headers, &X_AMZ_TARGET)) {
        Some((service, _)) => service,
        None if content_type(head).eq_ignore_ascii_case(FORM) => query::service_signed_for(&signed_for(head)),
        None => Service::DynamoDb,
    }
}

// The media type of the body, without parameters; its letters' case means nothing.
fn content_type(head: &Parts) -> &str {
    let value = header(&head.headers, &CONTENT_TYPE);
    value.split(';').next().unwrap_or_default().trim()
}

/// A header's text; empty when it is absent or no text.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

const FORM: &str = "application/x-www-form-urlencoded";
static X_AMZ_TARGET: HeaderName = HeaderName::from_static("x-amz-target");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const SHARED_BYTES_MAX: usize = 1024;
/// What a header takes beside its text, and a request beside its headers.
const HEADER_BYTES: usize = 64;
const HEAD_BYTES: usize = 8 << 10;

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
