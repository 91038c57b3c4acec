//! The calls DynamoDB makes, on the key service of this process and on one over the network.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod local;
mod remote;
