//! DeleteAlias.

use serde_json::{Value, json};

use super::call::Call;
use super::create_alias::check_name;
use crate::kms::authorize::authorize;
use crate::kms::error::KmsError;
use crate::kms::state::Change;

pub(super) async fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    let name = call.required_string("AliasName")?;
    check_name(name)?;
    let turn = call.kms.turn().await;
    let alias_arn = call.place.alias_arn(name);
    call.use_resource(alias_arn);
    let key = call.kms.key_behind_alias(&call.place, name)?;
    call.use_key(&key);
    authorize(call.requester("DeleteAlias"), &key)?;
    let change = Change::AliasGone(call.place.clone(), name.to_owned());
    call.commit(turn, vec![change], json!({ "keyId": key.arn })).await?;
    Ok(json!({}))
}
