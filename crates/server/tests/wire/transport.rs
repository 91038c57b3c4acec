//! TLS on the same port rules: a made certificate, both versions of HTTP, and signatures checked through it.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use strongroom_model::clock::Clock;
use strongroom_server::auth::{Authenticator, Credential, Credentials, SecretAccessKey, Signer};
use strongroom_server::clock::SystemClock;
use strongroom_server::wire::{Limits, Server, Wiring, tls};
use tokio::net::{TcpListener, TcpStream};

use super::echo::{Echo, NoRandom, parse};

const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";

async fn start(folder: &std::path::Path) -> (Server, rustls::RootCertStore) {
    let clock = Arc::new(SystemClock::default());
    let made =
        tls::made_in(&folder.join("tls"), "127.0.0.1".parse().unwrap(), &[], clock.now_millis()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(made.ca_file.unwrap()).unwrap()).unwrap();
    let credentials = Credentials::new();
    let secret = SecretAccessKey::new("the secret".to_owned());
    credentials.insert(KEY_ID, Credential::root("111122223333", KEY_ID, secret));
    let wiring = Wiring {
        app: Arc::new(Echo),
        authenticator: Authenticator::checked(Arc::new(credentials), clock),
        random: Arc::new(NoRandom),
        limits: Limits { header_timeout: std::time::Duration::from_millis(500), ..Limits::default() },
        tls: Some(made.config),
        movable_clock: None,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (Server::start(listener, wiring).unwrap(), roots)
}

fn signed(secret: &str) -> Request<Full<Bytes>> {
    let signer = Signer::new(KEY_ID, SecretAccessKey::new(secret.to_owned()), "eu-west-3", "dynamodb");
    let headers = [("host", "localhost"), ("x-amz-target", "DynamoDB_20120810.DescribeLimits")];
    let now_millis = SystemClock::default().now_millis();
    let added = signer.sign("POST", "/", &headers, b"{}", now_millis).unwrap();
    let mut request =
        Request::post("https://localhost/").header("content-type", "application/x-amz-json-1.0");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    for (name, value) in added {
        request = request.header(name, value);
    }
    request.body(Full::new(Bytes::from_static(b"{}"))).unwrap()
}

#[tokio::test]
async fn alpn_chooses_the_version_and_signatures_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let (server, roots) = start(folder.path()).await;
    for alpn in ["h2", "http/1.1", ""] {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        if !alpn.is_empty() {
            config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        }
        for secret in ["the secret", "another secret"] {
            let stream = TcpStream::connect(server.address()).await.unwrap();
            let connector = tokio_rustls::TlsConnector::from(Arc::new(config.clone()));
            let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
            let io = TokioIo::new(stream);
            let response = if alpn == "h2" {
                let (mut sender, connection) =
                    hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
                tokio::spawn(connection);
                sender.send_request(signed(secret)).await.unwrap()
            } else {
                let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
                tokio::spawn(connection);
                sender.send_request(signed(secret)).await.unwrap()
            };
            let right = secret == "the secret";
            let expected = if right { StatusCode::OK } else { StatusCode::BAD_REQUEST };
            assert_eq!(response.status(), expected, "{alpn} {secret}");
            let answer = parse(&response.into_body().collect().await.unwrap().to_bytes());
            if right {
                assert_eq!(answer["Arn"], "arn:aws:iam::111122223333:root");
                assert_eq!(answer["Region"], "eu-west-3");
            } else {
                assert_eq!(answer["__type"], "com.amazon.coral.service#InvalidSignatureException");
            }
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn who_does_not_speak_tls_is_hung_up_on() {
    let folder = tempfile::tempdir().unwrap();
    let (server, _) = start(folder.path()).await;
    for sent in ["POST / HTTP/1.1\r\nHost: a\r\n\r\n", "\u{16}\u{3}\u{1}", ""] {
        let mut raw = super::echo::Raw::connect(server.address()).await;
        raw.send(sent).await;
        assert!(!raw.rest().await.contains("HTTP/1.1"), "{sent:?}");
    }
    server.stop().await;
}

/// The clock moves only where anybody may do anything.
#[tokio::test]
async fn the_clock_does_not_move_outside_development() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let wiring = Wiring {
        app: Arc::new(Echo),
        authenticator: Authenticator::checked(Arc::new(Credentials::new()), Arc::new(SystemClock::default())),
        random: Arc::new(NoRandom),
        limits: Limits::default(),
        tls: None,
        movable_clock: None,
    };
    let server = Server::start(listener, wiring).unwrap();
    let request = Request::post("/_strongroom/clock")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(br#"{"AdvanceSeconds":1}"#)))
        .unwrap();
    let (status, _, _) = super::echo::exchange(server.address(), false, request).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    server.stop().await;
}
