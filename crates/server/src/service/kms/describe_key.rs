//! DescribeKey. Asking for a predefined alias makes the key behind it, as the service documents.

use serde_json::{Value, json};

use super::call::Call;
use super::metadata::key_metadata;
use crate::kms::error::KmsError;
use crate::kms::identifier::{Aliases, Identifier, local_identifier};
use crate::kms::managed::DYNAMODB_ALIAS;

pub(super) async fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    let identifier = call.required_string("KeyId")?;
    call.check_grant_tokens()?;
    let requester = call.requester("DescribeKey");
    let named = local_identifier(requester, &call.place, identifier, Aliases::Allowed)?;
    if named == Identifier::Alias(DYNAMODB_ALIAS) {
        call.kms.managed_key(&call.place).await?;
    }
    let key = call.key("KeyId", Aliases::Allowed, "DescribeKey")?;
    Ok(json!({ "KeyMetadata": key_metadata(&key) }))
}
