//! Grants that are to be given back, and that the key service did not take when it was asked (R41).
//!
//! A table is gone or has left its key whether the key service answers or not. What it
//! still holds there is written down, and tried again until the key service has an answer.

use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::catalogue::Engine;
use super::record::Protection;
use crate::kms::table_kms::{TableContext, TableKmsError};
use crate::storage::{Batch, Order, StorageError, SystemStore, Visibility, prefix_range};

/// A grant to give back: its row in the system store holds this as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Debt {
    key_arn: String,
    grant_id: String,
    table_name: String,
    account: String,
    region: String,
}

/// The debts of all tables.
pub(super) struct Debts {
    owed: Mutex<Vec<Debt>>,
    // Nothing is tried again before this time.
    again_millis: AtomicI64,
}

impl Debts {
    /// Loads what earlier processes left.
    pub(super) async fn load(system: &SystemStore) -> Result<Self, StorageError> {
        let mut rows = system.scan(prefix_range(&[ROWS]), Order::Ascending, Visibility::Applied).await?;
        let mut debts = Vec::new();
        while let Some((_, value)) = rows.next().await? {
            let debt = serde_json::from_slice(&value).map_err(|error| {
                StorageError::Damaged(format!("the row of a grant to give back does not parse: {error}"))
            })?;
            debts.push(debt);
        }
        Ok(Self { owed: Mutex::new(debts), again_millis: AtomicI64::new(0) })
    }
}

impl Engine {
    /// Gives back a table's grants. A key that is gone has none any more.
    pub(super) async fn retire_grants(&self, protection: &Protection, context: &TableContext) {
        for grant_id in &protection.grants {
            let debt = Debt {
                key_arn: protection.key_arn.clone(),
                grant_id: grant_id.clone(),
                table_name: context.table_name.clone(),
                account: context.account.clone(),
                region: context.region.clone(),
            };
            if !self.pay(&debt).await
                && let Err(error) = self.owe(debt).await
            {
                tracing::warn!(key = %protection.key_arn, grant_id, %error,
                    "a grant could be neither given back nor written down; retire it by hand");
            }
        }
    }

    /// Tries again to give back what the key service did not take, when it is time to.
    pub(super) async fn pay_debts(&self) {
        let now_millis = self.clock().now_millis();
        if now_millis < self.debts.again_millis.load(Ordering::Relaxed) {
            return;
        }
        self.debts.again_millis.store(now_millis + AGAIN_MILLIS, Ordering::Relaxed);
        let debts = self.debts.owed.lock().clone();
        for debt in debts {
            if !self.pay(&debt).await {
                // The key service does not answer: nor will it the next time in this moment.
                return;
            }
            let mut batch = Batch::new();
            batch.delete(debt.row_key());
            if let Err(error) = self.parts.system.commit(batch).await {
                tracing::warn!(%error, "a grant that was given back stands in the books still");
            }
            self.debts.owed.lock().retain(|other| *other != debt);
        }
    }

    // Whether the key service has answered.
    async fn pay(&self, debt: &Debt) -> bool {
        let Debt { key_arn, grant_id, .. } = debt;
        match self.parts.table_kms.retire_grant(key_arn, grant_id, &debt.context()).await {
            Ok(()) => true,
            Err(TableKmsError::Unreachable(_)) => false,
            Err(error @ TableKmsError::Refused { .. }) => {
                tracing::warn!(key = %key_arn, grant_id, %error, "the key service does not take a grant back");
                true
            }
        }
    }

    async fn owe(&self, debt: Debt) -> Result<(), StorageError> {
        let mut batch = Batch::new();
        batch.put(debt.row_key(), serde_json::to_vec(&debt).expect("strings always serialize"));
        self.parts.system.commit(batch).await?;
        self.debts.owed.lock().push(debt);
        Ok(())
    }
}

impl Debt {
    fn row_key(&self) -> Vec<u8> {
        let mut key = vec![ROWS];
        for part in [&self.key_arn, &self.grant_id] {
            key.extend_from_slice(part.as_bytes());
            key.push(0);
        }
        key
    }

    fn context(&self) -> TableContext {
        TableContext {
            table_name: self.table_name.clone(),
            account: self.account.clone(),
            region: self.region.clone(),
        }
    }
}

/// Each try that fails leaves an event in the trail.
const AGAIN_MILLIS: i64 = 60_000;
/// The first byte of these rows in the system store.
const ROWS: u8 = b'g';
