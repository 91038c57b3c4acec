//! A server whose application answers with what it was asked, and clients for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::HeaderMap;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use strongroom_model::clock::Random;
use strongroom_model::document::Document;
use strongroom_server::auth::Authenticator;
use strongroom_server::clock::SystemClock;
use strongroom_server::service::{self, Output};
use strongroom_server::wire::{ApiError, Dispatch, Limits, Server, Service, Wiring};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Answers every call with itself; `ListTables` answers slowly, `DeleteTable` with an error,
/// `Scan` with a page of the given size.
pub struct Echo;

impl Dispatch for Echo {
    async fn call(&self, service: Service, request: service::Request) -> Result<Output, ApiError> {
        match request.operation {
            "ListTables" => tokio::time::sleep(Duration::from_millis(300)).await,
            "DeleteTable" => {
                let text = "Requested resource not found: Table: t not found";
                return Err(ApiError::new("ResourceNotFoundException", text));
            }
            "Scan" => {
                let bytes = request.input.get("Limit").and_then(Document::as_i64).unwrap_or(0) as usize;
                return Ok(Output::Bytes(format!("{{\"a\":\"{}\"}}", "x".repeat(bytes)).into()));
            }
            _ => {}
        }
        Ok(json!({
            "Service": format!("{service:?}"),
            "Operation": request.operation,
            "Input": request.input,
            "Arn": request.caller.principal.arn,
            "Region": &*request.caller.region,
            "UserAgent": &*request.caller.user_agent,
            "SourceIp": &*request.caller.source_ip,
            "Connection": request.caller.connection,
            "Reached": [&*request.reached.host, request.reached.tls],
        })
        .into())
    }
}

/// Not for secrets: only shapes of ids are looked at here.
#[derive(Debug)]
pub struct NoRandom;

impl Random for NoRandom {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

pub async fn start(limits: Limits) -> Server {
    start_with(limits, Authenticator::dev("000000000000")).await
}

pub async fn start_with(limits: Limits, authenticator: Authenticator) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let wiring = Wiring {
        app: Arc::new(Echo),
        authenticator,
        random: Arc::new(NoRandom),
        limits,
        tls: None,
        movable_clock: Some(Arc::new(SystemClock::default())),
    };
    Server::start(listener, wiring).unwrap()
}

/// A raw connection.
pub struct Raw(pub TcpStream);

impl Raw {
    pub async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    pub async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.0.write_all(text.as_ref()).await.unwrap();
    }

    /// Everything up to the end of the connection; panics if that takes longer than ten seconds.
    pub async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let read = self.0.read_to_end(&mut bytes);
        let _ = tokio::time::timeout(Duration::from_secs(10), read).await.expect("the server hangs up");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Reads until `text` has been seen.
    pub async fn read_until(&mut self, text: &str) -> String {
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains(text) {
            let mut part = [0; 4096];
            let read = self.0.read(&mut part);
            let count = tokio::time::timeout(Duration::from_secs(10), read).await.unwrap().unwrap();
            assert_ne!(count, 0, "the server hung up after {:?}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&part[..count]);
        }
        String::from_utf8_lossy(&seen).into_owned()
    }
}

/// An HTTP/1.1 request for a JSON service, as text.
pub fn json_request(target: &str, body: &str) -> String {
    format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: {target}\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Sends one request and takes the whole answer.
pub async fn exchange(
    address: SocketAddr,
    http2: bool,
    request: Request<Full<Bytes>>,
) -> (StatusCode, HeaderMap, Bytes) {
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let response = if http2 {
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    } else {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    };
    let (head, body) = response.into_parts();
    (head.status, head.headers, body.collect().await.unwrap().to_bytes())
}

/// A request for `target` with further headers.
pub fn request(target: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let version = if target.starts_with("Dynamo") { "1.0" } else { "1.1" };
    let mut request = Request::post("http://localhost/")
        .header("host", "localhost")
        .header("x-amz-target", target)
        .header("content-type", format!("application/x-amz-json-{version}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body.into())).unwrap()
}

pub fn parse(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap()
}
