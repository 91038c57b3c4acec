//! Changing the key of a table while it is in use (R13, R14, R16).
//!
//! A switch makes a new table key under the new KMS key and re-wraps the data
//! keys: one small object is written, however large the table is. What was
//! sealed stays as it is; new objects take fresh data keys. Then the table lets go
//! of the old key. The record says how far it is, so that a restart goes on.

use std::sync::Arc;

use strongroom_seal::keyring::Keyring;
use strongroom_seal::secret::SecretKey;

use super::access::{AccessError, keyring_error};
use super::catalogue::Engine;
use super::lifecycle::wrapped;
use super::record::{Protection, Switch, TableRecord};
use super::table::Table;
use crate::auth::Caller;
use crate::kms::table_kms::{KeyManager, TableKmsError};
use crate::storage::StorageError;

/// Why a switch did not start.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// One is under way.
    #[error("a switch is under way")]
    UnderWay,
    /// The table is under that key already.
    #[error("the table is under that key")]
    Same(KeyManager),
    /// Too many in a day.
    #[error("too many switches")]
    TooMany,
    /// The table cannot be reached under its present key, or the new key cannot be used.
    #[error(transparent)]
    Access(#[from] AccessError),
}

/// A table key that was opened for a switch, and the keyring that it opens.
pub(super) struct OldKey {
    table_key: SecretKey,
    keyring_version: u64,
}

impl From<TableKmsError> for SwitchError {
    fn from(error: TableKmsError) -> Self {
        Self::Access(error.into())
    }
}

impl From<StorageError> for SwitchError {
    fn from(error: StorageError) -> Self {
        Self::Access(error.into())
    }
}

impl Engine {
    /// Starts to bring `table` under another key, on behalf of `caller`; `None` is the service-owned key.
    /// Returns the record that says so; the switch goes on by itself.
    pub async fn switch_key(
        self: &Arc<Self>,
        table: &Arc<Table>,
        caller: &Caller,
        key: Option<&str>,
    ) -> Result<Arc<TableRecord>, SwitchError> {
        let _turn = table.turn.lock().await;
        let record = table.record();
        if record.deleting {
            return Err(AccessError::NotFound.into());
        }
        // The old key must be usable by the caller: the data keys are wrapped under it. The
        // table's grant on it is not needed, so that a switch heals a table that lost it.
        let old_key = self.present_table_key(&record, caller).await?;
        let key = self.describe(caller, key).await?;
        if record.switch.is_some() {
            return Err(SwitchError::UnderWay);
        }
        if record.protection.key_arn == key.arn {
            return Err(SwitchError::Same(key.manager));
        }
        let now_millis = self.clock().now_millis();
        let mut switches_millis = record.switches_millis.clone();
        switches_millis.retain(|at| now_millis - at < DAY_MILLIS);
        let latest = switches_millis.last().copied();
        if switches_millis.len() >= self.parts.switches_per_day_max
            && latest.is_some_and(|latest| now_millis - latest < SIX_HOURS_MILLIS)
        {
            return Err(SwitchError::TooMany);
        }
        switches_millis.push(now_millis);
        let to = self.protect(caller, key, &record.context()).await?;
        let to_arn = to.key_arn.clone();
        let switching = TableRecord { switch: Some(Switch::To(to)), switches_millis, ..(*record).clone() };
        self.save(table, switching.clone()).await?;
        self.grants_changed(&to_arn, &record.context()).await;
        let (engine, table) = (Arc::clone(self), Arc::clone(table));
        tokio::spawn(async move { engine.finish_switch(&table, Some(old_key)).await });
        Ok(Arc::new(switching))
    }

    async fn present_table_key(&self, record: &TableRecord, caller: &Caller) -> Result<OldKey, AccessError> {
        let newest = self.newest_keyring(record).await?;
        let guarded = record.protection.manager != KeyManager::Service;
        let table_key = self.table_key(record, &newest, guarded.then_some(caller)).await?;
        Ok(OldKey { table_key, keyring_version: newest.version() })
    }

    /// Carries a switch through. Safe to repeat from any point: a restart goes on with what it finds,
    /// and asks for the old table key itself.
    pub(super) async fn finish_switch(&self, table: &Arc<Table>, old_key: Option<OldKey>) {
        let mut finished = self.try_finish_switch(table, old_key).await;
        if finished.is_ok() {
            // News of the key that it is under now may have come while it was under the other one.
            finished = self.look_at_table(table).await.map_err(SwitchError::from);
        }
        if let Err(error) = finished {
            tracing::warn!(table = %table.record().id, %error, "the change of key waits and will be tried again");
        }
    }

    async fn try_finish_switch(
        &self,
        table: &Arc<Table>,
        old_key: Option<OldKey>,
    ) -> Result<(), SwitchError> {
        let _turn = table.turn.lock().await;
        let record = table.record();
        if record.deleting {
            return Ok(());
        }
        if let Some(Switch::To(to)) = &record.switch {
            self.take_key(table, &record, to, old_key).await?;
        }
        if let Some(Switch::From { left, until_millis }) = &table.record().switch
            && *until_millis <= self.clock().now_millis()
        {
            self.leave_key(table, left).await?;
        }
        Ok(())
    }

    // The first half: the table comes under its new key, and does not need the old one any more.
    async fn take_key(
        &self,
        table: &Arc<Table>,
        record: &TableRecord,
        to: &Protection,
        old_key: Option<OldKey>,
    ) -> Result<(), SwitchError> {
        let newest = self.newest_keyring(record).await?;
        let keyring = if newest.table_key().key_arn == to.key_arn {
            newest
        } else {
            match self.rewrapped(record, newest, old_key, to).await {
                Err(SwitchError::Access(AccessError::Key(refusal @ TableKmsError::Refused { .. }))) => {
                    return self.give_up_switch(table, record, to, &refusal).await;
                }
                other => other?,
            }
        };
        let keyring_version = keyring.version();
        // Who lost the new key in this moment loses the table with it, like any table under that key.
        let inaccessible_millis =
            match self.take_keyring(table, record, keyring, &to.key_arn, to.manager).await {
                Ok(()) => None,
                Err(SwitchError::Access(why @ AccessError::Key(TableKmsError::Refused { .. }))) => {
                    if let Some(opening) = table.set_opening(None) {
                        opening.table.abandon(why).await;
                    }
                    Some(self.clock().now_millis())
                }
                Err(error) => return Err(error),
            };
        let until_millis = self.clock().now_millis() + self.parts.status_millis;
        let moved = TableRecord {
            keyring_version,
            protection: to.clone(),
            switch: Some(Switch::From { left: record.protection.clone(), until_millis }),
            inaccessible_millis,
            ..record.clone()
        };
        self.save(table, moved).await?;
        table.set_refusal(None);
        Ok(())
    }

    // The second half: nothing is left of the old key. Whoever repeats it finds less to do.
    async fn leave_key(&self, table: &Table, left: &Protection) -> Result<(), SwitchError> {
        let record = table.record();
        self.keyrings(&record).delete_before(record.keyring_version).await.map_err(keyring_error)?;
        self.retire_grants(left, &record.context()).await;
        self.save(table, TableRecord { switch: None, ..(*record).clone() }).await?;
        Ok(())
    }

    // A keyring with a fresh table key under the new KMS key, published.
    async fn rewrapped(
        &self,
        record: &TableRecord,
        newest: Keyring,
        old_key: Option<OldKey>,
        to: &Protection,
    ) -> Result<Keyring, SwitchError> {
        let old_key = match old_key {
            // Another switch may have come before this one.
            Some(old_key) if old_key.keyring_version == newest.version() => old_key.table_key,
            _ => self.table_key(record, &newest, None).await?,
        };
        let new_key = self.parts.table_kms.generate_table_key(&to.key_arn, &record.context()).await?;
        let wrapped = wrapped(&to.key_arn, new_key.wrapped);
        let keyring = newest
            .rewrap(&old_key, &new_key.plaintext, wrapped, self.clock().now_millis(), &*self.parts.random)
            .map_err(keyring_error)?;
        self.keyrings(record).publish(&keyring).await.map_err(keyring_error)?;
        Ok(keyring)
    }

    // A key that was disabled or lost its grant since the switch was asked for may never come back: waiting for it
    // would keep the table from any other key, and from being deleted.
    async fn give_up_switch(
        &self,
        table: &Table,
        record: &TableRecord,
        to: &Protection,
        refusal: &TableKmsError,
    ) -> Result<(), SwitchError> {
        tracing::warn!(table = %record.id, key = %to.key_arn, %refusal,
            "the change of key is given up: the key service refuses it; the table stays under its key");
        // In this order, so that a process which ends in between finds both still to do.
        self.retire_grants(to, &record.context()).await;
        self.save(table, TableRecord { switch: None, ..record.clone() }).await?;
        Ok(())
    }

    // Hands the new keyring to the open table, so that no request notices.
    async fn take_keyring(
        &self,
        table: &Arc<Table>,
        record: &TableRecord,
        keyring: Keyring,
        key_arn: &str,
        manager: KeyManager,
    ) -> Result<(), SwitchError> {
        let Some(opening) = table.opening() else { return Ok(()) };
        let table_key = self.table_key(record, &keyring, None).await?;
        let data_keys = keyring.open(&table_key).map_err(keyring_error)?;
        if opening.table.data_keys().replace(data_keys).is_err() {
            // It was closed meanwhile; the next opening reads the new keyring.
            return Ok(());
        }
        opening.rekeyed(keyring, self.pushed_status(key_arn), manager != KeyManager::Service);
        Ok(())
    }
}

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;
const SIX_HOURS_MILLIS: i64 = 6 * 60 * 60 * 1_000;
