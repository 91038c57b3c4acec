//! Reading members of a request that has passed the service's model.

use strongroom_model::attribute::Item;
use strongroom_model::document::Document;
use strongroom_model::json::{self, ValueError, ValueErrorKind};

use super::refused::Refused;
use crate::wire::ApiError;

/// A string member, if it is there.
pub fn text<'a>(input: &'a Document, name: &str) -> Option<&'a str> {
    input.get(name).and_then(Document::as_str)
}

/// A boolean member, if it is there.
pub fn flag(input: &Document, name: &str) -> Option<bool> {
    input.get(name).and_then(Document::as_bool)
}

/// An integer member, if it is there.
pub fn integer(input: &Document, name: &str) -> Option<i64> {
    input.get(name).and_then(Document::as_i64)
}

/// Whether a member is there and not null.
pub fn has(input: &Document, name: &str) -> bool {
    input.get(name).is_some_and(|value| !value.is_null())
}

/// Takes a member out of the request.
pub fn take(input: &mut Document, name: &str) -> Option<Document> {
    input.take(name).filter(|value| !value.is_null())
}

/// Takes the elements of a list out of the request; none where there is no list.
pub fn array(input: &mut Document, name: &str) -> Vec<Document> {
    match take(input, name) {
        Some(Document::Array(elements)) => elements.into_vec(),
        _ => Vec::new(),
    }
}

/// Takes an item or a key out of the request.
pub fn take_item(input: &mut Document, name: &str) -> Result<Option<Item>, Refused> {
    take(input, name).map(item).transpose()
}

/// Takes `ExclusiveStartKey` out of the request.
pub fn take_start_key(input: &mut Document) -> Result<Option<Item>, Refused> {
    let Some(key) = take(input, "ExclusiveStartKey") else { return Ok(None) };
    json::item_from_json_owned(key).map(Some).map_err(|error| {
        // The service says whose value it is for some of the errors only.
        let bare =
            ["contains duplicates", "number set", "numeric value", "significant digits", "with magnitude"];
        let is_told = error.kind != ValueErrorKind::Serialization
            && !bare.iter().any(|part| error.message.contains(part));
        match is_told {
            true => Refused::rule(format!("The provided starting key is invalid: {}", error.message)),
            false => error.into(),
        }
    })
}

/// An item or a key in the wire's form.
pub fn item(value: Document) -> Result<Item, Refused> {
    Ok(json::item_from_json_owned(value)?)
}

/// Refuses members that belong to a feature which is not there yet.
pub fn refuse(input: &Document, names: &[&str]) -> Result<(), ApiError> {
    match names.iter().find(|name| has(input, name)) {
        Some(name) => Err(ApiError::validation(format!("Strongroom does not support {name} yet"))),
        None => Ok(()),
    }
}

/// The error for attribute values that are not valid.
pub fn value_error(error: ValueError) -> ApiError {
    Refused::from(error).into()
}
