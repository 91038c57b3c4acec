//! TagResource, UntagResource and ListTagsOfResource.
//!
//! The tags of a request are judged together: one that is not valid, and none is set.

use std::collections::BTreeMap;

use serde_json::json;
use strongroom_model::document::Document;

use super::{input, resource};
use crate::engine::{Engine, TableRecord};
use crate::service::{Output, Request};
use crate::wire::ApiError;

const TAGS_MAX: usize = 50;
/// The longest key, in characters.
const KEY_CHARS_MAX: usize = 128;
/// The longest value, in characters.
const VALUE_CHARS_MAX: usize = 256;

/// Runs TagResource.
pub async fn tag(engine: &Engine, request: &Request) -> Result<Output, ApiError> {
    let arn = resource::tagged_arn(request)?;
    let added = tags(request.input.get("Tags"))?;
    if added.is_empty() {
        return Err(ApiError::validation("Atleast one Tag needs to be provided as Input."));
    }
    let found = resource::tagged_table(engine, request, &arn)?;
    engine
        .try_change_record(&found, |record| {
            let mut tags = record.tags.clone();
            tags.extend(added);
            check_count(tags.len())?;
            Ok::<_, ApiError>(TableRecord { tags, ..record.clone() })
        })
        .await?;
    Ok(Output::Bytes(Vec::new()))
}

/// Runs UntagResource. Keys that no tag has are no error.
pub async fn untag(engine: &Engine, request: &Request) -> Result<Output, ApiError> {
    let arn = resource::tagged_arn(request)?;
    let keys = request.input.get("TagKeys").and_then(Document::as_array).unwrap_or_default();
    if keys.is_empty() {
        return Err(ApiError::validation("Atleast one Tag Key needs to be provided as Input."));
    }
    let keys: Vec<&str> = keys.iter().filter_map(Document::as_str).collect();
    keys.iter().try_for_each(|key| check_key(key))?;
    check_count(keys.len())?;
    let found = resource::tagged_table(engine, request, &arn)?;
    engine
        .change_record(&found, |mut record| {
            record.tags.retain(|key, _| !keys.contains(&key.as_str()));
            record
        })
        .await?;
    Ok(Output::Bytes(Vec::new()))
}

/// Runs ListTagsOfResource. All tags are one page, as on the service, so no answer gives a `NextToken`, and the
/// service takes a token that it did not give for none.
pub fn list(engine: &Engine, request: &Request) -> Result<Output, ApiError> {
    let arn = resource::tagged_arn(request)?;
    let found = resource::tagged_table(engine, request, &arn)?;
    let record = found.record();
    let tags: Vec<_> = record.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    Ok(json!({ "Tags": tags }).into())
}

/// The tags of a request, each of them valid and no key twice.
pub fn tags(requested: Option<&Document>) -> Result<BTreeMap<String, String>, ApiError> {
    let requested = requested.and_then(Document::as_array).unwrap_or_default();
    let mut tags = BTreeMap::new();
    for tag in requested {
        let key = input::text(tag, "Key").unwrap_or_default();
        let value = input::text(tag, "Value").unwrap_or_default();
        check_key(key)?;
        if value.chars().count() > VALUE_CHARS_MAX || !value.chars().all(is_allowed) {
            return Err(ApiError::validation(format!("The Tag Value provided is invalid, Value: {value}")));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(ApiError::validation(format!(
                "Duplicate Tag Keys provided as input: Duplicate Tag Key found {key}"
            )));
        }
    }
    check_count(tags.len())?;
    Ok(tags)
}

fn check_key(key: &str) -> Result<(), ApiError> {
    if key.is_empty() || key.chars().count() > KEY_CHARS_MAX || !key.chars().all(is_allowed) {
        return Err(ApiError::validation(format!("The Tag Key provided is invalid, Key: {key}")));
    }
    if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
        return Err(ApiError::validation(format!("Tag Key cannot be prefixed with aws:, Key: {key}")));
    }
    Ok(())
}

// Letters and digits of any script, spaces, and a few signs.
fn is_allowed(char: char) -> bool {
    char.is_alphanumeric() || char.is_whitespace() || "+-=._:/@".contains(char)
}

fn check_count(count: usize) -> Result<(), ApiError> {
    if count > TAGS_MAX {
        return Err(ApiError::validation(
            "Number of Tags exceed the current limit for the provided ResourceArn",
        ));
    }
    Ok(())
}
