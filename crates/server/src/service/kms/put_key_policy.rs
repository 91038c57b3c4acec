//! PutKeyPolicy.

use serde_json::{Value, json};

use super::call::Call;
use super::get_key_policy::check_policy_name;
use crate::kms::error::KmsError;
use crate::kms::identifier::Aliases;
use crate::kms::lockout::check_lockout;
use crate::kms::policy;
use crate::kms::state::Change;

pub(super) async fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    let policy = call.required_string("Policy")?;
    let turn = call.kms.turn().await;
    let key = call.key("KeyId", Aliases::Refused, "PutKeyPolicy")?;
    check_policy_name(call)?;
    policy::check_policy(policy)?;
    if !call.flag("BypassPolicyLockoutSafetyCheck") {
        check_lockout(policy, &call.caller().principal, Some(&key.arn))?;
    }
    let changed = key.with(|record| policy.clone_into(&mut record.policy));
    call.commit(turn, vec![Change::Key(changed)], json!({ "keyId": key.arn })).await?;
    Ok(json!({}))
}
