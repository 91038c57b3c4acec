#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::{Bound, RangeBounds};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::attribute::arbitrary;
use crate::json::item_from_json_owned;

fn item(json: Value) -> Item {
    item_from_json_owned(json).unwrap()
}

fn schema(hash: KeyType, range: Option<KeyType>) -> KeySchema {
    let attribute = |name: &str, key_type| KeyAttribute { name: name.into(), key_type };
    KeySchema { hash: attribute("a", hash), range: range.map(|range| attribute("b", range)) }
}

#[test]
fn items_of_one_partition_are_one_collection() {
    let schema = schema(KeyType::S, Some(KeyType::N));
    let row = |hash: &str, range: i64| {
        let hash = KeyValue::S(hash.into());
        item_key(&PrimaryKey { hash, range: Some(KeyValue::N(range.into())) })
    };
    let collection = schema.collection_row(&row("ab", 1)).unwrap();
    assert_eq!(collection[0], 0x02);
    assert_eq!(collection[1..], row("ab", 1)[1..13]);
    assert_eq!(schema.collection_row(&row("ab", 2)), Some(collection.clone()));
    assert_ne!(schema.collection_row(&row("abc", 1)), Some(collection));
    assert_eq!(schema.collection_row(b"\x10short"), None);
}

/// The service's answers to PutItem, as they were measured.
#[test]
fn an_item_without_a_valid_key_is_refused_in_the_services_words() {
    let cases = [
        (json!({}), "One or more parameter values were invalid: Missing the key a in the item"),
        (
            json!({"a": {"S": "x"}}),
            "One or more parameter values were invalid: Missing the key b in the item",
        ),
        (
            json!({"a": {"N": "1"}, "b": {"B": "AA=="}}),
            "One or more parameter values were invalid: Type mismatch for key a expected: S actual: N",
        ),
        (
            json!({"a": {"S": "x"}, "b": {"NULL": true}}),
            "One or more parameter values were invalid: Type mismatch for key b expected: B actual: NULL",
        ),
        (
            json!({"a": {"S": ""}, "b": {"B": ""}}),
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: a",
        ),
        (
            json!({"a": {"S": "x"}, "b": {"B": ""}}),
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty binary value. Key: b",
        ),
        (
            json!({"a": {"S": "é".repeat(1025)}, "b": {"N": "1"}}),
            "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes",
        ),
        (
            json!({"a": {"S": "x"}, "b": {"B": "AAAA".repeat(342)}}),
            "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes",
        ),
    ];
    let schema = schema(KeyType::S, Some(KeyType::B));
    for (json, message) in cases {
        let error = schema.key_of_item(&item(json)).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    let largest = json!({"a": {"S": "é".repeat(1024)}, "b": {"B": "AAAA".repeat(341)}, "c": {"S": "more"}});
    assert!(schema.key_of_item(&item(largest)).is_ok());
}

/// The service's answers to GetItem, as they were measured.
#[test]
fn a_request_key_that_does_not_fit_is_refused_in_the_services_words() {
    let schema = schema(KeyType::S, Some(KeyType::B));
    for mismatch in [
        json!({}),
        json!({"a": {"S": "x"}}),
        json!({"a": {"S": "x"}, "c": {"B": "AA=="}}),
        json!({"a": {"S": "x"}, "b": {"S": "x"}}),
        json!({"a": {"S": "x"}, "b": {"B": "AA=="}, "c": {"S": "x"}}),
    ] {
        assert_eq!(schema.key_of_request(&item(mismatch)), Err(KeyError::SchemaMismatch));
    }
    let error = schema.key_of_request(&item(json!({"a": {"S": "x"}, "b": {"B": ""}}))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty binary value. Key: b"
    );
    let key = item(json!({"a": {"S": "x"}, "b": {"B": "AA=="}}));
    let primary = schema.key_of_request(&key).unwrap();
    assert_eq!(schema.key_attributes(&primary), key);
}

/// The example of the page on key layout. These bytes are on users' disks.
#[test]
fn the_stored_key_is_the_documented_one() {
    let key = PrimaryKey { hash: KeyValue::S("ab".into()), range: Some(KeyValue::N(Number::from(-12))) };
    let hash = xxh3_64(b"ab\0\0");
    let expected = [&[0x10][..], &hash.to_be_bytes(), b"ab\0\0", &[0x01, 0x7c, 0xf2, 0xff]].concat();
    assert_eq!(item_key(&key), expected);
    assert_eq!(hash, 0x8913_aaa8_c8a0_114c);
    // The published value for no bytes at all.
    assert_eq!(xxh3_64(b""), 0x2d06_8005_38d3_94c2);
}

#[test]
fn segments_share_the_hash_space_without_gaps() {
    for total in [1, 2, 3, 7, 1_000_000] {
        let mut expected_start = [&[kind::ITEM][..], &[0; 8]].concat();
        for segment in 0..total.min(5_000) {
            let (start, end) = segment_range(segment, total).unwrap();
            assert_eq!(start, Bound::Included(expected_start));
            let Bound::Excluded(end) = end else { unreachable!() };
            expected_start = end;
        }
        let (_, end) = segment_range(total - 1, total).unwrap();
        assert_eq!(end, Bound::Excluded(vec![kind::ITEM + 1]));
        assert_eq!(segment_range(total, total), None);
    }
    assert_eq!(segment_range(0, 0), None);
}

/// An inverted BETWEEN gives no range at all: a store may not like an empty one.
#[test]
fn no_range_is_ever_empty() {
    let partition = KeyValue::S("p".into());
    let number = |value: i64| KeyValue::N(Number::from(value));
    assert_eq!(sort_range(&partition, Some(&SortCondition::Between(number(2), number(1)))), None);
    let range = sort_range(&partition, Some(&SortCondition::Equal(number(1)))).unwrap();
    let key = item_key(&PrimaryKey { hash: partition, range: Some(number(1)) });
    assert!(range.contains(&key));
    assert_eq!(beyond(range.clone(), &key, true), None);
    assert_eq!(beyond(range, &key, false), None);
}

/// Strings and bytes of few letters, so that prefixes and neighbours are
/// common, with those that the encoding treats apart.
fn key_value(key_type: KeyType) -> BoxedStrategy<KeyValue> {
    match key_type {
        KeyType::S => "[\0\u{1}ab\u{7f}ÿ]{1,3}".prop_map(KeyValue::S).boxed(),
        KeyType::N => {
            prop_oneof![arbitrary::number(), (-3..3i64).prop_map(Number::from)].prop_map(KeyValue::N).boxed()
        }
        KeyType::B => prop::collection::vec(prop::sample::select(vec![0u8, 1, 2, 0xfe, 0xff]), 1..4)
            .prop_map(|bytes| KeyValue::B(bytes.into()))
            .boxed(),
    }
}

fn key_type() -> impl Strategy<Value = KeyType> {
    prop::sample::select(vec![KeyType::S, KeyType::N, KeyType::B])
}

fn keys_of_one_schema() -> impl Strategy<Value = (KeySchema, [PrimaryKey; 2], KeyValue)> {
    (key_type(), key_type()).prop_flat_map(|(hash, range)| {
        let key = || (key_value(hash), key_value(range));
        let schema = schema(hash, Some(range));
        (Just(schema), key(), key(), key_value(range)).prop_map(|(schema, first, second, other)| {
            let primary = |(hash, range)| PrimaryKey { hash, range: Some(range) };
            (schema, [primary(first), primary(second)], other)
        })
    })
}

fn begins_with(value: &KeyValue, prefix: &KeyValue) -> bool {
    match (value, prefix) {
        (KeyValue::S(value), KeyValue::S(prefix)) => value.starts_with(prefix.as_str()),
        (KeyValue::B(value), KeyValue::B(prefix)) => value.starts_with(prefix),
        _ => value == prefix,
    }
}

proptest! {
    #[test]
    fn keys_read_back_and_keep_their_order((schema, [first, second], _) in keys_of_one_schema()) {
        let (a, b) = (item_key(&first), item_key(&second));
        prop_assert_eq!(schema.decode_item_key(&a), Some(first.clone()));
        for cut in 0..a.len() {
            prop_assert_eq!(schema.decode_item_key(&a[..cut]), None);
        }
        prop_assert_eq!(a == b, first == second);
        let prefix = partition_prefix(&first.hash);
        prop_assert_eq!(b.starts_with(&prefix), first.hash == second.hash);
        let neighbour = item_key(&PrimaryKey { hash: first.hash.clone(), range: second.range.clone() });
        prop_assert_eq!(a.cmp(&neighbour), first.range.cmp(&second.range));
    }

    #[test]
    fn changed_keys_are_refused_or_other_keys(
        (schema, [key, _], _) in keys_of_one_schema(),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = item_key(&key);
        let place = place.index(bytes.len());
        bytes[place] = byte;
        if let Some(read) = schema.decode_item_key(&bytes) {
            prop_assert_eq!(item_key(&read), bytes);
        }
    }

    #[test]
    fn each_condition_is_its_range((_, [first, second], other) in keys_of_one_schema()) {
        let (x, y) = (first.range.clone().unwrap(), second.range.unwrap());
        let conditions = [
            (SortCondition::Equal(x.clone()), other == x),
            (SortCondition::Less(x.clone()), other < x),
            (SortCondition::LessOrEqual(x.clone()), other <= x),
            (SortCondition::Greater(x.clone()), other > x),
            (SortCondition::GreaterOrEqual(x.clone()), other >= x),
            (SortCondition::BeginsWith(x.clone()), begins_with(&other, &x)),
            (SortCondition::Between(x.clone(), y.clone()), x <= other && other <= y),
        ];
        let in_partition = PrimaryKey { hash: first.hash.clone(), range: Some(other.clone()) };
        let elsewhere = PrimaryKey { hash: second.hash.clone(), range: Some(other) };
        let foreign = second.hash != first.hash;
        for (condition, expected) in conditions {
            let range = sort_range(&first.hash, Some(&condition));
            let contains = |key: &PrimaryKey| range.as_ref().is_some_and(|range| range.contains(&item_key(key)));
            prop_assert_eq!(contains(&in_partition), expected, "{:?}", condition);
            prop_assert!(!(foreign && contains(&elsewhere)), "{:?}", condition);
        }
        let all = sort_range(&first.hash, None).unwrap();
        prop_assert!(all.contains(&item_key(&in_partition)));
        prop_assert_eq!(all.contains(&item_key(&elsewhere)), !foreign);
    }

    #[test]
    fn a_page_ends_where_the_next_begins((_, [first, second], other) in keys_of_one_schema()) {
        let key = |range: &Option<KeyValue>| item_key(&PrimaryKey { hash: first.hash.clone(), range: range.clone() });
        let (page_end, candidate) = (key(&first.range), key(&second.range));
        let range = sort_range(&first.hash, Some(&SortCondition::GreaterOrEqual(other))).unwrap();
        let within = range.contains(&candidate);
        let forward = beyond(range.clone(), &page_end, true);
        let backward = beyond(range, &page_end, false);
        prop_assert_eq!(forward.is_some_and(|range| range.contains(&candidate)), within && candidate > page_end);
        prop_assert_eq!(backward.is_some_and(|range| range.contains(&candidate)), within && candidate < page_end);
    }

    #[test]
    fn every_key_is_in_one_segment((_, [key, _], _) in keys_of_one_schema(), total in 1..9u32) {
        let key = item_key(&key);
        let holding = (0..total).filter(|segment| segment_range(*segment, total).unwrap().contains(&key));
        prop_assert_eq!(holding.count(), 1);
    }
}
