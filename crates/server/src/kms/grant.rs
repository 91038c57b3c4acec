//! Grants: permissions on one key for one principal, narrowed by encryption context.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// The pairs that a ciphertext is bound to.
pub type EncryptionContext = BTreeMap<String, String>;

/// A grant on one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// 64 hexadecimal digits.
    pub id: String,
    /// The id of the key, in the grant's place.
    pub key_id: String,
    /// Makes a repeated CreateGrant answer with the same grant; empty when none was given.
    pub name: String,
    /// Who gets the permissions: an ARN, an account or a service principal.
    pub grantee_principal: String,
    /// Who may retire the grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retiring_principal: Option<String>,
    /// The operations, in the order they were given.
    pub operations: Vec<String>,
    /// What the encryption context of a call must be like.
    #[serde(default)]
    pub constraints: GrantConstraints,
    /// When the grant was made.
    pub created_millis: i64,
}

/// What the encryption context of a call must be like for a grant to count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantConstraints {
    /// Pairs that must be among the call's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_context_subset: Option<EncryptionContext>,
    /// Pairs that the call's must be equal to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption_context_equals: Option<EncryptionContext>,
}

impl Grant {
    /// Whether this grant lets `principal` do `operation` with `context` (R40).
    pub fn allows(&self, principal: &str, operation: &str, context: &EncryptionContext) -> bool {
        self.grantee_principal == principal
            && self.operations.iter().any(|granted| granted == operation)
            && self.constraints.admit(operation, context)
    }

    /// Whether a CreateGrant with these parameters is the same request again.
    pub fn is_same_request(&self, other: &Self) -> bool {
        !self.name.is_empty()
            && self.name == other.name
            && self.key_id == other.key_id
            && self.grantee_principal == other.grantee_principal
            && self.retiring_principal == other.retiring_principal
            && self.operations == other.operations
            && self.constraints == other.constraints
    }
}

impl GrantConstraints {
    fn admit(&self, operation: &str, context: &EncryptionContext) -> bool {
        // Operations without an encryption context are not constrained by one.
        if matches!(operation, "DescribeKey" | "RetireGrant") {
            return true;
        }
        let subset_holds = self
            .encryption_context_subset
            .as_ref()
            .is_none_or(|pairs| pairs.iter().all(|(name, value)| context.get(name) == Some(value)));
        let equal_holds = self.encryption_context_equals.as_ref().is_none_or(|pairs| pairs == context);
        subset_holds && equal_holds
    }
}

/// What a grant token stands for. It names a grant and proves nothing: whoever
/// shows one is authorised like anybody else.
#[derive(Debug, PartialEq, Eq)]
pub struct GrantToken {
    /// The key's ARN.
    pub key_arn: String,
    /// The grant's id.
    pub grant_id: String,
}

impl GrantToken {
    /// The token's text; `nonce` makes each one different.
    pub fn encode(&self, nonce: [u8; 16]) -> String {
        let text = format!("{TOKEN_MARK}\n{}\n{}\n{}", self.key_arn, self.grant_id, super::key::hex(&nonce));
        STANDARD.encode(text)
    }

    /// The token behind `text`, or `None` when it is not one of ours.
    pub fn decode(text: &str) -> Option<Self> {
        let plain = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
        let mut lines = plain.split('\n');
        let (mark, key_arn, grant_id, nonce) = (lines.next()?, lines.next()?, lines.next()?, lines.next()?);
        let whole = mark == TOKEN_MARK && nonce.len() == 32 && lines.next().is_none();
        whole.then(|| Self { key_arn: key_arn.to_owned(), grant_id: grant_id.to_owned() })
    }
}

/// What a table's grant allows, in the order the service documents (R38).
pub(super) const TABLE_OPERATIONS: [&str; 7] =
    ["DescribeKey", "GenerateDataKey", "Decrypt", "Encrypt", "ReEncryptFrom", "ReEncryptTo", "RetireGrant"];

const TOKEN_MARK: &str = "strongroom-grant-token-1";

/// Operations that a grant on a symmetric encryption key may allow.
pub const SYMMETRIC_OPERATIONS: [&str; 9] = [
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
    "CreateGrant",
    "RetireGrant",
    "DescribeKey",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn context(pairs: &[(&str, &str)]) -> EncryptionContext {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn grant(constraints: GrantConstraints) -> Grant {
        Grant {
            id: "0".repeat(64),
            key_id: "k".into(),
            name: String::new(),
            grantee_principal: "dynamodb.us-east-1.amazonaws.com".into(),
            retiring_principal: None,
            operations: vec!["Decrypt".into(), "DescribeKey".into()],
            constraints,
            created_millis: 0,
        }
    }

    // A grant for one table must not open another table's key.
    #[test]
    fn a_subset_constraint_needs_every_pair() {
        let subset = Some(context(&[("table", "Books"), ("account", "1")]));
        let grant = grant(GrantConstraints { encryption_context_subset: subset, ..Default::default() });
        let dynamodb = "dynamodb.us-east-1.amazonaws.com";
        assert!(grant.allows(
            dynamodb,
            "Decrypt",
            &context(&[("table", "Books"), ("account", "1"), ("x", "y")])
        ));
        assert!(!grant.allows(dynamodb, "Decrypt", &context(&[("table", "Books")])));
        assert!(!grant.allows(dynamodb, "Decrypt", &context(&[("table", "Films"), ("account", "1")])));
        assert!(grant.allows(dynamodb, "DescribeKey", &context(&[])));
        assert!(!grant.allows(dynamodb, "Encrypt", &context(&[("table", "Books"), ("account", "1")])));
        assert!(!grant.allows("dynamodb.eu-west-1.amazonaws.com", "DescribeKey", &context(&[])));
    }

    #[test]
    fn an_equals_constraint_admits_no_further_pair() {
        let equals = Some(context(&[("table", "Books")]));
        let grant = grant(GrantConstraints { encryption_context_equals: equals, ..Default::default() });
        let dynamodb = "dynamodb.us-east-1.amazonaws.com";
        assert!(grant.allows(dynamodb, "Decrypt", &context(&[("table", "Books")])));
        assert!(!grant.allows(dynamodb, "Decrypt", &context(&[("table", "Books"), ("x", "y")])));
    }

    #[test]
    fn tokens_differ_and_name_their_grant() {
        let token = GrantToken { key_arn: "arn:aws:kms:r:1:key/k".into(), grant_id: "ab".into() };
        assert_ne!(token.encode([1; 16]), token.encode([2; 16]));
        assert_eq!(GrantToken::decode(&token.encode([1; 16])), Some(token));
        for garbage in ["", "!", "AAAA", &STANDARD.encode("strongroom-grant-token-1\na\nb")] {
            assert_eq!(GrantToken::decode(garbage), None, "{garbage}");
        }
    }
}
