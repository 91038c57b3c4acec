//! UpdateTable: the key, billing mode and throughput, the table class, deletion protection.

use std::sync::Arc;

use serde_json::json;

use super::encryption;
use super::{input, table, throughput};
use crate::engine::{Engine, PassingStatus, TableRecord};
use crate::service::{Output, Request};
use crate::wire::ApiError;

/// Runs UpdateTable.
pub async fn run(engine: &Arc<Engine>, request: &Request) -> Result<Output, ApiError> {
    let body = &request.input;
    input::refuse(
        body,
        &[
            "GlobalSecondaryIndexUpdates",
            "StreamSpecification",
            "ReplicaUpdates",
            "MultiRegionConsistency",
            "GlobalTableWitnessUpdates",
            "GlobalTableSettingsReplicationMode",
            "DisassociationProtectionEnabled",
            "VectorIndexUpdates",
        ],
    )?;
    let encrypts = input::has(body, "SSESpecification");
    let protects = input::flag(body, "DeletionProtectionEnabled");
    throughput::check_one_concern(body)?;
    if !encrypts && protects.is_none() && !throughput::is_asked_for(body) {
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
    if encrypts {
        engine.switch_key(&found, &request.caller, choice.key()).await.map_err(ApiError::switching)?;
        let status = table::status_now(engine, &found.record());
        return Ok(json!({ "TableDescription": table::description(engine, &found, status) }).into());
    }
    let now_millis = engine.clock().now_millis();
    let takes_time = throughput::takes_time(body);
    engine
        .try_change_record(&found, |record| {
            let record = throughput::updated(body, record, now_millis)?;
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
    let status = if takes_time { "UPDATING" } else { table::status_now(engine, &found.record()) };
    let mut description = table::description(engine, &found, status);
    throughput::answer_as_before(body, &before, now_millis, &mut description);
    Ok(json!({ "TableDescription": description }).into())
}
