//! Numbers, attribute values, and how items and keys lie in the store.

use serde_json::Value;
use strongroom_model::attribute::Item;
use strongroom_model::document::Document;
use strongroom_model::key::{KeyAttribute, KeySchema, KeyValue, PrimaryKey, item_key};
use strongroom_model::number::{Number, NumberError};
use strongroom_model::{json, size, stored};

use super::class;
use crate::Outcome;

/// Two numbers with a blank between: their texts, their order, their sum.
pub fn number(data: &[u8]) -> Outcome {
    let Ok(text) = std::str::from_utf8(data) else { return "no text".into() };
    let (first, second) = text.split_once(' ').unwrap_or((text, "1"));
    let (first, second) = match (Number::parse(first), Number::parse(second)) {
        (Ok(first), Ok(second)) => (first, second),
        (Err(error), _) | (_, Err(error)) => return class(&error.to_string()),
    };
    for number in [first, second] {
        let mut text = Vec::new();
        number.write_text(&mut text);
        let text = String::from_utf8(text).expect("a number's text is ASCII");
        assert_eq!(Number::parse(&text), Ok(number));
        assert_eq!(number.sub(number), Ok(Number::ZERO));
        assert!((1..=21).contains(&size::number_bytes(number)));
    }
    assert_eq!(encoded(first).cmp(&encoded(second)), first.cmp(&second));
    match first.add(second) {
        Ok(sum) => {
            // Undone, the sum gives back what it was made of, unless digits do not fit.
            match sum.sub(second) {
                Ok(back) => assert_eq!(back, first),
                Err(error) => assert_eq!(error, NumberError::Overflow),
            }
            "sum".into()
        }
        Err(error) => class(&error.to_string()),
    }
}

fn encoded(number: Number) -> Vec<u8> {
    let mut bytes = Vec::new();
    number.encode_ordered(&mut bytes);
    assert_eq!(Number::decode_ordered(&bytes), Some((number, bytes.len())));
    bytes
}

/// An item in JSON: what is taken comes back the same in both forms.
pub fn json(data: &[u8]) -> Outcome {
    let Ok(value) = serde_json::from_slice::<Value>(data) else {
        assert!(serde_json::from_slice::<Document>(data).is_err());
        return "no json".into();
    };
    let document: Document = serde_json::from_slice(data).expect("what is JSON is a document");
    assert_eq!(Value::from(document), value);
    let item = json::item_from_json(&value);
    assert_eq!(item, json::item_from_json_owned(value));
    match item {
        Err(error) => {
            assert!(!error.message.is_empty());
            class(&error.message)
        }
        Ok(item) => {
            assert_eq!(json::item_from_json(&json::item_to_json(&item)), Ok(item.clone()));
            match stored::encode(&item) {
                Err(error) => class(&error.message),
                Ok(bytes) => {
                    check_stored(&bytes, &item);
                    "item".into()
                }
            }
        }
    }
}

/// Stored bytes: refused, or an item that is stored as exactly these bytes or shorter ones.
pub fn stored(data: &[u8]) -> Outcome {
    // A seed in JSON stands for its stored form.
    let made = serde_json::from_slice(data).ok().and_then(|value| json::item_from_json(&value).ok());
    let made = made.and_then(|item| stored::encode(&item).ok());
    let bytes = made.as_deref().unwrap_or(data);
    let _ = stored::item_bytes(bytes);
    let mut out = Vec::new();
    let written = stored::write_item_json(bytes, &mut out);
    match stored::decode(bytes) {
        Err(error) => {
            assert!(written.is_err());
            class(&error.to_string())
        }
        Ok(item) => {
            assert!(written.is_ok());
            let encoded = stored::encode(&item).expect("a stored item can be stored");
            check_stored(&encoded, &item);
            "item".into()
        }
    }
}

fn check_stored(bytes: &[u8], item: &Item) {
    assert_eq!(stored::decode(bytes).as_ref(), Ok(item));
    assert_eq!(stored::item_bytes(bytes), Ok(size::item_bytes(item)));
    let mut text = Vec::new();
    assert_eq!(stored::write_item_json(bytes, &mut text), Ok(()));
    let shown: Value = serde_json::from_slice(&text).expect("an item is written as JSON");
    assert_eq!(json::item_from_json(&shown).as_ref(), Ok(item));
}

/// A key made of two parts of the input, and the same with one byte changed:
/// what reads as a key is the key of what it says.
pub fn stored_key(data: &[u8]) -> Outcome {
    let end = data.iter().position(|byte| *byte == b' ').unwrap_or(data.len() / 2);
    let (hash, range) = data.split_at(end);
    let key =
        |bytes: &[u8]| match std::str::from_utf8(bytes).ok().map(|text| (Number::parse(text.trim()), text)) {
            Some((Ok(number), _)) => KeyValue::N(number),
            Some((Err(_), text)) => KeyValue::S(text.to_owned()),
            None => KeyValue::B(bytes.to_vec().into()),
        };
    let key = PrimaryKey { hash: key(hash), range: Some(key(range)) };
    let attribute =
        |name: &str, value: &KeyValue| KeyAttribute { name: name.into(), key_type: value.key_type() };
    let schema = KeySchema {
        hash: attribute("pk", &key.hash),
        range: key.range.as_ref().map(|value| attribute("sk", value)),
    };
    let mut bytes = item_key(&key);
    assert_eq!(schema.decode_item_key(&bytes).as_ref(), Some(&key));
    let position = data.iter().map(|byte| usize::from(*byte)).sum::<usize>() % bytes.len();
    bytes[position] ^= 1 << (data.len() % 8);
    let changed = schema.decode_item_key(&bytes);
    if let Some(other) = &changed {
        assert_eq!(item_key(other), bytes);
        assert_ne!(other, &key);
    }
    format!("{}{} {}", schema.hash.key_type.name(), schema.attributes().count(), changed.is_some())
}
