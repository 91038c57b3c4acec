//! The credentials that requests are signed with.
//!
//! All of them are in memory; those that last are also in the system store,
//! which is sealed, as `docs/formats/access-keys.md` describes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use strongroom_model::clock::Random;
use strongroom_seal::primitive::constant_time_eq;
use strongroom_seal::secret::SecretBytes;

use super::{Principal, PrincipalKind};
use crate::storage::database::Visibility;
use crate::storage::{Batch, Order, StorageError, SystemStore, prefix_range};
use crate::wire::ApiError;

/// Every credential of a server.
#[derive(Debug, Default)]
pub struct Credentials {
    by_key_id: RwLock<HashMap<String, Arc<Credential>>>,
    version: AtomicU64,
}

/// What belongs to one access key.
#[derive(Debug)]
pub struct Credential {
    /// What signs.
    pub secret: SecretAccessKey,
    /// Whose it is.
    pub principal: Arc<Principal>,
    /// Present for the temporary credentials of a role session.
    pub session: Option<Session>,
}

/// What makes a credential temporary.
pub struct Session {
    /// What every request must carry in `X-Amz-Security-Token`.
    pub token: SecretBytes,
    /// When it ends, milliseconds since the epoch.
    pub expires_millis: i64,
}

/// A secret access key; wipes itself and does not print.
pub struct SecretAccessKey(SecretBytes);

/// An access key that was made just now: the only time that its secret is shown.
#[derive(Debug)]
pub struct NewAccessKey {
    /// `AKIA` and 16 letters and digits.
    pub access_key_id: String,
    /// 40 characters.
    pub secret: SecretAccessKey,
    account: String,
    /// The access keys that it takes the place of.
    replaced: Vec<String>,
}

/// Why the credentials cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// The system store.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A row that this release does not read.
    #[error("access key `{access_key_id}` in the system store cannot be read")]
    Row {
        /// Which one.
        access_key_id: String,
        /// Why.
        source: serde_json::Error,
    },
}

impl Credentials {
    /// No credentials.
    pub fn new() -> Self {
        Self::default()
    }

    /// The credentials of the system store.
    pub async fn load(system: &SystemStore) -> Result<Self, CredentialsError> {
        let credentials = Self::new();
        let mut rows = system.scan(prefix_range(PREFIX), Order::Ascending, Visibility::Durable).await?;
        while let Some((key, value)) = rows.next().await? {
            let access_key_id = String::from_utf8_lossy(&key[PREFIX.len()..]).into_owned();
            let row: Row = match serde_json::from_slice(&value) {
                Ok(row) => row,
                Err(source) => return Err(CredentialsError::Row { access_key_id, source }),
            };
            credentials.insert(&access_key_id, row.into_credential(&access_key_id));
        }
        Ok(credentials)
    }

    /// The account whose credentials these are; none where there is no credential yet.
    pub fn account(&self) -> Option<Arc<str>> {
        self.by_key_id.read().values().next().map(|credential| Arc::clone(&credential.principal.account))
    }

    /// Makes an access key of the root user of `account` (twelve digits) in place of every other one. It is to be
    /// shown, and then kept with [`NewAccessKey::keep`].
    pub fn replace_all(&self, account: &str, random: &dyn Random) -> NewAccessKey {
        let mut new = NewAccessKey::generate(account, random);
        let credential = Row::root(account, new.secret.expose()).into_credential(&new.access_key_id);
        let only = HashMap::from([(new.access_key_id.clone(), Arc::new(credential))]);
        let earlier = std::mem::replace(&mut *self.by_key_id.write(), only);
        new.replaced.extend(earlier.into_keys());
        self.version.fetch_add(1, Ordering::Release);
        new
    }

    /// Adds an access key, or replaces it.
    pub fn insert(&self, access_key_id: &str, credential: Credential) {
        self.by_key_id.write().insert(access_key_id.to_owned(), Arc::new(credential));
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Takes an access key away: its next request is refused.
    pub fn remove(&self, access_key_id: &str) {
        self.by_key_id.write().remove(access_key_id);
        self.version.fetch_add(1, Ordering::Release);
    }

    /// What belongs to an access key.
    pub fn find(&self, access_key_id: &str) -> Option<Arc<Credential>> {
        self.by_key_id.read().get(access_key_id).cloned()
    }

    // Another number after each change, so that whoever keeps a derived key sees that it is void.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }
}

impl Credential {
    /// A lasting credential of an account's root user.
    pub fn root(account: &str, access_key_id: &str, secret: SecretAccessKey) -> Self {
        let row = Row::root(account, "");
        Self { secret, ..row.into_credential(access_key_id) }
    }

    // The token goes with the session; lasting credentials have none.
    pub(super) fn check_token(&self, token: Option<&str>, now_millis: i64) -> Result<(), ApiError> {
        let invalid = || {
            let text = "The security token included in the request is invalid";
            ApiError::new("UnrecognizedClientException", text)
        };
        match (&self.session, token) {
            (None, None) => Ok(()),
            (Some(session), Some(token)) if constant_time_eq(session.token.expose(), token.as_bytes()) => {
                if now_millis < session.expires_millis {
                    return Ok(());
                }
                let text = "The security token included in the request is expired";
                Err(ApiError::new("ExpiredTokenException", text))
            }
            _ => Err(invalid()),
        }
    }
}

impl SecretAccessKey {
    /// Takes over a secret.
    pub fn new(text: String) -> Self {
        Self(SecretBytes::new(text.into_bytes()))
    }

    /// The secret's text: for deriving a signing key, or to show a new one once.
    pub fn expose(&self) -> &str {
        std::str::from_utf8(self.0.expose()).expect("it was made from text")
    }
}

impl std::fmt::Debug for SecretAccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretAccessKey(..)")
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("expires_millis", &self.expires_millis).finish_non_exhaustive()
    }
}

impl NewAccessKey {
    /// Makes it durable, and what it replaces void. Call this once it was shown: a start that fails before must
    /// not leave a key behind that nobody has seen.
    pub async fn keep(&self, system: &SystemStore) -> Result<(), StorageError> {
        let row = Row::root(&self.account, self.secret.expose());
        let value = SecretBytes::new(serde_json::to_vec(&row).expect("the row is plain data"));
        let row_key = |access_key_id: &str| [PREFIX, access_key_id.as_bytes()].concat();
        let mut batch = Batch::new();
        for access_key_id in &self.replaced {
            batch.delete(row_key(access_key_id));
        }
        batch.put(row_key(&self.access_key_id), value.expose());
        system.commit(batch).await
    }

    // A random one: 80 bits in the id, 240 in the secret.
    fn generate(account: &str, random: &dyn Random) -> Self {
        let mut id = [0; 16];
        random.fill(&mut id);
        let digits = id.iter().map(|byte| char::from(BASE32[usize::from(byte & 31)]));
        let mut secret = SecretBytes::zeroed(SECRET_BYTES);
        random.fill(secret.expose_mut());
        // 64 divides 256, so that every character is as likely as any other.
        for byte in secret.expose_mut() {
            *byte = BASE64[usize::from(*byte & 63)];
        }
        Self {
            access_key_id: "AKIA".chars().chain(digits).collect(),
            secret: SecretAccessKey(secret),
            account: account.to_owned(),
            replaced: Vec::new(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Row {
    secret: String,
    account: String,
    kind: String,
    arn: String,
    principal_id: String,
    user_name: String,
}

impl Row {
    fn root(account: &str, secret: &str) -> Self {
        Self {
            secret: secret.to_owned(),
            account: account.to_owned(),
            kind: "Root".to_owned(),
            arn: format!("arn:aws:iam::{account}:root"),
            principal_id: account.to_owned(),
            user_name: String::new(),
        }
    }

    fn into_credential(self, access_key_id: &str) -> Credential {
        let kind = if self.kind == "Root" { PrincipalKind::Root } else { PrincipalKind::User };
        let principal = Principal {
            kind,
            account: self.account.into(),
            arn: self.arn,
            principal_id: self.principal_id,
            user_name: self.user_name,
            access_key_id: access_key_id.to_owned(),
        };
        let secret = SecretAccessKey::new(self.secret);
        Credential { secret, principal: Arc::new(principal), session: None }
    }
}

const PREFIX: &[u8] = b"ik";
const SECRET_BYTES: usize = 40;
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use strongroom_seal::primitive::OsRandom;

    use super::*;

    #[test]
    fn a_new_access_key_has_the_services_shape_and_keeps_its_secret() {
        let key = NewAccessKey::generate("000000000000", &OsRandom);
        assert_eq!(key.access_key_id.len(), 20);
        assert!(key.access_key_id.starts_with("AKIA"));
        assert_eq!(key.secret.expose().len(), 40);
        assert_ne!(NewAccessKey::generate("000000000000", &OsRandom).access_key_id, key.access_key_id);
        assert!(!format!("{key:?}").contains(key.secret.expose()));
        let credential = Credential::root("000000000000", &key.access_key_id, key.secret);
        assert!(!format!("{credential:?}").contains(credential.secret.expose()));
    }

    /// A key that was lost may be in somebody's hands: it must not open anything any more.
    #[test]
    fn a_replacing_key_is_the_only_one() {
        let credentials = Credentials::new();
        assert_eq!(credentials.account(), None);
        let first = credentials.replace_all("111122223333", &OsRandom);
        assert!(first.replaced.is_empty());
        let version = credentials.version();
        let second = credentials.replace_all("000000000000", &OsRandom);
        assert_eq!(second.replaced, [first.access_key_id.as_str()]);
        assert!(credentials.find(&first.access_key_id).is_none());
        assert!(credentials.find(&second.access_key_id).is_some());
        assert_eq!(credentials.account().as_deref(), Some("000000000000"));
        assert_ne!(credentials.version(), version);
    }

    #[test]
    fn rows_come_back_as_they_were_written() {
        let text = serde_json::to_vec(&Row::root("111122223333", "secret")).unwrap();
        let credential = serde_json::from_slice::<Row>(&text).unwrap().into_credential("AKIA1");
        assert_eq!(credential.secret.expose(), "secret");
        assert_eq!(credential.principal.arn, "arn:aws:iam::111122223333:root");
        assert_eq!(credential.principal.access_key_id, "AKIA1");
    }
}
