//! The indexes of the main table: two that are made with it, one that comes and goes, and what all must hold.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::estate::MAIN;
use crate::items::{Client, Place, Violation, state};
use crate::server::Reply;

/// The index that comes and goes.
pub const PASSING_INDEX: &str = "by-sort";

/// What CreateTable is told of the indexes that are made with a table.
pub fn of_new_table() -> Value {
    json!({
        "AttributeDefinitions": [
            {"AttributeName": "p", "AttributeType": "S"},
            {"AttributeName": "s", "AttributeType": "S"},
            {"AttributeName": "v", "AttributeType": "N"},
            {"AttributeName": "c", "AttributeType": "N"},
        ],
        "LocalSecondaryIndexes": [definition("by-count", &["p", "c"], "KEYS_ONLY")],
        "GlobalSecondaryIndexes": [definition("by-value", &["v"], "ALL")],
    })
}

impl Client {
    /// Asks for the index that comes and goes, or for its end.
    pub async fn update_index(&self, there: bool) -> Result<(), Violation> {
        let change = match there {
            true => json!({"Create": definition(PASSING_INDEX, &["s", "v"], "ALL")}),
            false => json!({"Delete": {"IndexName": PASSING_INDEX}}),
        };
        let input = json!({
            "TableName": MAIN,
            "AttributeDefinitions": [
                {"AttributeName": "s", "AttributeType": "S"},
                {"AttributeName": "v", "AttributeType": "N"},
            ],
            "GlobalSecondaryIndexUpdates": [change],
        });
        match self.server.dynamodb(self.actor, "UpdateTable", input).await {
            Reply::Answer(_) | Reply::Failed(_) => Ok(()),
            // It is there already or not at all, or it is still being made or removed; or the table's key is away.
            Reply::Refused(error)
                if ["ResourceInUseException", "ResourceNotFoundException", "LimitExceededException"]
                    .contains(&&*error.code)
                    || error.message.contains("already exists")
                    || error.message.contains("kms") =>
            {
                Ok(())
            }
            other => Err(format!("UpdateTable of an index: {other:?}")),
        }
    }

    /// Reads an index, which may be late or early, but shows only what somebody wrote.
    pub async fn glance_at_index(&self, name: &str) -> Result<(), Violation> {
        let input = json!({"TableName": MAIN, "IndexName": name});
        match self.server.dynamodb(self.actor, "Scan", input).await {
            Reply::Answer(answer) => {
                for entry in answer["Items"].as_array().ok_or("a Scan answers with items")? {
                    let text = |name: &str| entry[name]["S"].as_str().unwrap_or_default().to_owned();
                    let place = Place { table: MAIN.to_owned(), partition: text("p"), sort: text("s") };
                    self.oracle.check_eventual(&place.key(), state(Some(entry))?)?;
                }
                Ok(())
            }
            Reply::Failed(_) => Ok(()),
            Reply::Refused(error)
                if error.message.contains("kms")
                    || (name == PASSING_INDEX && error.code == "ValidationException") =>
            {
                Ok(())
            }
            other => Err(format!("Scan of {name}: {other:?}")),
        }
    }

    /// The descriptions of the main table's indexes, unless one of them is being made or removed.
    pub async fn indexes_at_rest(&self) -> Result<Option<Vec<Value>>, Violation> {
        let table = self.describe_table(MAIN).await?.ok_or("the main table is gone")?;
        let of = |member: &str| table[member].as_array().cloned().unwrap_or_default();
        let (local, global) = (of("LocalSecondaryIndexes"), of("GlobalSecondaryIndexes"));
        let at_rest = global.iter().all(|index| index["IndexStatus"] == "ACTIVE");
        Ok(at_rest.then(|| [local, global].concat()))
    }
}

// INVARIANT (an entry is its item's): an index holds what its definition makes of the items, and nothing else.
/// Compares what an index shows with what its description makes of the table's items.
pub fn check_entries(index: &Value, items: &[Value], entries: &[Value]) -> Result<(), Violation> {
    let name = &index["IndexName"];
    let keys: Vec<&str> = index["KeySchema"]
        .as_array()
        .ok_or("an index has keys")?
        .iter()
        .filter_map(|element| element["AttributeName"].as_str())
        .collect();
    let everything = index["Projection"]["ProjectionType"] == "ALL";
    let entry = |item: &Value| -> Option<Value> {
        let item = item.as_object()?;
        if !keys.iter().all(|key| item.contains_key(*key)) {
            return None;
        }
        let shown = item.iter().filter(|(attribute, _)| {
            everything || keys.contains(&attribute.as_str()) || ["p", "s"].contains(&attribute.as_str())
        });
        Some(Value::Object(shown.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>()))
    };
    let texts = |values: &mut dyn Iterator<Item = Value>| values.map(|value| value.to_string()).collect();
    let expected: BTreeSet<String> = texts(&mut items.iter().filter_map(entry));
    let found: BTreeSet<String> = texts(&mut entries.iter().cloned());
    if found == expected && found.len() == entries.len() {
        return Ok(());
    }
    let missing: Vec<&String> = expected.difference(&found).collect();
    let foreign: Vec<&String> = found.difference(&expected).collect();
    Err(format!("index {name} lacks {missing:?} and has {foreign:?} in {} entries", entries.len()))
}

// The first key is the partition's, the second sorts.
fn definition(name: &str, keys: &[&str], projection: &str) -> Value {
    let kinds = ["HASH", "RANGE"];
    let elements = keys.iter().zip(kinds).map(|(key, kind)| json!({"AttributeName": key, "KeyType": kind}));
    json!({
        "IndexName": name,
        "KeySchema": elements.collect::<Vec<_>>(),
        "Projection": {"ProjectionType": projection},
    })
}
