//! Grants that are to be given back, and that the key service did not take when it was asked (R41).
//!
//! A table is gone or has left its key whether the key service answers or not. What it
//! still holds there is written down, and tried again until the key service has taken it.
//!
//! A process may also end between a grant and the row that names it. So before a table takes
//! a key that is written down too, and whoever finds such a row gives back every grant of that
//! table on that key which the table does not know of.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use serde::{Deserialize, Serialize};

use super::catalogue::Engine;
use super::record::{Protection, Switch};
use crate::kms::table_kms::{KeyManager, TableContext, TableKmsError};
use crate::storage::{Batch, Order, StorageError, Visibility, prefix_range};

/// What a table owes to a key service: the row in the system store holds this as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Debt {
    key_arn: String,
    owed: Owed,
    table_name: String,
    account: String,
    region: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Owed {
    /// This grant.
    Grant(String),
    /// The grants that the table does not know of: they were being changed.
    Unknown,
}

/// When the rows are looked at.
pub(super) struct Debts {
    // Whether there may be rows.
    may_owe: AtomicBool,
    // Nothing is tried again before this time.
    again_millis: AtomicI64,
}

impl Debts {
    /// At a start: earlier processes may have left rows.
    pub(super) fn new() -> Self {
        Self { may_owe: AtomicBool::new(true), again_millis: AtomicI64::new(0) }
    }
}

impl Engine {
    /// Gives back a table's grants. A key that is gone has none any more.
    pub(super) async fn retire_grants(&self, protection: &Protection, context: &TableContext) {
        for grant_id in &protection.grants {
            let debt = Debt::new(&protection.key_arn, Owed::Grant(grant_id.clone()), context);
            if self.retire(&debt, grant_id).await != Payment::Done
                && let Err(error) = self.write_down(&debt).await
            {
                tracing::warn!(key = %protection.key_arn, grant_id, %error,
                    "a grant could be neither given back nor written down; retire it by hand");
            }
        }
    }

    /// The table's grants on this key are about to change; [`Self::grants_changed`] says when they have.
    pub(super) async fn grants_change(
        &self,
        key_arn: &str,
        context: &TableContext,
    ) -> Result<(), StorageError> {
        self.write_down(&Debt::new(key_arn, Owed::Unknown, context)).await
    }

    /// The table's record says which grants it has on this key, and no others are left.
    pub(super) async fn grants_changed(&self, key_arn: &str, context: &TableContext) {
        // Whoever looks at a row that stays finds nothing to give back.
        let _ = self.strike_out(&Debt::new(key_arn, Owed::Unknown, context)).await;
    }

    /// Tries again to give back what the key service did not take, when it is time to.
    pub(super) async fn pay_debts(&self) {
        let now_millis = self.clock().now_millis();
        if now_millis < self.debts.again_millis.load(Ordering::Relaxed) {
            return;
        }
        self.debts.again_millis.store(now_millis + AGAIN_MILLIS, Ordering::Relaxed);
        // What is written down from here on says so again.
        if !self.debts.may_owe.swap(false, Ordering::AcqRel) {
            return;
        }
        if let Err(error) = self.try_pay_debts().await {
            tracing::warn!(%error, "grants that are to be given back stand in the books still");
            self.debts.may_owe.store(true, Ordering::Release);
        }
    }

    async fn try_pay_debts(&self) -> Result<(), StorageError> {
        let mut rows =
            self.parts.system.scan(prefix_range(&[ROWS]), Order::Ascending, Visibility::Applied).await?;
        let mut debts: Vec<Debt> = Vec::new();
        while let Some((_, value)) = rows.next().await? {
            debts.push(serde_json::from_slice(&value).map_err(|error| {
                StorageError::Damaged(format!("the row of a grant to give back does not parse: {error}"))
            })?);
        }
        drop(rows);
        for debt in debts {
            let payment = match &debt.owed {
                Owed::Grant(grant_id) => match self.retire(&debt, grant_id).await {
                    Payment::Done => {
                        self.strike_out(&debt).await?;
                        Payment::Done
                    }
                    other => other,
                },
                Owed::Unknown => self.give_back_unknown(&debt).await?,
            };
            if payment != Payment::Done {
                self.debts.may_owe.store(true, Ordering::Release);
            }
            if payment == Payment::Unanswered {
                // Nor will it answer for the next one.
                return Ok(());
            }
        }
        Ok(())
    }

    async fn retire(&self, debt: &Debt, grant_id: &str) -> Payment {
        match self.parts.table_kms.retire_grant(&debt.key_arn, grant_id, &debt.context()).await {
            Ok(()) => Payment::Done,
            Err(TableKmsError::Refused { code, .. }) if code == "NotFoundException" => Payment::Done,
            // Wrong credentials, for one: what it will say when they are put right is another matter.
            Err(error @ TableKmsError::Refused { .. }) => {
                tracing::warn!(key = %debt.key_arn, grant_id, %error,
                    "the key service does not take a grant back");
                Payment::Refused
            }
            Err(_) => Payment::Unanswered,
        }
    }

    // Gives back the grants on one key that name a table which does not know of them.
    async fn give_back_unknown(&self, debt: &Debt) -> Result<Payment, StorageError> {
        // INVARIANT (a new grant is not unknown): whoever makes one holds one of these two until a row names it. So
        // also a row that says that grants are being changed is struck out here only when they are not.
        let _creating = self.creating.hold(&debt.account, &debt.region, &debt.table_name).await;
        let table = self.table(&debt.account.as_str().into(), &debt.region.as_str().into(), &debt.table_name);
        let _turn = match &table {
            Some(table) => Some(table.turn.lock().await),
            None => None,
        };
        let record = table.as_ref().map(|table| table.record());
        let knows = |grant_id: &String| {
            record.as_ref().is_some_and(|record| {
                let other = record.switch.as_ref().map(Switch::other);
                [Some(&record.protection), other].into_iter().flatten().any(|of| of.grants.contains(grant_id))
            })
        };
        let listed = match self.parts.table_kms.table_grants(&debt.key_arn, &debt.context()).await {
            Ok(listed) => listed,
            Err(TableKmsError::Refused { code, .. }) if code == "NotFoundException" => Vec::new(),
            Err(TableKmsError::Refused { .. }) => return Ok(Payment::Refused),
            Err(_) => return Ok(Payment::Unanswered),
        };
        let grants = listed.into_iter().filter(|grant_id| !knows(grant_id)).collect();
        let unknown = Protection { manager: KeyManager::Customer, key_arn: debt.key_arn.clone(), grants };
        self.retire_grants(&unknown, &debt.context()).await;
        self.strike_out(debt).await?;
        Ok(Payment::Done)
    }

    async fn write_down(&self, debt: &Debt) -> Result<(), StorageError> {
        let mut batch = Batch::new();
        batch.put(debt.row_key(), serde_json::to_vec(debt).expect("strings always serialize"));
        self.parts.system.commit(batch).await?;
        self.debts.may_owe.store(true, Ordering::Release);
        Ok(())
    }

    async fn strike_out(&self, debt: &Debt) -> Result<(), StorageError> {
        let mut batch = Batch::new();
        batch.delete(debt.row_key());
        self.parts.system.commit(batch).await
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Payment {
    // The grant is gone, or was already.
    Done,
    Refused,
    Unanswered,
}

impl Debt {
    fn new(key_arn: &str, owed: Owed, context: &TableContext) -> Self {
        Self {
            key_arn: key_arn.to_owned(),
            owed,
            table_name: context.table_name.clone(),
            account: context.account.clone(),
            region: context.region.clone(),
        }
    }

    fn row_key(&self) -> Vec<u8> {
        let grant_id = match &self.owed {
            Owed::Grant(grant_id) => grant_id.as_str(),
            Owed::Unknown => "",
        };
        let mut key = vec![ROWS];
        for part in [&self.key_arn, grant_id, &self.table_name] {
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
const AGAIN_MILLIS: i64 = 300_000;
/// The first byte of these rows in the system store.
const ROWS: u8 = b'g';
