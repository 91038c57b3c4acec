//! Where a service is known to depart from its published model.

use serde_json::Value;

use super::model::Model;
use super::validate::InputError;

/// A check that a service makes by hand before those of its model, with a text of its own.
#[derive(Debug)]
pub(super) struct OpeningCheck {
    member: &'static str,
    fails: Fails,
    text: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Fails {
    WhenAbsent,
}

impl OpeningCheck {
    pub(super) fn apply(&self, input: &Value) -> Result<(), InputError> {
        let value = input.get(self.member).filter(|value| !value.is_null());
        let failed = match self.fails {
            Fails::WhenAbsent => value.is_none(),
        };
        if failed { Err(InputError::Validation(self.text.to_owned())) } else { Ok(()) }
    }
}

/// Makes the model say what the service does.
pub(super) fn apply(_model: &mut Model) {}
