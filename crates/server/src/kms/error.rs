//! The key service's refusals, in AWS's own words.
//!
//! One constructor per text, so a text stands in one place only.

use crate::storage::StorageError;
use crate::wire::ApiError;

/// Why a key call failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum KmsError {
    /// The service says no.
    #[error("{code}: {message}")]
    Refused {
        /// AWS's code, such as `DisabledException`.
        code: &'static str,
        /// AWS's text; empty where the service sends none.
        message: String,
    },
    /// The system store failed; nothing was changed as far as memory knows.
    #[error("the key store failed")]
    Storage(#[from] StorageError),
}

impl KmsError {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self::Refused { code, message: message.into() }
    }

    /// AWS's code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused { code, .. } => code,
            Self::Storage(_) => "KMSInternalException",
        }
    }

    /// AWS's text of this error; never names what failed inside.
    pub fn message(&self) -> &str {
        match self {
            Self::Refused { message, .. } => message,
            Self::Storage(_) => "The request failed because of an internal error. Try again.",
        }
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }

    /// One constraint of the service model that `member` breaks; `value` as AWS shows it, quotes included.
    pub(crate) fn constraint(value: &str, member: &str, constraint: &str) -> Self {
        let value = if value.is_empty() { String::new() } else { format!("{value} ") };
        Self::validation(format!(
            "1 validation error detected: Value {value}at '{member}' failed to satisfy constraint: {constraint}"
        ))
    }

    pub(crate) fn missing(member: &str) -> Self {
        Self::constraint("null", member, "Member must not be null")
    }

    pub(crate) fn key_missing(key_arn: &str) -> Self {
        Self::new("NotFoundException", format!("Key '{key_arn}' does not exist"))
    }

    pub(crate) fn key_id_invalid(identifier: &str) -> Self {
        Self::new("NotFoundException", format!("Invalid keyId '{identifier}'"))
    }

    pub(crate) fn arn_elsewhere(region: &str) -> Self {
        Self::new("NotFoundException", format!("Invalid arn {region}"))
    }

    pub(crate) fn alias_missing(alias_arn: &str) -> Self {
        Self::new("NotFoundException", format!("Alias {alias_arn} is not found."))
    }

    pub(crate) fn disabled(key_arn: &str) -> Self {
        Self::new("DisabledException", format!("{key_arn} is disabled."))
    }

    pub(crate) fn pending_deletion(key_arn: &str) -> Self {
        Self::new("KMSInvalidStateException", format!("{key_arn} is pending deletion."))
    }

    pub(crate) fn incorrect_key() -> Self {
        let message = "The key ID in the request does not identify a CMK that can perform this operation.";
        Self::new("IncorrectKeyException", message)
    }

    /// The service says nothing more here, so that nobody learns why a ciphertext does not open.
    pub(crate) fn invalid_ciphertext() -> Self {
        Self::new("InvalidCiphertextException", "")
    }

    pub(crate) fn ciphertext_of_unknown_key() -> Self {
        let message = "The ciphertext refers to a customer master key that does not exist, does not exist \
                       in this region, or you are not allowed to access.";
        Self::new("AccessDeniedException", message)
    }

    pub(crate) fn grant_missing(grant_id: &str) -> Self {
        Self::new("NotFoundException", format!("Grant ID {grant_id} not found"))
    }

    pub(crate) fn dry_run() -> Self {
        let message = "The request would have succeeded, but the DryRun option is set.";
        Self::new("DryRunOperationException", message)
    }

    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new("UnsupportedOperationException", message)
    }

    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self::new("LimitExceededException", message)
    }
}

impl From<KmsError> for ApiError {
    fn from(error: KmsError) -> Self {
        let status = match &error {
            KmsError::Refused { .. } => 400,
            KmsError::Storage(cause) => {
                tracing::error!(error = %cause, "a key call failed in storage");
                500
            }
        };
        Self::new(error.code(), error.message()).with_status(status)
    }
}
