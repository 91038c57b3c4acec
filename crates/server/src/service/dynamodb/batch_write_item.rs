//! BatchWriteItem.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use serde_json::{Map, Value, json};
use strongroom_model::attribute::Item;
use strongroom_model::key::{self as model_key, KeyError, KeySchema};
use strongroom_model::{index, size, stored};

use super::capacity::Units;
use super::{capacity, collection_metrics, input, key, table};
use crate::engine::{Engine, IndexSet};
use crate::service::{Output, Request};
use crate::wire::ApiError;

const REQUESTS_MAX: usize = 25;

/// Runs BatchWriteItem. The writes of one table become durable together.
pub async fn run(engine: &Engine, mut request: Request) -> Result<Output, ApiError> {
    let wanted = capacity::wanted(&request.input);
    let metrics_wanted = collection_metrics::wanted(&request.input);
    let Some(Value::Object(tables)) = input::take(&mut request.input, "RequestItems") else {
        return Ok(json!({ "UnprocessedItems": {} }).into());
    };
    let request_count: usize = tables.values().filter_map(Value::as_array).map(Vec::len).sum();
    if request_count > REQUESTS_MAX {
        return Err(ApiError::validation("Too many items requested for the BatchWriteItem call"));
    }
    // All is checked before anything is written.
    let mut plans = Vec::new();
    for (reference, requests) in tables {
        let found = table::for_items(engine, &request.caller, request.operation, &reference)?;
        let Value::Array(requests) = requests else { continue };
        let indexes = found.indexes();
        let mut changes = Vec::with_capacity(requests.len());
        let mut seen = HashSet::new();
        for one in requests {
            let change = change(&found.schema, &indexes, one)?;
            if !seen.insert(change.0.clone()) {
                return Err(ApiError::validation("Provided list of item keys contains duplicates"));
            }
            changes.push(change);
        }
        plans.push((found, indexes, changes));
    }
    let mut consumed = Vec::new();
    let mut metrics = Map::new();
    for (found, indexes, changes) in plans {
        let opening = table::open_for_items(engine, &found, &request.caller).await?;
        let mut collections = BTreeMap::new();
        if metrics_wanted && indexes.local().is_some() {
            collections
                .extend(changes.iter().map(|(row, _)| (found.schema.collection_row(row), row.clone())));
        }
        let changed = opening.table.change_all::<ApiError>(changes).await?;
        let mut sizes = Vec::with_capacity(collections.len());
        for row in collections.into_values() {
            sizes.extend(collection_metrics::of(true, &opening.table, &found, &row).await?);
        }
        if !sizes.is_empty() {
            metrics.insert(found.record().name.clone(), Value::Array(sizes));
        }
        let mut units = Units::default();
        for one in &changed {
            let (before, after) = (stored_bytes(one.before.as_ref()), stored_bytes(one.after.as_ref()));
            units.add_write(before, after, &one.indexes, &indexes);
        }
        consumed.extend(wanted.of_units(&found.record().name, &units));
    }
    let mut answer = json!({ "UnprocessedItems": {} });
    if wanted != capacity::Wanted::None {
        answer["ConsumedCapacity"] = Value::Array(consumed);
    }
    if !metrics.is_empty() {
        answer["ItemCollectionMetrics"] = Value::Object(metrics);
    }
    Ok(answer.into())
}

fn change(
    schema: &KeySchema,
    indexes: &IndexSet,
    mut one: Value,
) -> Result<(Vec<u8>, Option<Vec<u8>>), ApiError> {
    let put = input::take(&mut one, "PutRequest");
    let delete = input::take(&mut one, "DeleteRequest");
    match (put, delete) {
        (Some(mut put), None) => {
            let item: Item = input::take_item(&mut put, "Item")?.unwrap_or_default();
            if size::item_bytes(&item) > size::ITEM_BYTES_MAX {
                return Err(ApiError::validation("Item size has exceeded the maximum allowed size"));
            }
            let row = row_of_item(schema, &item)?;
            index::check_item(indexes.schemas(), &item)?;
            Ok((row, Some(stored::encode(&item).map_err(input::value_error)?)))
        }
        (None, Some(mut delete)) => {
            let key = input::take_item(&mut delete, "Key")?.unwrap_or_default();
            Ok((key::row_of_request(schema, &key)?, None))
        }
        // Said of a request with neither as of one with both.
        (Some(_), Some(_)) | (None, None) => Err(ApiError::validation(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported \
             datatypes",
        )),
    }
}

// In a batch the service judges the key of an item as that of a request, but for empty values.
fn row_of_item(schema: &KeySchema, item: &Item) -> Result<Vec<u8>, ApiError> {
    schema.key_of_item(item).map(|key| model_key::item_key(&key)).map_err(|error| match error {
        KeyError::Missing(_) | KeyError::TypeMismatch { .. } => KeyError::SchemaMismatch.into(),
        error => error.into(),
    })
}

// Only for the capacity figure: stored bytes that do not parse count as none.
fn stored_bytes(stored: Option<&Bytes>) -> usize {
    stored.and_then(|stored| stored::item_bytes(stored).ok()).unwrap_or(0)
}
