//! DeleteTable.

use serde_json::json;

use super::index_updates::in_use;
use super::table;
use crate::engine::Engine;
use crate::service::{Output, Request};
use crate::wire::ApiError;

/// Runs DeleteTable. When it answers, the table's keys are gone.
pub async fn run(engine: &Engine, request: Request) -> Result<Output, ApiError> {
    let found = table::for_control(engine, &request)?;
    let record = found.record();
    if record.deletion_protection {
        return Err(ApiError::validation(
            "Resource cannot be deleted as it is currently protected against deletion. \
             Disable deletion protection first.",
        ));
    }
    table::check_at_rest(engine, &record)?;
    let now_millis = engine.clock().now_millis();
    if record.indexes.iter().any(|index| !index.is_complete() || index.is_updating(now_millis)) {
        return Err(in_use("Cannot delete table while indexes are being created, updated, or deleted."));
    }
    if record.switch.is_some() {
        return Err(ApiError::new(
            "ResourceInUseException",
            format!(
                "Attempt to change a resource which is still in use: Table is being updated: {}",
                record.name
            ),
        ));
    }
    engine.delete(&found).await?;
    let mut description = table::description(engine, &found, "DELETING");
    if let Some(members) = description.as_object_mut() {
        // The service no longer tells these of a table that goes.
        for member in [
            "AttributeDefinitions",
            "KeySchema",
            "CreationDateTime",
            "WarmThroughput",
            "LocalSecondaryIndexes",
            "GlobalSecondaryIndexes",
        ] {
            members.remove(member);
        }
    }
    Ok(json!({ "TableDescription": description }).into())
}
