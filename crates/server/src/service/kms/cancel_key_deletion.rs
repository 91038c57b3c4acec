//! CancelKeyDeletion: leaves the key disabled, as the service does.

use serde_json::{Value, json};

use super::call::Call;
use crate::kms::error::KmsError;
use crate::kms::identifier::Aliases;
use crate::kms::key::KeyState;
use crate::kms::state::Change;

pub(super) async fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    let turn = call.kms.turn().await;
    let key = call.key("KeyId", Aliases::Refused, "CancelKeyDeletion")?;
    if key.record.state != KeyState::PendingDeletion {
        let text = format!("{} is not pending deletion.", key.arn);
        return Err(KmsError::new("KMSInvalidStateException", text));
    }
    let changed = key.with(|record| {
        record.state = KeyState::Disabled;
        record.deletion_millis = None;
    });
    call.commit(turn, vec![Change::Key(changed)], json!({ "keyId": key.arn })).await?;
    Ok(json!({ "KeyId": key.arn }))
}
