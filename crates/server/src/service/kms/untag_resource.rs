//! UntagResource.

use serde_json::{Value, json};

use super::call::Call;
use super::tags;
use crate::kms::error::KmsError;
use crate::kms::identifier::Aliases;
use crate::kms::state::Change;

pub(super) async fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    let given =
        call.member("TagKeys").and_then(Value::as_array).ok_or_else(|| KmsError::missing("tagKeys"))?;
    let turn = call.kms.turn().await;
    let key = call.key("KeyId", Aliases::Refused, "UntagResource")?;
    given.iter().filter_map(Value::as_str).try_for_each(tags::check_key)?;
    key.check_not_pending()?;
    let changed =
        key.with(|record| record.tags.retain(|(name, _)| !given.iter().any(|given| given == name.as_str())));
    call.commit(turn, vec![Change::Key(changed)], json!({ "keyId": key.arn })).await?;
    Ok(json!({}))
}
