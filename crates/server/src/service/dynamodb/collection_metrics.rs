//! `ItemCollectionMetrics`: how large the partition of a written item is, in tables with local indexes.

use serde_json::{Value, json};
use strongroom_model::document::Document;
use strongroom_model::json as attribute_json;

use super::input;
use crate::engine::{OpenTable, Table};
use crate::storage::StorageError;
use crate::wire::ApiError;

const GIGABYTE: u64 = 1 << 30;

/// Whether `ReturnItemCollectionMetrics` asks for them.
pub fn wanted(body: &Document) -> bool {
    input::text(body, "ReturnItemCollectionMetrics") == Some("SIZE")
}

/// The metrics of the collection of the item with this stored key, if they are wanted; none in a table without
/// local indexes.
pub async fn of(
    wanted: bool,
    opened: &OpenTable,
    table: &Table,
    row: &[u8],
) -> Result<Option<Value>, ApiError> {
    if !wanted {
        return Ok(None);
    }
    // Rare, so that it does not make every write's future larger.
    Box::pin(read(opened, table, row)).await
}

async fn read(opened: &OpenTable, table: &Table, row: &[u8]) -> Result<Option<Value>, ApiError> {
    let Some(bytes) = opened.collection_bytes(row).await? else { return Ok(None) };
    let key = table
        .schema
        .decode_item_key(row)
        .ok_or_else(|| StorageError::Damaged("a stored key does not parse".to_owned()))?;
    let name = &table.schema.hash.name;
    let hash = table.schema.key_attributes(&key).remove(name);
    let hash = hash.map(|hash| [(name.clone(), hash)].into_iter().collect());
    // The estimate is a range of one gigabyte.
    let lower = (bytes / GIGABYTE) as f64;
    Ok(Some(json!({
        "ItemCollectionKey": attribute_json::item_to_json(&hash.unwrap_or_default()),
        "SizeEstimateRangeGB": [lower, lower + 1.0],
    })))
}
