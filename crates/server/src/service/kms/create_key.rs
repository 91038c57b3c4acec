//! CreateKey: symmetric encryption keys with material of our own.

use serde_json::{Value, json};

use super::call::{Call, lower_names};
use super::metadata::key_metadata;
use super::tags;
use crate::kms::error::KmsError;
use crate::kms::key::{KeyRecord, KeyState};
use crate::kms::lockout::check_lockout;
use crate::kms::policy;
use crate::kms::state::Change;
use crate::kms::table_kms::KeyManager;

pub(super) async fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    check_kind(call)?;
    let tags = call.member("Tags").map_or(Ok(Vec::new()), |given| tags::merged(&[], given))?;
    let policy = match call.string("Policy") {
        Some(policy) => {
            policy::check_policy(policy)?;
            if !call.flag("BypassPolicyLockoutSafetyCheck") {
                check_lockout(policy, &call.caller().principal, None)?;
            }
            policy.to_owned()
        }
        None => policy::default_policy(&call.place),
    };
    let turn = call.kms.turn().await;
    if call.kms.state().keys(&call.place).is_some_and(|keys| keys.keys.len() >= KEYS_MAX) {
        return Err(KmsError::limit(format!("The account has {KEYS_MAX} keys in this Region already")));
    }
    let record = KeyRecord {
        manager: KeyManager::Customer,
        state: KeyState::Enabled,
        description: call.string("Description").unwrap_or_default().to_owned(),
        policy,
        tags,
        created_millis: call.kms.now_millis(),
        deletion_millis: None,
    };
    let key = call.kms.new_key(&call.place, record);
    call.use_key(&key);
    let metadata = key_metadata(&key);
    let response_elements = json!({ "keyMetadata": lower_names(&metadata) });
    call.commit(turn, vec![Change::NewKey(key)], response_elements).await?;
    Ok(json!({ "KeyMetadata": metadata }))
}

fn check_kind(call: &Call<'_>) -> Result<(), KmsError> {
    let key_spec = match (call.string("KeySpec"), call.string("CustomerMasterKeySpec")) {
        (Some(_), Some(_)) => {
            return Err(KmsError::validation(
                "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. \
                 CustomerMasterKeySpec is deprecated.",
            ));
        }
        (Some(spec), None) | (None, Some(spec)) => spec,
        (None, None) => "SYMMETRIC_DEFAULT",
    };
    match (key_spec, call.string("KeyUsage")) {
        ("SYMMETRIC_DEFAULT", None | Some("ENCRYPT_DECRYPT")) => {}
        ("SYMMETRIC_DEFAULT", Some(usage)) => {
            let text = format!("KeyUsage {usage} is not compatible with KeySpec SYMMETRIC_DEFAULT");
            return Err(KmsError::validation(text));
        }
        (_, None) => {
            return Err(KmsError::validation(
                "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
            ));
        }
        (spec, Some(_)) => {
            let text = format!("KeySpec {spec} is not supported: keys are SYMMETRIC_DEFAULT");
            return Err(KmsError::unsupported(text));
        }
    }
    if let Some(origin) = call.string("Origin").filter(|origin| *origin != "AWS_KMS") {
        return Err(KmsError::unsupported(format!("Origin {origin} is not supported: keys are AWS_KMS")));
    }
    if call.flag("MultiRegion") {
        return Err(KmsError::unsupported("MultiRegion is not supported: keys belong to one Region"));
    }
    call.refuse(&["CustomKeyStoreId", "XksKeyId"])
}

/// How many keys an account may have in one region (AWS's quota).
const KEYS_MAX: usize = 100_000;
