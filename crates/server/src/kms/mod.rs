//! The key service: keys, aliases, grants, ciphertexts.
//!
//! `service` holds them and makes changes last; `identifier` and `authorize`
//! decide which key a call may use; `cipher` uses it. The API actions stand in
//! `crate::service::kms`, what DynamoDB asks for in `table_kms`.

pub mod authorize;
pub mod ca_bundle;
pub(crate) mod cipher;
pub mod due;
pub mod error;
pub mod grant;
pub mod identifier;
pub mod key;
pub mod local;
pub(crate) mod lockout;
pub mod managed;
mod materials;
pub mod offline;
pub mod policy;
pub mod remote;
mod rows;
pub mod service;
mod silence;
pub(crate) mod state;
mod table_events;
pub mod table_kms;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use error::KmsError;
pub use grant::EncryptionContext;
pub use local::LocalTableKms;
pub use remote::RemoteTableKms;
pub use rows::Alias;
pub use service::{KeyCalls, Kms};
pub use state::{KeyChange, KeyEvent};
