//! The listener: takes connections, and lets them finish when it stops.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use strongroom_model::clock::Random;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_rustls::TlsAcceptor;

use super::body_memory::BodyMemory;
use super::connection;
use super::dispatch::Dispatch;
use super::exchange::{Front, LastText, Peer};
use super::limits::Limits;
use super::request_id::RequestIds;
use crate::auth::Authenticator;
use crate::clock::SystemClock;

/// What a server is made of.
pub struct Wiring<D> {
    /// Answers the calls.
    pub app: Arc<D>,
    /// Says who sends them.
    pub authenticator: Authenticator,
    /// Draws the request ids.
    pub random: Arc<dyn Random>,
    /// Bounds on requests and connections.
    pub limits: Limits,
    /// TLS, with ALPN for `h2` and `http/1.1`; cleartext when absent.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// The clock that `POST /_strongroom/clock` moves; give one only in development.
    pub movable_clock: Option<Arc<SystemClock>>,
}

/// A server that takes requests until it is stopped.
pub struct Server {
    address: SocketAddr,
    phase: watch::Sender<Phase>,
    drain_timeout: Duration,
    /// Closes when the listener and the last connection are gone.
    alive: mpsc::Receiver<()>,
    start_draining: Box<dyn Fn() + Send + Sync>,
}

/// Where a server is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) enum Phase {
    /// It takes requests.
    Serving,
    /// Requests in flight finish; connections close as soon as they are idle.
    Draining,
    /// Whatever is left is cut.
    Cut,
}

impl Server {
    /// Starts to serve on `listener`; the calling task's runtime carries it.
    pub fn start<D: Dispatch>(listener: TcpListener, wiring: Wiring<D>) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let limits = wiring.limits;
        let drain_timeout = limits.drain_timeout;
        let unpacking = limits.large_body_bytes_max / limits.body_bytes_max.max(1);
        let front = Arc::new(Front {
            app: wiring.app,
            authenticator: wiring.authenticator,
            ids: RequestIds::new(wiring.random),
            body_memory: BodyMemory::new(&limits),
            unpacking: Semaphore::new(unpacking.clamp(1, Semaphore::MAX_PERMITS)),
            document_kib: Semaphore::new(limits.large_document_bytes_max.div_ceil(1024)),
            movable_clock: wiring.movable_clock,
            draining: watch::Sender::new(false),
            limits,
        });
        let (phase, phases) = watch::channel(Phase::Serving);
        let (held, alive) = mpsc::channel(1);
        let start_draining = {
            let front = Arc::clone(&front);
            Box::new(move || {
                front.draining.send_replace(true);
            })
        };
        let tls = wiring.tls.map(TlsAcceptor::from);
        tokio::spawn(accept(listener, front, tls, phases, held));
        Ok(Self { address, phase, drain_timeout, alive, start_draining })
    }

    /// The address it listens on, with the port that was picked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, lets requests in flight finish, and cuts what is left after the drain timeout.
    pub async fn stop(mut self) {
        (self.start_draining)();
        self.phase.send_replace(Phase::Draining);
        if tokio::time::timeout(self.drain_timeout, self.alive.recv()).await.is_err() {
            tracing::warn!("requests were still running after the drain timeout and are cut");
            self.phase.send_replace(Phase::Cut);
            self.alive.recv().await;
        }
    }
}

async fn accept<D: Dispatch>(
    listener: TcpListener,
    front: Arc<Front<D>>,
    tls: Option<TlsAcceptor>,
    mut phases: watch::Receiver<Phase>,
    held: mpsc::Sender<()>,
) {
    let places = Arc::new(Semaphore::new(front.limits.connections_max));
    let mut told: Option<Instant> = None;
    for connection in 1.. {
        let place_and_stream = async {
            let place = Arc::clone(&places).acquire_owned().await.expect("never closed");
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            accepted = place_and_stream => accepted,
            _ = phases.wait_for(|phase| *phase != Phase::Serving) => return,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: wait until somebody hangs up.
                if told.is_none_or(|told| told.elapsed() >= TELL_INTERVAL) {
                    tracing::warn!(%error, "connections cannot be accepted");
                    told = Some(Instant::now());
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let peer = Peer {
            source_ip: address.ip().to_canonical().to_string().into(),
            connection,
            tls: tls.is_some(),
            user_agent: LastText::default(),
            host: LastText::default(),
        };
        let (front, tls, phases, held) = (Arc::clone(&front), tls.clone(), phases.clone(), held.clone());
        tokio::spawn(async move {
            connection::serve(stream, front, peer, tls, phases).await;
            drop((place, held));
        });
    }
}

/// How often the log says that connections cannot be accepted, while that lasts.
const TELL_INTERVAL: Duration = Duration::from_secs(10);
