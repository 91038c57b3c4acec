//! How much of anything a client may ask of the wire.

use std::time::Duration;

/// Bounds on requests and connections.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a request body, before and after decompression.
    pub body_bytes_max: usize,
    /// Bytes of a request body to other services than DynamoDB, whose requests are small.
    pub other_body_bytes_max: usize,
    /// Bytes of a request's line and headers.
    pub header_bytes_max: usize,
    /// Number of headers.
    pub headers_max: usize,
    /// Time for a request's headers, from their first byte; also for a TLS handshake.
    pub header_timeout: Duration,
    /// Time for a request's body.
    pub body_timeout: Duration,
    /// Time that a large body may take at least; then it is given up if others wait for its memory.
    pub share_timeout: Duration,
    /// Time that a connection may stay open without a request.
    pub idle_timeout: Duration,
    /// Connections open at once; more wait in the kernel's queue.
    pub connections_max: usize,
    /// Requests in flight on one HTTP/2 connection.
    pub streams_max: u32,
    /// Bytes of request bodies larger than 64 KiB held in memory at once, over all connections.
    pub large_body_bytes_max: usize,
    /// Bytes that the documents of such bodies take at once; a larger one waits until it is alone.
    pub large_document_bytes_max: usize,
    /// Time that a request's body, which is on its way when the server stops, gets to arrive.
    pub drain_body_timeout: Duration,
    /// Time that requests in flight get to finish when the server stops.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 16 << 20,
            other_body_bytes_max: 1 << 20,
            header_bytes_max: 32 << 10,
            headers_max: 100,
            header_timeout: Duration::from_secs(20),
            body_timeout: Duration::from_secs(60),
            share_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(900),
            connections_max: 10_000,
            streams_max: 128,
            large_body_bytes_max: 512 << 20,
            large_document_bytes_max: 512 << 20,
            drain_body_timeout: Duration::from_secs(1),
            drain_timeout: Duration::from_secs(10),
        }
    }
}
