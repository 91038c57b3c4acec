//! ListKeys.

use serde_json::{Value, json};

use super::call::Call;
use super::paging::{PageSize, page};
use crate::kms::error::KmsError;

pub(super) fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    // No resource is shared between accounts here, so other accounts' keys are a list without entries.
    let owners = call.member("ResourceOwners").and_then(Value::as_array);
    let wants_own = owners.is_none_or(|owners| owners.iter().any(|owner| owner == "SELF"));
    let now = call.kms.now_millis();
    let state = call.kms.state();
    let keys = state.keys(&call.place).filter(|_| wants_own).into_iter().flat_map(|keys| keys.keys.values());
    let entries = keys
        .filter(|key| !key.is_expired(now))
        .map(|key| (key.id.to_string(), json!({ "KeyId": key.id, "KeyArn": key.arn })));
    page(call, "Keys", PageSize { usual: 100, max: 1_000 }, entries)
}
