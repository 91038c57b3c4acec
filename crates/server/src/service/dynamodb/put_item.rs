//! PutItem.

use std::sync::Arc;

use strongroom_model::attribute::Item;
use strongroom_model::expression::Condition;
use strongroom_model::{index, size, stored};

use super::capacity::Units;
use super::refused::Refused;
use super::write::{self, Done, WriteParameters};
use super::{collection_metrics, input, key, table};
use crate::auth::Caller;
use crate::engine::{Change, Engine, IndexSet, Table};
use crate::service::{Output, Request};
use crate::wire::ApiError;

/// Runs PutItem.
pub async fn run(engine: &Engine, mut request: Request) -> Result<Output, ApiError> {
    let (item, parameters, condition) =
        write::read_of_whole_item(&mut request.input, "Item", check_size).map_err(Refused::detected)?;
    let name = input::text(&request.input, "TableName").unwrap_or_default();
    let found = table::for_items(engine, &request.caller, request.operation, name)?;
    let done = put(engine, &request.caller, &found, &parameters, item, condition.as_ref()).await?;
    Ok(write::answer(done, parameters.capacity, name))
}

/// Refuses an item that is too large.
pub fn check_size(item: &Item) -> Result<(), ApiError> {
    check_bytes(size::item_bytes(item))
}

/// Refuses an item that a table's indexes cannot take: for its keys there, or for its size together with the entries
/// in local indexes.
pub fn check_for_indexes(indexes: &IndexSet, item: &Item) -> Result<(), ApiError> {
    index::check_item(indexes.schemas(), item)?;
    check_bytes(index::bytes_with_local_entries(indexes.schemas(), item))
}

fn check_bytes(bytes: usize) -> Result<(), ApiError> {
    if bytes > size::ITEM_BYTES_MAX {
        return Err(ApiError::validation("Item size has exceeded the maximum allowed size"));
    }
    Ok(())
}

/// Puts an item whose size is checked, if the condition holds.
pub async fn put(
    engine: &Engine,
    caller: &Caller,
    found: &Arc<Table>,
    parameters: &WriteParameters,
    item: Item,
    condition: Option<&Condition>,
) -> Result<Done, ApiError> {
    let row = key::row_of_item(&found.schema, &item)?;
    let indexes = found.indexes();
    check_for_indexes(&indexes, &item)?;
    if let Some(condition) = condition {
        condition.check_key_access(&found.schema)?;
        condition.check_index_key_access(indexes.schemas())?;
    }
    let after = stored::encode(&item).map_err(input::value_error)?;
    let opening = table::open_for_items(engine, found, caller).await?;
    let returns_old = parameters.return_values == "ALL_OLD";
    let ((before_bytes, old), index_writes) = opening
        .table
        .change_indexed(&row, |before| {
            let before_bytes = write::stored_bytes(before)?;
            let mut old = None;
            if condition.is_some() || returns_old {
                let before = write::decode(before)?;
                parameters.check(condition, before.as_ref())?;
                old = before.filter(|_| returns_old);
            }
            Ok::<_, ApiError>((Change::Put(after), (before_bytes, old)))
        })
        .await?;
    let attributes = old.map(|old| write::item_json(&old));
    let units = Units::of_write(before_bytes, size::item_bytes(&item), &index_writes, &indexes);
    let collection_metrics =
        collection_metrics::of(parameters.collection_metrics, &opening.table, found, &row).await?;
    Ok(Done { attributes, units, collection_metrics })
}
