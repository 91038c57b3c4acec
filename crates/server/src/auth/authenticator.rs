//! From a request to its sender.

use std::sync::Arc;

use hyper::http::request::Parts;

use super::Principal;
use super::dev::DevIdentities;
use crate::wire::{ApiError, Service};

/// Says who sends a request, by the rules the server was started with.
pub struct Authenticator(Mode);

enum Mode {
    Dev(DevIdentities),
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

    /// Who sends the request with this head and these body bytes, as they came.
    pub fn sender(&self, head: &Parts, body: &[u8], service: Service) -> Result<Sender, ApiError> {
        let _ = (body, service);
        match &self.0 {
            Mode::Dev(identities) => Ok(identities.sender(head)),
        }
    }
}
