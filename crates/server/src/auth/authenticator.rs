//! From a request to its sender.

use std::sync::Arc;

use hyper::http::request::Parts;
use strongroom_model::clock::Clock;
use strongroom_model::shape::Service;

use super::Principal;
use super::credentials::Credentials;
use super::dev::DevIdentities;
use super::verify::Verifier;
use crate::wire::ApiError;

/// Says who sends a request, by the rules the server was started with.
pub struct Authenticator(Mode);

enum Mode {
    Dev(DevIdentities),
    Checked(Verifier),
}

/// Who sends a request, and to which region.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The identity behind the credential.
    pub principal: Arc<Principal>,
    /// The region of the credential scope.
    pub region: Arc<str>,
}

impl Authenticator {
    /// Accepts every request, signed or not, as sent by an identity of `account` (twelve digits).
    pub fn dev(account: &str) -> Self {
        Self(Mode::Dev(DevIdentities::new(account)))
    }

    /// Accepts what is signed with one of the credentials, at most 15 minutes ago by `clock`.
    pub fn checked(credentials: Arc<Credentials>, clock: Arc<dyn Clock>) -> Self {
        Self(Mode::Checked(Verifier::new(credentials, clock)))
    }

    /// Who sends the request with this head and these body bytes, as they came.
    pub fn sender(&self, head: &Parts, body: &[u8], service: Service) -> Result<Sender, ApiError> {
        match &self.0 {
            Mode::Dev(identities) => Ok(identities.sender(head)),
            Mode::Checked(verifier) => verifier.sender(head, body, service),
        }
    }

    /// Refuses a request whose head alone shows that it has no sender here. Its signature covers its body as well and is
    /// checked by [`Authenticator::sender`].
    pub fn check_head(&self, head: &Parts, service: Service) -> Result<(), ApiError> {
        match &self.0 {
            Mode::Dev(_) => Ok(()),
            Mode::Checked(verifier) => verifier.check_head(head, service),
        }
    }
}
