//! SlateDB, kept behind this module.

pub mod database;
pub mod error;
pub mod system;

pub use database::{Batch, Database, Order, Scan, Written};
pub use error::StorageError;
pub use system::SystemStore;
