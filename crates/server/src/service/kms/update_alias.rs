//! UpdateAlias: points an alias at another key. Tables that were made through it stay with their key (R70).

use std::sync::Arc;

use serde_json::{Value, json};

use super::call::Call;
use super::create_alias::{check_name, check_quota, check_target};
use crate::kms::Alias;
use crate::kms::authorize::authorize;
use crate::kms::error::KmsError;
use crate::kms::identifier::Aliases;
use crate::kms::state::Change;

pub(super) async fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    let name = call.required_string("AliasName")?;
    check_name(name)?;
    check_target(call.required_string("TargetKeyId")?)?;
    let turn = call.kms.turn().await;
    let alias_arn = call.place.alias_arn(name);
    call.use_resource(alias_arn);
    let key = call.key("TargetKeyId", Aliases::Refused, "UpdateAlias")?;
    let before = call.kms.key_behind_alias(&call.place, name)?;
    authorize(call.requester("UpdateAlias"), &before)?;
    key.check_not_pending()?;
    if before.id != key.id {
        check_quota(call, &key.id)?;
    }
    let now = call.kms.now_millis();
    let created_millis = {
        let state = call.kms.state();
        let alias = state.keys(&call.place).and_then(|keys| keys.aliases.get(name));
        alias.map_or(now, |alias| alias.created_millis)
    };
    let alias = Alias { target_key_id: Arc::clone(&key.id), created_millis, updated_millis: now };
    let change = Change::Alias(call.place.clone(), name.to_owned(), alias);
    call.commit(turn, vec![change], json!({ "keyId": key.arn })).await?;
    Ok(json!({}))
}
