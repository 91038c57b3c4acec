//! GetItem.

use serde_json::{Value, json};
use strongroom_model::size;

use super::{capacity, expressions, input, key, legacy, table, write};
use crate::engine::Engine;
use crate::service::{Output, Request};
use crate::wire::ApiError;

/// Runs GetItem.
pub async fn run(engine: &Engine, mut request: Request) -> Result<Output, ApiError> {
    let body = &mut request.input;
    let wanted = capacity::wanted(body);
    let consistent = input::flag(body, "ConsistentRead").unwrap_or(false);
    expressions::check_parameters(body, &["ProjectionExpression"], &["AttributesToGet"])?;
    let key = input::take_item(body, "Key")?.unwrap_or_default();
    let attributes_to_get = legacy::attributes_to_get(body)?;
    let mut placeholders = expressions::placeholders(body)?;
    let projection = expressions::projection(body, &mut placeholders)?.or(attributes_to_get);
    placeholders.check_all_used()?;
    let name = input::text(body, "TableName").unwrap_or_default();
    let found = table::for_items(engine, &request.caller, request.operation, name)?;
    let row = key::row_of_request(&found.schema, &key)?;
    if let Some(projection) = &projection {
        projection.check_key_access(&found.schema)?;
        projection.check_index_key_access(found.indexes().schemas())?;
    }
    let opening = table::open_for_items(engine, &found, &request.caller).await?;
    let stored = opening.table.read(&row, consistent).await?;
    let consumed = || -> Result<Option<Value>, ApiError> {
        let bytes = write::stored_bytes(stored.as_ref())?;
        Ok(wanted.of(name, size::read_units(bytes, consistent)))
    };
    let Some(bytes) = &stored else {
        return Ok(match consumed()? {
            Some(consumed) => json!({ "ConsumedCapacity": consumed }).into(),
            None => Output::Bytes(b"{}".to_vec()),
        });
    };
    let mut answer = Vec::with_capacity(bytes.len() * 2 + 64);
    answer.extend_from_slice(b"{\"Item\":");
    write::show(bytes, projection.as_ref(), &mut answer)?;
    if let Some(consumed) = consumed()? {
        answer.extend_from_slice(b",\"ConsumedCapacity\":");
        answer.extend_from_slice(consumed.to_string().as_bytes());
    }
    answer.push(b'}');
    Ok(Output::Bytes(answer))
}
