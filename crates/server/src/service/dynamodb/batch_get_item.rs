//! BatchGetItem.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use strongroom_model::attribute::Item;
use strongroom_model::document::{Document, Object};
use strongroom_model::expression::Projection;
use strongroom_model::{json as attribute_json, size};

use super::errors::duplicate_keys;
use super::{capacity, expressions, input, key, legacy, table, write};
use crate::engine::{Engine, Table};
use crate::service::{Output, Request};
use crate::wire::{ApiError, ObjectWriter};

const KEYS_MAX: usize = 100;
/// An answer holds at most this many bytes of items; the keys after that come back unprocessed. The API reference counts
/// "16 MB" so that 52 items of 300 KB fit.
const ANSWER_BYTES_MAX: usize = 16_000_000;

/// Runs BatchGetItem.
pub async fn run(engine: &Engine, mut request: Request) -> Result<Output, ApiError> {
    let wanted = capacity::wanted(&request.input);
    let Some(Document::Object(tables)) = input::take(&mut request.input, "RequestItems") else {
        return Ok(json!({}).into());
    };
    // All is checked before anything is read.
    let reads = reads(tables)?;
    let mut plans: Vec<Plan> = Vec::with_capacity(reads.len());
    for read in reads {
        let found = table::for_items(engine, &request.caller, request.operation, &read.reference)?;
        let rows = read
            .keys
            .iter()
            .map(|key| key::row_of_request(&found.schema, key))
            .collect::<Result<Vec<_>, ApiError>>()?;
        if let Some(projection) = &read.projection {
            projection.check_key_access(&found.schema)?;
            projection.check_index_key_access(found.indexes().schemas())?;
        }
        // The same table may be there by its name and by its ARN.
        let is_there = |row| {
            plans.iter().any(|(_, other, rows): &Plan| Arc::ptr_eq(other, &found) && rows.contains(row))
        };
        if rows.iter().any(is_there) {
            return Err(duplicate_keys());
        }
        plans.push((read, found, rows));
    }
    let mut responses = ObjectWriter::new();
    let mut unprocessed = Map::new();
    let mut consumed = Vec::new();
    let mut room = ANSWER_BYTES_MAX;
    for (read, found, rows) in plans {
        let answer = read.answer(engine, &request, &found, rows, &mut room).await?;
        consumed.extend(wanted.of(&read.reference, answer.units));
        if let Some(rest) = answer.rest {
            unprocessed.insert(read.reference.clone(), rest.into());
        }
        let items = responses.member(&read.reference);
        items.push(b'[');
        items.extend_from_slice(&answer.items);
        items.push(b']');
    }
    let mut answer = ObjectWriter::new();
    answer.json("Responses", &responses.finish());
    answer.value("UnprocessedKeys", &Value::Object(unprocessed));
    if wanted != capacity::Wanted::None {
        answer.value("ConsumedCapacity", &Value::Array(consumed));
    }
    Ok(answer.into())
}

/// What is to be read, the table, and the rows of its keys.
type Plan = (Read, Arc<Table>, Vec<Vec<u8>>);

/// What is to be read of one table.
struct Read {
    /// The table as the request names it.
    reference: String,
    keys: Vec<Item>,
    projection: Option<Projection>,
    consistent: bool,
    /// The request's own words, to give back what was not done.
    request: Document,
}

struct Answer {
    /// The items' JSON, separated by commas.
    items: Vec<u8>,
    units: f64,
    /// The request for what was left.
    rest: Option<Document>,
}

/// Reads the request and checks what needs no table.
fn reads(tables: Object) -> Result<Vec<Read>, ApiError> {
    let has = |name: &str| tables.values().any(|request| input::has(request, name));
    if has("ProjectionExpression") && has("AttributesToGet") {
        // Also when each is used with another table.
        let both = json!({"ProjectionExpression": "", "AttributesToGet": []}).into();
        expressions::check_parameters(&both, &["ProjectionExpression"], &["AttributesToGet"])?;
    }
    let mut reads = Vec::with_capacity(tables.len());
    let mut key_count = 0;
    for (reference, request) in tables {
        let mut body = request.clone();
        expressions::check_parameters(&body, &["ProjectionExpression"], &["AttributesToGet"])?;
        let attributes_to_get = legacy::attributes_to_get(&body)?;
        let mut placeholders = expressions::placeholders(&mut body)?;
        let projection = expressions::projection(&body, &mut placeholders)?.or(attributes_to_get);
        placeholders.check_all_used()?;
        let mut keys = Vec::new();
        let mut seen = HashSet::new();
        for key in input::array(&mut body, "Keys") {
            let key = input::item(key)?;
            if !seen.insert(attribute_json::item_to_json(&key).to_string()) {
                return Err(duplicate_keys());
            }
            keys.push(key);
        }
        key_count += keys.len();
        if key_count > KEYS_MAX {
            return Err(ApiError::validation("Too many items requested for the BatchGetItem call"));
        }
        let consistent = input::flag(&body, "ConsistentRead").unwrap_or(false);
        reads.push(Read { reference: reference.into_string(), keys, projection, consistent, request });
    }
    Ok(reads)
}

impl Read {
    /// Reads the rows until the answer's `room`, in bytes, is used up.
    async fn answer(
        &self,
        engine: &Engine,
        request: &Request,
        found: &Arc<Table>,
        rows: Vec<Vec<u8>>,
        room: &mut usize,
    ) -> Result<Answer, ApiError> {
        let opening = table::open_for_items(engine, found, &request.caller).await?;
        let mut items = Vec::new();
        let mut units = 0.0;
        let mut left = None;
        for (position, row) in rows.iter().enumerate() {
            let stored = opening.table.read(row, self.consistent).await?;
            let bytes = write::stored_bytes(stored.as_ref())?;
            if bytes > *room {
                left = Some(position);
                break;
            }
            *room -= bytes;
            units += size::read_units(bytes, self.consistent);
            let Some(stored) = stored else { continue };
            if !items.is_empty() {
                items.push(b',');
            }
            write::show(&stored, self.projection.as_ref(), &mut items)?;
        }
        let rest = left.map(|position| {
            let mut rest = self.request.clone();
            if let Some(Document::Array(keys)) = rest.take("Keys") {
                rest.put("Keys", Document::Array(keys.into_vec().split_off(position).into_boxed_slice()));
            }
            rest
        });
        Ok(Answer { items, units, rest })
    }
}
