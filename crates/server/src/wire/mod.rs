//! From bytes on a socket to one API call, and back.
//!
//! It knows HTTP and the protocols of the services, asks `auth` who sends a
//! request, and hands the call to a [`Dispatch`]. It knows nothing of tables or keys.

mod body;
mod body_memory;
mod connection;
mod dispatch;
mod document;
pub mod error;
mod exchange;
mod limits;
mod metrics;
mod object;
mod plain;
mod query;
mod request_id;
mod response;
mod server;
mod service;
pub mod tls;

pub use dispatch::Dispatch;
pub use error::ApiError;
pub use limits::Limits;
pub use object::ObjectWriter;
pub use server::{Server, Wiring};
pub use service::Service;
