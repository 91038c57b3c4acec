#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::attribute::arbitrary;

/// The service's answers, as they were measured.
#[test]
fn rules_are_refused_in_the_services_words() {
    let cases = [
        (json!({}), "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"),
        (
            json!({"X": "1"}),
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
        ),
        (
            json!({"S": null}),
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
        ),
        (
            json!({"M": {"a": {}}}),
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
        ),
        (
            json!({"L": [{}]}),
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
        ),
        (
            json!({"S": "a", "N": "1"}),
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
        ),
        (
            json!({"NULL": "no"}),
            "One or more parameter values were invalid: Null attribute value types must have the value of true",
        ),
        (
            json!({"NULL": false}),
            "One or more parameter values were invalid: Null attribute value types must have the value of true",
        ),
        (json!({"SS": []}), "One or more parameter values were invalid: An string set  may not be empty"),
        (json!({"NS": []}), "One or more parameter values were invalid: An number set  may not be empty"),
        (json!({"BS": []}), "One or more parameter values were invalid: Binary sets should not be empty"),
        (
            json!({"SS": ["a", null]}),
            "One or more parameter values were invalid: An string set may not have a null string as a member",
        ),
        (
            json!({"NS": ["1", null]}),
            "One or more parameter values were invalid: An number set may not have a null string as a member",
        ),
        (
            json!({"BS": ["Yg==", null]}),
            "One or more parameter values were invalid: Binary sets may not contain null or empty values",
        ),
        (json!({"S": "a", "N": "b"}), "The parameter cannot be converted to a numeric value: b"),
        (json!({"NS": ["1", "b"]}), "The parameter cannot be converted to a numeric value: b"),
        (
            json!({"N": "123456789012345678901234567890123456789"}),
            "Attempting to store more than 38 significant digits in a Number",
        ),
        (
            json!({"N": "1e126"}),
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
        ),
        (
            json!({"N": "-1e-131"}),
            "Number underflow. Attempting to store a number with magnitude smaller than supported range",
        ),
    ];
    for (value, message) in cases {
        let error = from_json(&value).unwrap_err();
        let kind = match message.starts_with("Supplied AttributeValue") {
            true => ValueErrorKind::Form,
            false => ValueErrorKind::Validation,
        };
        assert_eq!((error.kind, error.message.as_str()), (kind, message), "{value}");
        assert_eq!(error.older_message, None);
        assert_eq!(from_json_owned(value), Err(error));
    }
}

/// Measured in October 2026 in four Regions.
#[test]
fn two_layers_of_checks_word_some_rules_differently() {
    let invalid = "One or more parameter values were invalid: Input collection";
    let no_number = "The parameter cannot be converted to a numeric value";
    let cases = [
        (
            json!({"SS": ["b", "a", "b", "0"]}),
            format!("{invalid} [\"a\", \"b\", \"b\", \"0\"] contains duplicates."),
            format!("{invalid} [b, a, b, 0] contains duplicates."),
        ),
        (
            json!({"SS": ["", ""]}),
            format!("{invalid} [\"\", \"\"] contains duplicates."),
            format!("{invalid} [, ] contains duplicates."),
        ),
        (
            json!({"BS": ["/w==", "AA==", "AA=="]}),
            format!("{invalid} [\"AA==\",\"/w==\",\"AA==\"]of type BS contains duplicates."),
            format!("{invalid} [/w==, AA==, AA==]of type BS contains duplicates."),
        ),
        (
            json!({"NS": ["2", "1", "2.0"]}),
            format!("{invalid} contains duplicates."),
            "Input collection contains duplicates".to_owned(),
        ),
        (json!({"S": "", "N": ""}), format!("{no_number}: "), no_number.to_owned()),
        (json!({"NS": ["1", ""]}), format!("{no_number}: "), no_number.to_owned()),
    ];
    for (value, message, older) in cases {
        let expected = ValueError { kind: ValueErrorKind::Validation, message, older_message: Some(older) };
        assert_eq!(from_json(&value), Err(expected), "{value}");
    }
}

#[test]
fn wrong_types_are_refused_in_the_services_words() {
    let structure = "Start of structure or map found where not expected";
    let cases = [
        (json!({"S": true}), "TRUE_VALUE cannot be converted to String"),
        (json!({"S": false}), "FALSE_VALUE cannot be converted to String"),
        (json!({"N": 23}), "NUMBER_VALUE cannot be converted to String"),
        (json!({"N": 34.56}), "DECIMAL_VALUE cannot be converted to String"),
        (json!({"S": []}), "Unrecognized collection type class java.lang.String"),
        (json!({"S": {}}), structure),
        (json!({"B": 23}), "only base-64-encoded strings are convertible to bytes"),
        (json!({"B": []}), "Unrecognized collection type class java.nio.ByteBuffer"),
        (json!({"B": {}}), structure),
        (json!({"B": "23456"}), "Base64 encoded length is expected a multiple of 4 bytes but found: 5"),
        (json!({"B": "+/+="}), "Invalid last non-pad Base64 character dectected"),
        (json!({"B": "=+/="}), "Invalid last non-pad Base64 character dectected"),
        (json!({"B": "ab!d"}), "Invalid base 64 character: '!'"),
        (json!({"BOOL": "23"}), "Unexpected token received from parser"),
        (json!({"BOOL": 23}), "NUMBER_VALUE cannot be converted to Boolean"),
        (json!({"NULL": 34.56}), "DECIMAL_VALUE cannot be converted to Boolean"),
        (json!({"BOOL": []}), "Unrecognized collection type class java.lang.Boolean"),
        (json!({"SS": "23"}), "Unexpected field type"),
        (json!({"NS": {}}), structure),
        (json!({"BS": [[]]}), "Unrecognized collection type class java.nio.ByteBuffer"),
        (json!({"L": 23}), "Unexpected field type"),
        (json!({"L": [23]}), "Unexpected value type in payload"),
        (
            json!({"L": [[]]}),
            "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue",
        ),
        (json!({"M": "23"}), "Unexpected field type"),
        (
            json!({"M": []}),
            "Unrecognized collection type java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValue>",
        ),
        (json!({"M": {"a": 23}}), "Unexpected value type in payload"),
        // A wrong type anywhere comes before a broken rule.
        (json!({"L": [{"N": "b"}, {"S": 1}]}), "NUMBER_VALUE cannot be converted to String"),
    ];
    for (value, message) in cases {
        let error = from_json(&value).unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (ValueErrorKind::Serialization, message), "{value}");
        assert_eq!(from_json_owned(value), Err(error));
    }
}

#[test]
fn what_the_service_takes_for_a_boolean_is_one() {
    for text in ["true", "TRUE", "1", "yes"] {
        assert_eq!(from_json_owned(json!({"BOOL": text})), Ok(AttributeValue::Bool(true)));
        assert_eq!(from_json_owned(json!({"NULL": text})), Ok(AttributeValue::Null));
    }
    for text in ["false", "0", "No"] {
        assert_eq!(from_json_owned(json!({"BOOL": text})), Ok(AttributeValue::Bool(false)));
    }
}

#[test]
fn sets_are_kept_sorted_by_value() {
    let value = from_json_owned(json!({"NS": ["10", "9", "-1e2"]})).unwrap();
    assert_eq!(to_json(&value), json!({"NS": ["-100", "9", "10"]}));
    let value = from_json_owned(json!({"SS": ["b", "", "a"]})).unwrap();
    assert_eq!(to_json(&value), json!({"SS": ["", "a", "b"]}));
}

#[test]
fn names_have_one_to_65535_bytes() {
    let in_item = |name: &str| item_from_json(&json!({"a": {"S": "a"}, name: {"S": "b"}})).map(|_| ());
    let in_map = |name: &str| from_json(&json!({"L": [{"M": {"m": {"M": {name: {"S": "b"}}}}}]})).map(|_| ());
    for read in [in_item, in_map] {
        let error = |name: &str| read(name).unwrap_err().to_string();
        assert_eq!(error(""), "One or more parameter values were invalid: Empty attribute name");
        assert_eq!(
            error(&"n".repeat(65_536)),
            "One or more parameter values were invalid: Attribute name is too large, must be less than 65536 bytes"
        );
        assert_eq!(read(&"n".repeat(65_535)), Ok(()));
    }
}

fn nested(wraps: usize) -> Value {
    (0..wraps).fold(json!({"S": "leaf"}), |value, wrap| match wrap % 2 {
        0 => json!({"M": {"n": value}}),
        _ => json!({"L": [value]}),
    })
}

/// The attribute itself is the first level, so 31 wraps are the deepest.
#[test]
fn nesting_ends_at_32_levels() {
    let too_deep = nesting_exceeded();
    let deepest = from_json(&nested(31)).unwrap();
    assert_eq!(deepest.levels(), NESTING_MAX);
    assert_eq!(from_json(&nested(32)), Err(too_deep.clone()));
    assert_eq!(item_from_json(&json!({"a": nested(32)})), Err(too_deep));
    assert!(item_from_json_owned(json!({"a": nested(31)})).is_ok());
    // A container without members has its own level only.
    assert!(from_json(&(0..31).fold(json!({"L": []}), |value, _| json!({"L": [value]}))).is_ok());
}

/// Whoever sends a hundred thousand brackets gets an answer, not a crash.
#[test]
fn a_hundred_thousand_levels_are_refused_without_going_down() {
    let mut value = json!({"S": "leaf"});
    for _ in 0..100_000 {
        value = Value::Object(Map::from_iter([("L".into(), Value::Array(vec![value]))]));
    }
    assert_eq!(from_json(&value), Err(nesting_exceeded()));
    // Dropping such a value is what would overflow the stack.
    std::mem::forget(value);
}

#[test]
fn strings_are_written_as_json_wants_them() {
    let mut out = Vec::new();
    write_string("\"\\/\u{0}\u{1f}\u{8}\u{c}\n\r\t\u{7f}é🔒", &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), "\"\\\"\\\\/\\u0000\\u001f\\b\\f\\n\\r\\t\u{7f}é🔒\"");
}

proptest! {
    #[test]
    fn items_read_back_what_they_write(item in arbitrary::item()) {
        let mut written = Vec::new();
        write_item_json(&item, &mut written);
        let parsed: Value = serde_json::from_slice(&written).unwrap();
        prop_assert_eq!(&parsed, &item_to_json(&item));
        prop_assert_eq!(item_from_json(&parsed), Ok(item.clone()));
        prop_assert_eq!(item_from_json_owned(parsed), Ok(item));
    }

    #[test]
    fn strings_are_written_as_serde_json_does(text in "[ -~\\u{80}-\\u{ff}]{0,20}[\\u{0}-\\u{24}\\\\é]{0,2}[!-~]{0,20}") {
        let mut out = Vec::new();
        write_string(&text, &mut out);
        prop_assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string(&text).unwrap());
    }
}
