#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod grammar;
mod plans;
mod printing;

use serde_json::{Value, json};

use super::*;
use crate::json::{from_json, item_from_json, item_to_json};
use crate::key::{KeyAttribute, KeyType};

const MALFORMED: &str = "Statement wasn't well formed, can't be processed: ";

fn schema(range: Option<KeyType>) -> KeySchema {
    KeySchema {
        hash: KeyAttribute { name: "pk".into(), key_type: KeyType::S },
        range: range.map(|key_type| KeyAttribute { name: "sk".into(), key_type }),
    }
}

fn parameters(values: &[Value]) -> Vec<AttributeValue> {
    values.iter().map(|value| from_json(value).unwrap()).collect()
}

fn item(value: Value) -> Item {
    item_from_json(&value).unwrap()
}

fn select(source: &str) -> Select {
    match Statement::parse(source, &[]).unwrap() {
        Statement::Select(select) => *select,
        _ => panic!("`{source}` is no SELECT"),
    }
}

fn write(source: &str) -> Write {
    match Statement::parse(source, &[]).unwrap() {
        Statement::Write(write) => *write,
        _ => panic!("`{source}` is no UPDATE or DELETE"),
    }
}

fn error(source: &str) -> String {
    error_with(source, &[])
}

fn error_with(source: &str, values: &[Value]) -> String {
    match Statement::parse(source, &parameters(values)) {
        Ok(_) => panic!("`{source}` was accepted"),
        Err(error) => error.message().to_string(),
    }
}

/// Whether the item meets `WHERE condition`.
fn matches(condition: &str, item: &Item) -> bool {
    select(&format!("SELECT * FROM tbl WHERE {condition}")).condition.unwrap().matches(item)
}

#[test]
fn where_means_what_conditions_mean() {
    let item = item(json!({
        "pk": {"S": "a"}, "n": {"N": "5"}, "s": {"S": "text"}, "nul": {"NULL": true}, "flag": {"BOOL": true},
        "ss": {"SS": ["x", "y"]}, "l": {"L": [{"S": "e"}, {"N": "1"}]}, "m": {"M": {"k": {"M": {"a b": {"N": "1"}}}}},
        "b": {"B": "YWJj"},
    }));
    for condition in [
        "n = 5",
        "5 = n",
        "n = 5.0",
        "n = 50e-1",
        "n <> 4",
        "n != 4",
        "4 < n",
        "n >= 5",
        "n > -1",
        "n > - 1",
        "n BETWEEN 5 AND 6",
        "n NOT BETWEEN 6 AND 7",
        "n between 1 and 9 and s = 'text'",
        "n IN [4, 5]",
        "n IN (5)",
        "n IN <<4, 5>>",
        "n NOT IN (4)",
        "NOT n = 4",
        "NOT NOT n = 5",
        "n = 4 OR s = 'text' AND n = 5",
        "(n = 5 OR n = 4) AND s = 'text'",
        "((((n = 5))))",
        "nul IS NULL",
        "s IS NOT NULL",
        "missing_ IS MISSING",
        "s IS NOT MISSING",
        "missing_ IS NOT NULL",
        "flag IS BOOL",
        "flag IS BOOLEAN",
        "s IS STRING",
        "n IS NUMERIC",
        "m IS TUPLE",
        "m IS STRUCT",
        "l IS LIST",
        "b IS BLOB",
        "n IS NOT LIST",
        "flag = true",
        "flag <> FALSE",
        "nul = null",
        "ss = <<'y', 'x'>>",
        "l = ['e', 1]",
        "m.k = {'a b': 1}",
        "m.k.\"a b\" = 1",
        "m['k']['a b'] = 1",
        "l[0] = 'e'",
        "\"s\" = 'text'",
        "begins_with(s, 'te')",
        "BEGINS_WITH(s, 'te')",
        "contains(ss, 'x')",
        "contains(s, 'ex')",
        "attribute_type(ss, 'SS')",
        "size(s) = 4",
        "size(ss) < 3",
        "attribute_exists(m.k)",
        "attribute_not_exists(m.j)",
        "attribute_exists(ss) = true",
        "(n = 4) = false",
        "missing_ <> 1",
        "NOT missing_ = 1",
        "1 = 1",
        "s = 'text' -- a note",
        "/* a note */ s = 'text';",
    ] {
        assert!(matches(condition, &item), "{condition}");
        assert!(!matches(
            &format!("NOT ({})", condition.trim_end_matches(';').replace("-- a note", "")),
            &item
        ));
    }
    for condition in [
        "n = '5'",
        "missing_ IS NULL",
        "nul IS MISSING",
        "missing_ = 1",
        "missing_ < 1",
        "1 IS MISSING",
        "S = 'text'",
        "n = 5 AND NOT n = 5",
        "n > 'a'",
        "l = [1, 'e']",
    ] {
        assert!(!matches(condition, &item), "{condition}");
    }
}

#[test]
fn parameters_stand_in_the_order_of_the_statement() {
    let source = "SELECT * FROM tbl WHERE pk = ? AND n IN [?, 7] AND m = ?";
    let values = [json!({"S": "a"}), json!({"N": "3"}), json!({"M": {"x": {"B": "YQ=="}}})];
    let Statement::Select(select) = Statement::parse(source, &parameters(&values)).unwrap() else { panic!() };
    let matching = item(json!({"pk": {"S": "a"}, "n": {"N": "3"}, "m": {"M": {"x": {"B": "YQ=="}}}}));
    assert!(select.condition.unwrap().matches(&matching));
    let mismatch = "Number of parameters in request and statement don't match.";
    assert_eq!(error_with(source, &values[..2]), mismatch);
    assert_eq!(error_with("SELECT * FROM tbl WHERE pk = 'a'", &values[..1]), mismatch);
    // A `?` in a text is no parameter.
    assert!(Statement::parse("SELECT * FROM tbl WHERE pk = 'a?' AND \"?\" = 'it''s'", &[]).is_ok());
}

#[test]
fn a_projection_shows_values_under_their_last_names() {
    let item = item(json!({
        "pk": {"S": "a"}, "m": {"M": {"x": {"N": "1"}, "y": {"L": [{"L": [{"N": "7"}]}, {"M": {"k": {"S": "v"}}}]}}},
    }));
    let shown = |list: &str| {
        let projection = select(&format!("SELECT {list} FROM tbl")).projection.unwrap();
        item_to_json(&projection.apply(&item))
    };
    assert_eq!(shown("pk, m.x"), json!({"pk": {"S": "a"}, "x": {"N": "1"}}));
    assert_eq!(shown("m['y'][1].k"), json!({"k": {"S": "v"}}));
    assert_eq!(
        shown("m.y[0][0], m.y[1]"),
        json!({
            "y[0][0]": {"N": "7"}, "y[1]": {"M": {"k": {"S": "v"}}},
        })
    );
    assert_eq!(shown("absent, m.y[9]"), json!({}));
    assert!(select("SELECT * FROM tbl").projection.is_none());
}

#[test]
fn an_insert_takes_literals_and_parameters() {
    let source = "INSERT INTO \"tbl\" VALUE {'pk': ?, 'n': -2.5e1, 't': true, 'f': FALSE, 'z': null, 'e': '', \
                  'l': [1, 'it''s', {'a': []}], 'ss': <<'b', 'a'>>, 'ns': <<2, 10>>, 'p': +.5}";
    let Statement::Insert(insert) = Statement::parse(source, &parameters(&[json!({"S": "k"})])).unwrap()
    else {
        panic!()
    };
    assert_eq!(insert.table, "tbl");
    let expected = json!({
        "pk": {"S": "k"}, "n": {"N": "-25"}, "t": {"BOOL": true}, "f": {"BOOL": false}, "z": {"NULL": true},
        "e": {"S": ""}, "l": {"L": [{"N": "1"}, {"S": "it's"}, {"M": {"a": {"L": []}}}]},
        "ss": {"SS": ["a", "b"]}, "ns": {"NS": ["2", "10"]}, "p": {"N": "0.5"},
    });
    assert_eq!(insert.item, item(expected));
    let key_error = |source: &str, schema: &KeySchema| {
        let Statement::Insert(insert) = Statement::parse(source, &[]).unwrap() else { panic!() };
        insert.check_keys(schema).unwrap_err().message().to_string()
    };
    let schema = schema(Some(KeyType::N));
    assert_eq!(
        key_error("INSERT INTO tbl VALUE {}", &schema),
        "Key attribute should be present in the item: Key pk"
    );
    assert_eq!(
        key_error("INSERT INTO tbl VALUE {'pk': 'a', 'sk': '1'}", &schema),
        "Key attribute's data type should match its data type in table's schema: Key sk"
    );
    assert_eq!(
        key_error("INSERT INTO tbl VALUE {'pk': '', 'sk': 1}", &schema),
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an \
         empty string value. Key: pk"
    );
}

#[test]
fn updates_change_what_they_say() {
    let before = json!({
        "pk": {"S": "a"}, "n": {"N": "5"}, "s": {"S": "x"}, "l": {"L": [{"N": "1"}]}, "m": {"M": {"a": {"N": "1"}}},
        "ss": {"SS": ["a", "b"]},
    });
    let key = item(json!({"pk": {"S": "a"}}));
    let cases = [
        ("SET n = 6", "n", json!({"N": "6"})),
        ("SET n = n + 1", "n", json!({"N": "6"})),
        ("SET n = 10 - n - 2", "n", json!({"N": "3"})),
        ("SET q = n", "q", json!({"N": "5"})),
        ("SET q = [1, {'a': null}]", "q", json!({"L": [{"N": "1"}, {"M": {"a": {"NULL": true}}}]})),
        ("SET m.b = 'x'", "m", json!({"M": {"a": {"N": "1"}, "b": {"S": "x"}}})),
        ("SET l[0] = 9", "l", json!({"L": [{"N": "9"}]})),
        ("SET l[7] = 9", "l", json!({"L": [{"N": "1"}, {"N": "9"}]})),
        ("SET l = list_append(l, [2])", "l", json!({"L": [{"N": "1"}, {"N": "2"}]})),
        ("SET l = LIST_APPEND([2], l)", "l", json!({"L": [{"N": "2"}, {"N": "1"}]})),
        ("SET q = if_not_exists(q, 'new')", "q", json!({"S": "new"})),
        ("SET ss = set_add(ss, <<'c', 'a'>>)", "ss", json!({"SS": ["a", "b", "c"]})),
        ("SET ss = set_delete(ss, <<'a'>>)", "ss", json!({"SS": ["b"]})),
        ("SET ss = set_delete(ss, <<'a', 'b'>>)", "ss", Value::Null),
        ("SET t = set_add(t, <<1>>)", "t", json!({"NS": ["1"]})),
        ("REMOVE n", "n", Value::Null),
        ("REMOVE l[0]", "l", json!({"L": []})),
        ("SET n = 1, s = 'y' SET q = 2 REMOVE m", "q", json!({"N": "2"})),
    ];
    for (actions, name, expected) in cases {
        let update = write(&format!("UPDATE tbl {actions} WHERE pk = 'a'")).update.unwrap();
        let after = update.apply(Some(&item(before.clone())), &key).unwrap().unwrap();
        assert_eq!(item_to_json(&after)[name], expected, "{actions}");
    }
}

#[test]
fn a_write_names_one_item() {
    let schema = schema(Some(KeyType::N));
    let target = |condition: &str| {
        let target = write(&format!("UPDATE tbl SET n = 1 WHERE {condition}")).target(&schema);
        target.map_err(|error| error.message().to_string())
    };
    let wanted = item(json!({"pk": {"S": "a"}, "sk": {"N": "1"}}));
    let present = item(json!({"pk": {"S": "a"}, "sk": {"N": "1"}, "q": {"N": "5"}}));
    for (condition, holds) in [
        ("pk = 'a' AND sk = 1", true),
        ("1 = sk AND 'a' = pk", true),
        ("(pk = 'a' AND sk = 1) AND q = 5", true),
        ("pk = 'a' AND pk = 'a' AND sk = 1", true),
        ("pk = 'a' AND sk = 1 AND (q = 4 OR q = 5)", true),
        ("pk = 'a' AND sk = 1 AND sk > 0", true),
        ("pk = 'a' AND sk = 1 AND q = 4", false),
        ("pk = 'a' AND sk = 1 AND NOT sk = 1", false),
    ] {
        let target = target(condition).unwrap();
        assert_eq!(target.key, wanted, "{condition}");
        let condition_of_target = target.condition.unwrap();
        assert_eq!(condition_of_target.matches(&present), holds, "{condition}");
        // An UPDATE makes no item.
        assert!(!condition_of_target.matches(&Item::new()), "{condition}");
    }
    let missed = "Where clause does not contain a mandatory equality on all key attributes";
    for condition in
        ["pk = 'a'", "q = 1", "pk = 'a' AND sk > 1", "pk = 'a' AND sk IN [1]", "pk = 'a' AND sk = 1 OR q = 1"]
    {
        assert_eq!(target(condition).err().unwrap(), missed, "{condition}");
    }
    assert_eq!(
        target("pk = 'a' AND sk = 1 AND sk = 2").err().unwrap(),
        "Multiple conditions on same key sk. Only single item Update/Insert/Delete are supported"
    );
    assert_eq!(
        target("pk = 1 AND sk = 1").err().unwrap(),
        "Key attribute's data type should match its data type in table's schema: Key pk"
    );
    assert_eq!(
        target("pk = 'a' AND sk = 1 AND pk.x = 1").err().unwrap(),
        "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: pk"
    );
    let no_condition = write("DELETE FROM tbl").target(&schema).err().unwrap();
    assert_eq!(no_condition.message(), missed);
    let own_key = write("UPDATE tbl SET sk = 2 WHERE pk = 'a' AND sk = 1").target(&schema).err().unwrap();
    assert_eq!(
        own_key.message(),
        "One or more parameter values were invalid: Cannot update attribute sk. This attribute is part of the key"
    );
}

/// A DELETE of an item that is not there succeeds, whatever else it asks.
#[test]
fn a_delete_of_nothing_asks_nothing() {
    let schema = schema(None);
    let plain = write("DELETE FROM tbl WHERE pk = 'a'").target(&schema).unwrap();
    assert!(plain.condition.is_none());
    let asking =
        write("DELETE FROM tbl WHERE pk = 'a' AND q = 1").target(&schema).unwrap().condition.unwrap();
    assert!(asking.matches(&Item::new()));
    assert!(asking.matches(&item(json!({"pk": {"S": "a"}, "q": {"N": "1"}}))));
    assert!(!asking.matches(&item(json!({"pk": {"S": "a"}, "q": {"N": "2"}}))));
}

#[test]
fn only_equality_on_the_whole_key_names_a_single_item_to_read() {
    let schema = schema(Some(KeyType::S));
    let key = |condition: &str| {
        select(&format!("SELECT * FROM tbl WHERE {condition}")).single_key(&schema).unwrap().is_some()
    };
    assert!(key("pk = 'a' AND sk = 'b'"));
    assert!(key("'b' = sk AND (pk = 'a')"));
    for condition in [
        "pk = 'a'",
        "pk = 'a' AND sk = 'b' AND q = 1",
        "pk = 'a' AND sk IN ['b']",
        "pk = 'a' AND sk > 'b'",
        "pk = 'a' AND sk = 'b' AND attribute_exists(q)",
        "pk = 'a' AND sk = 'b' OR q = 1",
    ] {
        assert!(!key(condition), "{condition}");
    }
}
