//! One connection: TLS, the choice of HTTP version, and the clocks that run against a silent peer.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::dispatch::Dispatch;
use super::exchange::{self, Front, Peer};
use super::limits::Limits;
use super::server::Phase;

/// Serves one connection to its end.
pub(super) async fn serve<D: Dispatch>(
    stream: TcpStream,
    front: Arc<Front<D>>,
    peer: Peer,
    tls: Option<TlsAcceptor>,
    mut phases: watch::Receiver<Phase>,
) {
    // Answers are small and complete: waiting for more to send only costs time.
    let _ = stream.set_nodelay(true);
    let header_timeout = front.limits.header_timeout;
    let opening = async {
        match tls {
            Some(acceptor) => {
                let stream = acceptor.accept(stream).await?;
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                io::Result::Ok((Stream::Tls(Box::new(stream)), http2))
            }
            None => {
                let http2 = starts_with_http2_preface(&stream).await?;
                Ok((Stream::Clear(stream), http2))
            }
        }
    };
    let opened = tokio::select! {
        opened = tokio::time::timeout(header_timeout, opening) => opened,
        _ = phases.wait_for(|phase| *phase != Phase::Serving) => return,
    };
    let (stream, http2) = match opened {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) => {
            tracing::debug!(%error, peer = %peer.source_ip, "a connection did not open");
            return;
        }
        Err(_) => return,
    };
    let activity = Arc::new(Activity::default());
    match stream {
        Stream::Clear(stream) => serve_http(stream, http2, front, peer, activity, phases).await,
        Stream::Tls(stream) => serve_http(*stream, http2, front, peer, activity, phases).await,
    }
}

enum Stream {
    Clear(TcpStream),
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>),
}

/// What has happened on a connection, for the clocks.
#[derive(Default)]
struct Activity {
    /// Reads that brought bytes.
    reads: AtomicU64,
    /// The count of reads when the last request was answered.
    reads_answered: AtomicU64,
    /// Requests that have begun.
    requests: AtomicU64,
    /// Requests that are being answered.
    in_flight: AtomicU32,
}

async fn serve_http<D: Dispatch, S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    http2: bool,
    front: Arc<Front<D>>,
    peer: Peer,
    activity: Arc<Activity>,
    phases: watch::Receiver<Phase>,
) {
    let limits = front.limits.clone();
    let peer = Arc::new(peer);
    let source_ip = Arc::clone(&peer.source_ip);
    let io = TokioIo::new(Watched { stream, activity: Arc::clone(&activity) });
    let service = service_fn({
        let activity = Arc::clone(&activity);
        move |request| {
            let in_flight = InFlight::begin(Arc::clone(&activity));
            let (front, peer) = (Arc::clone(&front), Arc::clone(&peer));
            async move {
                let answer = exchange::answer(&front, &peer, request).await;
                drop(in_flight);
                Ok::<_, Infallible>(answer)
            }
        }
    });
    let ended = if http2 {
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams_max)
            .max_header_list_size(u32::try_from(limits.header_bytes_max).unwrap_or(u32::MAX))
            .max_send_buf_size(1 << 20)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .serve_connection(io, service);
        let watch = Watch { limits: &limits, activity: &activity, http1: false };
        run(connection, |connection| connection.graceful_shutdown(), watch, phases).await
    } else {
        let connection = hyper::server::conn::http1::Builder::new()
            .max_headers(limits.headers_max)
            .max_header_size(limits.header_bytes_max)
            .max_buf_size(READ_BUFFER_BYTES)
            .header_read_timeout(None)
            .serve_connection(io, service);
        let watch = Watch { limits: &limits, activity: &activity, http1: true };
        run(connection, |connection| connection.graceful_shutdown(), watch, phases).await
    };
    if let Err(error) = ended {
        tracing::debug!(%error, peer = %source_ip, "a connection broke");
    }
}

/// Which clocks run on a connection.
struct Watch<'a> {
    limits: &'a Limits,
    activity: &'a Activity,
    /// With HTTP/2, bytes may be pings: they do not mean that a request has begun.
    http1: bool,
}

// Drives a connection until it ends, is drained, or a clock has run out. The
// clocks tick a few times a minute and look at counters, so that requests cost no timer.
async fn run<C: Future<Output = hyper::Result<()>>>(
    connection: C,
    shut_down: impl Fn(Pin<&mut C>),
    watch: Watch<'_>,
    mut phases: watch::Receiver<Phase>,
) -> hyper::Result<()> {
    let mut connection = std::pin::pin!(connection);
    let tick = (watch.limits.header_timeout / 2).min(watch.limits.idle_timeout / 2);
    let mut tick = tick.max(Duration::from_millis(1));
    let mut ticker = std::pin::pin!(tokio::time::sleep(tick));
    let (mut requests_seen, mut quiet, mut in_header) = (0, Duration::ZERO, Duration::ZERO);
    let (mut draining, mut stopping) = (false, false);
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => return ended,
            changed = phases.changed() => {
                if changed.is_err() || *phases.borrow() == Phase::Cut {
                    return Ok(());
                }
                if !draining {
                    draining = true;
                    shut_down(connection.as_mut());
                }
                stopping = true;
                tick = tick.min(watch.limits.drain_body_timeout);
                ticker.as_mut().reset(tokio::time::Instant::now() + tick);
                continue;
            }
            () = ticker.as_mut() => {}
        }
        ticker.as_mut().reset(tokio::time::Instant::now() + tick);
        let activity = watch.activity;
        let requests = activity.requests.load(Ordering::Relaxed);
        if requests != requests_seen || activity.in_flight.load(Ordering::Relaxed) > 0 {
            (requests_seen, quiet, in_header) = (requests, Duration::ZERO, Duration::ZERO);
            continue;
        }
        quiet += tick;
        let unanswered =
            activity.reads.load(Ordering::Relaxed) != activity.reads_answered.load(Ordering::Relaxed);
        in_header = if watch.http1 && unanswered { in_header + tick } else { Duration::ZERO };
        // Half a head is no request that a stop would wait for.
        let patience = if stopping { Duration::ZERO } else { watch.limits.header_timeout };
        if in_header > Duration::ZERO && in_header >= patience {
            return Ok(());
        }
        // Nor is a client of HTTP/2 that has nothing under way and does not take its leave.
        if stopping && !watch.http1 && quiet >= 3 * watch.limits.drain_body_timeout {
            return Ok(());
        }
        if quiet >= watch.limits.idle_timeout {
            if draining {
                return Ok(());
            }
            (draining, quiet) = (true, Duration::ZERO);
            shut_down(connection.as_mut());
        }
    }
}

/// Counts a request as in flight until it is dropped.
struct InFlight(Arc<Activity>);

impl InFlight {
    fn begin(activity: Arc<Activity>) -> Self {
        activity.requests.fetch_add(1, Ordering::Relaxed);
        activity.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(activity)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let reads = self.0.reads.load(Ordering::Relaxed);
        self.0.reads_answered.store(reads, Ordering::Relaxed);
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

// Looks at the first bytes without taking them. A peer that sends its preface
// byte by byte is asked again a few times a second, until the header timeout.
async fn starts_with_http2_preface(stream: &TcpStream) -> io::Result<bool> {
    let mut seen = [0; HTTP2_PREFACE.len()];
    loop {
        let count = stream.peek(&mut seen).await?;
        if count == 0 || !HTTP2_PREFACE.starts_with(&seen[..count]) {
            return Ok(false);
        }
        if count == HTTP2_PREFACE.len() {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A stream that counts its reads.
struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.activity.reads.fetch_add(1, Ordering::Relaxed);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

const HTTP2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The most that is read of a connection of HTTP/1.1 before it is taken.
const READ_BUFFER_BYTES: usize = 64 << 10;
/// How much of a body may be on its way over HTTP/2 that nobody reads yet; it lies outside the memory for bodies.
const STREAM_WINDOW_BYTES: u32 = 128 << 10;
/// The same of all bodies of a connection.
const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;
const PING_INTERVAL: Duration = Duration::from_secs(60);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
