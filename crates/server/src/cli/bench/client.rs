//! One connection to the server: signed requests, one after another, over HTTP/1.1 with keep-alive.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use strongroom_model::clock::Clock;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::workload::Ready;
use crate::auth::{SecretAccessKey, Signer};

/// Where the server is and how to talk to it.
pub(super) struct Endpoint {
    host: String,
    port: u16,
    authority: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    signer: Signer,
    clock: Arc<dyn Clock>,
}

/// Why an endpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum EndpointError {
    /// It is no URL of a server.
    #[error("`{0}` is no endpoint: `http://host:port` or `https://host:port` is wanted")]
    Url(String),
    /// Nobody says whom to trust.
    #[error("an https endpoint needs AWS_CA_BUNDLE: the file of certificates to trust")]
    NoCaBundle,
    /// The file of trusted certificates.
    #[error("AWS_CA_BUNDLE `{path}` does not hold certificates in PEM")]
    CaBundle {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: rustls::pki_types::pem::Error,
    },
    /// TLS with these certificates.
    #[error("TLS cannot be used with the certificates of AWS_CA_BUNDLE")]
    Tls(#[from] rustls::Error),
    /// The server does not answer.
    #[error("cannot connect to `{endpoint}`")]
    Connect {
        /// The endpoint.
        endpoint: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A request failed.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum CallError {
    /// The server refused it.
    #[error("{code}: {message}")]
    Refused {
        /// The error's code, such as `ResourceNotFoundException`.
        code: String,
        /// What it says.
        message: String,
    },
    /// The connection broke. It is to be replaced.
    #[error("the connection failed")]
    Connection(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// How long an answer is waited for.
const ANSWER_TIME: Duration = Duration::from_secs(20);

/// An open connection.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// Whether the server is on this machine, and its port.
    local_port: Option<u16>,
}

impl Endpoint {
    /// An endpoint from its URL. Credentials and region come from `AWS_...` variables, any where they are absent.
    pub(super) fn from_url(url: &str, clock: Arc<dyn Clock>) -> Result<Self, EndpointError> {
        let not_url = || EndpointError::Url(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| not_url())?;
        let host = uri.host().ok_or_else(not_url)?.trim_matches(['[', ']']).to_owned();
        if uri.path() != "/" || uri.query().is_some() {
            return Err(not_url());
        }
        let (tls, default_port) = match uri.scheme_str() {
            Some("http") => (None, 80),
            Some("https") => {
                let name = ServerName::try_from(host.clone()).map_err(|_| not_url())?;
                (Some((tls_connector()?, name)), 443)
            }
            _ => return Err(not_url()),
        };
        let authority = uri.authority().ok_or_else(not_url)?.as_str().to_owned();
        let port = uri.port_u16().unwrap_or(default_port);
        Ok(Self { host, port, authority, tls, signer: signer_from_environment(), clock })
    }

    /// Opens a connection.
    pub(super) async fn connect(&self) -> Result<Connection, EndpointError> {
        let failed = |source| EndpointError::Connect { endpoint: self.authority.clone(), source };
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let local_port = match (stream.local_addr(), stream.peer_addr()) {
            (Ok(here), Ok(there)) => port_on_this_machine(here, there),
            _ => None,
        };
        let sender = match &self.tls {
            None => handshake(stream).await,
            Some((connector, name)) => {
                handshake(connector.connect(name.clone(), stream).await.map_err(failed)?).await
            }
        };
        let sender = sender.map_err(|error| failed(std::io::Error::other(error)))?;
        Ok(Connection { sender, local_port })
    }
}

impl Connection {
    /// The server's port if it is on this machine.
    pub(super) fn local_port(&self) -> Option<u16> {
        self.local_port
    }

    /// Sends a request and returns the whole answer's body.
    pub(super) async fn call(&mut self, endpoint: &Endpoint, ready: Ready) -> Result<Bytes, CallError> {
        let broken = |error: hyper::Error| CallError::Connection(error.into());
        let request = endpoint.request(ready).map_err(CallError::Connection)?;
        let exchange = async {
            self.sender.ready().await.map_err(broken)?;
            let answer = self.sender.send_request(request).await.map_err(broken)?;
            let status = answer.status();
            let body = answer.into_body().collect().await.map_err(broken)?.to_bytes();
            Ok((status, body))
        };
        let silent = || CallError::Connection(format!("no answer within {} s", ANSWER_TIME.as_secs()).into());
        let (status, body) =
            tokio::time::timeout(ANSWER_TIME, exchange).await.unwrap_or_else(|_| Err(silent()))?;
        match status.is_success() {
            true if body.first() == Some(&b'{') => Ok(body),
            true => Err(CallError::Refused {
                code: "NotDynamoDB".to_owned(),
                message: "the answer is no JSON object; is this the endpoint of a DynamoDB API?".to_owned(),
            }),
            false => Err(refusal(status.as_u16(), &body)),
        }
    }
}

impl Endpoint {
    fn request(
        &self,
        ready: Ready,
    ) -> Result<Request<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
        const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
        let target = format!("DynamoDB_20120810.{}", ready.operation);
        let headers = [
            ("content-type", CONTENT_TYPE),
            ("host", self.authority.as_str()),
            ("x-amz-target", target.as_str()),
        ];
        let signed = self.signer.sign("POST", "/", &headers, &ready.body, self.clock.now_millis())?;
        let mut request = Request::builder()
            .method("POST")
            .uri("/")
            .header("content-type", CONTENT_TYPE)
            .header("host", &self.authority)
            .header("x-amz-target", target);
        for (name, value) in signed {
            request = request.header(name, value);
        }
        Ok(request.body(Full::new(ready.body))?)
    }
}

fn signer_from_environment() -> Signer {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let access_key_id = variable("AWS_ACCESS_KEY_ID").unwrap_or_else(|| "bench".to_owned());
    let secret = variable("AWS_SECRET_ACCESS_KEY").unwrap_or_else(|| "bench".to_owned());
    let region = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    let region = region.unwrap_or_else(|| "us-east-1".to_owned());
    let signer = Signer::new(&access_key_id, SecretAccessKey::new(secret), &region, "dynamodb");
    match variable("AWS_SESSION_TOKEN") {
        Some(token) => signer.with_session_token(&token),
        None => signer,
    }
}

fn tls_connector() -> Result<TlsConnector, EndpointError> {
    let path = std::env::var_os("AWS_CA_BUNDLE").ok_or(EndpointError::NoCaBundle)?;
    let path = PathBuf::from(path);
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&path)
        .and_then(Iterator::collect)
        .map_err(|source| EndpointError::CaBundle { path, source })?;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn handshake<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the connection, whose failure the caller of the next request learns.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}

fn port_on_this_machine(here: SocketAddr, there: SocketAddr) -> Option<u16> {
    (here.ip() == there.ip()).then_some(there.port())
}

fn refusal(status: u16, body: &[u8]) -> CallError {
    let error: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| error[name].as_str();
    let code = text("__type")
        .map_or_else(|| format!("HTTP {status}"), |name| name.rsplit('#').next().unwrap_or(name).to_owned());
    let message = text("message").or_else(|| text("Message")).unwrap_or_default().to_owned();
    CallError::Refused { code, message }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::clock::SystemClock;

    #[test]
    fn endpoints_are_read_from_their_urls() {
        let endpoint = |url| Endpoint::from_url(url, Arc::new(SystemClock::default()));
        let local = endpoint("http://localhost:8000").unwrap();
        assert_eq!(
            (local.host.as_str(), local.port, local.authority.as_str()),
            ("localhost", 8000, "localhost:8000")
        );
        let six = endpoint("http://[::1]:8000/").unwrap();
        assert_eq!((six.host.as_str(), six.authority.as_str()), ("::1", "[::1]:8000"));
        assert_eq!(endpoint("http://dynamodb.test").unwrap().port, 80);
        for url in ["localhost:8000", "ftp://localhost", "http://localhost/path", "http://h/?q", ""] {
            assert!(matches!(endpoint(url), Err(EndpointError::Url(_))), "{url}");
        }
    }

    #[test]
    fn errors_are_named_by_their_code() {
        let code = |body: &str| match refusal(400, body.as_bytes()) {
            CallError::Refused { code, .. } => code,
            CallError::Connection(error) => panic!("{error}"),
        };
        let named = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceInUseException","message":"m"}"#;
        assert_eq!(code(named), "ResourceInUseException");
        assert_eq!(code("<html>"), "HTTP 400");
    }
}
