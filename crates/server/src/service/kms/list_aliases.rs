//! ListAliases. Predefined aliases are listed before they have a key, as the service documents.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::call::Call;
use super::metadata::epoch_seconds;
use super::paging::{PageSize, page};
use crate::kms::error::KmsError;
use crate::kms::identifier::Aliases;
use crate::kms::managed::DYNAMODB_ALIAS;

pub(super) fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    let key = call.member("KeyId").is_some();
    let key = key.then(|| call.key("KeyId", Aliases::Refused, "ListAliases")).transpose()?;
    let now = call.kms.now_millis();
    let mut aliases = BTreeMap::new();
    if key.is_none() {
        let entry = json!({ "AliasName": DYNAMODB_ALIAS, "AliasArn": call.place.alias_arn(DYNAMODB_ALIAS) });
        aliases.insert(DYNAMODB_ALIAS.to_owned(), entry);
    }
    {
        let state = call.kms.state();
        for (name, alias) in state.keys(&call.place).into_iter().flat_map(|keys| &keys.aliases) {
            let is_wanted = key.as_ref().is_none_or(|key| key.id == alias.target_key_id);
            if is_wanted && state.key(&call.place, &alias.target_key_id, now).is_some() {
                let entry = json!({
                    "AliasName": name,
                    "AliasArn": call.place.alias_arn(name),
                    "TargetKeyId": alias.target_key_id,
                    "CreationDate": epoch_seconds(alias.created_millis),
                    "LastUpdatedDate": epoch_seconds(alias.updated_millis),
                });
                aliases.insert(name.clone(), entry);
            }
        }
    }
    page(call, "Aliases", PageSize { usual: 50, max: 100 }, aliases.into_iter())
}
