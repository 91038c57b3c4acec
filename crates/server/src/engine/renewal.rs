//! Renewing the data keys of a table by age and volume.
//!
//! New objects take the fresh keys; what was sealed keeps its own, until
//! compaction has rewritten it.

use std::sync::Arc;

use strongroom_seal::keyring::RenewalBounds;

use super::access::{AccessError, keyring_error};
use super::catalogue::Engine;
use super::record::TableRecord;
use super::table::Table;

/// A data key seals new objects for at most 90 days or 256 GiB. Object keys are derived from it, one for each
/// object, so both bounds are about the harm that one lost key can do, not about AES-GCM's limits.
const BOUNDS: RenewalBounds =
    RenewalBounds { age_millis_max: 90 * 24 * 60 * 60 * 1_000, sealed_bytes_max: 256 << 30 };

impl Engine {
    /// Gives an open table fresh data keys where one has done enough.
    pub(super) async fn renew_data_keys(&self, table: &Arc<Table>) {
        if let Err(error) = self.try_renew_data_keys(table).await {
            tracing::warn!(table = %table.record().arn(), %error,
                "the table's data keys could not be renewed; it will be tried again");
        }
    }

    async fn try_renew_data_keys(&self, table: &Arc<Table>) -> Result<(), AccessError> {
        let Some(opening) = table.opening() else { return Ok(()) };
        let keyring = opening.keyring();
        let now_millis = self.clock().now_millis();
        if !keyring.needs_renewal(opening.table.data_keys(), BOUNDS, now_millis) {
            return Ok(());
        }
        let _turn = table.turn.lock().await;
        let record = table.record();
        if record.deleting || record.switch.is_some() {
            return Ok(());
        }
        let table_key = self.table_key(&record, &keyring, None).await?;
        let renewed = keyring
            .renew(&table_key, opening.table.data_keys(), BOUNDS, now_millis, &*self.parts.random)
            .map_err(keyring_error)?;
        let Some(renewed) = renewed else { return Ok(()) };
        self.keyrings(&record).publish(&renewed).await.map_err(keyring_error)?;
        let keyring_version = renewed.version();
        let data_keys = renewed.open(&table_key).map_err(keyring_error)?;
        self.save(table, TableRecord { keyring_version, ..(*record).clone() }).await?;
        // One that was closed meanwhile reads the new keyring when it is opened.
        if opening.table.data_keys().replace(data_keys).is_ok() {
            opening.renewed(renewed);
        }
        self.keyrings(&record).delete_before(keyring_version).await.map_err(keyring_error)?;
        Ok(())
    }
}
