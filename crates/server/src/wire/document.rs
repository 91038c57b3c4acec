//! The JSON of a request: syntax and depth, before anything walks it.

use serde::de::IgnoredAny;
use strongroom_model::document::Document;

use super::service::is_dynamodb;
use super::{ApiError, Service};

/// Parses a body. The model says what is no object, each service in its own words.
pub(super) fn parse(service: Service, body: &[u8]) -> Result<Document, ApiError> {
    match serde_json::from_slice(body) {
        Ok(input) => Ok(input),
        Err(_) if is_dynamodb(service) && depth(body) > JSON_DEPTH_MAX => Err(ApiError::validation(NESTING)),
        Err(_) => Err(serialization()),
    }
}

/// Refuses a body that is not JSON, without building a document. Whether there must be one is another question, which
/// the services ask after they know the sender.
pub(super) fn check_syntax(body: &[u8]) -> Result<(), ApiError> {
    if body.is_empty() {
        return Ok(());
    }
    match serde_json::from_slice::<IgnoredAny>(body) {
        Err(_) if depth(body) <= JSON_DEPTH_MAX => Err(serialization()),
        _ => Ok(()),
    }
}

/// About how much memory a body's document takes, and what is made of it: blocks of elements and members grow by
/// doubling, and the values that an action makes of them take as much again.
pub(super) fn memory_bytes(body: &[u8]) -> usize {
    let count = |wanted: u8| body.iter().filter(|byte| **byte == wanted).count();
    body.len() + count(b',') * ELEMENT_BYTES + count(b':') * MEMBER_BYTES
}

// The greatest number of open brackets outside strings. Only for bodies that the parser refused.
fn depth(body: &[u8]) -> usize {
    let (mut open, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                open += 1;
                deepest = deepest.max(open);
            }
            b'}' | b']' if !in_string => open = open.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn serialization() -> ApiError {
    ApiError::new("SerializationException", "")
}

// serde_json stops at this depth on its own, long before the stack ends. An
// attribute value takes two levels of JSON for one of its own, of which 32 are allowed.
const JSON_DEPTH_MAX: usize = 127;
const ELEMENT_BYTES: usize = 48;
const MEMBER_BYTES: usize = 96;
const NESTING: &str = "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit";

#[cfg(test)]
mod tests {
    use super::*;

    /// A document nested a million deep once killed a peer's process: it must be an answer.
    #[test]
    fn depth_is_bounded_without_recursion() {
        for levels in [1_000_000, 128] {
            let body = [b"{\"L\":".repeat(levels), b"1".to_vec(), b"}".repeat(levels)].concat();
            assert_eq!(parse(Service::DynamoDb, &body), Err(ApiError::validation(NESTING)));
            assert_eq!(parse(Service::Kms, &body), Err(serialization()));
            assert_eq!(check_syntax(&body), Ok(()));
        }
        let body = [b"{\"L\":".repeat(127), b"1".to_vec(), b"}".repeat(127)].concat();
        assert!(parse(Service::DynamoDb, &body).is_ok());
    }

    #[test]
    fn what_is_no_json_is_a_serialization_exception() {
        for body in ["", "{", "[", "\"{", "{}{}", "{\"a\": \"\\ud800\"}", "{\"a\": 1e999}", "nul"] {
            assert_eq!(parse(Service::DynamoDb, body.as_bytes()), Err(serialization()), "{body}");
        }
        assert_eq!(parse(Service::DynamoDb, b"{\"a\": \"\xff\"}"), Err(serialization()));
    }

    /// A document of many small objects takes many times its text; it must be counted as such.
    #[test]
    fn the_memory_of_a_document_is_told_before_it_is_built() {
        let small_objects = format!("[{}]", vec!["{\"N\":\"1\"}"; 1000].join(","));
        assert!((120_000..180_000).contains(&memory_bytes(small_objects.as_bytes())));
        let one_text = format!("{{\"a\":\"{}\"}}", "x".repeat(1_000_000));
        assert!(memory_bytes(one_text.as_bytes()) < 1_010_000);
    }

    #[test]
    fn brackets_inside_strings_do_not_count() {
        assert_eq!(depth(br#"{"a": "[[[[\"[["}"#), 1);
        assert_eq!(depth(br#"[[{}], []]"#), 3);
    }
}
