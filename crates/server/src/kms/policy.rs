//! Key policies: the ones the service writes itself, and the check of those that users bring.

use super::error::KmsError;
use super::key::Place;

/// The only name a key policy can have.
pub const POLICY_NAME: &str = "default";

/// The longest key policy (AWS's quota).
pub const POLICY_BYTES_MAX: usize = 32_768;

/// The policy of a key that was created without one: the account's IAM policies decide.
pub fn default_policy(place: &Place) -> String {
    format!(
        r#"{{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {{
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "{root}"
    }},
    "Action" : "kms:*",
    "Resource" : "*"
  }} ]
}}"#,
        root = place.root_arn()
    )
}

/// The policy of `alias/aws/dynamodb`, word for word as the service publishes it (R28).
pub fn dynamodb_policy(place: &Place) -> String {
    format!(
        r#"{{
  "Version" : "2012-10-17",
  "Id" : "auto-dynamodb-1",
  "Statement" : [ {{
    "Sid" : "Allow access through Amazon DynamoDB for all principals in the account that are authorized to use Amazon DynamoDB",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "*"
    }},
    "Action" : [ "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey" ],
    "Resource" : "*",
    "Condition" : {{
      "StringEquals" : {{
        "kms:CallerAccount" : "{account}",
        "kms:ViaService" : "dynamodb.{region}.amazonaws.com"
      }}
    }}
  }}, {{
    "Sid" : "Allow direct access to key metadata to the account",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "arn:aws:iam::{account}:root"
    }},
    "Action" : [ "kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant" ],
    "Resource" : "*"
  }}, {{
    "Sid" : "Allow DynamoDB Service with service principal name dynamodb.amazonaws.com to describe the key directly",
    "Effect" : "Allow",
    "Principal" : {{
      "Service" : "dynamodb.amazonaws.com"
    }},
    "Action" : [ "kms:Describe*", "kms:Get*", "kms:List*" ],
    "Resource" : "*"
  }} ]
}}"#,
        account = place.account,
        region = place.region
    )
}

/// Whether `policy` can be stored: a JSON object with at least one statement of the right form.
pub fn check_policy(policy: &str) -> Result<(), KmsError> {
    if policy.len() > POLICY_BYTES_MAX {
        return Err(KmsError::limit(format!(
            "The key policy is longer than the {POLICY_BYTES_MAX} bytes that a key policy may have"
        )));
    }
    let malformed = |text: &str| KmsError::new("MalformedPolicyDocumentException", text);
    let document: serde_json::Value =
        serde_json::from_str(policy).map_err(|_| malformed("Policy is not a valid JSON document."))?;
    let members = document.as_object().ok_or_else(|| malformed("Policy is not a JSON object."))?;
    let known = ["Version", "Id", "Statement"];
    if !members.keys().all(|name| known.contains(&name.as_str())) {
        return Err(malformed("Policy contains an unknown element."));
    }
    if members.get("Version").is_some_and(|version| version != "2012-10-17" && version != "2008-10-17") {
        return Err(malformed("Policy has an unknown version."));
    }
    let statements = match members.get("Statement") {
        Some(serde_json::Value::Array(statements)) => statements.as_slice(),
        Some(statement @ serde_json::Value::Object(_)) => std::slice::from_ref(statement),
        _ => return Err(malformed("Policy has no statement.")),
    };
    if statements.is_empty() {
        return Err(malformed("Policy has no statement."));
    }
    statements.iter().try_for_each(|statement| {
        let has = |name: &str| statement.get(name).is_some_and(|value| !value.is_null());
        let effect_is_known =
            statement.get("Effect").is_some_and(|effect| effect == "Allow" || effect == "Deny");
        if !effect_is_known {
            return Err(malformed("Policy contains a statement without a valid effect."));
        }
        if has("Principal") == has("NotPrincipal") {
            return Err(malformed("Policy contains a statement with one or more invalid principals."));
        }
        if has("Action") == has("NotAction") {
            return Err(malformed("Policy contains a statement with one or more invalid actions."));
        }
        if has("Resource") == has("NotResource") {
            return Err(malformed("Policy contains a statement with one or more invalid resources."));
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn place() -> Place {
        Place { account: "111122223333".into(), region: "us-west-2".into() }
    }

    // The service's own policies must pass the check that users' policies go through.
    #[test]
    fn our_own_policies_are_well_formed() {
        check_policy(&default_policy(&place())).unwrap();
        check_policy(&dynamodb_policy(&place())).unwrap();
        let policy: serde_json::Value = serde_json::from_str(&dynamodb_policy(&place())).unwrap();
        assert_eq!(policy["Id"], "auto-dynamodb-1");
        assert_eq!(policy["Statement"].as_array().unwrap().len(), 3);
        let condition = &policy["Statement"][0]["Condition"]["StringEquals"];
        assert_eq!(condition["kms:CallerAccount"], "111122223333");
        assert_eq!(condition["kms:ViaService"], "dynamodb.us-west-2.amazonaws.com");
    }

    #[test]
    fn malformed_policies_are_refused() {
        for (policy, code) in [
            ("not json", "MalformedPolicyDocumentException"),
            ("[]", "MalformedPolicyDocumentException"),
            ("{}", "MalformedPolicyDocumentException"),
            (r#"{"Statement":[]}"#, "MalformedPolicyDocumentException"),
            (r#"{"Statement":[{"Effect":"Allow"}]}"#, "MalformedPolicyDocumentException"),
            (
                r#"{"Statement":{"Effect":"Maybe","Principal":"*","Action":"*","Resource":"*"}}"#,
                "MalformedPolicyDocumentException",
            ),
            (
                r#"{"Version":"1999","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}"#,
                "MalformedPolicyDocumentException",
            ),
            (&"[".repeat(32_000), "MalformedPolicyDocumentException"),
            (&" ".repeat(32_769), "LimitExceededException"),
        ] {
            assert_eq!(check_policy(policy).unwrap_err().code(), code, "{policy:.60}");
        }
    }
}
