//! The only crate that names a cryptography library.
//!
//! From the bottom up: `primitive` wraps the library, `chunked` is the one
//! authenticated encryption format everything here is made of, `object` puts a
//! header in front of it, and `store` passes every byte that goes to an object
//! store through that. `keyring` and `root` keep the keys; `anchor` says how far
//! the system store has come; `blob` is what the key service hands out. Byte
//! layouts are in `docs/formats/`.
//!
//! This crate knows nothing of DynamoDB or HTTP.

pub mod anchor;
pub mod blob;
pub mod chunked;
pub mod data_keys;
pub mod error;
pub mod keyring;
mod numbered;
pub mod object;
pub mod primitive;
pub mod root;
pub mod secret;
pub mod store;

pub use data_keys::DataKeys;
pub use error::SealError;
pub use store::SealedStore;
