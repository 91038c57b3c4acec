//! Attribute values in the wire's JSON: `{"S": "text"}`, `{"N": "1"}`.
//!
//! Reading goes through the service's two gates, in its order: first the types
//! of the whole value (`SerializationException`), then its rules
//! (`ValidationException`).

mod write;

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::attribute::{AttributeValue, Item, name_problem};
use crate::document::Document;
use crate::number::{Number, NumberError};

pub(crate) use write::{write_binary, write_number};
pub use write::{write_item_json, write_json, write_string};

/// How deep an attribute value may nest, itself counted as the first level.
pub const NESTING_MAX: usize = 32;

/// Why a JSON value is no attribute value: kind and the service's own message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ValueError {
    /// Which exception the service answers with.
    pub kind: ValueErrorKind,
    /// The exception's message, as the service words it.
    pub message: String,
    /// The message of the operations that still run the service's older checks, where it is another one.
    pub older_message: Option<String>,
}

/// Which exception a [`ValueError`] becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueErrorKind {
    /// `ValidationException`: the value breaks a rule.
    Validation,
    /// `ValidationException`: the value has no type, or several.
    Form,
    /// `SerializationException`: the JSON does not have the type's form.
    Serialization,
}

/// Refuses a value that does not have the types of an attribute value throughout.
pub(crate) fn check_types(value: &Document) -> Result<(), ValueError> {
    check_value(value, 1).map(|_| ())
}

/// Reads one attribute value, taking its strings over.
pub fn from_json_owned(value: impl Into<Document>) -> Result<AttributeValue, ValueError> {
    let value = value.into();
    check_value(&value, 1).and_then(check_nesting)?;
    build_value(value)
}

/// Reads one attribute value; [`from_json_owned`] of a [`Document`] is faster.
pub fn from_json(value: &Value) -> Result<AttributeValue, ValueError> {
    check_copiable(value)?;
    from_json_owned(value.clone())
}

/// Reads an item or a key (a JSON object of attribute values), taking its strings over.
pub fn item_from_json_owned(value: impl Into<Document>) -> Result<Item, ValueError> {
    let value = value.into();
    check_members(&value, 1).and_then(check_nesting)?;
    build_members(value)
}

/// Reads an item or a key; [`item_from_json_owned`] of a [`Document`] is faster.
pub fn item_from_json(value: &Value) -> Result<Item, ValueError> {
    check_copiable(value)?;
    item_from_json_owned(value.clone())
}

// A copy goes as deep as the value, and so does the stack. What was parsed is never that deep; what was built may be.
fn check_copiable(value: &Value) -> Result<(), ValueError> {
    fn is_deeper(value: &Value, levels: usize) -> bool {
        let below = |value: &Value| levels == 0 || is_deeper(value, levels - 1);
        match value {
            Value::Array(elements) => elements.iter().any(below),
            Value::Object(members) => members.values().any(below),
            _ => false,
        }
    }
    // An attribute value takes two levels of JSON for one of its own.
    if is_deeper(value, 4 * NESTING_MAX) { Err(nesting_exceeded()) } else { Ok(()) }
}

/// The value as JSON.
pub fn to_json(value: &AttributeValue) -> Value {
    let strings = |strings: Vec<String>| strings.into_iter().map(Value::String).collect();
    let (name, value) = match value {
        AttributeValue::S(text) => ("S", Value::String(text.clone())),
        AttributeValue::N(number) => ("N", Value::String(number.to_string())),
        AttributeValue::B(bytes) => ("B", Value::String(STANDARD.encode(bytes))),
        AttributeValue::Bool(value) => ("BOOL", Value::Bool(*value)),
        AttributeValue::Null => ("NULL", Value::Bool(true)),
        AttributeValue::L(values) => ("L", values.iter().map(to_json).collect()),
        AttributeValue::M(members) => ("M", item_to_json(members)),
        AttributeValue::Ss(texts) => ("SS", strings(texts.clone())),
        AttributeValue::Ns(numbers) => ("NS", strings(numbers.iter().map(Number::to_string).collect())),
        AttributeValue::Bs(blobs) => {
            ("BS", strings(blobs.iter().map(|bytes| STANDARD.encode(bytes)).collect()))
        }
    };
    Value::Object(Map::from_iter([(name.to_owned(), value)]))
}

/// The item as JSON.
pub fn item_to_json(item: &Item) -> Value {
    let members = item.iter();
    Value::Object(members.map(|(name, value)| (name.clone(), to_json(value))).collect())
}

/// Checks that `value` has the types of an attribute value throughout, and
/// answers with the deepest level it reaches, starting at `level`. Looks no
/// further than one level below the deepest that is allowed.
fn check_value(value: &Document, level: usize) -> Result<usize, ValueError> {
    let members = match value {
        Document::Object(members) => members,
        Document::Null => return Ok(level),
        Document::Array(_) => return Err(wrong_collection(&format!("class {ATTRIBUTE_VALUE}"))),
        _ => return Err(serialization("Unexpected value type in payload")),
    };
    if level > NESTING_MAX {
        return Ok(level);
    }
    let mut deepest = level;
    for (name, member) in members {
        if member.is_null() {
            continue;
        }
        match name {
            "S" | "N" => check_string(member)?,
            "B" => check_binary(member)?,
            "BOOL" | "NULL" => {
                boolean(member)?;
            }
            "SS" | "NS" => check_array(member)?.iter().try_for_each(check_string)?,
            "BS" => check_array(member)?.iter().try_for_each(check_binary)?,
            "L" => {
                for element in check_array(member)? {
                    deepest = deepest.max(check_value(element, level + 1)?);
                }
            }
            "M" => deepest = deepest.max(check_members(member, level + 1)?),
            _ => {}
        }
    }
    Ok(deepest)
}

fn check_members(value: &Document, level: usize) -> Result<usize, ValueError> {
    match value {
        Document::Object(members) => {
            let mut deepest = level - 1;
            for member in members.values() {
                deepest = deepest.max(check_value(member, level)?);
            }
            Ok(deepest)
        }
        Document::Array(_) => {
            Err(wrong_collection(&format!("java.util.Map<java.lang.String, {ATTRIBUTE_VALUE}>")))
        }
        _ => Err(serialization("Unexpected field type")),
    }
}

fn check_array(value: &Document) -> Result<&[Document], ValueError> {
    match value {
        Document::Array(elements) => Ok(elements),
        Document::Object(_) => Err(serialization(UNEXPECTED_STRUCTURE)),
        _ => Err(serialization("Unexpected field type")),
    }
}

fn check_string(value: &Document) -> Result<(), ValueError> {
    match value {
        Document::String(_) | Document::Null => Ok(()),
        Document::Bool(_) | Document::Number(_) => Err(not_convertible(value, "String")),
        Document::Array(_) => Err(wrong_collection("class java.lang.String")),
        Document::Object(_) => Err(serialization(UNEXPECTED_STRUCTURE)),
    }
}

fn check_binary(value: &Document) -> Result<(), ValueError> {
    match value {
        Document::Null => Ok(()),
        Document::String(text) => decode_binary(text).map(|_| ()),
        Document::Bool(_) | Document::Number(_) => {
            Err(serialization("only base-64-encoded strings are convertible to bytes"))
        }
        Document::Array(_) => Err(wrong_collection("class java.nio.ByteBuffer")),
        Document::Object(_) => Err(serialization(UNEXPECTED_STRUCTURE)),
    }
}

/// A boolean, or a string that the service takes for one.
fn boolean(value: &Document) -> Result<bool, ValueError> {
    match value {
        Document::Bool(value) => Ok(*value),
        Document::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => Ok(true),
            "false" | "0" | "no" => Ok(false),
            _ => Err(serialization("Unexpected token received from parser")),
        },
        Document::Array(_) => Err(wrong_collection("class java.lang.Boolean")),
        Document::Object(_) => Err(serialization(UNEXPECTED_STRUCTURE)),
        Document::Null | Document::Number(_) => Err(not_convertible(value, "Boolean")),
    }
}

fn decode_binary(text: &str) -> Result<Vec<u8>, ValueError> {
    if !text.len().is_multiple_of(4) {
        return Err(serialization(&format!(
            "Base64 encoded length is expected a multiple of 4 bytes but found: {}",
            text.len()
        )));
    }
    STANDARD.decode(text).map_err(|error| match error {
        base64::DecodeError::InvalidByte(_, byte) if byte != b'=' => {
            serialization(&format!("Invalid base 64 character: '{}'", char::from(byte).escape_default()))
        }
        _ => serialization("Invalid last non-pad Base64 character dectected"),
    })
}

fn check_nesting(deepest: usize) -> Result<(), ValueError> {
    if deepest > NESTING_MAX {
        return Err(nesting_exceeded());
    }
    Ok(())
}

/// The service's error for a value of more than [`NESTING_MAX`] levels.
pub fn nesting_exceeded() -> ValueError {
    validation(
        "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels \
         beyond supported limit",
    )
}

/// Builds the value of JSON that passed [`check_value`].
fn build_value(value: Document) -> Result<AttributeValue, ValueError> {
    let Document::Object(members) = value else {
        return Err(malformed(EMPTY_VALUE));
    };
    let mut built = None;
    let mut several = false;
    let mut unknown = false;
    for (name, member) in members {
        if member.is_null() {
            continue;
        }
        match build_member(&name, member)? {
            Some(value) => several |= built.replace(value).is_some(),
            None => unknown = true,
        }
    }
    match built {
        None => Err(malformed(EMPTY_VALUE)),
        // Nothing that was sent is ignored, an unknown type included.
        Some(_) if several || unknown => Err(malformed(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of \
             the supported datatypes",
        )),
        Some(value) => Ok(value),
    }
}

/// The value of one type, or none where the service knows no type of that name.
fn build_member(name: &str, member: Document) -> Result<Option<AttributeValue>, ValueError> {
    Ok(Some(match name {
        "S" => AttributeValue::S(string(member)),
        "N" => AttributeValue::N(number(&string(member))?),
        "B" => AttributeValue::B(decode_binary(&string(member))?.into()),
        "BOOL" => AttributeValue::Bool(boolean(&member)?),
        "NULL" if boolean(&member)? => AttributeValue::Null,
        "NULL" => {
            return Err(invalid("Null attribute value types must have the value of true"));
        }
        "L" => AttributeValue::L(array(member).into_iter().map(build_value).collect::<Result<_, _>>()?),
        "M" => AttributeValue::M(build_members(member)?),
        "SS" => AttributeValue::Ss(string_set(array(member))?),
        "NS" => AttributeValue::Ns(number_set(array(member))?),
        "BS" => AttributeValue::Bs(binary_set(array(member))?),
        _ => return Ok(None),
    }))
}

/// Builds the attributes of an item or the members of a map.
fn build_members(value: Document) -> Result<Item, ValueError> {
    let Document::Object(members) = value else {
        return Err(serialization("Unexpected field type"));
    };
    let mut built = Item::new();
    for (name, member) in members {
        check_name(&name)?;
        built.insert(name.into_string(), build_value(member)?);
    }
    Ok(built)
}

/// Refuses a name that no attribute and no member of a map can have.
pub fn check_name(name: &str) -> Result<(), ValueError> {
    name_problem(name).map_or(Ok(()), |problem| Err(invalid(problem)))
}

fn string_set(elements: Vec<Document>) -> Result<Vec<String>, ValueError> {
    if elements.is_empty() {
        return Err(invalid("An string set  may not be empty"));
    }
    if elements.iter().any(Document::is_null) {
        return Err(invalid("An string set may not have a null string as a member"));
    }
    let texts: Vec<String> = elements.into_iter().map(string).collect();
    let mut sorted = texts.clone();
    sorted.sort_unstable();
    if has_neighbours_equal(&sorted) {
        let message = |members: &str| format!("Input collection [{members}] contains duplicates.");
        let keyed = texts.iter().map(|text| (text.as_bytes(), text.as_str())).collect();
        return Err(invalid(&message(&until_repeated(keyed, ", ")))
            .in_older_words(&invalid(&message(&texts.join(", ")))));
    }
    Ok(sorted)
}

fn number_set(elements: Vec<Document>) -> Result<Vec<Number>, ValueError> {
    if elements.is_empty() {
        return Err(invalid("An number set  may not be empty"));
    }
    if elements.iter().any(Document::is_null) {
        return Err(invalid("An number set may not have a null string as a member"));
    }
    let mut numbers =
        elements.into_iter().map(|element| number(&string(element))).collect::<Result<Vec<_>, _>>()?;
    numbers.sort_unstable();
    if has_neighbours_equal(&numbers) {
        return Err(invalid("Input collection contains duplicates.")
            .in_older_words(&validation("Input collection contains duplicates")));
    }
    Ok(numbers)
}

fn binary_set(elements: Vec<Document>) -> Result<Vec<Bytes>, ValueError> {
    if elements.is_empty() {
        return Err(invalid("Binary sets should not be empty"));
    }
    if elements.iter().any(Document::is_null) {
        return Err(invalid("Binary sets may not contain null or empty values"));
    }
    let texts: Vec<String> = elements.into_iter().map(string).collect();
    let blobs = texts
        .iter()
        .map(|text| Ok(decode_binary(text)?.into()))
        .collect::<Result<Vec<Bytes>, ValueError>>()?;
    let mut sorted = blobs.clone();
    sorted.sort_unstable();
    if has_neighbours_equal(&sorted) {
        let message = |members: &str| format!("Input collection [{members}]of type BS contains duplicates.");
        let keyed = blobs.iter().zip(&texts).map(|(blob, text)| (&**blob, text.as_str())).collect();
        return Err(invalid(&message(&until_repeated(keyed, ",")))
            .in_older_words(&invalid(&message(&texts.join(", ")))));
    }
    Ok(sorted)
}

/// The members of a set with duplicates as the service lists them: in the order of their bytes up to the first that
/// is repeated, and then as they were sent.
fn until_repeated(members: Vec<(&[u8], &str)>, separator: &str) -> String {
    let mut sorted = BTreeMap::new();
    let mut members = members.into_iter();
    let repeated = members.by_ref().find(|(bytes, text)| sorted.insert(*bytes, *text).is_some());
    let texts = sorted.into_values().chain(repeated.into_iter().chain(members).map(|(_, text)| text));
    texts.map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(separator)
}

fn has_neighbours_equal<T: PartialEq>(sorted: &[T]) -> bool {
    sorted.windows(2).any(|pair| pair[0] == pair[1])
}

fn number(text: &str) -> Result<Number, ValueError> {
    Number::parse(text).map_err(|error| {
        let refused = ValueError::from(error);
        match Number::older_refusal(text) {
            Some(older) => refused.in_older_words(&validation(&older.to_string())),
            None => refused,
        }
    })
}

/// The string in JSON that was checked to hold one; a null counts as empty.
fn string(value: Document) -> String {
    match value {
        Document::String(text) => text.into_string(),
        _ => String::new(),
    }
}

fn array(value: Document) -> Vec<Document> {
    match value {
        Document::Array(elements) => elements.into_vec(),
        _ => Vec::new(),
    }
}

impl From<NumberError> for ValueError {
    fn from(error: NumberError) -> ValueError {
        let older = validation(&error.to_string());
        match error {
            // The service names the number that it could not read, which is empty.
            NumberError::Empty => validation(&format!("{error}: ")).in_older_words(&older),
            _ => older,
        }
    }
}

impl ValueError {
    fn in_older_words(self, older: &ValueError) -> ValueError {
        ValueError { older_message: Some(older.message.clone()), ..self }
    }
}

fn validation(message: &str) -> ValueError {
    ValueError { kind: ValueErrorKind::Validation, message: message.into(), older_message: None }
}

fn malformed(message: &str) -> ValueError {
    ValueError { kind: ValueErrorKind::Form, ..validation(message) }
}

fn invalid(message: &str) -> ValueError {
    validation(&format!("One or more parameter values were invalid: {message}"))
}

fn serialization(message: &str) -> ValueError {
    ValueError { kind: ValueErrorKind::Serialization, ..validation(message) }
}

fn wrong_collection(class: &str) -> ValueError {
    serialization(&format!("Unrecognized collection type {class}"))
}

fn not_convertible(value: &Document, class: &str) -> ValueError {
    let token = match value {
        Document::Bool(true) => "TRUE_VALUE",
        Document::Bool(false) => "FALSE_VALUE",
        Document::Number(number) if number.is_f64() => "DECIMAL_VALUE",
        _ => "NUMBER_VALUE",
    };
    serialization(&format!("{token} cannot be converted to {class}"))
}

const ATTRIBUTE_VALUE: &str = "com.amazonaws.dynamodb.v20120810.AttributeValue";
const UNEXPECTED_STRUCTURE: &str = "Start of structure or map found where not expected";
const EMPTY_VALUE: &str =
    "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes";

#[cfg(test)]
mod tests;
