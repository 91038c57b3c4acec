//! ListRetirableGrants.

use serde_json::Value;

use super::call::Call;
use super::create_grant::{check_principal, shown};
use super::paging::{PageSize, page};
use crate::kms::error::KmsError;

pub(super) fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    call.refuse(&["RetiringServicePrincipal"])?;
    let principal = call.required_string("RetiringPrincipal")?;
    check_principal(principal)?;
    let now = call.kms.now_millis();
    let state = call.kms.state();
    let grants = state.keys(&call.place).into_iter().flat_map(|keys| keys.grants.values());
    let entries = grants
        .filter(|grant| grant.retiring_principal.as_deref() == Some(principal))
        .filter(|grant| state.key(&call.place, &grant.key_id, now).is_some())
        // Grants are sorted by key id and grant id.
        .map(|grant| (format!("{} {}", grant.key_id, grant.id), shown(call, grant)));
    page(call, "Grants", PageSize { usual: 50, max: 100 }, entries)
}
