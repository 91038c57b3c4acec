//! `SerializationException`: a value of another JSON type than its shape.

use serde_json::Value;

use super::model::{Kind, Model, Shape};
use super::validate::InputError;

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

impl Place {
    /// The place of what a list or a map contains.
    pub(super) fn element(self, _container: &Kind) -> Self {
        Self::Element
    }
}

/// Whether a value of this JSON type can be of this kind; containers are told apart elsewhere.
pub(super) fn fits(kind: &Kind, value: &Value) -> bool {
    match (kind, value) {
        (Kind::String, Value::String(_)) | (Kind::Boolean, Value::Bool(_)) => true,
        (Kind::Blob, Value::String(base64)) => base64_flaw(base64).is_none(),
        (Kind::Integer, Value::Number(number)) => number.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
        (Kind::Long, Value::Number(number)) => number.is_i64(),
        (Kind::Float | Kind::Double | Kind::Timestamp, Value::Number(_)) => true,
        _ => false,
    }
}

/// The error for a value that does not fit.
pub(super) fn error(_model: &Model, place: Place, shape: Option<&Shape>, value: &Value) -> InputError {
    let kind = shape.map(|shape| &shape.kind);
    let java_type = match kind {
        Some(Kind::Integer) => "Integer",
        Some(Kind::Long) => "Long",
        Some(Kind::Float) => "Float",
        Some(Kind::Double) => "Double",
        Some(Kind::Boolean) => "Boolean",
        Some(Kind::Timestamp) => "Date",
        _ => "String",
    };
    let message = match (kind, value) {
        (_, Value::Object(_)) => "Start of structure or map found where not expected".to_owned(),
        (Some(Kind::Blob), Value::String(base64)) => base64_flaw(base64).unwrap_or_default(),
        (Some(Kind::Blob), Value::Array(_)) => {
            "Unrecognized collection type class java.nio.ByteBuffer".to_owned()
        }
        (Some(Kind::Blob), _) => "only base-64-encoded strings are convertible to bytes".to_owned(),
        (Some(Kind::List(_) | Kind::Map { .. }), Value::String(_) | Value::Bool(_) | Value::Number(_)) => {
            "Unexpected field type".to_owned()
        }
        (
            Some(Kind::Structure(_) | Kind::AttributeValue),
            Value::String(_) | Value::Bool(_) | Value::Number(_),
        ) => match place {
            Place::Member | Place::Body => "Unexpected field type".to_owned(),
            Place::Element => "Unexpected value type in payload".to_owned(),
        },
        (_, Value::Array(_)) => format!("Unrecognized collection type class java.lang.{java_type}"),
        (Some(Kind::Boolean), Value::String(_)) => "Unexpected token received from parser".to_owned(),
        (_, Value::String(_)) => format!("STRING_VALUE cannot be converted to {java_type}"),
        (_, Value::Bool(true)) => format!("TRUE_VALUE cannot be converted to {java_type}"),
        (_, Value::Bool(false)) => format!("FALSE_VALUE cannot be converted to {java_type}"),
        (_, Value::Number(number)) if number.is_f64() => {
            format!("DECIMAL_VALUE cannot be converted to {java_type}")
        }
        (_, Value::Number(_)) => format!("NUMBER_VALUE cannot be converted to {java_type}"),
        (_, Value::Null) => String::new(),
    };
    InputError::Serialization(message)
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
    (!well_formed).then(|| "Invalid last non-pad Base64 character dectected".to_owned())
}
