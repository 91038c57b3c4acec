//! What is wrong with an expression, as the service words it.

use std::fmt;

use super::ExpressionKind;

/// The message of the `ValidationException` to answer with.
#[derive(Clone, PartialEq, Eq)]
pub struct ExpressionError {
    message: Box<str>,
}

impl ExpressionError {
    /// An error about the request as a whole.
    pub(super) fn new(message: impl Into<Box<str>>) -> ExpressionError {
        ExpressionError { message: message.into() }
    }

    /// An error in one expression: `Invalid UpdateExpression: ...`.
    pub(super) fn invalid(kind: ExpressionKind, text: impl AsRef<str>) -> ExpressionError {
        ExpressionError::new(format!("Invalid {}: {}", kind.name(), text.as_ref()))
    }

    /// The whole message.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for ExpressionError {
    // The message can quote the request's values, which do not belong in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExpressionError")
    }
}

impl std::error::Error for ExpressionError {}
