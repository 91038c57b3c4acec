use serde_json::json;

use super::*;
use crate::json::from_json;
use crate::key::KeyType;
use crate::number::Number;

fn placeholders() -> Placeholders {
    let values = [
        (":n", json!({"N": "1"})),
        (":n2", json!({"N": "2"})),
        (":s", json!({"S": "x"})),
        (":s2", json!({"S": "y"})),
        (":e", json!({"S": ""})),
        (":x1024", json!({"S": "x".repeat(1024)})),
        (":x1025", json!({"S": "x".repeat(1025)})),
        (":x2048", json!({"S": "x".repeat(2048)})),
        (":x2049", json!({"S": "x".repeat(2049)})),
        (":b", json!({"B": "YQ=="})),
        (":type", json!({"S": "S"})),
        (":l", json!({"L": []})),
    ];
    let values = values.map(|(key, value)| (key.to_string(), from_json(&value).unwrap())).to_vec();
    Placeholders::new(Some(vec![("#p".into(), "pk".into())]), Some(values)).unwrap()
}

fn schema(range: Option<KeyType>) -> KeySchema {
    KeySchema {
        hash: KeyAttribute { name: "pk".into(), key_type: KeyType::S },
        range: range.map(|key_type| KeyAttribute { name: "sk".into(), key_type }),
    }
}

fn condition(source: &str, range: Option<KeyType>) -> Result<KeyCondition, String> {
    KeyConditionExpression::parse(source, &mut placeholders())
        .and_then(|expression| expression.conditions())
        .and_then(|conditions| conditions.for_schema(&schema(range)))
        .map_err(|error| error.message().to_string())
}

#[test]
fn what_is_too_large_for_a_key_cannot_be_asked_for() {
    let large = |source: &str| condition(source, Some(KeyType::S)).map(|_| ());
    assert_eq!(large("pk = :x2048 AND sk BETWEEN :x1024 AND :x1024"), Ok(()));
    assert_eq!(large("pk = :x2049 AND sk > :x1025"), Err(KeyError::PartitionKeyTooLarge.to_string()));
    for sort in ["sk = :x1025", "begins_with(sk, :x1025)", "sk BETWEEN :s AND :x1025"] {
        assert_eq!(
            large(&format!("pk = :s AND {sort}")),
            Err(KeyError::SortKeyTooLarge.to_string()),
            "{sort}"
        );
    }
}

#[test]
fn a_condition_on_the_partition_key_and_one_on_the_sort_key_are_understood() {
    let one = || KeyValue::N(Number::from(1));
    let two = || KeyValue::N(Number::from(2));
    for (source, sort) in [
        ("pk = :s", None),
        ("(#p = :s)", None),
        (":s = pk AND :n = sk", Some(SortCondition::Equal(one()))),
        ("((sk = :n) AND (pk = :s))", Some(SortCondition::Equal(one()))),
        ("pk = :s AND sk < :n", Some(SortCondition::Less(one()))),
        ("pk = :s AND sk <= :n", Some(SortCondition::LessOrEqual(one()))),
        ("pk = :s AND sk > :n", Some(SortCondition::Greater(one()))),
        ("pk = :s AND sk >= :n", Some(SortCondition::GreaterOrEqual(one()))),
        // The attribute may stand on the right, where the operator turns around.
        ("pk = :s AND :n < sk", Some(SortCondition::Greater(one()))),
        ("pk = :s AND :n >= sk", Some(SortCondition::LessOrEqual(one()))),
        ("pk = :s aNd sk bEtWeEn :n aNd :n2", Some(SortCondition::Between(one(), two()))),
    ] {
        let expected = KeyCondition { hash: KeyValue::S("x".into()), sort };
        assert_eq!(condition(source, Some(KeyType::N)), Ok(expected), "{source}");
    }
    let prefix = condition("begins_with(sk, :s) AND pk = :s2", Some(KeyType::S)).unwrap();
    assert_eq!(prefix.hash, KeyValue::S("y".into()));
    assert_eq!(prefix.sort, Some(SortCondition::BeginsWith(KeyValue::S("x".into()))));
}

#[test]
fn the_old_parameter_means_the_same() {
    let comparison = |name: &str, operator: &str, values: &[serde_json::Value]| AttributeComparison {
        name: name.into(),
        operator: ComparisonOperator::from_name(operator).unwrap(),
        values: values.iter().map(|value| from_json(value).unwrap()).collect(),
    };
    let condition = |comparisons: Vec<AttributeComparison>| {
        KeyConditions::from_comparisons(comparisons)
            .and_then(|conditions| conditions.for_schema(&schema(Some(KeyType::N))))
            .map_err(|error| error.message().to_string())
    };
    let hash = || comparison("pk", "EQ", &[json!({"S": "x"})]);
    let one = || json!({"N": "1"});
    let sort = SortCondition::Between(KeyValue::N(Number::from(1)), KeyValue::N(Number::from(2)));
    assert_eq!(
        condition(vec![comparison("sk", "BETWEEN", &[one(), json!({"N": "2"})]), hash()]),
        Ok(KeyCondition { hash: KeyValue::S("x".into()), sort: Some(sort) })
    );
    assert_eq!(condition(vec![hash()]).unwrap().sort, None);
    let not_indexable = "Attempted conditional constraint is not an indexable operation";
    for (comparisons, message) in [
        (vec![], "Conditions can be of length 1 or 2 only"),
        (vec![hash(), hash(), hash()], "Conditions can be of length 1 or 2 only"),
        (vec![comparison("pk", "NULL", &[])], not_indexable),
        (vec![comparison("pk", "NE", &[json!({"S": "x"})])], not_indexable),
        (vec![hash(), comparison("sk", "CONTAINS", &[one()])], not_indexable),
        (vec![hash(), comparison("sk", "IN", &[one()])], not_indexable),
        (vec![comparison("pk", "LT", &[json!({"S": "x"})])], "Query key condition not supported"),
        (vec![hash(), comparison("zz", "EQ", &[one()])], "Query condition missed key schema element: sk"),
        (
            vec![hash(), comparison("sk", "EQ", &[])],
            "One or more parameter values were invalid: Invalid number of argument(s) for the EQ \
             ComparisonOperator",
        ),
    ] {
        assert_eq!(condition(comparisons), Err(message.to_string()));
    }
}

#[test]
fn what_is_not_of_the_shape_is_refused_in_the_services_words() {
    let invalid = |rest: &str| format!("Invalid operator used in KeyConditionExpression: {rest}");
    let condition_error = |rest: &str| format!("Invalid condition in KeyConditionExpression: {rest}");
    let nested_operation = "KeyConditionExpressions cannot contain nested operations".to_string();
    let nested_attribute = "KeyConditionExpressions cannot have conditions on nested attributes".to_string();
    let one_per_key =
        "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key"
            .to_string();
    let too_many = |count: usize, attributes: usize| {
        format!(
            "The number of query conditions ({count}) exceeds the number of key attributes defined in the schema \
             ({attributes})"
        )
    };
    let multiple = condition_error("Multiple attribute names used in one condition");
    let no_key = condition_error("No key attribute specified");
    for (source, message) in [
        ("a > b and size(b) > c or a > c", invalid("OR")),
        ("pk = :s OR sk = :n", invalid("OR")),
        ("not a > b", invalid("NOT")),
        ("a in (b, size(c), d)", invalid("IN")),
        ("pk = :s AND sk <> :n", invalid("<>")),
        ("attribute_exists(a)", invalid("attribute_exists")),
        ("attribute_not_exists(a)", invalid("attribute_not_exists")),
        ("attribute_type(a, :type)", invalid("attribute_type")),
        ("contains(a.d, b)", invalid("contains")),
        (
            ":s between size(b) and size(a) and b > :b",
            condition_error("BETWEEN operator must have the key attribute as its first operand"),
        ),
        (
            "begins_with(:s, b) and a > :b",
            condition_error("begins_with operator must have the key attribute as its first operand"),
        ),
        ("size(b) > a AND a.b > b AND b > c", nested_operation.clone()),
        ("a between size(b) and size(a)", nested_operation),
        ("a between b and size(a)", multiple.clone()),
        ("b > a.b", multiple.clone()),
        ("begins_with(a, b)", multiple),
        ("b.d > a AND c.d > e.f", nested_attribute.clone()),
        ("b[0] > a", nested_attribute),
        (":n > :n2 AND a < :n", no_key.clone()),
        (":n > b AND :n < :n2", no_key),
        ("b > :n AND b < :n and c = :n and d = :n", one_per_key.clone()),
        ("(a > :n and b > :n) and (b > :n and c > :n)", one_per_key),
        ("pk = :s AND sk = :n AND aa = :n", too_many(3, 2)),
        ("aa = :s AND bb = :n AND cc = :n AND dd = :n", too_many(4, 2)),
        (
            "pk = :s AND begins_with(sk, :n)",
            "Invalid KeyConditionExpression: Incorrect operand type for operator or function; operator \
             or function: begins_with, operand type: N"
                .into(),
        ),
        ("pk", "Invalid KeyConditionExpression: Syntax error; token: \"<EOF>\", near: \"pk\"".into()),
        ("", "Invalid KeyConditionExpression: The expression can not be empty;".into()),
        (
            "a between :n and :s",
            "Invalid KeyConditionExpression: The BETWEEN operator requires same data type for lower and \
             upper bounds; lower bound operand: AttributeValue: {N:1}, upper bound operand: \
             AttributeValue: {S:x}"
                .into(),
        ),
    ] {
        assert_eq!(condition(source, Some(KeyType::N)), Err(message), "{source}");
    }
}

#[test]
fn what_does_not_fit_the_schema_is_refused_in_the_services_words() {
    let missed = |name: &str| format!("Query condition missed key schema element: {name}");
    let not_supported = "Query key condition not supported".to_string();
    let wrong_type = "One or more parameter values were invalid: Condition parameter type does not \
                      match schema type"
        .to_string();
    let empty = |name: &str| {
        format!(
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot \
             contain an empty string value. Key: {name}"
        )
    };
    for (range, source, message) in [
        (Some(KeyType::N), "sk = :n", missed("pk")),
        (Some(KeyType::N), "aa = :n AND bb = :n", missed("pk")),
        (Some(KeyType::N), "pk = :s AND aa = :n", missed("sk")),
        (Some(KeyType::N), "pk = :e AND aa = :n", empty("pk")),
        (Some(KeyType::N), "pk < :s", not_supported.clone()),
        (Some(KeyType::N), "begins_with(pk, :s)", not_supported.clone()),
        (Some(KeyType::N), "pk BETWEEN :s AND :s2", not_supported.clone()),
        (Some(KeyType::N), "pk = :n", wrong_type.clone()),
        (Some(KeyType::N), "pk = :l", wrong_type.clone()),
        (Some(KeyType::N), "pk = :s AND begins_with(sk, :s)", wrong_type.clone()),
        (Some(KeyType::N), "pk = :s AND sk = :e", wrong_type.clone()),
        (Some(KeyType::S), "pk = :s AND sk = :b", wrong_type),
        (Some(KeyType::S), "pk = :s AND sk BETWEEN :e AND :s", empty("sk")),
        (Some(KeyType::S), "pk = :s AND begins_with(sk, :e)", empty("sk")),
        (
            None,
            "pk = :s AND sk = :n",
            "The number of query conditions (2) exceeds the number of key attributes defined in the schema (1)".into(),
        ),
        (None, "aa = :s", missed("pk")),
    ] {
        assert_eq!(condition(source, range), Err(message), "{source}");
    }
}
