//! KMS: one file per API action.

mod call;
mod cancel_key_deletion;
mod create_alias;
mod create_grant;
mod create_key;
mod decrypt;
mod delete_alias;
mod describe_key;
mod disable_key;
mod enable_key;
mod encrypt;
mod generate_data_key;
mod generate_random;
mod get_key_policy;
mod get_key_rotation_status;
mod list_aliases;
mod list_grants;
mod list_key_policies;
mod list_keys;
mod list_resource_tags;
mod list_retirable_grants;
mod metadata;
mod paging;
mod put_key_policy;
mod re_encrypt;
mod retire_grant;
mod revoke_grant;
mod schedule_key_deletion;
mod tag_resource;
mod tags;
mod untag_resource;
mod update_alias;
mod update_key_description;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::Value;

use self::call::Call;
use super::{Output, Request};
use crate::kms::Kms;
use crate::wire::ApiError;

/// Runs one call to its end: effect, audit event, answer.
pub async fn dispatch(kms: &Arc<Kms>, request: &Request) -> Result<Output, ApiError> {
    kms.settle().await?;
    let input = Value::from(request.input.clone());
    let mut call = Call::new(kms, request, &input)?;
    let outcome = match request.operation {
        "CancelKeyDeletion" => cancel_key_deletion::run(&mut call).await,
        "CreateAlias" => create_alias::run(&mut call).await,
        "CreateGrant" => create_grant::run(&mut call).await,
        "CreateKey" => create_key::run(&mut call).await,
        "Decrypt" => decrypt::run(&mut call),
        "DeleteAlias" => delete_alias::run(&mut call).await,
        "DescribeKey" => describe_key::run(&mut call).await,
        "DisableKey" => disable_key::run(&mut call).await,
        "EnableKey" => enable_key::run(&mut call).await,
        "Encrypt" => encrypt::run(&mut call),
        "GenerateDataKey" => generate_data_key::run(&mut call),
        "GenerateDataKeyWithoutPlaintext" => generate_data_key::run_without_plaintext(&mut call),
        "GenerateRandom" => generate_random::run(&mut call),
        "GetKeyPolicy" => get_key_policy::run(&mut call),
        "GetKeyRotationStatus" => get_key_rotation_status::run(&mut call),
        "ListAliases" => list_aliases::run(&mut call),
        "ListGrants" => list_grants::run(&mut call),
        "ListKeyPolicies" => list_key_policies::run(&mut call),
        "ListKeys" => list_keys::run(&mut call),
        "ListResourceTags" => list_resource_tags::run(&mut call),
        "ListRetirableGrants" => list_retirable_grants::run(&mut call),
        "PutKeyPolicy" => put_key_policy::run(&mut call).await,
        "ReEncrypt" => re_encrypt::run(&mut call),
        "RetireGrant" => retire_grant::run(&mut call).await,
        "RevokeGrant" => revoke_grant::run(&mut call).await,
        "ScheduleKeyDeletion" => schedule_key_deletion::run(&mut call).await,
        "TagResource" => tag_resource::run(&mut call).await,
        "UntagResource" => untag_resource::run(&mut call).await,
        "UpdateAlias" => update_alias::run(&mut call).await,
        "UpdateKeyDescription" => update_key_description::run(&mut call).await,
        _ => {
            let error = ApiError::new("UnknownOperationException", "");
            call.finish_refused(&error).await?;
            return Err(error);
        }
    };
    Ok(call.finish(outcome).await?.into())
}

/// Records a call that was refused before it reached its action.
pub async fn record_refused(kms: &Arc<Kms>, request: &Request, error: &ApiError) -> Result<(), ApiError> {
    let input = Value::from(request.input.clone());
    Ok(Call::new(kms, request, &input)?.finish_refused(error).await?)
}
