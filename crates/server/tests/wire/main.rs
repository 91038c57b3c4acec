//! The wire from outside: an echo behind a real socket, met by well-behaved and by hostile clients.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod echo;
mod hostile;
mod protocols;
mod transport;
