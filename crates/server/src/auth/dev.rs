//! Identities for development: whatever access key a client uses is a user of that name.

use std::borrow::Cow;
use std::sync::Arc;

use hyper::header::AUTHORIZATION;
use hyper::http::request::Parts;
use quick_cache::sync::Cache;
use strongroom_seal::primitive::sha256;

use super::{Principal, PrincipalKind, Sender};

/// The identities that `--dev` makes up.
pub(super) struct DevIdentities {
    account: Arc<str>,
    /// By the text of the credential; bounded, because clients choose it.
    senders: Cache<String, Sender>,
}

impl DevIdentities {
    pub(super) fn new(account: &str) -> Self {
        Self { account: account.into(), senders: Cache::new(SENDERS_MAX) }
    }

    /// The sender that a request claims to have; nothing about it is checked.
    pub(super) fn sender(&self, head: &Parts) -> Sender {
        let credential = claimed_credential(head).unwrap_or_default();
        if let Some(sender) = self.senders.get(&*credential) {
            return sender;
        }
        let sender = self.made_up(&credential);
        if credential.len() <= CREDENTIAL_BYTES_MAX {
            self.senders.insert(credential.into_owned(), sender.clone());
        }
        sender
    }

    fn made_up(&self, credential: &str) -> Sender {
        let mut parts = credential.split('/');
        let access_key_id = parts.next().unwrap_or_default();
        let region = parts.nth(1).filter(|region| is_region(region)).unwrap_or(DEFAULT_REGION);
        let account = Arc::clone(&self.account);
        let principal = if is_user_name(access_key_id) {
            Principal {
                kind: PrincipalKind::User,
                arn: format!("arn:aws:iam::{account}:user/{access_key_id}"),
                principal_id: user_id(access_key_id),
                user_name: access_key_id.to_owned(),
                access_key_id: access_key_id.to_owned(),
                account,
            }
        } else {
            Principal {
                kind: PrincipalKind::Root,
                arn: format!("arn:aws:iam::{account}:root"),
                principal_id: account.to_string(),
                user_name: String::new(),
                access_key_id: String::new(),
                account,
            }
        };
        Sender { principal: Arc::new(principal), region: region.into() }
    }
}

// The credential of the `Authorization` header or of a presigned query: `KEYID/date/region/service/aws4_request`.
fn claimed_credential(head: &Parts) -> Option<Cow<'_, str>> {
    if let Some(authorization) = head.headers.get(AUTHORIZATION) {
        let (_, rest) = authorization.to_str().ok()?.split_once("Credential=")?;
        return rest.split([',', ' ']).next().map(Cow::Borrowed);
    }
    let query = head.uri.query()?;
    let value = query.split('&').find_map(|pair| pair.strip_prefix("X-Amz-Credential="))?;
    Some(value.replace("%2F", "/").replace("%2f", "/").into())
}

fn is_region(text: &str) -> bool {
    (1..=REGION_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

// The names that IAM takes for a user.
fn is_user_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte))
}

// The same name has the same id after a restart.
fn user_id(name: &str) -> String {
    let hash = sha256(name.as_bytes());
    let digits = hash[..17].iter().map(|byte| char::from(BASE32[usize::from(byte & 31)]));
    "AIDA".chars().chain(digits).collect()
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const DEFAULT_REGION: &str = "us-east-1";
const REGION_BYTES_MAX: usize = 64;
const CREDENTIAL_BYTES_MAX: usize = 256;
const SENDERS_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use hyper::Request;

    use super::*;

    fn head(uri: &str, authorization: Option<&str>) -> Parts {
        let mut request = Request::builder().uri(uri);
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        request.body(()).unwrap().into_parts().0
    }

    /// Developers take the caller's name and region from what their SDK is configured with.
    #[test]
    fn the_access_key_names_the_user_and_the_scope_the_region() {
        let identities = DevIdentities::new("000000000000");
        let signed = "AWS4-HMAC-SHA256 Credential=alice/20260101/eu-west-3/dynamodb/aws4_request, SignedHeaders=host, Signature=0";
        let alice = identities.sender(&head("/", Some(signed)));
        assert_eq!(alice.principal.kind, PrincipalKind::User);
        assert_eq!(alice.principal.arn, "arn:aws:iam::000000000000:user/alice");
        assert_eq!(alice.principal.principal_id.len(), 21);
        assert_eq!(&*alice.region, "eu-west-3");
        let again = identities.sender(&head("/", Some(signed)));
        assert!(Arc::ptr_eq(&alice.principal, &again.principal));
        let presigned = "/?X-Amz-Credential=bob%2F20260101%2Feu-west-1%2Fsts%2Faws4_request";
        let bob = identities.sender(&head(presigned, None));
        assert_eq!((&*bob.principal.user_name, &*bob.region), ("bob", "eu-west-1"));
        assert_ne!(alice.principal.principal_id, bob.principal.principal_id);
    }

    #[test]
    fn whoever_does_not_say_a_name_is_root() {
        let identities = DevIdentities::new("111122223333");
        let strange = "AWS4-HMAC-SHA256 Credential=a b/20260101/x_y/dynamodb/aws4_request";
        for authorization in [None, Some("Basic abc"), Some(strange)] {
            let root = identities.sender(&head("/", authorization));
            let expected =
                if authorization == Some(strange) { PrincipalKind::User } else { PrincipalKind::Root };
            assert_eq!(root.principal.kind, expected, "{authorization:?}");
            assert_eq!(&*root.region, "us-east-1");
        }
    }
}
