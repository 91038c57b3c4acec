//! Authentication: who sends a request.

mod authenticator;
pub mod caller;
pub mod credentials;
mod dev;
mod sigv4;
mod verify;

pub use authenticator::{Authenticator, Sender};
pub use caller::{Caller, Principal, PrincipalKind};
pub use credentials::{Credential, Credentials, CredentialsError, NewAccessKey, SecretAccessKey, Session};
pub use sigv4::claim::signed_for;
pub use sigv4::sign::{Signer, SigningError};
