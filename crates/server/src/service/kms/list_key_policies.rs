//! ListKeyPolicies.

use std::iter;

use serde_json::{Value, json};

use super::call::Call;
use super::paging::{PageSize, page};
use crate::kms::error::KmsError;
use crate::kms::identifier::Aliases;
use crate::kms::policy::POLICY_NAME;

pub(super) fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    call.key("KeyId", Aliases::Refused, "ListKeyPolicies")?;
    let entries = iter::once((POLICY_NAME.to_owned(), json!(POLICY_NAME)));
    page(call, "PolicyNames", PageSize { usual: 100, max: 1_000 }, entries)
}
