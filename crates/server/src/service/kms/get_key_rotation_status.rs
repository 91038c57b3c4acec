//! GetKeyRotationStatus: off, for no key is rotated here. Tools read it back after CreateKey.

use serde_json::{Value, json};

use super::call::Call;
use crate::kms::error::KmsError;
use crate::kms::identifier::Aliases;

pub(super) fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    let key = call.key("KeyId", Aliases::Refused, "GetKeyRotationStatus")?;
    Ok(json!({ "KeyId": key.arn, "KeyRotationEnabled": false }))
}
