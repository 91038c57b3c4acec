//! UpdateTable: the key, the billing mode, the table class, deletion protection.

use std::sync::Arc;

use serde_json::json;

use super::create_table::provisioned;
use super::encryption;
use super::{input, table};
use crate::engine::{Engine, TableRecord};
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
            "OnDemandThroughput",
            "WarmThroughput",
        ],
    )?;
    let encrypts = input::has(body, "SSESpecification");
    let others = ["BillingMode", "ProvisionedThroughput", "TableClass", "DeletionProtectionEnabled"];
    let changes = others.iter().any(|name| input::has(body, name));
    if encrypts && changes {
        return Err(ApiError::validation(
            "One or more parameter values were invalid: Server-Side Encryption modification must be the only \
             operation in the request",
        ));
    }
    if !encrypts && !changes {
        return Err(ApiError::validation(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, \
             GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required",
        ));
    }
    let choice = encryption::choice(body.get("SSESpecification"))?;
    let found = table::for_control(engine, request)?;
    if encrypts {
        engine.switch_key(&found, &request.caller, choice.key()).await.map_err(ApiError::switching)?;
    } else {
        let provisioned = provisioned(body, Some(found.record().provisioned))?;
        engine
            .change_record(&found, |record| TableRecord {
                provisioned,
                table_class: input::text(body, "TableClass").map(str::to_owned).or(record.table_class),
                deletion_protection: input::flag(body, "DeletionProtectionEnabled")
                    .unwrap_or(record.deletion_protection),
                ..record
            })
            .await?;
    }
    let status = table::status(&found.record());
    Ok(json!({ "TableDescription": table::description(&found, status) }).into())
}
