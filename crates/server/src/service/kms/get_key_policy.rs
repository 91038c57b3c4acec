//! GetKeyPolicy.

use serde_json::{Value, json};

use super::call::Call;
use crate::kms::error::KmsError;
use crate::kms::identifier::Aliases;
use crate::kms::policy::POLICY_NAME;

pub(super) fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    let key = call.key("KeyId", Aliases::Refused, "GetKeyPolicy")?;
    check_policy_name(call)?;
    Ok(json!({ "Policy": key.record.policy, "PolicyName": POLICY_NAME }))
}

/// A key has one policy, and it has one name.
pub(super) fn check_policy_name(call: &Call<'_>) -> Result<(), KmsError> {
    match call.string("PolicyName") {
        None | Some(POLICY_NAME) => Ok(()),
        Some(_) => Err(KmsError::new("NotFoundException", "No such policy exists")),
    }
}
