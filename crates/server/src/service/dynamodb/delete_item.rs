//! DeleteItem.

use std::sync::Arc;

use strongroom_model::attribute::Item;
use strongroom_model::expression::Condition;

use super::capacity::Units;
use super::refused::Refused;
use super::write::{self, Done, WriteParameters};
use super::{collection_metrics, input, key, table};
use crate::auth::Caller;
use crate::engine::{Change, Engine, Table};
use crate::service::{Output, Request};
use crate::wire::ApiError;

/// Runs DeleteItem.
pub async fn run(engine: &Engine, mut request: Request) -> Result<Output, ApiError> {
    let (key, parameters, condition) =
        write::read_of_whole_item(&mut request.input, "Key", |_| Ok(())).map_err(Refused::detected)?;
    let name = input::text(&request.input, "TableName").unwrap_or_default();
    let found = table::for_items(engine, &request.caller, request.operation, name)?;
    let done = delete(engine, &request.caller, &found, &parameters, &key, condition.as_ref()).await?;
    Ok(write::answer(done, parameters.capacity, name))
}

/// Deletes the item of this key, if the condition holds.
pub async fn delete(
    engine: &Engine,
    caller: &Caller,
    found: &Arc<Table>,
    parameters: &WriteParameters,
    key: &Item,
    condition: Option<&Condition>,
) -> Result<Done, ApiError> {
    let row = key::row_of_request(&found.schema, key)?;
    let indexes = found.indexes();
    if let Some(condition) = condition {
        condition.check_key_access(&found.schema)?;
        condition.check_index_key_access(indexes.schemas())?;
    }
    let opening = table::open_for_items(engine, found, caller).await?;
    let returns_old = parameters.return_values == "ALL_OLD";
    let ((before_bytes, old), index_writes) = opening
        .table
        .change_indexed(&row, |before| {
            let before_bytes = write::stored_bytes(before)?;
            let change = if before.is_some() { Change::Delete } else { Change::Keep };
            let before = write::decode(before)?;
            parameters.check(condition, before.as_ref())?;
            Ok::<_, ApiError>((change, (before_bytes, before.filter(|_| returns_old))))
        })
        .await?;
    let attributes = old.map(|old| write::item_json(&old));
    let units = Units::of_write(before_bytes, 0, &index_writes, &indexes);
    let collection_metrics =
        collection_metrics::of(parameters.collection_metrics, &opening.table, found, &row).await?;
    Ok(Done { attributes, units, collection_metrics })
}
