//! AWS's rules as pure functions.
//!
//! Nothing here does I/O, reads the clock, draws random numbers or names a
//! cryptography library; every rule can be tested with values alone.

pub mod arn;
pub mod attribute;
pub mod clock;
pub mod document;
pub mod expression;
pub mod index;
pub mod json;
pub mod key;
pub mod number;
pub mod partiql;
pub mod resource_policy;
pub mod shape;
pub mod size;
pub mod stored;
