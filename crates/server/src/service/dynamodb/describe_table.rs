//! DescribeTable.

use serde_json::json;

use super::table;
use crate::engine::Engine;
use crate::service::{Output, Request};
use crate::wire::ApiError;

/// Runs DescribeTable. It works while the table's key is lost.
pub fn run(engine: &Engine, request: &Request) -> Result<Output, ApiError> {
    let found = table::for_control(engine, request)?;
    let status = table::status_now(engine, &found.record());
    Ok(json!({ "Table": table::description(engine, &found, status) }).into())
}
