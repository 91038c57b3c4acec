//! CreateTable.

use serde_json::{Value, json};
use strongroom_model::document::Document;

use super::encryption;
use super::index_definitions::{TableKeys, invalid, table_keys};
use super::throughput_rules::{Subject, check_bounds, check_quotas};
use super::{input, resource_policy, table, tags, throughput, throughput_rules};
use crate::engine::{Engine, NewTable};
use crate::service::{Output, Request};
use crate::wire::ApiError;

/// Runs CreateTable. The table is usable when this answers, though the answer says `CREATING` as the service's does.
pub async fn run(engine: &Engine, request: Request) -> Result<Output, ApiError> {
    let new = new_table(engine, &request)?;
    let name = new.name.clone();
    let table =
        engine.create(&request.caller, new).await.map_err(|error| ApiError::creating(error, &name))?;
    let mut description = table::description(engine, &table, "CREATING");
    if let Some(members) = description.as_object_mut() {
        // The service tells these only later.
        if !input::has(&request.input, "WarmThroughput") {
            members.remove("WarmThroughput");
        }
        if let Some(summary) = members.get_mut("BillingModeSummary").and_then(Value::as_object_mut) {
            summary.remove("LastUpdateToPayPerRequestDateTime");
        }
        let indexes = members.get_mut("GlobalSecondaryIndexes").and_then(Value::as_array_mut);
        for index in indexes.into_iter().flatten().filter_map(Value::as_object_mut) {
            index.remove("WarmThroughput");
        }
    }
    Ok(json!({ "TableDescription": description }).into())
}

fn new_table(engine: &Engine, request: &Request) -> Result<NewTable, ApiError> {
    let body = &request.input;
    input::refuse(body, &["GlobalTableSourceArn", "GlobalTableSettingsReplicationMode", "VectorIndexes"])?;
    if let Some(stream) = body.get("StreamSpecification") {
        if input::flag(stream, "StreamEnabled") == Some(true) {
            return Err(ApiError::validation("Strongroom does not support StreamSpecification yet"));
        }
        if input::has(stream, "StreamViewType") {
            return Err(invalid(
                "Table is being created with a stream disabled, UpdateViewType should not be specified",
            ));
        }
    }
    let reference = input::text(body, "TableName").unwrap_or_default();
    let name = table::name_of(&request.caller, reference).ok_or_else(|| {
        ApiError::validation(format!("Invalid TableArn: Invalid ResourceArn provided as input {reference}"))
    })?;
    let provisioned = provisioned(body, None)?;
    let TableKeys { hash, range, indexes } = table_keys(body, provisioned.is_none())?;
    let choice = encryption::choice(body.get("SSESpecification"))?;
    let now_millis = engine.clock().now_millis();
    let mut options = throughput::of_new_table(body, provisioned)?;
    options.policy = input::text(body, "ResourcePolicy")
        .map(|text| resource_policy::first(text, now_millis))
        .transpose()?;
    let region = &request.caller.region;
    check_quotas(Subject::Table, provisioned, &options.throughput, region)?;
    for index in &indexes {
        check_quotas(Subject::Index(&index.name), index.provisioned, &index.throughput, region)?;
    }
    Ok(NewTable {
        name: name.to_owned(),
        hash,
        range,
        provisioned,
        table_class: input::text(body, "TableClass").map(str::to_owned),
        deletion_protection: input::flag(body, "DeletionProtectionEnabled").unwrap_or(false),
        tags: tags::tags(body.get("Tags"))?,
        key: choice.key().map(str::to_owned),
        indexes,
        options,
    })
}

/// The units of `ProvisionedThroughput`, or none for on-demand, by `BillingMode` or else by `before`.
pub fn provisioned(
    body: &Document,
    before: Option<Option<(i64, i64)>>,
) -> Result<Option<(i64, i64)>, ApiError> {
    let invalid =
        |text: &str| ApiError::validation(format!("One or more parameter values were invalid: {text}"));
    let units = throughput_rules::units(body);
    let on_demand = match input::text(body, "BillingMode") {
        Some(mode) => mode == "PAY_PER_REQUEST",
        None => before == Some(None),
    };
    match (on_demand, units) {
        (true, None) => Ok(None),
        (true, Some(_)) => Err(invalid(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
        )),
        (false, Some(units)) => check_bounds(units).map(|()| Some(units)),
        (false, None) => match before {
            Some(Some(units)) => Ok(Some(units)),
            _ => Err(invalid(
                "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
            )),
        },
    }
}
