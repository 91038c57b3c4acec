//! `ExclusiveStartKey` of a Query or Scan of a table.
//!
//! A key that no page can have ended with is refused; the service tells in different words what does not fit.

use strongroom_model::attribute::Item;
use strongroom_model::expression::KeyCondition;
use strongroom_model::key::{self as model_key, KeyAttribute, KeySchema, KeyValue};

use super::key;
use crate::wire::ApiError;

/// The first look at a Query's start key, before its conditions: its attributes, and the partition key's value.
pub fn check_partition(schema: &KeySchema, start_key: &Item) -> Result<(), ApiError> {
    if start_key.len() != schema.attributes().count() {
        return Err(ApiError::validation(INVALID));
    }
    check_piece(&schema.hash, start_key)
}

/// The row of a Query's start key, which must meet the conditions.
pub fn row_of_query(
    schema: &KeySchema,
    condition: &KeyCondition,
    start_key: &Item,
) -> Result<Vec<u8>, ApiError> {
    if let Some(range) = &schema.range {
        check_piece(range, start_key)?;
    }
    let row = key::row_of_request(schema, start_key)?;
    let hash = start_key.get(&schema.hash.name).and_then(|value| KeyValue::of(value, schema.hash.key_type));
    let same_partition = hash.as_ref() == Some(&condition.hash);
    let range = hash.and_then(|hash| model_key::sort_range(&hash, condition.sort.as_ref()));
    let meets_sort = range.is_some_and(|range| model_key::contains(&range, &row));
    let text = match (&condition.sort, same_partition, meets_sort) {
        (_, true, true) => return Ok(row),
        (None, ..) => "The provided starting key is outside query boundaries based on provided conditions",
        (Some(_), _, false) => "The provided starting key does not match the range key predicate",
        (Some(_), false, true) => "The query can return at most one row and cannot be restarted",
    };
    Err(ApiError::validation(text))
}

/// The row of a Scan's start key.
pub fn row_of_scan(schema: &KeySchema, start_key: &Item) -> Result<Vec<u8>, ApiError> {
    schema
        .key_of_request(start_key)
        .map(|key| model_key::item_key(&key))
        .map_err(|error| ApiError::validation(format!("{INVALID}: {error}")))
}

// One attribute of the key, as if it were all of it.
fn check_piece(attribute: &KeyAttribute, start_key: &Item) -> Result<(), ApiError> {
    let Some(value) = start_key.get(&attribute.name) else { return Err(ApiError::validation(INVALID)) };
    let only = KeySchema { hash: attribute.clone(), range: None };
    only.key_of_request(&Item::from([(attribute.name.clone(), value.clone())]))?;
    Ok(())
}

const INVALID: &str = "The provided starting key is invalid";
