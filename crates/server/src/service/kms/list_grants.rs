//! ListGrants.

use serde_json::Value;

use super::call::Call;
use super::create_grant::shown;
use super::paging::{PageSize, page};
use crate::kms::error::KmsError;
use crate::kms::identifier::Aliases;

pub(super) fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    call.refuse(&["GranteeServicePrincipal"])?;
    let key = call.key("KeyId", Aliases::Refused, "ListGrants")?;
    let (grant_id, grantee) = (call.string("GrantId"), call.string("GranteePrincipal"));
    let grants = call.kms.grants(&key);
    let entries = grants
        .iter()
        .filter(|grant| grant_id.is_none_or(|id| grant.id == id))
        .filter(|grant| grantee.is_none_or(|grantee| grant.grantee_principal == grantee))
        .map(|grant| (grant.id.clone(), shown(call, grant)));
    page(call, "Grants", PageSize { usual: 50, max: 100 }, entries)
}
