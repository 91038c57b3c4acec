//! Who may do what with a key.
//!
//! Policies of customer keys and identities are not evaluated: everybody in a
//! key's account may use it, nobody else. The policy of a managed key never
//! changes, so it is decided here in code.

use super::error::KmsError;
use super::key::Key;
use super::table_kms::KeyManager;
use crate::auth::Caller;

/// Who asks for what.
#[derive(Clone, Copy, Debug)]
pub struct Requester<'a> {
    /// Who asks, or on whose behalf.
    pub caller: &'a Caller,
    /// The action, such as `Decrypt`.
    pub action: &'a str,
    /// Which way the call comes (`kms:ViaService`); set by this server only (R36).
    pub via: Via,
}

/// Which way a call comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// The caller's own request.
    Direct,
    /// DynamoDB acts for the caller.
    DynamoDb,
}

/// Whether `requester` may do this with `key`.
pub fn authorize(requester: Requester<'_>, key: &Key) -> Result<(), KmsError> {
    if *key.place.account != *requester.caller.principal.account
        || key.place.region != requester.caller.region
    {
        return Err(foreign_key_refused(requester, &key.arn));
    }
    let is_allowed = match key.record.manager {
        KeyManager::Customer => true,
        KeyManager::Aws => managed_key_allows(requester.action, requester.via),
        KeyManager::Service => false,
    };
    if is_allowed {
        return Ok(());
    }
    let Requester { caller, action, .. } = requester;
    Err(access_denied(format!(
        "User: {} is not authorized to perform: kms:{action} on resource: {} because no resource-based \
         policy allows the kms:{action} action",
        caller.principal.arn, key.arn
    )))
}

/// The answer to whoever reaches for another account's key; the same whether that key exists or not.
pub(crate) fn foreign_key_refused(requester: Requester<'_>, arn: &str) -> KmsError {
    let Requester { caller, action, .. } = requester;
    access_denied(format!(
        "User: {} is not authorized to perform: kms:{action} on resource: {arn} because the resource does \
         not exist in this Region, no resource-based policies allow access, or a resource-based policy \
         explicitly denies access",
        caller.principal.arn
    ))
}

pub(crate) fn access_denied(message: String) -> KmsError {
    KmsError::new("AccessDeniedException", message)
}

// The statements of `policy::dynamodb_policy`.
fn managed_key_allows(action: &str, via: Via) -> bool {
    let is_metadata = ["Describe", "Get", "List"].iter().any(|prefix| action.starts_with(prefix));
    let is_use = matches!(action, "Encrypt" | "Decrypt" | "CreateGrant" | "DescribeKey")
        || action.starts_with("ReEncrypt")
        || action.starts_with("GenerateDataKey");
    is_metadata || action == "RevokeGrant" || (via == Via::DynamoDb && is_use)
}
