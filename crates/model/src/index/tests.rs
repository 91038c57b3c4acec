#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::RangeBounds;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::attribute::AttributeValue;
use crate::json::item_from_json_owned;
use crate::key::KeyType;
use crate::stored::{Attributes, encode};

fn item(json: Value) -> Item {
    item_from_json_owned(json).unwrap()
}

fn attribute(name: &str, key_type: KeyType) -> KeyAttribute {
    KeyAttribute { name: name.into(), key_type }
}

fn table() -> KeySchema {
    KeySchema { hash: attribute("pk", KeyType::S), range: Some(attribute("sk", KeyType::N)) }
}

fn index(
    local: bool,
    hash: &[(&str, KeyType)],
    range: &[(&str, KeyType)],
    projection: Projected,
) -> IndexSchema {
    let keys = |list: &[(&str, KeyType)]| list.iter().map(|(name, kind)| attribute(name, *kind)).collect();
    let (hash, range) = (keys(hash), keys(range));
    IndexSchema { name: "by".into(), number: 0x0102, local, hash, range, projection, table: table() }
}

fn entry(index: &IndexSchema, item: &Item) -> Option<Entry> {
    let stored = Bytes::from(encode(item).unwrap());
    index.entry(&Attributes::read(&stored).unwrap(), &stored)
}

/// The layout of `docs/formats/key-layout.md`, byte for byte.
#[test]
fn rows_are_laid_out_as_specified() {
    let whole = item(
        json!({"pk": {"S": "a"}, "sk": {"N": "1"}, "x": {"S": "b"}, "y": {"N": "0"}, "z": {"BOOL": true}}),
    );
    let global = index(false, &[("x", KeyType::S)], &[("y", KeyType::N)], Projected::KeysOnly);
    let row = entry(&global, &whole).unwrap().row;
    assert_eq!(row[..3], [0x30, 1, 2]);
    assert_eq!(row[3..11], xxhash_rust::xxh3::xxh3_64(b"b\0\0").to_be_bytes());
    assert_eq!(row[11..], [b'b', 0, 0, 0x02, b'a', 0, 0, 0x03, 0x82, 11, 0]);
    let local = index(true, &[("pk", KeyType::S)], &[("x", KeyType::S)], Projected::All);
    let row = entry(&local, &whole).unwrap().row;
    assert_eq!(row[..3], [0x20, 1, 2]);
    assert_eq!(row[11..], [b'a', 0, 0, b'b', 0, 0, 0x03, 0x82, 11, 0]);
}

#[test]
fn an_entry_has_the_projected_attributes_and_all_keys() {
    let whole = item(json!({
        "pk": {"S": "a"}, "sk": {"N": "1"}, "x": {"S": "b"}, "in": {"L": [{"S": "q"}]}, "out": {"S": "q"},
    }));
    let include = Projected::Include(["in".to_owned(), "absent".to_owned()].into());
    for (projection, names) in [
        (Projected::All, vec!["in", "out", "pk", "sk", "x"]),
        (Projected::KeysOnly, vec!["pk", "sk", "x"]),
        (include, vec!["in", "pk", "sk", "x"]),
    ] {
        let index = index(false, &[("x", KeyType::S)], &[], projection);
        let stored = entry(&index, &whole).unwrap().value;
        let projected = crate::stored::decode(&stored).unwrap();
        assert_eq!(projected.keys().collect::<Vec<_>>(), names);
        assert_eq!(crate::stored::item_bytes(&stored).unwrap(), crate::size::item_bytes(&projected));
        assert!(whole.keys().all(|name| index.projects(name) == projected.contains_key(name)));
    }
}

#[test]
fn an_item_that_cannot_be_keyed_has_no_entry() {
    let index = index(false, &[("x", KeyType::S), ("y", KeyType::B)], &[("z", KeyType::N)], Projected::All);
    let whole =
        json!({"pk": {"S": "a"}, "sk": {"N": "1"}, "x": {"S": "b"}, "y": {"B": "AA=="}, "z": {"N": "3"}});
    assert!(entry(&index, &item(whole.clone())).is_some());
    for (name, value) in [
        ("x", json!(null)),
        ("z", json!(null)),
        ("x", json!({"N": "1"})),
        ("y", json!({"B": ""})),
        ("z", json!({"NULL": true})),
        ("x", json!({"S": "x".repeat(2048)})),
    ] {
        let mut other = whole.clone();
        other[name] = value;
        other.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        assert_eq!(entry(&index, &item(other)), None, "{name}");
    }
}

/// The service's answers, as they were measured.
#[test]
fn values_that_cannot_be_index_keys_are_refused_in_the_services_words() {
    let named = |name: &str, key: &str, kind| IndexSchema {
        name: name.into(),
        ..index(false, &[(key, kind)], &[], Projected::All)
    };
    let indexes =
        [named("g_s", "gk", KeyType::S), named("g_n", "nk", KeyType::N), named("g_b", "bk", KeyType::B)];
    let error = |json: Value| check_item(indexes.iter(), &item(json)).unwrap_err().to_string();
    let mismatch = "One or more parameter values were invalid: Type mismatch for Index Key ";
    assert_eq!(
        error(json!({"gk": {"N": "5"}})),
        format!("{mismatch}gk Expected: S Actual: N IndexName: g_s")
    );
    assert_eq!(
        error(json!({"gk": {"L": []}, "nk": {"S": "x"}})),
        format!("{mismatch}nk Expected: N Actual: S IndexName: g_n"),
        "the index whose name comes first"
    );
    assert_eq!(
        error(json!({"bk": {"B": ""}})),
        "One or more parameter values are not valid. A value specified for a secondary index key is not supported. The \
         AttributeValue for a key attribute cannot contain an empty binary value. IndexName: g_b, IndexKey: bk"
    );
    assert!(check_item(indexes.iter(), &item(json!({"gk": {"S": "x"}, "other": {"S": ""}}))).is_ok());
    // As dynalite's issue 35 has it from the service.
    assert_eq!(
        error(json!({"gk": {"S": "x".repeat(2049)}})),
        "One or more parameter values were invalid: Size limit exceeded for Index Key gk Actual Size: 2049 bytes Max \
         Size: 2048 bytes IndexName: g_s"
    );
    assert!(check_item(indexes.iter(), &item(json!({"gk": {"S": "x".repeat(2048)}}))).is_ok());

    let before = item(json!({"gk": {"N": "5"}, "nk": {"N": "1"}}));
    let update = |json: Value| check_update(indexes.iter(), Some(&before), &item(json));
    assert!(update(json!({"gk": {"N": "5"}, "nk": {"N": "2"}})).is_ok(), "an older item that does not fit");
    assert_eq!(
        update(json!({"gk": {"N": "6"}})).unwrap_err().to_string(),
        "The update expression attempted to update the secondary index key to unsupported type"
    );
    assert_eq!(
        update(json!({"gk": {"S": ""}})).unwrap_err().to_string(),
        "One or more parameter values are not valid. The update expression attempted to update a secondary index key to \
         a value that is not supported. The AttributeValue for a key attribute cannot contain an empty string value."
    );
}

fn sort_value(kind: KeyType) -> BoxedStrategy<KeyValue> {
    match kind {
        KeyType::N => (-20i64..20).prop_map(|number| KeyValue::N(number.into())).boxed(),
        _ => "[\\x00ab]{1,3}".prop_map(KeyValue::S).boxed(),
    }
}

fn meets(condition: &SortCondition, value: &KeyValue) -> bool {
    match condition {
        SortCondition::Equal(other) => value == other,
        SortCondition::Less(other) => value < other,
        SortCondition::LessOrEqual(other) => value <= other,
        SortCondition::Greater(other) => value > other,
        SortCondition::GreaterOrEqual(other) => value >= other,
        SortCondition::Between(lower, upper) => lower <= value && value <= upper,
        SortCondition::BeginsWith(prefix) => match (prefix, value) {
            (KeyValue::S(prefix), KeyValue::S(text)) => text.starts_with(prefix.as_str()),
            _ => false,
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// A range holds exactly the entries that meet the condition, rows lie in the order of the sort key's
    /// attributes, and a row gives back all the keys that went into it.
    #[test]
    fn ranges_hold_what_meets_the_condition(
        texts in proptest::collection::vec((sort_value(KeyType::S), sort_value(KeyType::N), "[ab]{1,2}", 0i64..9), 1..12),
        chosen in any::<prop::sample::Index>(),
        equal in 0usize..3,
        operator in 0usize..8,
        other in (sort_value(KeyType::S), sort_value(KeyType::N)),
    ) {
        let index = index(false, &[("h", KeyType::S)], &[("x", KeyType::S), ("y", KeyType::N)], Projected::KeysOnly);
        let items: Vec<Item> = texts.iter().map(|(x, y, pk, sk)| {
            let mut item = item(json!({"h": {"S": "one"}, "pk": {"S": pk}, "sk": {"N": sk.to_string()}}));
            item.insert("x".into(), x.to_attribute());
            item.insert("y".into(), y.to_attribute());
            item
        }).collect();
        let values = |position: usize| [&texts[position].0, &texts[position].1];
        let like = values(chosen.index(texts.len()));
        let next = [&other.0, &other.1].get(equal).copied();
        let sort = next.and_then(|value| {
            let value = value.clone();
            Some(match operator {
                0 => SortCondition::Equal(value),
                1 => SortCondition::Less(value),
                2 => SortCondition::LessOrEqual(value),
                3 => SortCondition::Greater(value),
                4 => SortCondition::GreaterOrEqual(value),
                5 => SortCondition::Between(like[equal].clone(), value),
                6 => SortCondition::BeginsWith(value),
                _ => return None,
            })
        });
        let condition = IndexCondition {
            hash: vec![KeyValue::S("one".into())],
            equal: like[..equal].iter().map(|value| (*value).clone()).collect(),
            sort,
        };
        let range = index.query_range(&condition);
        let mut rows = Vec::new();
        for (position, item) in items.iter().enumerate() {
            let row = entry(&index, item).unwrap().row;
            let [x, y] = values(position);
            let expected = condition.equal.iter().zip([x, y]).all(|(wanted, value)| wanted == value)
                && condition.sort.as_ref().is_none_or(|sort| meets(sort, [x, y][equal]));
            let held = range.as_ref().is_some_and(|range| range.contains(&row));
            // A number cannot be begun: the model of the condition says no to all, and no request asks.
            if !matches!((&condition.sort, equal), (Some(SortCondition::BeginsWith(_)), 1)) {
                prop_assert_eq!(held, expected);
            }
            prop_assert!(index.range_of_all().contains(&row));
            let key = index.key_of_row(&row).unwrap();
            prop_assert_eq!(&key, item);
            prop_assert_eq!(index.row(&key).unwrap(), row.clone());
            let primary = table().key_of_item(item).unwrap();
            prop_assert_eq!(index.item_row(&row).unwrap(), item_key(&primary));
            rows.push((row, (x.clone(), y.clone())));
        }
        rows.sort_by(|one, two| one.0.cmp(&two.0));
        prop_assert!(rows.is_sorted_by(|one, two| one.1 <= two.1));
    }

    /// The segments of a parallel Scan hold every entry once.
    #[test]
    fn segments_hold_every_entry_once(texts in proptest::collection::vec("[a-z]{1,4}", 1..20), total in 1u32..9) {
        let index = index(false, &[("h", KeyType::S)], &[], Projected::KeysOnly);
        for text in texts {
            let mut item = item(json!({"pk": {"S": "p"}, "sk": {"N": "1"}}));
            item.insert("h".into(), AttributeValue::S(text));
            let row = entry(&index, &item).unwrap().row;
            let segments = (0..total).filter(|segment| index.segment_range(*segment, total).unwrap().contains(&row));
            prop_assert_eq!(segments.count(), 1);
        }
        prop_assert_eq!(index.segment_range(total, total), None);
    }
}

/// The quota on "the total of the size of an item's data in the table and of corresponding entries in all local
/// secondary indexes".
#[test]
fn entries_of_local_indexes_count_with_their_item() {
    let local = |projection| index(true, &[("pk", KeyType::S)], &[("x", KeyType::S)], projection);
    let indexes = [
        local(Projected::All),
        local(Projected::KeysOnly),
        local(Projected::Include(BTreeSet::from(["yy".to_owned()]))),
        index(false, &[("x", KeyType::S)], &[], Projected::All),
    ];
    let bytes = |json| bytes_with_local_entries(indexes.iter(), &item(json));
    let all = json!({"pk": {"S": "a"}, "sk": {"N": "1"}, "x": {"S": "b"}, "yy": {"S": "cccc"}, "z": {"NULL": true}});
    // 3 + 4 + 2 of the keys, 6 and 2 of the others.
    assert_eq!(bytes(all), 17 + 17 + 9 + 15);
    let sparse = json!({"pk": {"S": "a"}, "sk": {"N": "1"}, "yy": {"S": "cccc"}, "z": {"NULL": true}});
    assert_eq!(bytes(sparse), 15, "an item without the sort key has no entry");
}
