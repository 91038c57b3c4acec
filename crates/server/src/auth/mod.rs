//! Authentication: who sends a request.

pub mod caller;

pub use caller::{Caller, Principal, PrincipalKind};
