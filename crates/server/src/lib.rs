//! The Strongroom server: wire, auth, service, engine, kms, audit, storage.
//!
//! A request goes one way: `wire` reads it, `auth` says who sends it, `service`
//! checks and runs one API action, `engine` and `kms` keep the state, `storage`
//! holds SlateDB, and everything storage writes passes the seal.

pub mod app;
pub mod audit;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod engine;
pub mod kms;
pub mod service;
pub mod storage;
pub mod wire;
