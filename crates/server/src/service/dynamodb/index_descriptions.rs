//! The indexes in `TableDescription`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::index_definitions::NameAndType;
use super::throughput_rules;
use crate::engine::{IndexRecord, IndexState, ProjectionRecord, Table, TableRecord};

/// `AttributeDefinitions`: the key attributes of table and indexes, in the order of their names.
pub fn attribute_definitions(record: &TableRecord) -> Vec<Value> {
    let of_indexes = record.indexes.iter().flat_map(|index| index.hash.iter().chain(&index.range));
    let all = std::iter::once(&record.hash).chain(&record.range).chain(of_indexes);
    let by_name: BTreeMap<&str, &str> = all.map(|(name, kind)| (name.as_str(), kind.as_str())).collect();
    let definition = |(name, kind)| json!({"AttributeName": name, "AttributeType": kind});
    by_name.into_iter().map(definition).collect()
}

/// `KeySchema`.
pub fn key_schema<'a>(
    hash: impl IntoIterator<Item = &'a NameAndType>,
    range: impl IntoIterator<Item = &'a NameAndType>,
) -> Vec<Value> {
    let element =
        |kind: &'static str| move |(name, _): &NameAndType| json!({"AttributeName": name, "KeyType": kind});
    hash.into_iter().map(element("HASH")).chain(range.into_iter().map(element("RANGE"))).collect()
}

/// Adds `LocalSecondaryIndexes` and `GlobalSecondaryIndexes`, as far as there are such.
pub fn add(
    table: &Table,
    record: &TableRecord,
    table_status: &str,
    now_millis: i64,
    description: &mut Value,
) {
    for (member, local) in [("LocalSecondaryIndexes", true), ("GlobalSecondaryIndexes", false)] {
        let of_kind = record.indexes.iter().filter(|index| index.local == local);
        let list: Vec<Value> =
            of_kind.map(|index| index_description(table, record, index, table_status, now_millis)).collect();
        if !list.is_empty() {
            description[member] = Value::Array(list);
        }
    }
}

fn index_description(
    table: &Table,
    record: &TableRecord,
    index: &IndexRecord,
    table_status: &str,
    now_millis: i64,
) -> Value {
    let indexes = table.indexes();
    let counted = indexes.by_number(index.number).map_or(index.counted, |live| live.counted());
    let projection = match &index.projection {
        ProjectionRecord::All => json!({"ProjectionType": "ALL"}),
        ProjectionRecord::KeysOnly => json!({"ProjectionType": "KEYS_ONLY"}),
        ProjectionRecord::Include(names) => {
            let mut names = names.clone();
            names.sort_unstable();
            json!({"ProjectionType": "INCLUDE", "NonKeyAttributes": names})
        }
    };
    let mut description = json!({
        "IndexName": index.name,
        "KeySchema": key_schema(&index.hash, &index.range),
        "Projection": projection,
        "IndexSizeBytes": counted.bytes,
        "ItemCount": counted.items,
        "IndexArn": format!("{}/index/{}", record.arn(), index.name),
    });
    if index.local {
        return description;
    }
    description["IndexStatus"] = json!(match (&index.state, table_status) {
        // An index that is made with its table is so far as the table is.
        (IndexState::Active, "CREATING") => "CREATING",
        (_, "DELETING") | (IndexState::Deleting, _) => "DELETING",
        (IndexState::Active, _) if index.is_updating(now_millis) => "UPDATING",
        (IndexState::Active, _) => "ACTIVE",
        (IndexState::Allocating | IndexState::Backfilling(_), _) => "CREATING",
    });
    throughput_rules::describe(index.provisioned, &index.throughput, now_millis, &mut description);
    if description["IndexStatus"] == "CREATING" {
        description["WarmThroughput"]["Status"] = json!("UPDATING");
    }
    match index.state {
        IndexState::Allocating => description["Backfilling"] = json!(false),
        IndexState::Backfilling(_) => description["Backfilling"] = json!(true),
        IndexState::Active | IndexState::Deleting => {}
    }
    description
}
