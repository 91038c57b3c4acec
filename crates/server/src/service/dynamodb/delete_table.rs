//! DeleteTable.

use serde_json::json;

use super::{admission, table};
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
    admission::check_delete(&record, engine.clock().now_millis())?;
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
