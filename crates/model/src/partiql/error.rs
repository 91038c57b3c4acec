//! What is wrong with a statement, as the service words it.

use std::fmt;

use super::syntax::Position;
use crate::expression::ExpressionError;
use crate::key::KeyError;

/// The message of the `ValidationException` to answer with.
#[derive(Clone, PartialEq, Eq)]
pub struct PartiqlError {
    message: Box<str>,
}

impl PartiqlError {
    /// An error with a message of its own.
    pub fn new(message: impl Into<Box<str>>) -> PartiqlError {
        PartiqlError { message: message.into() }
    }

    /// A statement that does not parse.
    pub(super) fn malformed(detail: &str) -> PartiqlError {
        PartiqlError::new(format!("Statement wasn't well formed, can't be processed: {detail}"))
    }

    /// A statement with something in it that is no token, of which the service says no more.
    pub(super) fn unreadable() -> PartiqlError {
        PartiqlError::malformed("")
    }

    /// An error at a place of the statement.
    pub(super) fn at(message: impl fmt::Display, at: Position) -> PartiqlError {
        PartiqlError::new(format!("{message} at {at}"))
    }

    /// The whole message.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl From<String> for PartiqlError {
    fn from(message: String) -> PartiqlError {
        PartiqlError::new(message)
    }
}

impl From<ExpressionError> for PartiqlError {
    fn from(error: ExpressionError) -> PartiqlError {
        PartiqlError::new(error.message())
    }
}

impl From<KeyError> for PartiqlError {
    fn from(error: KeyError) -> PartiqlError {
        PartiqlError::new(error.to_string())
    }
}

impl fmt::Display for PartiqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for PartiqlError {
    // The message can quote the request's values, which do not belong in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PartiqlError")
    }
}

impl std::error::Error for PartiqlError {}
