//! Why a request is refused before its table is looked for.
//!
//! The service has two layers of checks. The current one runs in most operations, and PutItem, UpdateItem and
//! DeleteItem report what it finds like a failed constraint of the model. The older one still runs in BatchWriteItem
//! and Scan and words some errors differently. See docs/decisions/error-texts-of-us-east-1.md.

use strongroom_model::expression::ExpressionError;
use strongroom_model::json::{ValueError, ValueErrorKind};

use crate::wire::ApiError;

/// A refusal, in the words of both layers.
#[derive(Debug)]
pub struct Refused {
    error: Box<ApiError>,
    /// The older layer's message, where it is another one.
    older: Option<String>,
    /// Whether the request breaks a rule, and is not merely too large or malformed.
    is_rule: bool,
}

impl Refused {
    /// A request that breaks a rule.
    pub fn rule(message: impl Into<String>) -> Self {
        Self { error: Box::new(ApiError::validation(message)), older: None, is_rule: true }
    }

    /// The same refusal of the value of `:key`, which only the older layer names.
    #[must_use]
    pub fn of_expression_value(mut self, key: &str) -> Self {
        if self.error.code == "ValidationException" {
            let message = self.older.as_ref().unwrap_or(&self.error.message);
            self.older =
                Some(format!("ExpressionAttributeValues contains invalid value: {message} for key {key}"));
        }
        self
    }

    /// What PutItem, UpdateItem and DeleteItem answer.
    pub fn detected(mut self) -> ApiError {
        if self.is_rule {
            self.error.message = format!("1 validation error detected: {}", self.error.message);
        }
        *self.error
    }

    /// What BatchWriteItem and Scan answer.
    pub fn in_older_words(mut self) -> ApiError {
        if let Some(older) = self.older {
            self.error.message = older;
        }
        *self.error
    }
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self { error: Box::new(error), older: None, is_rule: false }
    }
}

impl From<ExpressionError> for Refused {
    fn from(error: ExpressionError) -> Self {
        Self::rule(error.message())
    }
}

impl From<ValueError> for Refused {
    fn from(error: ValueError) -> Self {
        let code = match error.kind {
            ValueErrorKind::Serialization => "SerializationException",
            ValueErrorKind::Form | ValueErrorKind::Validation => "ValidationException",
        };
        Self {
            error: Box::new(ApiError::new(code, error.message)),
            older: error.older_message,
            is_rule: error.kind == ValueErrorKind::Validation,
        }
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        *refused.error
    }
}
