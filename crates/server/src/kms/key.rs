//! A KMS key: its record, its material and the state that others watch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use serde::{Deserialize, Serialize};
use strongroom_model::arn::partition_of_region;
use strongroom_seal::secret::SecretKey;

use super::error::KmsError;
use super::table_kms::KeyManager;
use crate::auth::Caller;

/// Where keys live: one account in one region.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Twelve digits, or [`Place::SERVICE_ACCOUNT`].
    pub account: Arc<str>,
    /// Such as `us-east-1`.
    pub region: Arc<str>,
}

impl Place {
    /// The account of service-owned keys. It is no number, so no caller can ever be in it.
    pub const SERVICE_ACCOUNT: &'static str = "strongroom";

    /// A place, unless `region` cannot be a region's name. Requests bring their region along, so it is checked.
    pub fn new(account: &Arc<str>, region: &Arc<str>) -> Result<Self, KmsError> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if region.is_empty() || region.len() > 64 || !region.bytes().all(is_name) {
            return Err(KmsError::validation("The region of the request is not a region's name"));
        }
        Ok(Self { account: Arc::clone(account), region: Arc::clone(region) })
    }

    /// Where `caller`'s keys live.
    pub fn of(caller: &Caller) -> Result<Self, KmsError> {
        Self::new(&caller.principal.account, &caller.region)
    }

    /// The service principal of this place's DynamoDB.
    pub fn dynamodb_principal(&self) -> String {
        format!("dynamodb.{}.amazonaws.com", self.region)
    }

    /// The ARN of a key here.
    pub fn key_arn(&self, key_id: &str) -> String {
        format!("arn:{}:kms:{}:{}:key/{key_id}", partition_of_region(&self.region), self.region, self.account)
    }

    /// The ARN of an alias here; `alias_name` starts with `alias/`.
    pub fn alias_arn(&self, alias_name: &str) -> String {
        format!("arn:{}:kms:{}:{}:{alias_name}", partition_of_region(&self.region), self.region, self.account)
    }

    /// The ARN of this account's root user.
    pub fn root_arn(&self) -> String {
        format!("arn:aws:iam::{}:root", self.account)
    }
}

/// One key with everything that does not change without a new `Key`.
#[derive(Clone, Debug)]
pub struct Key {
    /// A UUID in lower case.
    pub id: Arc<str>,
    /// The key's ARN.
    pub arn: Arc<str>,
    /// Where the key lives.
    pub place: Place,
    /// What the key's row says.
    pub record: KeyRecord,
    /// The key's material, oldest first; never empty. The last one encrypts.
    pub materials: Vec<Arc<KeyMaterial>>,
    /// The key's state for those who look often.
    pub status: Arc<KeyStatus>,
}

impl Key {
    /// The material that encrypts.
    pub fn current_material(&self) -> &KeyMaterial {
        self.materials.last().expect("a key is made with its first material")
    }

    /// When something comes due for the key by itself: its end, or, for a service-owned key, fresh material (R8).
    pub fn due_millis(&self) -> Option<i64> {
        let renewal_millis = (self.record.manager == KeyManager::Service)
            .then(|| self.current_material().created_millis + RENEWAL_MILLIS);
        [self.record.deletion_millis, renewal_millis].into_iter().flatten().min()
    }

    /// Whether it is a service-owned key whose material is a year old.
    pub fn is_to_be_renewed(&self, now_millis: i64) -> bool {
        self.record.manager == KeyManager::Service
            && self.current_material().created_millis + RENEWAL_MILLIS <= now_millis
    }

    /// Whether the waiting period before deletion is over, so that the key counts as gone.
    pub fn is_expired(&self, now_millis: i64) -> bool {
        self.record.state == KeyState::PendingDeletion
            && self.record.deletion_millis.is_some_and(|deletion| deletion <= now_millis)
    }

    /// Refuses a key that may not be used.
    pub fn check_enabled(&self) -> Result<(), KmsError> {
        match self.record.state {
            KeyState::Enabled => Ok(()),
            KeyState::Disabled => Err(KmsError::disabled(&self.arn)),
            KeyState::PendingDeletion => Err(KmsError::pending_deletion(&self.arn)),
        }
    }

    /// Refuses a key that waits for its deletion.
    pub fn check_not_pending(&self) -> Result<(), KmsError> {
        match self.record.state {
            KeyState::Enabled | KeyState::Disabled => Ok(()),
            KeyState::PendingDeletion => Err(KmsError::pending_deletion(&self.arn)),
        }
    }

    /// The same key with a changed record.
    #[must_use]
    pub fn with(&self, change: impl FnOnce(&mut KeyRecord)) -> Self {
        let mut changed = self.clone();
        change(&mut changed.record);
        changed
    }
}

/// Service-owned keys get fresh material every 365 days.
const RENEWAL_MILLIS: i64 = 365 * 24 * 60 * 60 * 1_000;

/// A key's row. Everything but the material.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// Whose key it is.
    pub manager: KeyManager,
    /// What may be done with it.
    pub state: KeyState,
    /// The user's words; at most 8,192 characters.
    pub description: String,
    /// The key policy, as it was given.
    pub policy: String,
    /// Tags in the order they were set; at most 50.
    pub tags: Vec<(String, String)>,
    /// When the key was made.
    pub created_millis: i64,
    /// When the key ends; only while it is pending deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_millis: Option<i64>,
}

/// What may be done with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum KeyState {
    /// Everything.
    Enabled = 0,
    /// Nothing that uses the material.
    Disabled = 1,
    /// Nothing but to cancel the deletion.
    PendingDeletion = 2,
}

impl KeyState {
    /// AWS's name of the state.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::PendingDeletion => "PendingDeletion",
        }
    }
}

/// One version of a key's material.
#[derive(Debug)]
pub struct KeyMaterial {
    /// AWS's `KeyMaterialId`: 32 random bytes, shown as 64 hexadecimal digits.
    pub id: [u8; 32],
    /// When it was made.
    pub created_millis: i64,
    /// The material.
    pub secret: SecretKey,
}

impl KeyMaterial {
    /// The id as AWS shows it.
    pub fn id_text(&self) -> String {
        hex(&self.id)
    }
}

/// A key's state, shared by everybody who uses the key and kept up to date while the key lives.
#[derive(Debug)]
pub struct KeyStatus(AtomicU8);

/// A key's state at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenStatus(u8);

impl KeyStatus {
    const DELETED: u8 = u8::MAX;

    pub(super) fn new(state: KeyState) -> Self {
        Self(AtomicU8::new(state as u8))
    }

    pub(super) fn set(&self, state: KeyState) {
        self.0.store(state as u8, Ordering::Release);
    }

    pub(super) fn set_deleted(&self) {
        self.0.store(Self::DELETED, Ordering::Release);
    }

    /// Whether the key may be used now. One atomic load.
    pub fn is_enabled(&self) -> bool {
        self.0.load(Ordering::Acquire) == KeyState::Enabled as u8
    }

    /// The state now, to be compared with that of another moment.
    pub fn seen(&self) -> SeenStatus {
        SeenStatus(self.0.load(Ordering::Acquire))
    }
}

/// Lower-case hexadecimal digits of `bytes`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
