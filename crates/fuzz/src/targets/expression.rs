//! Expressions: parsed with placeholders of every type, then applied.

use std::sync::LazyLock;

use serde_json::json;
use strongroom_model::attribute::Item;
use strongroom_model::expression::{
    Condition, ExpressionError, ExpressionKind, KeyConditionExpression, Placeholders, Projection, Update,
};
use strongroom_model::key::{KeyAttribute, KeySchema, KeyType, sort_range};
use strongroom_model::{json as attribute_json, stored};

use super::class;
use crate::Outcome;

/// A condition, on an item of every type and on none.
pub fn condition(data: &[u8]) -> Outcome {
    let Ok(source) = std::str::from_utf8(data) else { return "no text".into() };
    match Condition::parse(ExpressionKind::Condition, source, &mut placeholders()) {
        Err(error) => refused(&error),
        Ok(condition) => {
            let access = condition.check_key_access(&schema()).is_ok();
            format!("{access} {} {}", condition.matches(&ITEM), condition.matches(&Item::new()))
        }
    }
}

/// A key condition, as far as the range that it reads.
pub fn key_condition(data: &[u8]) -> Outcome {
    let Ok(source) = std::str::from_utf8(data) else { return "no text".into() };
    let condition = KeyConditionExpression::parse(source, &mut placeholders())
        .and_then(|expression| expression.conditions())
        .and_then(|conditions| conditions.for_schema(&schema()));
    match condition {
        Err(error) => refused(&error),
        Ok(condition) => {
            let range = sort_range(&condition.hash, condition.sort.as_ref());
            format!("range {} {}", condition.sort.is_some(), range.is_some())
        }
    }
}

/// An update, of an item and of none. What it makes can be stored and read again.
pub fn update(data: &[u8]) -> Outcome {
    let Ok(source) = std::str::from_utf8(data) else { return "no text".into() };
    let update = match Update::parse(source, &mut placeholders()) {
        Err(error) => return refused(&error),
        Ok(update) => update,
    };
    let key = Item::from([("pk".to_owned(), ITEM["pk"].clone())]);
    let mut outcome = String::from("applied");
    for before in [Some(&*ITEM), None] {
        match update.apply(before, &key) {
            Err(error) => outcome.push_str(&refused(&error)),
            Ok(None) => outcome.push_str(" nothing"),
            Ok(Some(after)) => {
                check_stored(&after);
                let updated = update.updated_attributes(&after);
                outcome.push_str(if updated.is_empty() { " none" } else { " some" });
            }
        }
    }
    outcome
}

/// A projection. What it shows is in the item.
pub fn projection(data: &[u8]) -> Outcome {
    let Ok(source) = std::str::from_utf8(data) else { return "no text".into() };
    match Projection::parse(source, &mut placeholders()) {
        Err(error) => refused(&error),
        Ok(projection) => {
            let shown = projection.apply(&ITEM);
            assert!(shown.keys().all(|name| ITEM.contains_key(name)));
            assert!(shown.len() <= projection.paths().len());
            format!("shown {}", shown.len())
        }
    }
}

fn refused(error: &ExpressionError) -> Outcome {
    assert!(!error.message().is_empty());
    let detail = error.message().split_once(": ").map_or(error.message(), |(_, detail)| detail);
    class(detail)
}

fn check_stored(item: &Item) {
    match stored::encode(item) {
        // Nesting, which an update can deepen beyond what is stored.
        Err(error) => assert!(!error.message.is_empty()),
        Ok(bytes) => assert!(stored::decode(&bytes).is_ok_and(|back| back == *item)),
    }
}

/// The keys `pk`, a string, and `sk`, a number.
pub(super) fn schema() -> KeySchema {
    KeySchema {
        hash: KeyAttribute { name: "pk".into(), key_type: KeyType::S },
        range: Some(KeyAttribute { name: "sk".into(), key_type: KeyType::N }),
    }
}

fn placeholders() -> Placeholders {
    let names = [("#a", "pk"), ("#b", "a.b"), ("#c", "m")];
    let names = names.map(|(key, name)| (key.to_owned(), name.to_owned())).to_vec();
    let values = [":s", ":n", ":b", ":l", ":m", ":ss", ":ns", ":null", ":t"];
    let values = values.map(|key| (key.to_owned(), ITEM[&key[1..]].clone())).to_vec();
    Placeholders::new(Some(names), Some(values)).expect("the placeholders are valid")
}

/// An item with a value of every type.
pub(super) static ITEM: LazyLock<Item> = LazyLock::new(|| {
    let item = json!({
        "pk": {"S": "k"}, "sk": {"N": "1"}, "s": {"S": "text"}, "n": {"N": "-1.5e10"}, "b": {"B": "AP8="},
        "l": {"L": [{"N": "1"}, {"L": [{"S": "x"}]}, {"M": {"k": {"N": "2"}}}]},
        "m": {"M": {"x": {"N": "1"}, "y": {"L": [{"S": "a"}, {"S": "b"}]}}}, "a.b": {"S": "dotted"},
        "ss": {"SS": ["a", "b"]}, "ns": {"NS": ["1", "2"]}, "bs": {"BS": ["AA=="]}, "null": {"NULL": true},
        "t": {"BOOL": true},
    });
    attribute_json::item_from_json(&item).expect("the item is valid")
});
