//! UpdateTable: the key, the billing mode, the table class, deletion protection, global indexes.

use std::sync::Arc;

use serde_json::json;

use super::create_table::provisioned;
use super::encryption;
use super::index_definitions::invalid;
use super::index_updates::{IndexUpdates, in_use};
use super::{input, table};
use crate::engine::{Engine, IndexState, TableRecord};
use crate::service::{Output, Request};
use crate::wire::ApiError;

/// Runs UpdateTable.
pub async fn run(engine: &Arc<Engine>, request: &Request) -> Result<Output, ApiError> {
    let body = &request.input;
    input::refuse(
        body,
        &[
            "StreamSpecification",
            "ReplicaUpdates",
            "MultiRegionConsistency",
            "GlobalTableWitnessUpdates",
            "GlobalTableSettingsReplicationMode",
            "OnDemandThroughput",
            "WarmThroughput",
        ],
    )?;
    let encrypts = input::has(body, "SSESpecification");
    let others = ["BillingMode", "ProvisionedThroughput", "TableClass", "DeletionProtectionEnabled"];
    let changes = others.iter().any(|name| input::has(body, name));
    let updates = IndexUpdates::read(body)?;
    if encrypts && (changes || !updates.is_empty()) {
        return Err(ApiError::validation(
            "One or more parameter values were invalid: Server-Side Encryption modification must be the only \
             operation in the request",
        ));
    }
    if !encrypts && !changes && updates.is_empty() {
        return Err(ApiError::validation(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates, \
             SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, ReplicaTransitRoleArn, \
             MultiRegionConsistency, DeletionProtectionEnabled, OnDemandThroughput, WarmThroughput or TableClass is \
             required",
        ));
    }
    if updates.is_empty() && input::has(body, "GlobalSecondaryIndexUpdates") {
        return Err(invalid("List of GlobalSecondaryIndexUpdates is empty"));
    }
    let choice = encryption::choice(body.get("SSESpecification"))?;
    let found = table::for_control(engine, request)?;
    if encrypts {
        engine.switch_key(&found, &request.caller, choice.key()).await.map_err(ApiError::switching)?;
        let status = table::status(&found.record());
        return Ok(json!({ "TableDescription": table::description(&found, status) }).into());
    }
    let builds = updates.builds();
    engine
        .try_change_record(&found, |record| {
            let provisioned = provisioned(body, Some(record.provisioned))?;
            if provisioned != record.provisioned {
                check_indexes_are_at_rest(record)?;
            }
            let record = updates.apply(record, provisioned)?;
            Ok::<_, ApiError>(TableRecord {
                provisioned,
                table_class: input::text(body, "TableClass").map(str::to_owned).or(record.table_class),
                deletion_protection: input::flag(body, "DeletionProtectionEnabled")
                    .unwrap_or(record.deletion_protection),
                ..record
            })
        })
        .await?;
    // The index comes into being, or goes, by itself from here on.
    let status = if builds { "UPDATING" } else { table::status(&found.record()) };
    let description = table::description(&found, status);
    engine.work_on_indexes(&found);
    Ok(json!({ "TableDescription": description }).into())
}

// A table's throughput cannot change while an index is made or goes.
fn check_indexes_are_at_rest(record: &TableRecord) -> Result<(), ApiError> {
    let refuse = |states: fn(&IndexState) -> bool, what: &str| {
        let names: Vec<&str> = record
            .indexes
            .iter()
            .filter(|index| states(&index.state))
            .map(|index| index.name.as_str())
            .collect();
        match names.is_empty() {
            true => Ok(()),
            false => Err(in_use(format!(
                "Can't change table IOPS when an index is being {what}. Table: {} Indexes: [{}]",
                record.name,
                names.join(", ")
            ))),
        }
    };
    refuse(|state| *state == IndexState::Deleting, "deleted")?;
    refuse(|state| *state == IndexState::Allocating, "created")
}
