//! RevokeGrant. A table whose grant is revoked can no longer be protected (R42).

use serde_json::{Value, json};

use super::call::Call;
use super::retire_grant::find;
use crate::kms::error::KmsError;
use crate::kms::identifier::Aliases;
use crate::kms::state::Change;

pub(super) async fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    let grant_id = call.required_string("GrantId")?;
    let turn = call.kms.turn().await;
    let key = call.key("KeyId", Aliases::Refused, "RevokeGrant")?;
    let grant = find(call, &key, grant_id)?;
    call.end_dry_run()?;
    let response_elements = json!({ "keyId": key.arn });
    call.commit(turn, vec![Change::GrantRevoked(key, grant)], response_elements).await?;
    Ok(json!({}))
}
