//! Texts captured in us-east-1 in October 2026: batches with a bad table name, unknown conditional operators and
//! a bad limit.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use crate::shape::{InputError, Service, model};

fn message(name: &str, input: &Value) -> String {
    let operation = model(Service::DynamoDb).operation(name).unwrap();
    match operation.validate(&input.clone().into()).unwrap_err() {
        InputError::Validation(message) => message,
        other => panic!("{other:?}"),
    }
}

const MAP_KEYS: &str = "at 'requestItems' failed to satisfy constraint: Map keys must satisfy constraint: [Member must \
                        have length less than or equal to 255, Member must have length greater than or equal to 3, \
                        Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+]";
const CAPACITY: &str = "Value 'BOGUS' at 'returnConsumedCapacity' failed to satisfy constraint: Member must satisfy enum \
                        value set: [INDEXES, TOTAL, NONE]";

#[test]
fn a_bad_table_name_of_a_batch_that_reads_is_shown_as_it_was_sent() {
    let mut input = json!({"RequestItems": {"bad!name": {"Keys": [{"pk": {"S": "a"}}]}}});
    let bad_name = format!("Value '{{\"bad!name\":{{\"Keys\":[{{\"pk\":{{\"S\":\"a\"}}}}]}}}}' {MAP_KEYS}");
    assert_eq!(message("BatchGetItem", &input), format!("1 validation error detected: {bad_name}"));
    input["ReturnConsumedCapacity"] = "BOGUS".into();
    assert_eq!(
        message("BatchGetItem", &input),
        format!("2 validation errors detected: {bad_name}; {CAPACITY}")
    );
    // It is not shown for longer than other values.
    let long = json!({"RequestItems": {"bad!name": {"Keys": [{"pk": {"S": "a".repeat(100_000)}}]}}});
    assert!(message("BatchGetItem", &long).len() < 17 * 1024);
}

#[test]
fn a_bad_table_name_of_a_batch_that_writes_gives_way_to_what_else_is_wrong() {
    let mut input = json!({"RequestItems": {"bad!name": [{"PutRequest": {"Item": {"pk": {"S": "a"}}}}]}});
    let text = message("BatchWriteItem", &input);
    assert!(
        text.starts_with("1 validation error detected: Value '{bad!name=[WriteRequest(putRequest="),
        "{text}"
    );
    assert!(text.ends_with(MAP_KEYS), "{text}");
    input["ReturnConsumedCapacity"] = "BOGUS".into();
    assert_eq!(message("BatchWriteItem", &input), format!("1 validation error detected: {CAPACITY}"));
    // dynalite: what else is wrong with the map itself stands beside it.
    let text = message("BatchWriteItem", &json!({"RequestItems": {"a": []}}));
    let start = format!(
        "2 validation errors detected: Value '{{a=[]}}' {MAP_KEYS}; Value '{{a=[]}}' at 'requestItems' "
    );
    assert!(text.starts_with(&start), "{text}");
}

#[test]
fn an_unknown_operator_of_two_conditions_is_told_alone() {
    let bare = "Failed to satisfy constraint: Member must satisfy enum value set: [ALL, OR]";
    let one = json!({"b": {"ComparisonOperator": "NULL"}});
    let two = json!({"b": {"ComparisonOperator": "NULL"}, "c": {"ComparisonOperator": "NULL"}});
    let query = |filter: &Value| json!({"TableName": "absent", "QueryFilter": filter, "ConditionalOperator": "XOR", "Select": "BOGUS"});
    assert_eq!(message("Query", &query(&two)), bare);
    assert!(message("Query", &query(&one)).starts_with("2 validation errors detected: "));
    let write = |conditions: &Value| json!({"TableName": "absent", "Expected": conditions, "ConditionalOperator": "XOR"});
    for (operation, member) in [("PutItem", "Item"), ("UpdateItem", "Key")] {
        let mut input = write(&two);
        let without = message(operation, &input);
        assert!(
            without.starts_with("2 validation errors detected: Value 'XOR' at 'conditionalOperator'"),
            "{without}"
        );
        input[member] = json!({"pk": {"S": "a"}});
        assert_eq!(message(operation, &input), format!("1 validation error detected: {bare}"));
    }
}

#[test]
fn a_query_of_no_items_is_told_of_its_limit() {
    let at = |place: &str| {
        format!(
            "1 validation error detected: {place} failed to satisfy constraint: Member must have value greater than or \
             equal to 1"
        )
    };
    let input = json!({"TableName": "tab", "Limit": 0});
    assert_eq!(message("Query", &input), at("Value at 'Limit'"));
    assert_eq!(message("Query", &json!({"TableName": "tab", "Limit": -1})), at("Value at 'Limit'"));
    assert_eq!(message("Scan", &input), at("Value '0' at 'limit'"));
}
