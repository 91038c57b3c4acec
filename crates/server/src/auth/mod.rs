//! Authentication: who sends a request.

mod authenticator;
pub mod caller;
mod dev;

pub use authenticator::{Authenticator, Sender};
pub use caller::{Caller, Principal, PrincipalKind};
