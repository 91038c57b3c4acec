//! The error that an API action answers with.

use std::borrow::Cow;

/// An error as AWS's services send it: a code, a message, sometimes more members.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    /// HTTP status: 400 for what the caller can mend, 500 and 503 for what it cannot.
    pub status: u16,
    /// AWS's own code without namespace, such as `ResourceNotFoundException`.
    pub code: Cow<'static, str>,
    /// AWS's own text, to the letter.
    pub message: String,
    /// Members beside `__type` and message, such as `Item` or `CancellationReasons`, as JSON.
    pub members: Vec<(&'static str, Vec<u8>)>,
    /// What failed inside, for the log of whoever runs the server; never sent. Empty where the message says it all.
    pub cause: String,
}

impl ApiError {
    /// An error with status 400.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        let (code, message) = (code.into(), message.into());
        Self { status: 400, code, message, members: Vec::new(), cause: String::new() }
    }

    /// `ValidationException`, the code for most bad input.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }

    /// The same error with another HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same error with what the log shall say of it.
    #[must_use]
    pub fn with_cause(mut self, cause: impl std::fmt::Display) -> Self {
        self.cause = cause.to_string();
        self
    }

    /// The same error with one more member in its body; `json` is its value.
    #[must_use]
    pub fn with_member(mut self, name: &'static str, json: Vec<u8>) -> Self {
        self.members.push((name, json));
        self
    }
}
