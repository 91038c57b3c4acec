//! `SerializationException`: a value of another JSON type than its shape.
//!
//! JSON 1.0 (DynamoDB, DynamoDB Streams) and JSON 1.1 (KMS, CloudTrail) word it differently. The
//! texts of 1.0 are those that dynalite's tests assert against DynamoDB, those of 1.1 were
//! measured against Athena in September 2026. An empty message means that the service sends none.
//!
//! Two things are refused that the services convert: a decimal for a whole number (they cut it
//! off) and a text such as `"yes"` for a boolean.

use super::model::{Kind, Model, Shape};
use super::validate::InputError;
use crate::document::Document;

/// Where a value stands, as far as the wording depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The body itself.
    Body,
    /// A member of a structure.
    Member,
    /// An element of a list or a map.
    Element,
}

/// Whether a value of this JSON type can be of this shape; containers are told apart elsewhere.
pub(super) fn fits(shape: &Shape, value: &Document) -> bool {
    match (&shape.kind, value) {
        (Kind::String, Document::String(_)) | (Kind::Boolean, Document::Bool(_)) => true,
        (Kind::Blob, Document::String(base64)) => base64_flaw(base64).is_none(),
        // What exceeds 32 bits fails the upper bound, if there is one, rather than the type.
        (Kind::Integer, Document::Number(number)) => number.as_i64().is_some_and(|number| {
            i32::try_from(number).is_ok()
                || if number > 0 { shape.limits.max.is_some() } else { shape.limits.min.is_some() }
        }),
        (Kind::Long, Document::Number(number)) => number.is_i64(),
        (Kind::Float | Kind::Double | Kind::Timestamp, Document::Number(_)) => true,
        _ => false,
    }
}

/// The error for a body that is no JSON object.
pub(super) fn body_error(model: &Model, body: &Document) -> InputError {
    let message = match body {
        Document::Array(_) if model.json_version() == Some("1.1") => "Start of list found where not expected",
        _ => "",
    };
    InputError::Serialization(message.to_owned())
}

/// The error for a value that does not fit its shape.
pub(super) fn error(model: &Model, place: Place, shape: &Shape, value: &Document) -> InputError {
    if place == Place::Body {
        return body_error(model, value);
    }
    InputError::Serialization(match model.json_version() {
        Some("1.0") => json_1_0(model, place, shape, value),
        _ => json_1_1(shape, value),
    })
}

fn json_1_0(model: &Model, place: Place, shape: &Shape, value: &Document) -> String {
    const NESTED: &str = "class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot be cast to class \
                          java.lang.Class (sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl and \
                          java.lang.Class are in module java.base of loader 'bootstrap')";
    match (&shape.kind, value) {
        (_, Document::Object(_)) => "Start of structure or map found where not expected".to_owned(),
        (_, Document::Array(_)) => format!("Unrecognized collection type {}", java_type(model, shape)),
        (Kind::List(_) | Kind::Map { .. }, _) if place == Place::Element => NESTED.to_owned(),
        (Kind::Structure(_) | Kind::AttributeValue, _) if place == Place::Element => {
            "Unexpected value type in payload".to_owned()
        }
        (Kind::List(_) | Kind::Map { .. } | Kind::Structure(_) | Kind::AttributeValue, _) => {
            "Unexpected field type".to_owned()
        }
        (Kind::Blob, Document::String(base64)) => base64_flaw(base64).unwrap_or_default(),
        (Kind::Blob, _) => "only base-64-encoded strings are convertible to bytes".to_owned(),
        (Kind::Boolean, Document::String(_)) => "Unexpected token received from parser".to_owned(),
        (kind, Document::Number(number)) if number.is_f64() => {
            format!("DECIMAL_VALUE cannot be converted to {}", java_name(kind))
        }
        (kind, value) => format!("{} cannot be converted to {}", token(value), java_name(kind)),
    }
}

fn json_1_1(shape: &Shape, value: &Document) -> String {
    match (&shape.kind, value) {
        (_, Document::Object(_)) => "Start of structure or map found where not expected.".to_owned(),
        (_, Document::Array(_)) => "Start of list found where not expected".to_owned(),
        (Kind::List(_), _) => "Expected list or null".to_owned(),
        (Kind::Map { .. } | Kind::Structure(_) | Kind::AttributeValue, _) => "Expected null".to_owned(),
        // Measured without a text for what is not base64; for other types not measured at all.
        (Kind::Blob, _) => String::new(),
        (Kind::Timestamp, value) => {
            format!("{} can not be converted to milliseconds since epoch", token(value))
        }
        (Kind::Boolean, Document::String(_)) => "STRING_VALUE can not be converted to an Boolean".to_owned(),
        (Kind::Integer, value) => format!("{} can not be converted to an Integer", token(value)),
        (kind, value) => format!("{} can not be converted to a {}", token(value), java_name(kind)),
    }
}

/// The parser's name of a JSON value.
fn token(value: &Document) -> &'static str {
    match value {
        Document::Null => "NULL_VALUE",
        Document::Bool(true) => "TRUE_VALUE",
        Document::Bool(false) => "FALSE_VALUE",
        Document::Number(_) => "NUMBER_VALUE",
        Document::String(_) => "STRING_VALUE",
        Document::Array(_) => "START_ARRAY",
        Document::Object(_) => "START_OBJECT",
    }
}

fn java_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Boolean => "Boolean",
        Kind::Integer => "Integer",
        Kind::Long => "Long",
        Kind::Float => "Float",
        Kind::Double => "Double",
        Kind::Timestamp => "Date",
        Kind::Blob => "ByteBuffer",
        Kind::String | Kind::List(_) | Kind::Map { .. } | Kind::Structure(_) | Kind::AttributeValue => {
            "String"
        }
    }
}

/// How Java prints the type of a shape.
fn java_type(model: &Model, shape: &Shape) -> String {
    let class = java_class(model, shape);
    match shape.kind {
        Kind::List(_) | Kind::Map { .. } => class,
        _ => format!("class {class}"),
    }
}

fn java_class(model: &Model, shape: &Shape) -> String {
    match &shape.kind {
        Kind::List(element) => format!("java.util.List<{}>", java_class(model, model.shape(*element))),
        Kind::Map { value, .. } => {
            format!("java.util.Map<java.lang.String, {}>", java_class(model, model.shape(*value)))
        }
        Kind::Structure(_) | Kind::AttributeValue => {
            format!("{}{}", model.service.java_package(), shape.name)
        }
        Kind::Blob => "java.nio.ByteBuffer".to_owned(),
        Kind::Timestamp => "java.util.Date".to_owned(),
        kind => format!("java.lang.{}", java_name(kind)),
    }
}

fn base64_flaw(base64: &str) -> Option<String> {
    let bytes = base64.as_bytes();
    if !bytes.len().is_multiple_of(4) {
        return Some(format!(
            "Base64 encoded length is expected a multiple of 4 bytes but found: {}",
            bytes.len()
        ));
    }
    let padding = bytes.iter().rev().take(2).take_while(|byte| **byte == b'=').count();
    let digits = &bytes[..bytes.len() - padding];
    let well_formed = digits.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
    let unused_bits = match padding {
        1 => 0b11,
        2 => 0b1111,
        _ => 0,
    };
    let last_is_exact = digits.last().is_none_or(|last| base64_digit(*last) & unused_bits == 0);
    (!well_formed || !last_is_exact).then(|| "Invalid last non-pad Base64 character dectected".to_owned())
}

fn base64_digit(byte: u8) -> u8 {
    match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    }
}
