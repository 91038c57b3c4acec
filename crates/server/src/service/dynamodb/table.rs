//! Finding the table that a request names, and describing it.

use std::sync::Arc;

use serde_json::{Value, json};
use strongroom_model::arn::{Arn, TableName, partition_of_region};

use super::errors::{not_found, table_not_found};
use super::{index_descriptions, input, throughput};
use crate::auth::Caller;
use crate::engine::{Engine, IndexState, Opening, PassingStatus, Switch, Table, TableRecord};
use crate::kms::table_kms::KeyManager;
use crate::service::Request;
use crate::wire::ApiError;

/// The table's name in a `TableName` member, which may be an ARN of the caller's account and region.
/// `None` where it names a table elsewhere: such a table is not there.
pub fn name_of<'a>(caller: &Caller, reference: &'a str) -> Option<&'a str> {
    if !reference.starts_with("arn:") {
        return Some(reference);
    }
    let arn = Arn::parse(reference).ok()?;
    let name = arn.resource.strip_prefix("table/")?;
    let here = arn.service == "dynamodb"
        && arn.partition == partition_of_region(arn.region)
        && arn.region == &*caller.region
        && arn.account_id == &*caller.principal.account;
    (here && TableName::parse(name).is_ok()).then_some(name)
}

/// Refuses the ARN of another account's table, whether there is such a table or not: nothing there lets the caller in.
fn check_account(caller: &Caller, operation: &str, reference: &str) -> Result<(), ApiError> {
    let Ok(arn) = Arn::parse(reference) else { return Ok(()) };
    if arn.service != "dynamodb" || arn.account_id.is_empty() || arn.account_id == &*caller.principal.account
    {
        return Ok(());
    }
    let text = format!(
        "User: {} is not authorized to perform: dynamodb:{operation} on resource: {reference} because no \
         resource-based policy allows the dynamodb:{operation} action",
        caller.principal.arn
    );
    Err(ApiError::new("AccessDeniedException", text))
}

/// The table that an operation on items names.
pub fn for_items(
    engine: &Engine,
    caller: &Caller,
    operation: &str,
    reference: &str,
) -> Result<Arc<Table>, ApiError> {
    check_account(caller, operation, reference)?;
    of_statement(engine, caller, reference)
}

/// The table that a PartiQL statement names.
pub fn of_statement(engine: &Engine, caller: &Caller, reference: &str) -> Result<Arc<Table>, ApiError> {
    name_of(caller, reference)
        .and_then(|name| engine.table(&caller.principal.account, &caller.region, name))
        .filter(|table| {
            let record = table.record();
            !record.deleting && !is_coming_into_being(engine, &record)
        })
        .ok_or_else(not_found)
}

/// The table of an operation on items, open and allowed to the caller.
pub async fn open_for_items(
    engine: &Engine,
    table: &Arc<Table>,
    caller: &Caller,
) -> Result<Arc<Opening>, ApiError> {
    Ok(engine.access(table, caller).await?)
}

/// The table that an operation on tables names in `TableName`.
pub fn for_control(engine: &Engine, request: &Request) -> Result<Arc<Table>, ApiError> {
    let reference = input::text(&request.input, "TableName").unwrap_or_default();
    let caller = &request.caller;
    check_account(caller, request.operation, reference)?;
    let name = name_of(caller, reference).unwrap_or(reference);
    engine.table(&caller.principal.account, &caller.region, name).ok_or_else(|| table_not_found(name))
}

/// Whether a table's status is still `CREATING`: there are no items to reach in it yet.
pub fn is_coming_into_being(engine: &Engine, record: &TableRecord) -> bool {
    record.options.passing.is_some()
        && record.options.passing_status(engine.clock().now_millis()) == Some(&PassingStatus::Creating)
}

/// The status that DescribeTable shows now.
pub fn status_now(engine: &Engine, record: &TableRecord) -> &'static str {
    match record.options.passing_status(engine.clock().now_millis()) {
        Some(PassingStatus::Creating) => "CREATING",
        // Also of a table whose key cannot be used.
        Some(passing) if passing.is_updating() && !record.deleting => "UPDATING",
        _ => status(record),
    }
}

/// `TableDescription` as the service gives it.
pub fn description(engine: &Engine, table: &Table, status: &str) -> Value {
    description_of(table, &table.record(), engine.clock().now_millis(), status)
}

/// `TableDescription` of a table as this record has it at this time.
pub fn description_of(table: &Table, record: &TableRecord, now_millis: i64, status: &str) -> Value {
    let counted = table.counted();
    let mut description = json!({
        "AttributeDefinitions": index_descriptions::attribute_definitions(record),
        "TableName": record.name,
        "KeySchema": index_descriptions::key_schema([&record.hash], &record.range),
        "TableStatus": status,
        "CreationDateTime": seconds(record.created_millis),
        "TableSizeBytes": counted.bytes,
        "ItemCount": counted.items,
        "TableArn": record.arn(),
        "TableId": record.id,
        "DeletionProtectionEnabled": record.deletion_protection,
    });
    throughput::describe(record, now_millis, &mut description);
    if let Some(sse) = sse_description(record) {
        description["SSEDescription"] = sse;
    }
    index_descriptions::add(table, record, status, now_millis, &mut description);
    description
}

/// `SSEDescription`; absent for a table under the service-owned key that is not leaving it (R12).
pub fn sse_description(record: &TableRecord) -> Option<Value> {
    let status = if record.switch.is_some() { "UPDATING" } else { "ENABLED" };
    let shown = match (record.protection.manager, &record.switch) {
        (KeyManager::Service, None) => return None,
        // The service-owned key is not shown: until the end it is the key that is left.
        (KeyManager::Service, Some(Switch::From { left, .. })) => left,
        _ => &record.protection,
    };
    let mut sse = json!({"Status": status, "SSEType": "KMS"});
    if shown.manager != KeyManager::Service {
        sse["KMSMasterKeyArn"] = json!(shown.key_arn);
    }
    if let Some(since_millis) = record.inaccessible_millis {
        sse["InaccessibleEncryptionDateTime"] = seconds(since_millis);
    }
    Some(sse)
}

/// The status that DescribeTable shows.
pub fn status(record: &TableRecord) -> &'static str {
    if record.deleting {
        "DELETING"
    } else if record.inaccessible_millis.is_some() {
        "INACCESSIBLE_ENCRYPTION_CREDENTIALS"
    } else if record
        .indexes
        .iter()
        .any(|index| matches!(index.state, IndexState::Allocating | IndexState::Deleting))
    {
        "UPDATING"
    } else {
        "ACTIVE"
    }
}

/// A time as the JSON protocols show it: seconds with milliseconds as fraction.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are far below 2^53")]
pub fn seconds(millis: i64) -> Value {
    json!(millis as f64 / 1000.0)
}
