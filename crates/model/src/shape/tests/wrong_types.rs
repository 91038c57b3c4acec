//! `SerializationException` texts, for a value of each JSON type where another is expected.

use serde_json::{Value, json};

use crate::shape::model::Shape;
use crate::shape::{InputError, Kind, Service, model, wrong_type};

#[track_caller]
fn serialization(service: Service, operation: &str, input: &Value) -> String {
    let operation_shape = model(service).operation(operation).expect("a published operation");
    match operation_shape.validate(&input.clone().into()) {
        Err(InputError::Serialization(message)) => message,
        other => panic!("{operation} {input}: {other:?}"),
    }
}

/// A body is read as a whole before anything in it is judged: dynalite's tests against DynamoDB.
#[test]
fn wrong_types_in_attribute_values_come_before_constraints() {
    let wrong = json!({"a": {"M": {"b": {"S": true}}}});
    for (operation, input) in [
        ("GetItem", json!({"Key": wrong})),
        ("PutItem", json!({"TableName": "", "Item": wrong})),
        ("UpdateItem", json!({"Expected": {"a": {"AttributeValueList": [wrong["a"]]}}})),
        ("Query", json!({"ExpressionAttributeValues": wrong, "Select": "NONSENSE"})),
        ("BatchGetItem", json!({"RequestItems": {"abc": {"Keys": [wrong]}, "b;": {}}})),
        ("BatchWriteItem", json!({"RequestItems": {"b;": [{"PutRequest": {"Item": wrong}}]}})),
    ] {
        assert_eq!(
            serialization(Service::DynamoDb, operation, &input),
            "TRUE_VALUE cannot be converted to String",
            "{operation}"
        );
    }
}

/// dynalite's tests against DynamoDB.
#[test]
fn wrong_types_in_json_1_0() {
    let number = json!(23);
    for (operation, input, expected) in [
        ("PutItem", json!({"TableName": number}), "NUMBER_VALUE cannot be converted to String"),
        ("PutItem", json!({"TableName": 34.56}), "DECIMAL_VALUE cannot be converted to String"),
        ("PutItem", json!({"TableName": true}), "TRUE_VALUE cannot be converted to String"),
        ("PutItem", json!({"TableName": false}), "FALSE_VALUE cannot be converted to String"),
        ("PutItem", json!({"TableName": []}), "Unrecognized collection type class java.lang.String"),
        ("PutItem", json!({"TableName": {}}), "Start of structure or map found where not expected"),
        ("PutItem", json!({"Item": "23"}), "Unexpected field type"),
        (
            "PutItem",
            json!({"Item": []}),
            "Unrecognized collection type java.util.Map<java.lang.String, \
             com.amazonaws.dynamodb.v20120810.AttributeValue>",
        ),
        ("PutItem", json!({"Item": {"a": 23}}), "Unexpected value type in payload"),
        (
            "PutItem",
            json!({"Item": {"a": []}}),
            "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue",
        ),
        (
            "PutItem",
            json!({"ExpressionAttributeNames": []}),
            "Unrecognized collection type java.util.Map<java.lang.String, java.lang.String>",
        ),
        ("GetItem", json!({"ConsistentRead": 23}), "NUMBER_VALUE cannot be converted to Boolean"),
        ("GetItem", json!({"ConsistentRead": "23"}), "Unexpected token received from parser"),
        ("GetItem", json!({"AttributesToGet": "a"}), "Unexpected field type"),
        ("GetItem", json!({"AttributesToGet": {}}), "Start of structure or map found where not expected"),
        ("ListTables", json!({"Limit": "23"}), "STRING_VALUE cannot be converted to Integer"),
        ("ListTables", json!({"Limit": []}), "Unrecognized collection type class java.lang.Integer"),
        (
            "CreateTable",
            json!({"ProvisionedThroughput": {"ReadCapacityUnits": true}}),
            "TRUE_VALUE cannot be converted to Long",
        ),
        ("CreateTable", json!({"ProvisionedThroughput": "23"}), "Unexpected field type"),
        (
            "CreateTable",
            json!({"ProvisionedThroughput": []}),
            "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.ProvisionedThroughput",
        ),
        ("CreateTable", json!({"KeySchema": ["23"]}), "Unexpected value type in payload"),
        (
            "BatchGetItem",
            json!({"RequestItems": {"a": {"Keys": [23]}}}),
            "class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot be cast to class \
             java.lang.Class (sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl and java.lang.Class are \
             in module java.base of loader 'bootstrap')",
        ),
        ("PutItem", json!("x"), ""),
    ] {
        assert_eq!(serialization(Service::DynamoDb, operation, &input), expected, "{operation} {input}");
    }
}

/// Measured against Athena, which reads requests as KMS does.
#[test]
fn wrong_types_in_json_1_1() {
    for (operation, input, expected) in [
        ("ListKeys", json!({"Limit": "1"}), "STRING_VALUE can not be converted to an Integer"),
        ("ListKeys", json!({"Limit": true}), "TRUE_VALUE can not be converted to an Integer"),
        ("ListKeys", json!({"Limit": [1]}), "Start of list found where not expected"),
        ("ListKeys", json!({"Limit": {"a": 1}}), "Start of structure or map found where not expected."),
        ("DescribeKey", json!({"KeyId": 1.5}), "NUMBER_VALUE can not be converted to a String"),
        ("DescribeKey", json!({"KeyId": false}), "FALSE_VALUE can not be converted to a String"),
        ("DescribeKey", json!({"GrantTokens": "x"}), "Expected list or null"),
        ("DescribeKey", json!({"GrantTokens": [1]}), "NUMBER_VALUE can not be converted to a String"),
        ("CreateGrant", json!({"Constraints": "x"}), "Expected null"),
        ("CreateGrant", json!({"Constraints": []}), "Start of list found where not expected"),
        ("Encrypt", json!({"EncryptionContext": 1}), "Expected null"),
        ("Encrypt", json!({"Plaintext": "a"}), ""),
        ("Encrypt", json!([]), "Start of list found where not expected"),
        ("Encrypt", json!("x"), ""),
    ] {
        assert_eq!(serialization(Service::Kms, operation, &input), expected, "{operation} {input}");
    }
}

#[test]
fn base64_is_checked_to_its_last_bit() {
    for (base64, expected) in [
        ("23456", "Base64 encoded length is expected a multiple of 4 bytes but found: 5"),
        ("=+/=", "Invalid last non-pad Base64 character dectected"),
        ("+/+=", "Invalid last non-pad Base64 character dectected"),
    ] {
        let shape = Shape {
            name: "Blob",
            kind: Kind::Blob,
            limits: Default::default(),
            sensitive: false,
            error: None,
        };
        let dynamodb = model(Service::DynamoDb);
        assert!(!wrong_type::fits(&shape, &json!(base64).into()));
        let error = wrong_type::error(dynamodb, wrong_type::Place::Member, &shape, &json!(base64).into());
        assert_eq!(error, InputError::Serialization(expected.to_owned()));
        for fine in ["", "AA==", "AAA=", "AAAA", "++//"] {
            assert!(wrong_type::fits(&shape, &json!(fine).into()));
        }
    }
}
