//! CreateAlias.

use std::sync::Arc;

use serde_json::{Value, json};

use super::call::Call;
use crate::kms::Alias;
use crate::kms::error::KmsError;
use crate::kms::identifier::Aliases;
use crate::kms::state::Change;

pub(super) async fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    let name = call.required_string("AliasName")?;
    check_name(name)?;
    check_target(call.required_string("TargetKeyId")?)?;
    let turn = call.kms.turn().await;
    let alias_arn = call.place.alias_arn(name);
    call.use_resource(alias_arn.clone());
    let key = call.key("TargetKeyId", Aliases::Refused, "CreateAlias")?;
    if call.kms.key_behind_alias(&call.place, name).is_ok() {
        let text = format!("An alias with the name {alias_arn} already exists");
        return Err(KmsError::new("AlreadyExistsException", text));
    }
    key.check_not_pending()?;
    check_quota(call, &key.id)?;
    let now = call.kms.now_millis();
    let alias = Alias { target_key_id: Arc::clone(&key.id), created_millis: now, updated_millis: now };
    let change = Change::Alias(call.place.clone(), name.to_owned(), alias);
    call.commit(turn, vec![change], json!({ "keyId": key.arn })).await?;
    Ok(json!({}))
}

/// Whether users may make, move or remove an alias of this name.
pub(super) fn check_name(name: &str) -> Result<(), KmsError> {
    let Some(rest) = name.strip_prefix("alias/").filter(|rest| !rest.is_empty()) else {
        return Err(KmsError::validation(
            "Alias must start with the prefix \"alias/\". Please see \
             https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
        ));
    };
    if rest.starts_with("aws/") {
        return Err(KmsError::new("NotAuthorizedException", ""));
    }
    if rest.contains(':') {
        return Err(KmsError::validation(format!("{name} contains invalid characters for an alias")));
    }
    Ok(())
}

/// Refuses an alias of an alias.
pub(super) fn check_target(target: &str) -> Result<(), KmsError> {
    if target.starts_with("alias/") || target.contains(":alias/") {
        return Err(KmsError::validation("Aliases must refer to keys. Not aliases"));
    }
    Ok(())
}

/// Refuses one alias too many for a key.
pub(super) fn check_quota(call: &Call<'_>, key_id: &str) -> Result<(), KmsError> {
    let state = call.kms.state();
    let aliases = state.keys(&call.place).into_iter().flat_map(|keys| keys.aliases.values());
    if aliases.filter(|alias| *alias.target_key_id == *key_id).count() >= ALIASES_PER_KEY_MAX {
        return Err(KmsError::limit(format!("The key has {ALIASES_PER_KEY_MAX} aliases already")));
    }
    Ok(())
}

/// AWS's quota.
const ALIASES_PER_KEY_MAX: usize = 50;
