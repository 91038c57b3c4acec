//! BatchWriteItem.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use serde_json::{Map, Value, json};
use strongroom_model::attribute::Item;
use strongroom_model::document::Document;
use strongroom_model::key::{self as model_key, KeyError, KeySchema};
use strongroom_model::stored;

use super::capacity::Units;
use super::errors::duplicate_keys;
use super::refused::Refused;
use super::{capacity, collection_metrics, input, key, put_item, table};
use crate::engine::{Engine, IndexSet, KeyChange};
use crate::service::{Output, Request};
use crate::wire::ApiError;

const REQUESTS_MAX: usize = 25;

/// Runs BatchWriteItem. The writes of one table become durable together, unless they are large.
pub async fn run(engine: &Engine, mut request: Request) -> Result<Output, ApiError> {
    let wanted = capacity::wanted(&request.input);
    let metrics_wanted = collection_metrics::wanted(&request.input);
    let Some(Document::Object(tables)) = input::take(&mut request.input, "RequestItems") else {
        return Ok(json!({ "UnprocessedItems": {} }).into());
    };
    let request_count: usize = tables.values().filter_map(Document::as_array).map(<[_]>::len).sum();
    if request_count > REQUESTS_MAX {
        return Err(ApiError::validation("Too many items requested for the BatchWriteItem call"));
    }
    // All is checked before anything is written, and all values before the first table is looked up.
    let writes = tables
        .into_iter()
        .map(|(reference, requests)| Ok((reference, writes(requests).map_err(Refused::in_older_words)?)))
        .collect::<Result<Vec<_>, ApiError>>()?;
    let mut plans = Vec::with_capacity(writes.len());
    let mut seen: HashMap<String, HashSet<Vec<u8>>> = HashMap::new();
    for (reference, writes) in writes {
        let found = table::for_items(engine, &request.caller, request.operation, &reference)?;
        let indexes = found.indexes();
        let mut changes = Vec::with_capacity(writes.len());
        // The same table may be there by its name and by its ARN.
        let seen = seen.entry(found.record().id.clone()).or_default();
        for write in writes {
            let change = write.change(&found.schema, &indexes)?;
            if !seen.insert(change.0.clone()) {
                return Err(duplicate_keys());
            }
            changes.push(change);
        }
        plans.push((reference, found, indexes, changes));
    }
    let mut consumed = Vec::new();
    let mut metrics = Map::new();
    for (reference, found, indexes, changes) in plans {
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
            metrics.insert(reference.to_string(), Value::Array(sizes));
        }
        let mut units = Units::default();
        for one in &changed {
            let (before, after) = (stored_bytes(one.before.as_ref()), stored_bytes(one.after.as_ref()));
            units.add_write(before, after, &one.indexes, &indexes);
        }
        consumed.extend(wanted.of_units(&reference, &units));
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

/// One request of a batch: an item to put or the key of one to delete.
enum Write {
    Put(Item),
    Delete(Item),
}

fn writes(requests: Document) -> Result<Vec<Write>, Refused> {
    let Document::Array(requests) = requests else { return Ok(Vec::new()) };
    requests.into_vec().into_iter().map(Write::read).collect()
}

impl Write {
    fn read(mut request: Document) -> Result<Self, Refused> {
        let put = input::take(&mut request, "PutRequest");
        let delete = input::take(&mut request, "DeleteRequest");
        match (put, delete) {
            (Some(mut put), None) => {
                let item = input::take_item(&mut put, "Item")?.unwrap_or_default();
                put_item::check_size(&item)?;
                Ok(Self::Put(item))
            }
            (None, Some(mut delete)) => {
                Ok(Self::Delete(input::take_item(&mut delete, "Key")?.unwrap_or_default()))
            }
            // Said of a request with neither as of one with both.
            (Some(_), Some(_)) | (None, None) => Err(Refused::rule(
                "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported \
                 datatypes",
            )),
        }
    }

    /// The row and what it holds from now on; none where it is deleted.
    fn change(self, schema: &KeySchema, indexes: &IndexSet) -> Result<KeyChange, ApiError> {
        match self {
            Self::Put(item) => {
                let row = row_of_item(schema, &item)?;
                put_item::check_for_indexes(indexes, &item)?;
                Ok((row, Some(stored::encode(&item).map_err(input::value_error)?)))
            }
            Self::Delete(key) => Ok((key::row_of_request(schema, &key)?, None)),
        }
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
