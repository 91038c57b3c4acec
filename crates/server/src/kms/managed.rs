//! Making keys: the customer's, the managed one and the service's own; and ids of grants.

use std::sync::Arc;

use strongroom_seal::secret::SecretKey;

use super::error::KmsError;
use super::key::{Key, KeyMaterial, KeyRecord, KeyState, KeyStatus, Place, hex};
use super::policy;
use super::rows::Alias;
use super::service::Kms;
use super::state::Change;
use super::table_kms::KeyManager;
use crate::audit::uuid;

/// The alias of the key that DynamoDB makes in an account and region at first use.
pub const DYNAMODB_ALIAS: &str = "alias/aws/dynamodb";

/// What AWS writes into the description of that key.
const DYNAMODB_DESCRIPTION: &str = "Default key that protects my DynamoDB data when no other key is defined";

impl Kms {
    /// A key with fresh material, not yet part of any state.
    pub(crate) fn new_key(&self, place: &Place, record: KeyRecord) -> Key {
        let id: Arc<str> = uuid(self.random()).into();
        let material = self.new_material(record.created_millis);
        Key {
            arn: place.key_arn(&id).into(),
            id,
            place: place.clone(),
            status: Arc::new(KeyStatus::new(record.state)),
            record,
            materials: vec![Arc::new(material)],
        }
    }

    /// Fresh material, not yet part of any key.
    pub(super) fn new_material(&self, created_millis: i64) -> KeyMaterial {
        let mut id = [0; 32];
        self.random().fill(&mut id);
        KeyMaterial { id, created_millis, secret: SecretKey::generate(self.random()) }
    }

    /// A fresh grant id: 64 hexadecimal digits.
    pub(crate) fn new_grant_id(&self) -> String {
        let mut bytes = [0; 32];
        self.random().fill(&mut bytes);
        hex(&bytes)
    }

    /// `alias/aws/dynamodb` of a place, made at first use (R9).
    pub(crate) async fn managed_key(self: &Arc<Self>, place: &Place) -> Result<Arc<Key>, KmsError> {
        if let Ok(key) = self.key_behind_alias(place, DYNAMODB_ALIAS) {
            return Ok(key);
        }
        let turn = self.turn().await;
        // Somebody else's turn may have made it.
        if let Ok(key) = self.key_behind_alias(place, DYNAMODB_ALIAS) {
            return Ok(key);
        }
        let now = self.now_millis();
        let record = KeyRecord {
            manager: KeyManager::Aws,
            state: KeyState::Enabled,
            description: DYNAMODB_DESCRIPTION.to_owned(),
            policy: policy::dynamodb_policy(place),
            tags: Vec::new(),
            created_millis: now,
            deletion_millis: None,
        };
        let key = self.new_key(place, record);
        let alias = Alias { target_key_id: Arc::clone(&key.id), created_millis: now, updated_millis: now };
        let changes =
            vec![Change::NewKey(key), Change::Alias(place.clone(), DYNAMODB_ALIAS.to_owned(), alias)];
        self.commit(turn, changes, None).await?;
        self.key_behind_alias(place, DYNAMODB_ALIAS)
    }

    /// The service-owned key of a region, made at first use. Nobody can see it (R8).
    pub(crate) async fn service_key(self: &Arc<Self>, region: &str) -> Result<Arc<Key>, KmsError> {
        let place = Place::new(&Place::SERVICE_ACCOUNT.into(), &region.into())?;
        let find = || self.state().keys(&place).and_then(|keys| keys.keys.values().next().cloned());
        if let Some(key) = find() {
            return Ok(key);
        }
        let turn = self.turn().await;
        if let Some(key) = find() {
            return Ok(key);
        }
        let record = KeyRecord {
            manager: KeyManager::Service,
            state: KeyState::Enabled,
            description: String::new(),
            policy: String::new(),
            tags: Vec::new(),
            created_millis: self.now_millis(),
            deletion_millis: None,
        };
        self.commit(turn, vec![Change::NewKey(self.new_key(&place, record))], None).await?;
        Ok(find().expect("the key was committed while this held the writer's turn"))
    }
}
