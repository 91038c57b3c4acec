//! The lockout safety check of key policies: whoever sets one must be able to set the next.
//!
//! Policies are not evaluated otherwise, so this looks at statements one by one: one without a condition must allow
//! `kms:PutKeyPolicy` to the caller or to the account, and none without a condition may deny it. A statement with a
//! condition may not hold when it is needed, so it neither allows nor denies here.

use serde_json::Value;
use strongroom_model::resource_policy::matches_pattern;

use super::error::KmsError;
use crate::auth::Principal;

/// Refuses a policy under which `caller` could not set another; `policy` has passed `policy::check_policy`.
/// `key_arn` is absent of a key that has no id yet.
pub fn check_lockout(policy: &str, caller: &Principal, key_arn: Option<&str>) -> Result<(), KmsError> {
    let document: Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = match document.get("Statement") {
        Some(Value::Array(statements)) => statements.as_slice(),
        Some(statement) => std::slice::from_ref(statement),
        None => &[],
    };
    let has_effect = |effect: &str| {
        statements.iter().any(|statement| {
            statement.get("Effect").is_some_and(|given| given == effect)
                && applies(statement, caller, key_arn)
        })
    };
    if has_effect("Allow") && !has_effect("Deny") {
        return Ok(());
    }
    let text = "The new key policy will not allow you to update the key policy in the future.";
    Err(KmsError::new("MalformedPolicyDocumentException", text))
}

// Whether a statement is about setting this key's policy by the caller, whatever else is so.
fn applies(statement: &Value, caller: &Principal, key_arn: Option<&str>) -> bool {
    let of = |name: &str, inverse: &str, is_meant: &dyn Fn(&str) -> bool| match statement.get(name) {
        Some(given) => texts(given).any(is_meant),
        None => statement.get(inverse).is_some_and(|given| !texts(given).any(is_meant)),
    };
    let has_no_condition = match statement.get("Condition") {
        None | Some(Value::Null) => true,
        Some(condition) => condition.as_object().is_some_and(serde_json::Map::is_empty),
    };
    has_no_condition
        && of("Principal", "NotPrincipal", &|listed| is_caller(listed, caller))
        && of("Action", "NotAction", &|pattern| matches_pattern(pattern, "kms:PutKeyPolicy"))
        && of("Resource", "NotResource", &|pattern| {
            pattern == "*" || key_arn.is_some_and(|arn| matches_pattern(pattern, arn))
        })
}

// The account stands for all its identities: whoever may call this server may do everything in the account. A role
// stands for its sessions.
fn is_caller(listed: &str, caller: &Principal) -> bool {
    let account = &caller.account;
    if listed == "*" || *listed == **account || listed == caller.arn {
        return true;
    }
    if listed == format!("arn:aws:iam::{account}:root") {
        return true;
    }
    let session = caller.arn.strip_prefix(&format!("arn:aws:sts::{account}:assumed-role/"));
    let role = session.and_then(|session| session.split('/').next());
    let listed_role = listed.strip_prefix(&format!("arn:aws:iam::{account}:role/"));
    // A role's path is no part of its sessions' ARNs.
    role.is_some() && listed_role.and_then(|path| path.rsplit('/').next()) == role
}

// The texts of an element: one, a list, or principals by kind, of which only identities and everybody matter.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let value = value.as_object().map_or(Some(value), |kinds| kinds.get("AWS"));
    let elements = match value {
        Some(Value::Array(elements)) => elements.as_slice(),
        Some(value) => std::slice::from_ref(value),
        None => &[],
    };
    elements.iter().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::auth::PrincipalKind;

    const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555";

    fn caller(arn: &str) -> Principal {
        Principal {
            kind: PrincipalKind::User,
            account: "111122223333".into(),
            arn: arn.into(),
            principal_id: String::new(),
            user_name: String::new(),
            access_key_id: String::new(),
        }
    }

    fn is_locked_out(statements: Value, arn: &str, key_arn: Option<&str>) -> bool {
        check_lockout(&json!({ "Statement": statements }).to_string(), &caller(arn), key_arn).is_err()
    }

    fn statement(effect: &str, principal: Value, action: Value, resource: &str) -> Value {
        json!({"Effect": effect, "Principal": principal, "Action": action, "Resource": resource})
    }

    #[test]
    fn whoever_sets_a_policy_must_be_able_to_set_the_next() {
        let alice = "arn:aws:iam::111122223333:user/alice";
        let root = json!({"AWS": "arn:aws:iam::111122223333:root"});
        let allow = |principal: Value, action: Value| statement("Allow", principal, action, "*");
        for principal in [
            root.clone(),
            json!("*"),
            json!({"AWS": "*"}),
            json!({"AWS": "111122223333"}),
            json!({"AWS": ["arn:aws:iam::111122223333:user/bob", alice]}),
        ] {
            assert!(!is_locked_out(allow(principal.clone(), json!("kms:*")), alice, None), "{principal}");
        }
        for action in [json!("*"), json!("kms:put*"), json!(["kms:Encrypt", "KMS:PutKeyPolic?"])] {
            assert!(!is_locked_out(allow(root.clone(), action.clone()), alice, None), "{action}");
        }
        for (principal, action) in [
            (json!({"AWS": "arn:aws:iam::111122223333:user/bob"}), json!("kms:*")),
            (json!({"AWS": "arn:aws:iam::444455556666:root"}), json!("kms:*")),
            (json!({"Service": "dynamodb.amazonaws.com"}), json!("kms:*")),
            (root.clone(), json!(["kms:Encrypt", "kms:Get*"])),
        ] {
            assert!(
                is_locked_out(allow(principal.clone(), action.clone()), alice, None),
                "{principal} {action}"
            );
        }
    }

    #[test]
    fn what_is_denied_or_holds_only_sometimes_does_not_count() {
        let alice = "arn:aws:iam::111122223333:user/alice";
        let root = json!({"AWS": "arn:aws:iam::111122223333:root"});
        let allow = statement("Allow", root.clone(), json!("kms:*"), "*");
        let mut conditional = allow.clone();
        conditional["Condition"] = json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}});
        assert!(is_locked_out(json!([conditional]), alice, None));
        assert!(!is_locked_out(json!([conditional, allow]), alice, None));
        let deny = |principal: Value| statement("Deny", principal, json!("kms:PutKeyPolicy"), "*");
        assert!(is_locked_out(json!([allow, deny(root)]), alice, None));
        assert!(!is_locked_out(
            json!([allow, deny(json!({"AWS": "arn:aws:iam::111122223333:user/bob"}))]),
            alice,
            None
        ));
        let all_but =
            json!({"Effect": "Deny", "NotPrincipal": {"AWS": alice}, "Action": "kms:*", "Resource": "*"});
        assert!(!is_locked_out(json!([allow, all_but]), alice, None));
        assert!(is_locked_out(json!([allow, all_but]), "arn:aws:iam::111122223333:user/bob", None));
        let no_change =
            json!({"Effect": "Allow", "Principal": "*", "NotAction": "kms:Put*", "Resource": "*"});
        assert!(is_locked_out(json!([no_change]), alice, None));
    }

    #[test]
    fn a_resource_is_everything_or_the_key() {
        let alice = "arn:aws:iam::111122223333:user/alice";
        let of = |resource: &str| statement("Allow", json!("*"), json!("kms:*"), resource);
        assert!(!is_locked_out(of("*"), alice, None));
        assert!(!is_locked_out(of(KEY), alice, Some(KEY)));
        assert!(!is_locked_out(of("arn:aws:kms:us-east-1:111122223333:key/*"), alice, Some(KEY)));
        assert!(is_locked_out(of(KEY), alice, None));
        assert!(is_locked_out(of("arn:aws:kms:us-east-1:111122223333:key/other"), alice, Some(KEY)));
    }

    #[test]
    fn a_role_stands_for_its_sessions() {
        let session = "arn:aws:sts::111122223333:assumed-role/Admin/alice";
        let of = |arn: &str| statement("Allow", json!({"AWS": arn}), json!("kms:*"), "*");
        assert!(!is_locked_out(of("arn:aws:iam::111122223333:role/path/Admin"), session, None));
        assert!(is_locked_out(of("arn:aws:iam::111122223333:role/Other"), session, None));
        assert!(is_locked_out(of("arn:aws:iam::444455556666:role/Admin"), session, None));
    }
}
