//! From bytes on a socket to one API call, and back.

pub mod error;

pub use error::ApiError;
