//! What PutItem, UpdateItem and DeleteItem have in common.

use bytes::Bytes;
use serde_json::Value;
use strongroom_model::attribute::Item;
use strongroom_model::document::Document;
use strongroom_model::expression::{Condition, ExpressionKind, Projection};
use strongroom_model::{json, stored};

use super::capacity::{self, Units, Wanted};
use super::refused::Refused;
use super::{collection_metrics, evaluation, expressions, input, legacy};
use crate::service::Output;
use crate::storage::StorageError;
use crate::wire::{ApiError, ObjectWriter};

/// The parameters that all three have.
pub struct WriteParameters {
    /// `ReturnValues`; `NONE` by default.
    pub return_values: String,
    /// Whether the item is told when the condition fails.
    pub return_on_failure: bool,
    /// `ReturnConsumedCapacity`.
    pub capacity: Wanted,
    /// Whether `ReturnItemCollectionMetrics` is `SIZE`.
    pub collection_metrics: bool,
}

impl WriteParameters {
    /// Reads them.
    pub fn read(body: &Document) -> Self {
        Self {
            return_values: input::text(body, "ReturnValues").unwrap_or("NONE").to_owned(),
            return_on_failure: input::text(body, "ReturnValuesOnConditionCheckFailure") == Some("ALL_OLD"),
            capacity: capacity::wanted(body),
            collection_metrics: collection_metrics::wanted(body),
        }
    }

    /// Checks a condition against the item as it is.
    pub fn check(&self, condition: Option<&Condition>, before: Option<&Item>) -> Result<(), ApiError> {
        let Some(condition) = condition else { return Ok(()) };
        if evaluation::matches_item(condition, before.unwrap_or(&Item::new())) {
            return Ok(());
        }
        let failed = ApiError::new("ConditionalCheckFailedException", "The conditional request failed");
        Err(match before {
            Some(before) if self.return_on_failure => failed.with_member("Item", item_json(before)),
            _ => failed,
        })
    }
}

/// Reads PutItem's or DeleteItem's request: the item or key that stands in `member` and passes `check`, the parameters,
/// and the condition.
pub fn read_of_whole_item(
    body: &mut Document,
    member: &str,
    check: impl FnOnce(&Item) -> Result<(), ApiError>,
) -> Result<(Item, WriteParameters, Option<Condition>), Refused> {
    expressions::check_write_parameters(
        body,
        &["ConditionExpression"],
        &["Expected", "ConditionalOperator"],
    )?;
    let item = input::take_item(body, member)?.unwrap_or_default();
    let parameters = WriteParameters::read(body);
    // There are no updated attributes.
    if !matches!(parameters.return_values.as_str(), "NONE" | "ALL_OLD") {
        return Err(Refused::rule("ReturnValues can only be ALL_OLD or NONE"));
    }
    check(&item)?;
    let expected = legacy::expected(body)?;
    let mut placeholders = expressions::placeholders(body)?;
    let condition = expressions::condition(ExpressionKind::Condition, body, &mut placeholders)?.or(expected);
    placeholders.check_all_used()?;
    Ok((item, parameters, condition))
}

/// Decodes a stored item.
pub fn decode(stored: Option<&Bytes>) -> Result<Option<Item>, ApiError> {
    stored.map(|bytes| stored::decode(bytes).map_err(damaged)).transpose()
}

/// The size of a stored item; 0 where there is none.
pub fn stored_bytes(stored: Option<&Bytes>) -> Result<usize, ApiError> {
    stored.map_or(Ok(0), |bytes| stored::item_bytes(bytes).map_err(damaged))
}

/// Appends the JSON of a stored item, or of what `projection` shows of it.
pub fn show(stored: &[u8], projection: Option<&Projection>, out: &mut Vec<u8>) -> Result<(), ApiError> {
    match projection {
        // The stored form goes to the wire's without an item in between.
        None => stored::write_item_json(stored, out).map_err(damaged),
        Some(projection) => {
            let item = stored::decode(stored).map_err(damaged)?;
            json::write_item_json(&projection.apply(&item), out);
            Ok(())
        }
    }
}

/// The error for stored bytes that are no item.
pub fn damaged(error: stored::StoredError) -> ApiError {
    StorageError::Damaged(error.to_string()).into()
}

/// What a write did, for its answer.
pub struct Done {
    /// The attributes that were asked for, as JSON.
    pub attributes: Option<Vec<u8>>,
    /// The capacity that it used.
    pub units: Units,
    /// The size of the item's collection, if it was asked for and there is one.
    pub collection_metrics: Option<Value>,
}

impl Done {
    /// The capacity that the write used, if it is asked for.
    pub fn consumed(&self, capacity: Wanted, table_name: &str) -> Option<Value> {
        capacity.of_units(table_name, &self.units)
    }
}

/// The answer to a write: attributes, capacity and the collection's size, as far as they are asked for.
pub fn answer(done: Done, capacity: Wanted, table_name: &str) -> Output {
    let mut answer = ObjectWriter::new();
    if let Some(attributes) = &done.attributes {
        answer.json("Attributes", attributes);
    }
    if let Some(consumed) = done.consumed(capacity, table_name) {
        answer.value("ConsumedCapacity", &consumed);
    }
    if let Some(metrics) = &done.collection_metrics {
        answer.value("ItemCollectionMetrics", metrics);
    }
    answer.into()
}

/// An item as JSON.
pub fn item_json(item: &Item) -> Vec<u8> {
    let mut out = Vec::new();
    json::write_item_json(item, &mut out);
    out
}
