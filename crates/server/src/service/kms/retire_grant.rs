//! RetireGrant: by token, or by key ARN and grant id.

use std::sync::Arc;

use serde_json::{Value, json};

use super::call::Call;
use crate::kms::authorize::authorize;
use crate::kms::error::KmsError;
use crate::kms::grant::{Grant, GrantToken};
use crate::kms::identifier::Aliases;
use crate::kms::key::Key;
use crate::kms::state::Change;

pub(super) async fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    let (key_arn, grant_id) = match (call.string("GrantToken"), call.string("KeyId"), call.string("GrantId"))
    {
        (Some(token), None, None) => {
            let invalid = || KmsError::new("InvalidGrantTokenException", "Invalid grant token");
            let GrantToken { key_arn, grant_id } = GrantToken::decode(token).ok_or_else(invalid)?;
            (key_arn, grant_id)
        }
        (None, Some(key_arn), Some(grant_id)) => (key_arn.to_owned(), grant_id.to_owned()),
        _ => return Err(KmsError::validation("Grant token OR (grant ID, key ID) must be specified")),
    };
    call.additional_data = json!({ "grantId": grant_id });
    let turn = call.kms.turn().await;
    let requester = call.requester("RetireGrant");
    let key = call.kms.resolve(requester, &key_arn, Aliases::Refused)?;
    call.use_key(&key);
    let grant = find(call, &key, &grant_id)?;
    let principal = &call.caller().principal.arn;
    let is_named = grant.retiring_principal.as_ref() == Some(principal)
        || (grant.grantee_principal == *principal && grant.operations.iter().any(|it| it == "RetireGrant"));
    if !is_named {
        authorize(requester, &key)?;
    }
    call.end_dry_run()?;
    let response_elements = json!({ "keyId": key.arn });
    call.commit(turn, vec![Change::GrantRetired(key, grant)], response_elements).await?;
    Ok(json!({}))
}

/// A grant of `key`.
pub(super) fn find(call: &Call<'_>, key: &Key, grant_id: &str) -> Result<Arc<Grant>, KmsError> {
    let grant = call.kms.grants(key).into_iter().find(|grant| grant.id == grant_id);
    grant.ok_or_else(|| KmsError::grant_missing(grant_id))
}
