//! UpdateTable: the key, billing mode and throughput, the table class, deletion protection, global indexes.

use std::sync::Arc;

use serde_json::json;

use super::encryption;
use super::index_definitions::invalid;
use super::index_updates::{IndexUpdates, in_use};
use super::throughput_rules::{Asked, Subject, check_bounds, check_quotas};
use super::{index_throughput, input, table, throughput, throughput_rules};
use crate::engine::{Engine, IndexState, PassingStatus, TableRecord};
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
            "DisassociationProtectionEnabled",
            "VectorIndexUpdates",
        ],
    )?;
    if let Some(units) = throughput_rules::units(body) {
        check_bounds(units)?;
    }
    let encrypts = input::has(body, "SSESpecification");
    let protects = input::flag(body, "DeletionProtectionEnabled");
    let updates = IndexUpdates::read(body)?;
    let changes = encrypts || protects.is_some() || throughput::is_asked_for(body);
    if changes && updates.is_empty() && input::has(body, "GlobalSecondaryIndexUpdates") {
        return Err(invalid("List of GlobalSecondaryIndexUpdates is empty"));
    }
    throughput::check_one_concern(body)?;
    if !changes && updates.is_empty() {
        return Err(ApiError::validation(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates, \
             SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, ReplicaTransitRoleArn, \
             MultiRegionConsistency, DeletionProtectionEnabled, OnDemandThroughput, WarmThroughput or TableClass is \
             required",
        ));
    }
    let choice = encryption::choice(body.get("SSESpecification"))?;
    let found = table::for_control(engine, request)?;
    let before = found.record();
    table::check_at_rest(engine, &before)?;
    if updates.builds() && before.inaccessible_millis.is_some() {
        // Its entries cannot be made or removed without the key, as its items cannot be reached.
        table::open_for_items(engine, &found, &request.caller).await?;
    }
    if encrypts {
        check_no_index_changes(&before)?;
        engine.switch_key(&found, &request.caller, choice.key()).await.map_err(ApiError::switching)?;
        let status = table::status_now(engine, &found.record());
        return Ok(json!({ "TableDescription": table::description(engine, &found, status) }).into());
    }
    let now_millis = engine.clock().now_millis();
    let takes_time = throughput::takes_time(body);
    let builds = updates.builds();
    let until_millis = engine.a_while_millis();
    let asks_for_maxima = Asked::of(body).on_demand_max != (None, None);
    engine
        .try_change_record(&found, |record| {
            let changed = throughput::updated(body, record, now_millis, until_millis)?;
            if changed.provisioned != record.provisioned {
                check_indexes_are_at_rest(record, |what| {
                    format!(
                        "Can't change table IOPS when an index is being {what}. Table: {} Indexes:",
                        record.name
                    )
                })?;
            }
            if asks_for_maxima {
                check_indexes_are_at_rest(record, |what| {
                    let doing = if what == "deleted" { "deletion" } else { "creation" };
                    format!(
                        "OnDemandThroughput cannot be updated while index {doing} is in progress for indexes:"
                    )
                })?;
            }
            if updates.is_empty() {
                check_no_index_changes(record)?;
            }
            check_quotas(Subject::Table, changed.provisioned, &changed.options.throughput, &record.region)?;
            let record = updates.apply(record, changed, now_millis, until_millis)?;
            let options = match takes_time {
                true => engine.passing_for_a_while(record.options, PassingStatus::Updating),
                false => record.options,
            };
            Ok::<_, ApiError>(TableRecord {
                options,
                deletion_protection: protects.unwrap_or(record.deletion_protection),
                ..record
            })
        })
        .await?;
    // The index comes into being, or goes, by itself from here on.
    let status = if takes_time || builds { "UPDATING" } else { table::status_now(engine, &found.record()) };
    let mut description = table::description(engine, &found, status);
    throughput::answer_as_before(body, &before, now_millis, &mut description);
    index_throughput::answer_as_before(body, &before, now_millis, &mut description);
    engine.work_on_indexes(&found);
    Ok(json!({ "TableDescription": description }).into())
}

// A table is UPDATING while an index is made or goes; once an index is being filled it is not any more.
fn check_no_index_changes(record: &TableRecord) -> Result<(), ApiError> {
    match table::status(record) {
        "UPDATING" => Err(in_use(format!("Table: {} is in the process of being updated.", record.name))),
        _ => Ok(()),
    }
}

// A table's throughput cannot change while an index is made or goes; `text` is said before the indexes.
fn check_indexes_are_at_rest(record: &TableRecord, text: impl Fn(&str) -> String) -> Result<(), ApiError> {
    let refuse = |states: fn(&IndexState) -> bool, what: &str| {
        let names: Vec<&str> = record
            .indexes
            .iter()
            .filter(|index| states(&index.state))
            .map(|index| index.name.as_str())
            .collect();
        match names.is_empty() {
            true => Ok(()),
            false => Err(in_use(format!("{} [{}]", text(what), names.join(", ")))),
        }
    };
    refuse(|state| *state == IndexState::Deleting, "deleted")?;
    refuse(|state| *state == IndexState::Allocating, "created")
}
