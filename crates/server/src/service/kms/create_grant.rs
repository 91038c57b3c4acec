//! CreateGrant.

use std::sync::Arc;

use serde_json::{Value, json};

use super::call::Call;
use crate::kms::error::KmsError;
use crate::kms::grant::{EncryptionContext, Grant, GrantConstraints, GrantToken, SYMMETRIC_OPERATIONS};
use crate::kms::identifier::Aliases;
use crate::kms::state::Change;

pub(super) async fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    call.refuse(&["GranteeServicePrincipal", "RetiringServicePrincipal"])?;
    let grantee_principal = call.required_string("GranteePrincipal")?;
    let retiring_principal = call.string("RetiringPrincipal");
    let operations = operations(call)?;
    let constraints = constraints(call)?;
    call.check_grant_tokens()?;
    let turn = call.kms.turn().await;
    let key = call.key("KeyId", Aliases::Refused, "CreateGrant")?;
    check_principal(grantee_principal)?;
    retiring_principal.map_or(Ok(()), check_principal)?;
    key.check_enabled()?;
    call.end_dry_run()?;
    let mut grant = Grant {
        id: call.kms.new_grant_id(),
        key_id: key.id.to_string(),
        name: call.string("Name").unwrap_or_default().to_owned(),
        grantee_principal: grantee_principal.to_owned(),
        retiring_principal: retiring_principal.map(str::to_owned),
        operations,
        constraints,
        created_millis: call.kms.now_millis(),
    };
    let grants = call.kms.grants(&key);
    let same = grants.iter().find(|existing| existing.is_same_request(&grant));
    let changes = match same {
        Some(same) => {
            grant.id.clone_from(&same.id);
            Vec::new()
        }
        None if grants.len() >= GRANTS_PER_KEY_MAX => {
            return Err(KmsError::limit(format!("The key has {GRANTS_PER_KEY_MAX} grants already")));
        }
        None => vec![Change::Grant(call.place.clone(), grant.clone())],
    };
    let response_elements = json!({ "grantId": grant.id, "keyId": key.arn });
    call.commit(turn, changes, response_elements).await?;
    let mut nonce = [0; 16];
    call.kms.random().fill(&mut nonce);
    let token = GrantToken { key_arn: key.arn.to_string(), grant_id: grant.id };
    Ok(json!({ "GrantToken": token.encode(nonce), "GrantId": token.grant_id }))
}

fn operations(call: &Call<'_>) -> Result<Vec<String>, KmsError> {
    let given = call.member("Operations").and_then(Value::as_array);
    let given = given.ok_or_else(|| KmsError::missing("operations"))?;
    let mut operations = Vec::new();
    for operation in given.iter().filter_map(Value::as_str) {
        if !SYMMETRIC_OPERATIONS.contains(&operation) {
            return Err(KmsError::validation(format!(
                "Grant operation {operation} is not valid for a key whose KeySpec is SYMMETRIC_DEFAULT"
            )));
        }
        if !operations.iter().any(|known| known == operation) {
            operations.push(operation.to_owned());
        }
    }
    if operations.is_empty() {
        let constraint = "Member must have length greater than or equal to 1";
        return Err(KmsError::constraint("'[]'", "operations", constraint));
    }
    Ok(operations)
}

fn constraints(call: &Call<'_>) -> Result<GrantConstraints, KmsError> {
    let Some(given) = call.member("Constraints") else { return Ok(GrantConstraints::default()) };
    if given.get("SourceArn").is_some_and(|arn| !arn.is_null()) {
        return Err(KmsError::unsupported("SourceArn is not supported"));
    }
    let pairs = |name: &str| -> Result<Option<EncryptionContext>, KmsError> {
        let Some(pairs) = given.get(name).filter(|pairs| !pairs.is_null()) else { return Ok(None) };
        let pairs: EncryptionContext = serde_json::from_value(pairs.clone()).map_err(|_| {
            KmsError::new("SerializationException", format!("{name} is not a map of strings"))
        })?;
        if pairs.len() > PAIRS_MAX {
            return Err(KmsError::validation(format!("{name} can have up to {PAIRS_MAX} pairs")));
        }
        if pairs.values().any(|value| value.chars().count() > PAIR_CHARACTERS_MAX) {
            let text = format!("A value of {name} cannot exceed {PAIR_CHARACTERS_MAX} characters");
            return Err(KmsError::validation(text));
        }
        Ok(Some(pairs))
    };
    Ok(GrantConstraints {
        encryption_context_subset: pairs("EncryptionContextSubset")?,
        encryption_context_equals: pairs("EncryptionContextEquals")?,
    })
}

/// An account, an ARN of IAM or STS, or a service principal.
pub(super) fn check_principal(principal: &str) -> Result<(), KmsError> {
    let is_account = principal.len() == 12 && principal.bytes().all(|byte| byte.is_ascii_digit());
    let is_identity = principal.starts_with("arn:aws") && {
        let parts: Vec<&str> = principal.splitn(6, ':').collect();
        parts.len() == 6 && matches!(parts[2], "iam" | "sts") && parts[4].len() == 12
    };
    let is_service = principal.ends_with(".amazonaws.com");
    if is_account || is_identity || is_service {
        return Ok(());
    }
    Err(KmsError::new("InvalidArnException", format!("Provided principal id: {principal} is invalid")))
}

/// The grants of one key, as the API shows them.
pub(super) fn shown(call: &Call<'_>, grant: &Arc<Grant>) -> Value {
    let mut shown = json!({
        "KeyId": call.place.key_arn(&grant.key_id),
        "GrantId": grant.id,
        "Name": grant.name,
        "CreationDate": super::metadata::epoch_seconds(grant.created_millis),
        "GranteePrincipal": grant.grantee_principal,
        "IssuingAccount": call.place.root_arn(),
        "Operations": grant.operations,
    });
    if let Some(principal) = &grant.retiring_principal {
        shown["RetiringPrincipal"] = json!(principal);
    }
    let GrantConstraints { encryption_context_subset, encryption_context_equals } = &grant.constraints;
    let of = [
        ("EncryptionContextSubset", encryption_context_subset),
        ("EncryptionContextEquals", encryption_context_equals),
    ];
    for (name, pairs) in of {
        if let Some(pairs) = pairs {
            shown["Constraints"][name] = json!(pairs);
        }
    }
    shown
}

/// AWS's quota.
const GRANTS_PER_KEY_MAX: usize = 50_000;
/// Each constraint may have this many pairs.
const PAIRS_MAX: usize = 8;
/// The longest value in a constraint.
const PAIR_CHARACTERS_MAX: usize = 384;
