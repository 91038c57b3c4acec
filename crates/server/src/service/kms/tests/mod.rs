//! Every action, on an in-memory system store.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod aliases;
mod ciphertexts;
mod grants;
mod keys;
mod trail;
