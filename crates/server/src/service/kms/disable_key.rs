//! DisableKey.

use serde_json::{Value, json};

use super::call::Call;
use crate::kms::error::KmsError;
use crate::kms::identifier::Aliases;
use crate::kms::key::KeyState;
use crate::kms::state::Change;

pub(super) async fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    let turn = call.kms.turn().await;
    let key = call.key("KeyId", Aliases::Refused, "DisableKey")?;
    key.check_not_pending()?;
    let changed = key.with(|record| record.state = KeyState::Disabled);
    call.commit(turn, vec![Change::Key(changed)], json!({ "keyId": key.arn })).await?;
    Ok(json!({}))
}
