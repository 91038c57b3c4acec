//! BatchGetItem.

use std::collections::HashSet;

use serde_json::{Map, Value, json};
use strongroom_model::{json as attribute_json, size, stored};

use super::{capacity, expressions, input, key, legacy, table, write};
use crate::engine::Engine;
use crate::service::{Output, Request};
use crate::wire::ApiError;

const KEYS_MAX: usize = 100;
/// An answer holds this many bytes of items; the keys after that come back unprocessed.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Runs BatchGetItem.
pub async fn run(engine: &Engine, mut request: Request) -> Result<Output, ApiError> {
    let wanted = capacity::wanted(&request.input);
    let Some(Value::Object(tables)) = input::take(&mut request.input, "RequestItems") else {
        return Ok(json!({}).into());
    };
    let key_count: usize = tables.values().map(|table| keys(table).len()).sum();
    if key_count > KEYS_MAX {
        return Err(ApiError::validation("Too many items requested for the BatchGetItem call"));
    }
    let mut responses = Map::new();
    let mut unprocessed = Map::new();
    let mut consumed = Vec::new();
    let mut answer_bytes = 0;
    // All is checked before anything is read.
    let mut plans = Vec::new();
    for (reference, mut part) in tables {
        expressions::check_parameters(&part, &["ProjectionExpression"], &["AttributesToGet"])?;
        let attributes_to_get = legacy::attributes_to_get(&part)?;
        let mut placeholders = expressions::placeholders(&mut part)?;
        let projection = expressions::projection(&part, &mut placeholders)?.or(attributes_to_get);
        placeholders.check_all_used()?;
        let found = table::for_items(engine, &request.caller, &reference)?;
        let mut rows = Vec::new();
        let mut seen = HashSet::new();
        for wire_key in keys(&part) {
            let row = key::row_of_request(&found.schema, &input::item(wire_key.clone())?)?;
            if !seen.insert(row.clone()) {
                return Err(ApiError::validation("Provided list of item keys contains duplicates"));
            }
            rows.push((wire_key.clone(), row));
        }
        plans.push((reference, part, projection, found, rows));
    }
    for (reference, part, projection, found, rows) in plans {
        let consistent = input::flag(&part, "ConsistentRead").unwrap_or(false);
        let opening = table::open_for_items(engine, &found, &request.caller).await?;
        let mut items = Vec::new();
        let mut left = Vec::new();
        let mut units = 0.0;
        for (wire_key, row) in rows {
            if answer_bytes >= ANSWER_BYTES_MAX {
                left.push(wire_key);
                continue;
            }
            let stored = opening.table.read(&row, consistent).await?;
            let bytes = write::stored_bytes(stored.as_ref())?;
            units += size::read_units(bytes, consistent);
            let Some(stored) = stored else { continue };
            answer_bytes += bytes;
            let item = stored::decode(&stored).map_err(write::damaged)?;
            items.push(match &projection {
                Some(projection) => attribute_json::item_to_json(&projection.apply(&item)),
                None => attribute_json::item_to_json(&item),
            });
        }
        consumed.extend(wanted.of(&found.record().name, units));
        if !left.is_empty() {
            let mut rest = part;
            rest["Keys"] = Value::Array(left);
            unprocessed.insert(reference.clone(), rest);
        }
        responses.insert(reference, Value::Array(items));
    }
    let mut answer = json!({"Responses": responses, "UnprocessedKeys": unprocessed});
    if wanted != capacity::Wanted::None {
        answer["ConsumedCapacity"] = Value::Array(consumed);
    }
    Ok(answer.into())
}

fn keys(part: &Value) -> &[Value] {
    part.get("Keys").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
