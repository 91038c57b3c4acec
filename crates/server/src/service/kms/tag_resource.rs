//! TagResource.

use serde_json::{Value, json};

use super::call::Call;
use super::tags;
use crate::kms::error::KmsError;
use crate::kms::identifier::Aliases;
use crate::kms::state::Change;

pub(super) async fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    let given = call.member("Tags").ok_or_else(|| KmsError::missing("tags"))?;
    let turn = call.kms.turn().await;
    let key = call.key("KeyId", Aliases::Refused, "TagResource")?;
    let tags = tags::merged(&key.record.tags, given)?;
    key.check_not_pending()?;
    let changed = key.with(|record| record.tags = tags);
    call.commit(turn, vec![Change::Key(changed)], json!({ "keyId": key.arn })).await?;
    Ok(json!({}))
}
