//! UpdateKeyDescription.

use serde_json::{Value, json};

use super::call::Call;
use crate::kms::error::KmsError;
use crate::kms::identifier::Aliases;
use crate::kms::state::Change;

pub(super) async fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    let description = call.required_string("Description")?;
    let turn = call.kms.turn().await;
    let key = call.key("KeyId", Aliases::Refused, "UpdateKeyDescription")?;
    key.check_not_pending()?;
    let changed = key.with(|record| description.clone_into(&mut record.description));
    call.commit(turn, vec![Change::Key(changed)], json!({ "keyId": key.arn })).await?;
    Ok(json!({}))
}
