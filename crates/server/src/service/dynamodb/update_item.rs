//! UpdateItem.

use std::sync::Arc;

use strongroom_model::attribute::Item;
use strongroom_model::document::Document;
use strongroom_model::expression::{Condition, ExpressionKind, Update};
use strongroom_model::{index, size, stored};

use super::capacity::Units;
use super::refused::Refused;
use super::write::{self, Done, WriteParameters};
use super::{collection_metrics, expressions, input, key, legacy, table};
use crate::auth::Caller;
use crate::engine::{Change, Engine, Table};
use crate::service::{Output, Request};
use crate::wire::ApiError;

/// Runs UpdateItem. An item that is not there begins with its key.
pub async fn run(engine: &Engine, mut request: Request) -> Result<Output, ApiError> {
    let change = read(&mut request.input).map_err(Refused::detected)?;
    let parameters = WriteParameters::read(&request.input);
    let name = input::text(&request.input, "TableName").unwrap_or_default();
    let found = table::for_items(engine, &request.caller, request.operation, name)?;
    let done = update_item(engine, &request.caller, &found, &parameters, &change).await?;
    Ok(write::answer(done, parameters.capacity, name))
}

fn read(body: &mut Document) -> Result<ItemChange, Refused> {
    expressions::check_write_parameters(
        body,
        &["UpdateExpression", "ConditionExpression"],
        &["AttributeUpdates", "Expected", "ConditionalOperator"],
    )?;
    let key = input::take_item(body, "Key")?.unwrap_or_default();
    let attribute_updates = legacy::attribute_updates(body)?;
    let expected = legacy::expected(body)?;
    let mut placeholders = expressions::placeholders(body)?;
    let update = input::text(body, ExpressionKind::Update.name())
        .map(|source| Update::parse(source, &mut placeholders))
        .transpose()?
        .or(attribute_updates);
    let condition = expressions::condition(ExpressionKind::Condition, body, &mut placeholders)?.or(expected);
    placeholders.check_all_used()?;
    // What the older parameters ask for is charged nothing.
    let charge = match &update {
        Some(update) if input::has(body, ExpressionKind::Update.name()) => update.charge(),
        _ => 0,
    };
    Ok(ItemChange { key, update, condition, charge })
}

/// What becomes of one item.
pub struct ItemChange {
    /// The item's key attributes.
    pub key: Item,
    /// What to change; without it an item that is not there is made of its key.
    pub update: Option<Update>,
    /// What must hold.
    pub condition: Option<Condition>,
    /// What [`Update::charge`] says, where it counts.
    pub charge: usize,
}

/// Changes an item, or makes it.
pub async fn update_item(
    engine: &Engine,
    caller: &Caller,
    found: &Arc<Table>,
    parameters: &WriteParameters,
    ItemChange { key, update, condition, charge }: &ItemChange,
) -> Result<Done, ApiError> {
    let row = key::row_of_request(&found.schema, key)?;
    let indexes = found.indexes();
    if let Some(update) = update {
        update.check_key_attributes(&found.schema)?;
        update.check_index_keys(indexes.schemas())?;
        update.check_key_access(&found.schema)?;
        update.check_index_key_access(indexes.schemas())?;
    }
    if let Some(condition) = condition {
        condition.check_key_access(&found.schema)?;
        condition.check_index_key_access(indexes.schemas())?;
    }
    // Whatever the item is, and whether or not the condition holds.
    if *charge > size::ITEM_BYTES_MAX {
        return Err(ApiError::validation(Update::TOO_LARGE));
    }
    let opening = table::open_for_items(engine, found, caller).await?;
    let ((before_bytes, after_bytes, attributes), index_writes) = opening
        .table
        .change_indexed(&row, |stored| {
            let before_bytes = write::stored_bytes(stored)?;
            let before = write::decode(stored)?;
            parameters.check(condition.as_ref(), before.as_ref())?;
            let after = match update {
                Some(update) => update.apply(before.as_ref(), key)?,
                None => Some(before.clone().unwrap_or_else(|| key.clone())),
            };
            // Nothing was there, and nothing was set.
            let Some(after) = after else { return Ok((Change::Keep, (0, 0, None))) };
            let after_bytes = size::item_bytes(&after);
            if index::bytes_with_local_entries(indexes.schemas(), &after) > size::ITEM_BYTES_MAX {
                return Err(ApiError::validation(Update::TOO_LARGE));
            }
            index::check_update(indexes.schemas(), before.as_ref(), &after)?;
            let encoded = stored::encode(&after).map_err(input::value_error)?;
            let attributes = returned(parameters, update.as_ref(), before, after);
            Ok::<_, ApiError>((Change::Put(encoded), (before_bytes, after_bytes, attributes)))
        })
        .await?;
    let units = Units::of_write(before_bytes, after_bytes, &index_writes, &indexes);
    let collection_metrics =
        collection_metrics::of(parameters.collection_metrics, &opening.table, found, &row).await?;
    Ok(Done { attributes, units, collection_metrics })
}

fn returned(
    parameters: &WriteParameters,
    update: Option<&Update>,
    before: Option<Item>,
    after: Item,
) -> Option<Vec<u8>> {
    let item = match parameters.return_values.as_str() {
        "ALL_OLD" => before?,
        "ALL_NEW" => after,
        "UPDATED_OLD" => update?.updated_attributes(&before?),
        "UPDATED_NEW" => update?.updated_attributes(&after),
        _ => return None,
    };
    let updated_only = parameters.return_values.starts_with("UPDATED");
    (!updated_only || !item.is_empty()).then(|| write::item_json(&item))
}
