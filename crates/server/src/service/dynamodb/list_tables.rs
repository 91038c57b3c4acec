//! ListTables.

use serde_json::{Value, json};

use super::input;
use crate::engine::Engine;
use crate::service::{Output, Request};
use crate::wire::ApiError;

/// Runs ListTables.
pub fn run(engine: &Engine, request: &Request) -> Result<Output, ApiError> {
    let caller = &request.caller;
    let start = input::text(&request.input, "ExclusiveStartTableName");
    // The model allows 1 to 100; 100 is the service's default.
    let limit = input::integer(&request.input, "Limit").and_then(|limit| usize::try_from(limit).ok());
    let (names, more) =
        engine.table_names(&caller.principal.account, &caller.region, start, limit.unwrap_or(100));
    if names.is_empty() && start.is_none() {
        let others = engine.other_regions(&caller.principal.account, &caller.region);
        if !others.is_empty() {
            tracing::info!(region = %caller.region, other_regions = ?others,
                "ListTables found no table in this region, but there are tables in others: is the client's region right?");
        }
    }
    let last = if more { names.last().cloned() } else { None };
    let mut answer = json!({ "TableNames": names });
    if let Some(last) = last {
        answer["LastEvaluatedTableName"] = Value::String(last);
    }
    Ok(answer.into())
}
