//! Texts that the services really sent, from public test suites and recordings.
//!
//! Unless a case says otherwise: DynamoDB texts are of 2026 from us-east-1 and us-west-2
//! (nubo-db/dynamodb-conformance, ack-api-quirks), KMS texts from localstack's recordings.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, json};

use crate::shape::model::Limits;
use crate::shape::{InputError, Service, model, text};

fn check(service: Service, operation: &str, input: &Value) -> Result<(), InputError> {
    model(service).operation(operation).unwrap().validate(&input.clone().into())
}

#[track_caller]
fn message(service: Service, operation: &str, input: &Value) -> String {
    match check(service, operation, input) {
        Err(InputError::Validation(message)) => message,
        other => panic!("{operation} {input}: {other:?}"),
    }
}

#[track_caller]
fn assert_dynamodb(operation: &str, input: Value, expected: &str) {
    assert_eq!(message(Service::DynamoDb, operation, &input), expected, "{operation} {input}");
}

#[track_caller]
fn assert_kms(operation: &str, input: Value, expected: &str) {
    assert_eq!(message(Service::Kms, operation, &input), expected, "{operation} {input}");
}

/// CreateTable with everything that the service asks for, and then `changes`.
fn create_table(changes: Value) -> Value {
    let mut input = json!({
        "TableName": "abc",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
    });
    input.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    input
}

#[test]
fn what_is_right_passes() {
    let item = json!({"pk": {"S": "x"}});
    for (operation, input) in [
        ("PutItem", json!({"TableName": "a", "Item": item})),
        ("PutItem", json!({"TableName": "arn:aws:dynamodb:us-east-1:123456789012:table/t", "Item": item})),
        ("PutItem", json!({"TableName": "abc", "Item": {}, "ReturnValues": null})),
        ("GetItem", json!({"TableName": "abc", "Key": item, "ConsistentRead": true})),
        ("BatchGetItem", json!({"RequestItems": {"abc": {"Keys": [item]}}})),
        ("BatchWriteItem", json!({"RequestItems": {"abc": [{"PutRequest": {"Item": item}}]}})),
        ("CreateTable", create_table(json!({}))),
        (
            "CreateTable",
            json!({"TableName": "abc", "GlobalTableSourceArn": "arn:aws:dynamodb:us-east-1:1:table/t"}),
        ),
        ("ListTables", json!({})),
        ("DescribeEndpoints", json!({})),
    ] {
        assert_eq!(check(Service::DynamoDb, operation, &input), Ok(()), "{operation} {input}");
    }
}

#[test]
fn table_names() {
    let put = |name: Value| json!({"TableName": name, "Item": {"pk": {"S": "test"}}});
    let long = "a".repeat(256);
    let null = "1 validation error detected: Value null at 'tableName' failed to satisfy constraint: \
                Member must not be null";
    assert_dynamodb("PutItem", json!({"Item": {}}), null);
    assert_dynamodb("PutItem", put(Value::Null), null);
    assert_dynamodb(
        "PutItem",
        put(json!("")),
        "1 validation error detected: Value at 'TableName' failed to satisfy constraint: \
         Member must have length greater than or equal to 1",
    );
    assert_dynamodb(
        "UpdateItem",
        json!({"TableName": "", "ReturnConsumedCapacity": "INVALID", "ReturnValues": "INVALID"}),
        "4 validation errors detected: Value 'INVALID' at 'returnConsumedCapacity' failed to satisfy constraint: \
         Member must satisfy enum value set: [INDEXES, TOTAL, NONE]; Value '' at 'tableName' failed to satisfy \
         constraint: Member must have length greater than or equal to 1; Value 'INVALID' at 'returnValues' failed to \
         satisfy constraint: Member must satisfy enum value set: [ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]; \
         Value null at 'key' failed to satisfy constraint: Member must not be null",
    );
    assert_dynamodb(
        "PutItem",
        put(json!(long)),
        &format!(
            "1 validation error detected: Value '{long}' at 'tableName' failed to satisfy constraint: \
             Member must have length less than or equal to 255"
        ),
    );
    assert_dynamodb(
        "PutItem",
        put(json!("bad table!@#")),
        "1 validation error detected: Value 'bad table!@#' at 'tableName' failed to satisfy constraint: \
         Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
    );
    for operation in ["CreateTable", "DescribeTable", "DeleteTable", "UpdateTable"] {
        assert_dynamodb(
            operation,
            json!({}),
            "The parameter 'TableName' is required but was not present in the request",
        );
    }
    assert_dynamodb(
        "CreateTable",
        create_table(json!({"TableName": "ab"})),
        "1 validation error detected: Value 'ab' at 'tableName' failed to satisfy constraint: \
         Member must have length greater than or equal to 3",
    );
    assert_dynamodb(
        "DescribeTable",
        json!({"TableName": ""}),
        "2 validation errors detected: Value '' at 'tableName' failed to satisfy constraint: \
         Member must have length greater than or equal to 3; Value '' at 'tableName' failed to satisfy constraint: \
         Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
    );
    assert_dynamodb(
        "DescribeGlobalTable",
        json!({"GlobalTableName": ""}),
        "TableName must be at least 3 characters long and at most 255 characters long",
    );
    assert_dynamodb(
        "ListTables",
        json!({"ExclusiveStartTableName": ""}),
        "2 validation errors detected: Value '' at 'exclusiveStartTableName' failed to satisfy constraint: \
         Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; Value '' at 'exclusiveStartTableName' \
         failed to satisfy constraint: Member must have length greater than or equal to 3",
    );
}

#[test]
fn several_errors_come_in_the_services_order() {
    let item = json!({"pk": {"S": "test"}});
    assert_dynamodb(
        "PutItem",
        json!({"TableName": "", "ReturnValues": "INVALID", "Item": {}}),
        "1 validation error detected: Value at 'TableName' failed to satisfy constraint: Member must have length \
         greater than or equal to 1",
    );
    let bad = json!({
        "TableName": "abc", "Item": item, "ReturnValues": "INVALID", "ReturnConsumedCapacity": "INVALID",
        "ReturnItemCollectionMetrics": "INVALID",
    });
    assert_dynamodb(
        "PutItem",
        bad,
        "3 validation errors detected: Value 'INVALID' at 'returnConsumedCapacity' failed to satisfy constraint: \
         Member must satisfy enum value set: [INDEXES, TOTAL, NONE]; Failed to satisfy constraint: Member must satisfy \
         enum value set: [ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]; Value 'INVALID' at \
         'returnItemCollectionMetrics' failed to satisfy constraint: Member must satisfy enum value set: [SIZE, NONE]",
    );
    assert_dynamodb(
        "CreateTable",
        create_table(json!({"AttributeDefinitions": [{}]})),
        "2 validation errors detected: Value null at 'attributeDefinitions.1.member.attributeType' failed to satisfy \
         constraint: Member must not be null; Value null at 'attributeDefinitions.1.member.attributeName' failed to \
         satisfy constraint: Member must not be null",
    );
    assert_dynamodb(
        "CreateTable",
        create_table(json!({"KeySchema": [{}]})),
        "2 validation errors detected: Value null at 'keySchema.1.member.attributeName' failed to satisfy constraint: \
         Member must not be null; Value null at 'keySchema.1.member.keyType' failed to satisfy constraint: Member \
         must not be null",
    );
    assert_dynamodb(
        "CreateTable",
        create_table(json!({"ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}})),
        "2 validation errors detected: Value '0' at 'provisionedThroughput.writeCapacityUnits' failed to satisfy \
         constraint: Member must have value greater than or equal to 1; Value '0' at \
         'provisionedThroughput.readCapacityUnits' failed to satisfy constraint: Member must have value greater than \
         or equal to 1",
    );
    assert_dynamodb(
        "UpdateTimeToLive",
        json!({"TableName": "abc", "TimeToLiveSpecification": {}}),
        "2 validation errors detected: Value null at 'timeToLiveSpecification.attributeName' failed to satisfy \
         constraint: Member must not be null; Value null at 'timeToLiveSpecification.enabled' failed to satisfy \
         constraint: Member must not be null",
    );
    assert_dynamodb(
        "RestoreTableFromBackup",
        json!({"TargetTableName": "abc", "BackupArn": "x".repeat(40), "GlobalSecondaryIndexOverride": [{}]}),
        "3 validation errors detected: Value null at 'globalSecondaryIndexOverride.1.member.indexName' failed to \
         satisfy constraint: Member must not be null; Value null at 'globalSecondaryIndexOverride.1.member.keySchema' \
         failed to satisfy constraint: Member must not be null; Value null at \
         'globalSecondaryIndexOverride.1.member.projection' failed to satisfy constraint: Member must not be null",
    );
}

#[test]
fn one_error_at_a_time() {
    for (operation, input, expected) in [
        (
            "CreateTable",
            create_table(json!({"BillingMode": ""})),
            "Value '' at 'billingMode' failed to satisfy constraint: Member must satisfy enum value set: \
             [PROVISIONED, PAY_PER_REQUEST]",
        ),
        (
            "CreateTable",
            create_table(json!({"KeySchema": []})),
            "Value '[]' at 'keySchema' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            "CreateTable",
            create_table(json!({"KeySchema": null})),
            "Value null at 'keySchema' failed to satisfy constraint: Member must not be null",
        ),
        (
            "CreateTable",
            create_table(json!({"AttributeDefinitions": null})),
            "Value null at 'attributeDefinitions' failed to satisfy constraint: Member must not be null",
        ),
        (
            "CreateTable",
            create_table(json!({"KeySchema": [{"AttributeName": "pk", "KeyType": "INVALID"}]})),
            "Value 'INVALID' at 'keySchema.1.member.keyType' failed to satisfy constraint: Member must satisfy enum \
             value set: [HASH, RANGE]",
        ),
        (
            "CreateTable",
            create_table(json!({"AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "SS"}]})),
            "Value 'SS' at 'attributeDefinitions.1.member.attributeType' failed to satisfy constraint: Member must \
             satisfy enum value set: [B, N, S]",
        ),
        (
            "CreateTable",
            create_table(json!({"SSESpecification": {"KMSMasterKeyId": ""}})),
            "Value '' at 'sSESpecification.kMSMasterKeyId' failed to satisfy constraint: Member must have length \
             greater than or equal to 1",
        ),
        (
            "CreateTable",
            create_table(json!({"StreamSpecification": {"StreamEnabled": true, "StreamViewType": ""}})),
            "Value '' at 'streamSpecification.streamViewType' failed to satisfy constraint: Member must satisfy enum \
             value set: [OLD_IMAGE, KEYS_ONLY, NEW_AND_OLD_IMAGES, NEW_IMAGE]",
        ),
        (
            "Query",
            json!({"TableName": "abc", "Select": "INVALID_VALUE"}),
            "Value 'INVALID_VALUE' at 'select' failed to satisfy constraint: Member must satisfy enum value set: \
             [SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES]",
        ),
        (
            "Scan",
            json!({"TableName": "abc", "Limit": 0}),
            "Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
        (
            "ListTables",
            json!({"Limit": 101}),
            "Value '101' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 100",
        ),
        // What exceeds 32 bits falls through to the bound.
        (
            "ListTables",
            json!({"Limit": 5_000_000_000_i64}),
            "Value '5000000000' at 'limit' failed to satisfy constraint: Member must have value less than or equal \
             to 100",
        ),
        (
            "TransactWriteItems",
            json!({"TransactItems": []}),
            "Value '[]' at 'transactItems' failed to satisfy constraint: Member must have length greater than or \
             equal to 1",
        ),
        (
            "ExecuteStatement",
            json!({"Statement": "SELECT 1", "Parameters": []}),
            "Value '[]' at 'parameters' failed to satisfy constraint: Member must have length greater than or equal \
             to 1",
        ),
        (
            "UpdateKinesisStreamingDestination",
            json!({
                "TableName": "abc", "StreamArn": "a".repeat(40),
                "UpdateKinesisStreamingConfiguration": {"ApproximateCreationDateTimePrecision": "SECOND"},
            }),
            "Value 'SECOND' at 'updateKinesisStreamingConfiguration.approximateCreationDateTimePrecision' failed to \
             satisfy constraint: Member must satisfy enum value set: [MILLISECOND, MICROSECOND]",
        ),
        (
            "EnableKinesisStreamingDestination",
            json!({"TableName": "abc", "StreamArn": ""}),
            "Value '' at 'streamArn' failed to satisfy constraint: Member must have length greater than or equal to 37",
        ),
        (
            "UpdateContributorInsights",
            json!({"TableName": "abc", "ContributorInsightsAction": ""}),
            "Value '' at 'contributorInsightsAction' failed to satisfy constraint: Member must satisfy enum value \
             set: [ENABLE, DISABLE]",
        ),
        (
            "UpdateContributorInsights",
            json!({"TableName": "abc", "ContributorInsightsAction": "ENABLE", "ContributorInsightsMode": ""}),
            "Value '' at 'contributorInsightsMode' failed to satisfy constraint: Member must satisfy enum value set: \
             [THROTTLED_KEYS, ACCESSED_AND_THROTTLED_KEYS]",
        ),
        (
            "ExportTableToPointInTime",
            json!({"TableArn": "arn:aws:dynamodb:us-east-1:1:table/t", "S3Bucket": ""}),
            r"Value '' at 's3Bucket' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-z0-9A-Z]+[\.\-\w]*[a-z0-9A-Z]+$",
        ),
        (
            "UpdateTable",
            json!({"TableName": "abc", "ReplicaUpdates": [{"Update": {}}]}),
            "Value null at 'replicaUpdates.1.member.update.regionName' failed to satisfy constraint: Member must not \
             be null",
        ),
    ] {
        assert_dynamodb(operation, input, &format!("1 validation error detected: {expected}"));
    }
}

/// Captured in September 2026 in us-east-1.
#[test]
fn return_values() {
    let bad = |required: &str| {
        let mut input =
            json!({"TableName": "abc", "ReturnValues": "INVALID", "ReturnConsumedCapacity": "INVALID"});
        input[required] = json!({});
        input
    };
    let values = "Failed to satisfy constraint: Member must satisfy enum value set: [ALL_OLD, UPDATED_OLD, ALL_NEW, UPDATE_NEW, NONE]";
    let capacity = "Value 'INVALID' at 'returnConsumedCapacity' failed to satisfy constraint: Member must satisfy enum \
                    value set: [INDEXES, TOTAL, NONE]";
    for (operation, required) in [("PutItem", "Item"), ("DeleteItem", "Key")] {
        assert_dynamodb(
            operation,
            bad(required),
            &format!("2 validation errors detected: {capacity}; {values}"),
        );
    }
    assert_dynamodb("UpdateItem", bad("Key"), &format!("1 validation error detected: {values}"));
}

#[test]
fn batches() {
    assert_dynamodb(
        "BatchGetItem",
        json!({"RequestItems": {}}),
        "1 validation error detected: Value at 'RequestItems' failed to satisfy constraint: Member must have length \
         greater than or equal to 1",
    );
    assert_dynamodb(
        "BatchWriteItem",
        json!({"RequestItems": {}}),
        "The requestItems parameter is required for BatchWriteItem",
    );
    // boto/boto3#483 and others.
    assert_dynamodb(
        "BatchWriteItem",
        json!({"RequestItems": {"test-table": []}}),
        "1 validation error detected: Value '{test-table=[]}' at 'requestItems' failed to satisfy constraint: Map \
         value must satisfy constraint: [Member must have length less than or equal to 25, Member must have length \
         greater than or equal to 1]",
    );
    let request = json!({"PutRequest": {"Item": {"pk": {"S": "x"}}}});
    let requests = vec![request; 26];
    let text = message(Service::DynamoDb, "BatchWriteItem", &json!({"RequestItems": {"tab": requests}}));
    let one = "WriteRequest(putRequest=PutRequest(item={pk=com.amazonaws.dynamodb.v20120810.AttributeValue@";
    let start = format!("1 validation error detected: Value '{{tab=[{one}");
    assert!(text.starts_with(&start), "{text}");
    assert_eq!(text.matches("}, workloadProfileName=null), deleteRequest=null)").count(), 26);
    let end = "]}' at 'requestItems' failed to satisfy constraint: Map value must satisfy constraint: [Member must \
               have length less than or equal to 25, Member must have length greater than or equal to 1]";
    assert!(text.ends_with(end), "{text}");
    // dynalite.
    assert_dynamodb(
        "BatchGetItem",
        json!({"RequestItems": {"abc": {}}}),
        "1 validation error detected: Value null at 'requestItems.abc.member.keys' failed to satisfy constraint: \
         Member must not be null",
    );
    assert_dynamodb(
        "BatchGetItem",
        json!({"RequestItems": {"abc": {"Keys": []}}}),
        "1 validation error detected: Value at 'RequestItems.abc.member.Keys' failed to satisfy constraint: \
         Member must have length greater than or equal to 1",
    );
    assert_dynamodb(
        "BatchGetItem",
        json!({"RequestItems": {"abc": {"Keys": vec![json!({}); 101]}}}),
        "1 validation error detected: Value at 'RequestItems.abc.member.Keys' failed to satisfy constraint: \
         Member must have length less than or equal to 100",
    );
}

/// Three key elements, as captured in two regions: the hashes are exact.
#[test]
fn a_structure_shown_by_its_hash() {
    let schema = |third: &str| {
        json!([
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
            {"AttributeName": third, "KeyType": "RANGE"},
        ])
    };
    assert_dynamodb(
        "CreateTable",
        create_table(json!({"KeySchema": schema("extra")})),
        "1 validation error detected: Value '[com.amazonaws.dynamodb.v20120810.KeySchemaElement@ad28eb1d, \
         com.amazonaws.dynamodb.v20120810.KeySchemaElement@38b9654b, \
         com.amazonaws.dynamodb.v20120810.KeySchemaElement@3e80eb03]' at 'keySchema' failed to satisfy constraint: \
         Member must have length less than or equal to 2",
    );
}

#[test]
fn tags_have_texts_of_their_own() {
    for (tag, expected) in [
        (json!({}), "The Tag Key provided is invalid, Key: null"),
        (json!({"Value": "v"}), "The Tag Key provided is invalid, Key: null"),
        (json!({"Key": "k"}), "The Tag Value provided is invalid, Value: null"),
    ] {
        assert_dynamodb("CreateTable", create_table(json!({"Tags": [tag]})), expected);
        let arn = "arn:aws:dynamodb:us-east-1:1:table/t";
        assert_dynamodb("TagResource", json!({"ResourceArn": arn, "Tags": [tag]}), expected);
    }
}

#[test]
fn kms() {
    for (operation, input, expected) in [
        (
            "GenerateRandom",
            json!({"NumberOfBytes": 0}),
            "Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater than or equal \
             to 1",
        ),
        (
            "GenerateRandom",
            json!({"NumberOfBytes": 1025}),
            "Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal \
             to 1024",
        ),
        (
            "GenerateMac",
            json!({"KeyId": "a", "Message": "aGk=", "MacAlgorithm": "INVALID"}),
            "Value 'INVALID' at 'macAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: \
             [HMAC_SHA_384, HMAC_SHA_256, HMAC_SHA_224, HMAC_SHA_512]",
        ),
        // What is sensitive is not echoed.
        (
            "Encrypt",
            json!({"KeyId": "a", "Plaintext": "A".repeat(4 * 1366)}),
            "Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096",
        ),
        (
            "DeriveSharedSecret",
            json!({"KeyId": "a", "KeyAgreementAlgorithm": "INVALID", "PublicKey": "aGk="}),
            "Value 'INVALID' at 'keyAgreementAlgorithm' failed to satisfy constraint: Member must satisfy enum value \
             set: [ECDH]",
        ),
        (
            "CreateKey",
            json!({"Tags": [{"TagKey": "a".repeat(129), "TagValue": ""}]}),
            &format!(
                "Value '{}' at 'tags.1.member.tagKey' failed to satisfy constraint: Member must have length less than \
                 or equal to 128",
                "a".repeat(129)
            ),
        ),
        // local-kms.
        (
            "Decrypt",
            json!({"CiphertextBlob": ""}),
            "Value 'java.nio.HeapByteBuffer[pos=0 lim=0 cap=0]' at 'ciphertextBlob' failed to satisfy constraint: \
             Member must have length greater than or equal to 1",
        ),
        (
            "DescribeKey",
            json!({}),
            "Value null at 'keyId' failed to satisfy constraint: Member must not be null",
        ),
        (
            "DescribeKey",
            json!({"KeyId": ""}),
            "Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        // moto.
        (
            "CreateAlias",
            json!({"AliasName": "alias/some*thing", "TargetKeyId": "a"}),
            "Value 'alias/some*thing' at 'aliasName' failed to satisfy constraint: Member must satisfy regular \
             expression pattern: ^[a-zA-Z0-9:/_-]+$",
        ),
    ] {
        assert_kms(operation, input, &format!("1 validation error detected: {expected}"));
    }
}

/// Sets as they were printed when these values were all there were.
#[test]
fn sets_of_values_come_in_the_services_order() {
    for printed in [
        "RSA_2048, ECC_NIST_P384, ECC_NIST_P256, ECC_NIST_P521, HMAC_384, RSA_3072, ECC_SECG_P256K1, RSA_4096, \
         SYMMETRIC_DEFAULT, HMAC_256, HMAC_224, HMAC_512",
        "IN, NULL, BETWEEN, LT, NOT_CONTAINS, EQ, GT, NOT_NULL, NE, LE, BEGINS_WITH, GE, CONTAINS",
        "ALL, INCLUDE, KEYS_ONLY",
        "LATEST, AT_TIMESTAMP, TRIM_HORIZON",
        "HEAD, POST, PATCH, DELETE, PUT, GET, OPTIONS",
    ] {
        let printed: Vec<&str> = printed.split(", ").collect();
        let published = Service::ALL.iter().flat_map(|service| &model(*service).shapes);
        let mut values: Vec<&'static str> = published.flat_map(|shape| shape.limits.values.clone()).collect();
        values.retain(|value| printed.contains(value));
        let mut known = Vec::new();
        values.into_iter().for_each(|value| {
            if !known.contains(&value) {
                known.push(value)
            }
        });
        let limits = Limits { values: known.clone(), ..Default::default() };
        let expected: Vec<&str> = printed.into_iter().filter(|value| known.contains(value)).collect();
        assert!(!expected.is_empty());
        assert_eq!(text::value_set(&limits), expected);
    }
}

/// Ours: the services ignore what they do not know.
#[test]
fn an_unknown_member_is_refused() {
    assert_dynamodb(
        "PutItem",
        json!({"TableName": "abc", "Item": {}, "Return": "NONE"}),
        "unknown member `Return` in a request to PutItem",
    );
    assert_kms(
        "CreateGrant",
        json!({"Constraints": {"None": 1}}),
        "unknown member `None` in a request to CreateGrant",
    );
    assert_dynamodb(
        "DescribeEndpoints",
        json!({"A": 1}),
        "unknown member `A` in a request to DescribeEndpoints",
    );
}

#[test]
fn no_more_than_ten_errors_and_no_endless_echo() {
    let definitions = vec![json!({}); 50];
    let text = message(
        Service::DynamoDb,
        "CreateTable",
        &create_table(json!({"AttributeDefinitions": definitions})),
    );
    assert!(text.starts_with("10 validation errors detected: "));
    assert_eq!(text.matches("failed to satisfy").count(), 10);

    let name = "ä".repeat(1_000_000);
    let text = message(Service::DynamoDb, "DescribeTable", &json!({"TableName": name}));
    assert!(text.len() < 100_000, "{}", text.len());
}
