//! The only crate that names a cryptography library.

pub mod secret;
