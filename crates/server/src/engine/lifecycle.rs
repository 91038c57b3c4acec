//! Creating and deleting tables.
//!
//! A table exists once its row is in the catalogue, and is gone once its row
//! is. An interrupted deletion is finished by the next start. A creation that a
//! crash interrupts leaves a folder with a keyring and no data, which `verify` tells of:
//! nothing distinguishes it from a table whose row was lost, so nothing removes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt};
use strongroom_seal::keyring::{Keyring, WrappedTableKey};

use super::access::{AccessError, keyring_error, store_id};
use super::catalogue::Engine;
use super::index::{IndexRecord, IndexState, ProjectionRecord};
use super::record::{Counted, Protection, TableRecord, first_index};
use super::table::Table;
use super::table_options::{PassingStatus, TableOptions};
use super::throughput_record::ThroughputRecord;
use crate::auth::Caller;
use crate::kms::table_kms::{KeyDescription, KeyManager, TableContext, TableKmsError};
use crate::storage::StorageError;

/// What CreateTable asks for, checked.
pub struct NewTable {
    /// The table's name.
    pub name: String,
    /// Partition key: attribute name and type.
    pub hash: (String, String),
    /// Sort key, likewise.
    pub range: Option<(String, String)>,
    /// Provisioned read and write units, or none for on-demand.
    pub provisioned: Option<(i64, i64)>,
    /// The table class, if named.
    pub table_class: Option<String>,
    /// Whether DeleteTable is refused.
    pub deletion_protection: bool,
    /// The tags.
    pub tags: BTreeMap<String, String>,
    /// The KMS key (id, ARN, alias), or none for the service-owned key.
    pub key: Option<String>,
    /// Throughput, policy and the like.
    pub options: TableOptions,
    /// The secondary indexes.
    pub indexes: Vec<NewIndex>,
}

/// A secondary index that is asked for, checked.
pub struct NewIndex {
    /// Its name.
    pub name: String,
    /// Whether it is a local secondary index.
    pub local: bool,
    /// The partition key's attributes: names and types.
    pub hash: Vec<(String, String)>,
    /// The sort key's attributes, likewise.
    pub range: Vec<(String, String)>,
    /// Which attributes its entries have.
    pub projection: ProjectionRecord,
    /// Provisioned read and write units of a global index, or none.
    pub provisioned: Option<(i64, i64)>,
    /// Its throughput, beside those.
    pub throughput: ThroughputRecord,
}

impl NewIndex {
    /// The record of the index in a table that has no items yet.
    pub fn record(self, number: u16) -> IndexRecord {
        IndexRecord {
            name: self.name,
            number,
            local: self.local,
            hash: self.hash,
            range: self.range,
            projection: self.projection,
            provisioned: self.provisioned,
            throughput: self.throughput,
            held_until_millis: None,
            state: IndexState::Active,
            counted: Counted::default(),
        }
    }
}

/// Why a table was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// There is one of that name.
    #[error("the table exists")]
    Exists,
    /// The key cannot protect it.
    #[error(transparent)]
    Key(#[from] TableKmsError),
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Engine {
    /// Creates a table under the key that it asks for, on behalf of `caller`.
    pub async fn create(&self, caller: &Caller, new: NewTable) -> Result<Arc<Table>, CreateError> {
        let account = &caller.principal.account;
        let _creating = self.creating.hold(account, &caller.region, &new.name).await;
        if self.table(account, &caller.region, &new.name).is_some() {
            return Err(CreateError::Exists);
        }
        let context = TableContext {
            table_name: new.name.clone(),
            account: account.to_string(),
            region: caller.region.to_string(),
        };
        let key = self.describe(caller, new.key.as_deref()).await?;
        let protection = self.protect(caller, key, &context).await.map_err(|error| match error {
            AccessError::Key(error) => CreateError::Key(error),
            AccessError::Storage(error) => CreateError::Storage(error),
            AccessError::NotFound => CreateError::Exists,
        })?;
        let options = self.passing_for_a_while(new.options, PassingStatus::Creating);
        let record = TableRecord {
            id: self.new_id(),
            name: new.name,
            account: context.account.clone(),
            region: context.region.clone(),
            created_millis: self.clock().now_millis(),
            hash: new.hash,
            range: new.range,
            provisioned: new.provisioned,
            table_class: new.table_class,
            deletion_protection: new.deletion_protection,
            tags: new.tags,
            deleting: false,
            protection,
            switch: None,
            inaccessible_millis: None,
            keyring_version: 1,
            manifest_id: 0,
            log_id: 0,
            switches_millis: Vec::new(),
            counted: Counted::default(),
            open: false,
            next_index: first_index() + u16::try_from(new.indexes.len()).unwrap_or(u16::MAX - 1),
            indexes: (first_index()..).zip(new.indexes).map(|(number, index)| index.record(number)).collect(),
            options,
        };
        let made = self.first_keyring(&record).await.and_then(|()| self.check_key_of_new(&record));
        match made {
            Ok(()) => {
                let table = self.insert(record).await?;
                let protection = &table.record().protection;
                if protection.manager != KeyManager::Service {
                    self.grants_changed(&protection.key_arn, &context).await;
                    // News of the key that came before the table was in the catalogue found no table.
                    self.look_at_table(&table).await?;
                }
                Ok(table)
            }
            Err(error) => {
                // No table is left behind, nor a grant for it; no row names what was made.
                if let Err(error) = self.clear_objects(&record).await {
                    tracing::warn!(table = %record.id, %error, "the folder of a table that was not made stays");
                }
                self.retire_grants(&record.protection, &context).await;
                Err(error)
            }
        }
    }

    /// Deletes a table: from the moment this returns nobody reaches it, and its keys are gone.
    pub async fn delete(&self, table: &Arc<Table>) -> Result<(), StorageError> {
        let _turn = table.turn.lock().await;
        let record = (*table.record()).clone();
        let options = self.passing_for_a_while(record.options.clone(), PassingStatus::Deleting);
        let record = TableRecord { deleting: true, options, ..record };
        self.save(table, record.clone()).await?;
        if let Some(opening) = table.set_opening(None) {
            opening.requests_have_passed().await;
            opening.table.abandon(AccessError::NotFound).await;
        }
        if record.options.passing_status(self.clock().now_millis()).is_some() {
            // Its name goes when the status has passed; what it held goes now.
            return self.clear_objects(&record).await;
        }
        self.clear_away(table).await
    }

    /// The options with a status that passes after the time that statuses are held for.
    pub fn passing_for_a_while(&self, options: TableOptions, status: PassingStatus) -> TableOptions {
        TableOptions { passing: self.a_while_millis().map(|until_millis| (status, until_millis)), ..options }
    }

    /// Until when a status is shown that begins now; none where statuses are not held.
    pub fn a_while_millis(&self) -> Option<i64> {
        let held_millis = self.parts.status_millis;
        (held_millis != 0).then(|| self.clock().now_millis() + held_millis)
    }

    /// Removes what is left of a table that is being deleted.
    pub(super) async fn clear_away(&self, table: &Table) -> Result<(), StorageError> {
        if table.is_gone() {
            return Ok(());
        }
        let record = table.record();
        self.clear_objects(&record).await?;
        self.retire_grants(&record.protection, &record.context()).await;
        if let Some(switch) = &record.switch {
            self.retire_grants(switch.other(), &record.context()).await;
        }
        self.remove(table).await
    }

    // Removes everything that a table holds in the store.
    async fn clear_objects(&self, record: &TableRecord) -> Result<(), StorageError> {
        let store = self.store();
        // The keyrings first: without them the rest is noise.
        let keyrings = format!("{}/keyring", record.folder());
        for folder in [keyrings, record.folder()] {
            let prefix = object_store::path::Path::from(folder);
            let objects: Vec<_> = store.list(Some(&prefix)).try_collect().await.map_err(unavailable)?;
            for object in objects {
                match store.delete(&object.location).await {
                    Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                    Err(error) => return Err(unavailable(error)),
                }
            }
        }
        self.parts
            .place
            .remove_folder(&record.folder())
            .map_err(|error| StorageError::Unavailable(error.to_string()))
    }

    /// The key that a request names, or the service-owned key.
    pub(super) async fn describe(
        &self,
        caller: &Caller,
        key: Option<&str>,
    ) -> Result<KeyDescription, TableKmsError> {
        match key {
            Some(key) => self.parts.table_kms.describe_key(caller, key).await,
            None => self.parts.table_kms.service_key(&caller.region).await,
        }
    }

    /// Takes the grant that a table needs on a key. Once a row names it, call [`Self::grants_changed`].
    pub(super) async fn protect(
        &self,
        caller: &Caller,
        key: KeyDescription,
        context: &TableContext,
    ) -> Result<Protection, AccessError> {
        let grants = match key.manager {
            KeyManager::Service => Vec::new(),
            KeyManager::Aws | KeyManager::Customer => {
                self.grants_change(&key.arn, context).await?;
                match self.parts.table_kms.create_grant(caller, &key.arn, context).await {
                    Ok(grant) => vec![grant],
                    Err(error) => {
                        if matches!(error, TableKmsError::Refused { .. }) {
                            self.grants_changed(&key.arn, context).await;
                        }
                        return Err(error.into());
                    }
                }
            }
        };
        Ok(Protection { manager: key.manager, key_arn: key.arn, grants })
    }

    async fn first_keyring(&self, record: &TableRecord) -> Result<(), CreateError> {
        let key_arn = &record.protection.key_arn;
        let new_key = self.parts.table_kms.generate_table_key(key_arn, &record.context()).await?;
        let wrapped = wrapped(key_arn, new_key.wrapped);
        let keyring = Keyring::create(
            &store_id(record),
            &new_key.plaintext,
            wrapped,
            self.clock().now_millis(),
            &*self.parts.random,
        )
        .map_err(keyring_error)?;
        self.parts
            .place
            .create_folders(&record.folder(), FOLDERS)
            .map_err(|error| StorageError::Unavailable(error.to_string()))?;
        self.keyrings(record).publish(&keyring).await.map_err(keyring_error)?;
        Ok(())
    }

    // A key that was disabled since it was described: such a table never comes to be.
    fn check_key_of_new(&self, record: &TableRecord) -> Result<(), CreateError> {
        let is_own = record.protection.manager != KeyManager::Service && !self.is_remote(record);
        if is_own && self.parts.push_key_state {
            self.parts.kms.check_usable(&record.protection.key_arn)?;
        }
        Ok(())
    }

    // A random UUID, version 4.
    fn new_id(&self) -> String {
        let mut bytes = [0; 16];
        self.parts.random.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }
}

/// A table key as KMS wrapped it. The ciphertext itself says under which material.
pub(super) fn wrapped(key_arn: &str, ciphertext: Vec<u8>) -> WrappedTableKey {
    WrappedTableKey { key_arn: key_arn.to_owned(), key_material_id: String::new(), wrapped: ciphertext }
}

/// The folders below a table's own, made and synced before anything is written into them.
pub(super) const FOLDERS: &[&str] = &["keyring", "wal", "manifest", "compacted", "compactions"];
/// Those that hold nothing in a table that was opened and has no sorted run.
pub(super) const FOLDERS_MAYBE_EMPTY: &[&str] = &["compacted", "compactions"];

pub(super) fn unavailable(error: object_store::Error) -> StorageError {
    StorageError::Unavailable(error.to_string())
}
