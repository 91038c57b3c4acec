//! Principals of a policy: their one form, and those that can be.
//!
//! Sources: captures of the service of 2026, and the IAM user guide. No identities are known here, so whoever can be
//! counts as being there; the service refuses those that are not.

use serde_json::{Map, Value};

use super::{PolicyError, invalid, is_texts, single, syntax, texts};
use crate::arn::{Arn, is_account_id};

/// The canonical form of a `Principal` or `NotPrincipal`: `"*"`, or lists by kind; an account is its root.
pub fn canonical(value: &Value) -> Result<Value, PolicyError> {
    let kinds = match value {
        Value::String(text) if text == "*" => return Ok(value.clone()),
        Value::Object(kinds) => kinds,
        _ => return Err(syntax()),
    };
    let mut canonical = Map::new();
    for (kind, listed) in kinds {
        if !is_texts(listed) {
            return Err(syntax());
        }
        let mut principals: Vec<String> = Vec::new();
        for text in texts(Some(listed)) {
            let full =
                if is_account_id(text) { format!("arn:aws:iam::{text}:root") } else { text.to_owned() };
            if !principals.contains(&full) {
                principals.push(full);
            }
        }
        canonical.insert(kind.clone(), single(Value::from(principals)).ok_or_else(syntax)?);
    }
    Ok(Value::Object(canonical))
}

/// Refuses services that DynamoDB does not work with in this way.
pub fn check_services(principal: &Value) -> Result<(), PolicyError> {
    let is_known = |service: &str| SERVICES.contains(&service);
    if texts(principal.get("Service")).all(is_known) {
        return Ok(());
    }
    Err(invalid("Policy contains invalid service principal"))
}

/// Refuses principals that cannot be. Federated ones and canonical users are not looked at: what the service makes of
/// them is not known.
pub fn check(principal: &Value) -> Result<(), PolicyError> {
    let kinds = principal.as_object().into_iter().flatten();
    for (kind, listed) in kinds {
        let can_be = match kind.as_str() {
            "AWS" => texts(Some(listed)).all(|text| text == "*" || is_identity(text)),
            "Service" | "Federated" | "CanonicalUser" => true,
            _ => false,
        };
        if !can_be {
            return Err(PolicyError::Principal);
        }
    }
    Ok(())
}

// An account, a user, a role, or a session. None of them is named by a pattern; a group is no principal.
fn is_identity(text: &str) -> bool {
    let Ok(arn) = Arn::parse(text) else { return false };
    let (kind, name) = arn.resource.split_once('/').unwrap_or((arn.resource, ""));
    let is_named = !name.is_empty() && !name.ends_with('/');
    let is_of_kind = match (arn.service, kind) {
        ("iam", "root") => arn.resource == "root",
        ("iam", "user" | "role") | ("sts", "federated-user") => is_named,
        ("sts", "assumed-role") => is_named && name.contains('/'),
        _ => false,
    };
    is_of_kind && arn.region.is_empty() && !arn.account_id.is_empty() && !text.contains(['*', '?'])
}

/// Those that the developer guide has policies for: zero-ETL integrations and replication between accounts.
const SERVICES: [&str; 3] =
    ["glue.amazonaws.com", "redshift.amazonaws.com", "replication.dynamodb.amazonaws.com"];

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::json;

    use super::*;

    #[test]
    fn identities_that_can_be_are_taken() {
        for principal in [
            json!("*"),
            json!({"AWS": "*"}),
            json!({"AWS": ["111122223333", "arn:aws:iam::111122223333:user/path/john"]}),
            json!({"AWS": "arn:aws-cn:iam::111122223333:role/service-role/reader"}),
            json!({"AWS": "arn:aws:sts::111122223333:assumed-role/reader/session"}),
            json!({"AWS": "arn:aws:sts::111122223333:federated-user/john"}),
            json!({"Federated": "cognito-identity.amazonaws.com", "CanonicalUser": "79a5"}),
            json!({"Service": "replication.dynamodb.amazonaws.com"}),
        ] {
            let canonical = canonical(&principal).unwrap();
            assert_eq!(check_services(&canonical), Ok(()), "{principal}");
            assert_eq!(check(&canonical), Ok(()), "{principal}");
        }
    }

    #[test]
    fn who_cannot_be_is_refused() {
        for principal in [
            json!({"Foo": "x"}),
            json!({"aws": "111122223333"}),
            json!({"AWS": "xyz"}),
            json!({"AWS": "1111222233334"}),
            json!({"AWS": ["111122223333", "arn:aws:iam::111122223333:group/readers"]}),
            json!({"AWS": "arn:aws:iam::111122223333:role/*"}),
            json!({"AWS": "arn:aws:iam::*:root"}),
            json!({"AWS": "arn:aws:iam::111122223333:root/x"}),
            json!({"AWS": "arn:aws:iam::111122223333:user/"}),
            json!({"AWS": "arn:aws:iam:us-east-1:111122223333:user/john"}),
            json!({"AWS": "arn:aws:sts::111122223333:assumed-role/reader"}),
            json!({"AWS": "arn:aws:dynamodb:us-east-1:111122223333:table/music"}),
        ] {
            assert_eq!(check(&canonical(&principal).unwrap()), Err(PolicyError::Principal), "{principal}");
        }
        for service in ["bedrock.amazonaws.com", "*"] {
            assert_eq!(
                check_services(&json!({ "Service": service })).unwrap_err().to_string(),
                "One or more parameter values were invalid: Invalid policy document: Policy contains invalid service \
                 principal"
            );
        }
    }

    #[test]
    fn what_is_no_list_of_principals_is_a_syntax_error() {
        for principal in
            [json!("111122223333"), json!(7), json!(["*"]), json!({"AWS": []}), json!({"AWS": [7]})]
        {
            assert_eq!(canonical(&principal), Err(syntax()), "{principal}");
        }
    }
}
