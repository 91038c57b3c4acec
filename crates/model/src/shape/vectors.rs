//! Texts that the services really sent, from public test suites and captures.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;

use super::{InputError, Service, model};

fn refusal(service: Service, operation: &str, input: &str) -> InputError {
    let input: Value = serde_json::from_str(input).unwrap();
    model(service).operation(operation).unwrap().validate(&input).unwrap_err()
}

/// CreateTable with an unknown billing mode, captured in us-west-2 in October 2026.
#[test]
fn one_failed_constraint() {
    let error = refusal(
        Service::DynamoDb,
        "CreateTable",
        r#"{"TableName":"abc","BillingMode":"","KeySchema":[],"AttributeDefinitions":[]}"#,
    );
    assert_eq!(
        error.message(),
        "2 validation errors detected: Value '[]' at 'keySchema' failed to satisfy constraint: Member must have \
         length greater than or equal to 1; Value '' at 'billingMode' failed to satisfy constraint: Member must \
         satisfy enum value set: [PROVISIONED, PAY_PER_REQUEST]"
    );
}
