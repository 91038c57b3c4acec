//! UpdateTable: the key, billing mode and throughput, the table class, deletion protection, global indexes.

use std::sync::Arc;

use serde_json::json;

use super::encryption;
use super::index_definitions::invalid;
use super::index_updates::IndexUpdates;
use super::throughput_rules::{Subject, check_bounds, check_quotas};
use super::{admission, input, table, throughput, throughput_rules};
use crate::engine::{Engine, TableRecord};
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
    let now_millis = engine.clock().now_millis();
    admission::check_exists(&before, now_millis)?;
    if updates.builds() && before.inaccessible_millis.is_some() {
        // Its entries cannot be made or removed without the key, as its items cannot be reached.
        table::open_for_items(engine, &found, &request.caller).await?;
    }
    if encrypts {
        engine.switch_key(&found, &request.caller, choice.key()).await.map_err(ApiError::switching)?;
        // Whatever else is under way, this answer does not tell of it.
        let status = match table::status(&found.record()) {
            "UPDATING" => "ACTIVE",
            status => status,
        };
        return Ok(json!({ "TableDescription": table::description(engine, &found, status) }).into());
    }
    let says_updating = throughput::takes_time(body) || updates.builds();
    let held_until_millis = engine.a_while_millis();
    // The answer tells of a change as under way, however short that is.
    let until_millis = held_until_millis.unwrap_or(now_millis + 1);
    let mut answered = None;
    engine
        .try_change_record(&found, |record| {
            admission::check_update(record, body, &updates, now_millis)?;
            if admission::is_taken_back(record, body, now_millis) {
                answered = Some(TableRecord { provisioned: None, ..record.clone() });
                return Ok(record.clone());
            }
            let changed = throughput::updated(body, record, now_millis, until_millis)?;
            check_quotas(Subject::Table, changed.provisioned, &changed.options.throughput, &record.region)?;
            let changed = updates.apply(record, changed, now_millis, until_millis)?;
            let deletion_protection = protects.unwrap_or(record.deletion_protection);
            let changed = TableRecord { deletion_protection, ..changed };
            answered = Some(changed.clone());
            Ok::<_, ApiError>(if held_until_millis.is_some() { changed } else { changed.at_rest() })
        })
        .await?;
    let answered = answered.unwrap_or_else(|| (*found.record()).clone());
    let status = if says_updating { "UPDATING" } else { table::status_now(engine, &answered) };
    let description = table::description_of(&found, &answered, now_millis, status);
    // The index comes into being, or goes, by itself from here on.
    engine.work_on_indexes(&found);
    Ok(json!({ "TableDescription": description }).into())
}
