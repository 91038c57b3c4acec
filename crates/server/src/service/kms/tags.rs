//! The rules for tags of keys.

use serde_json::{Value, json};

use crate::kms::error::KmsError;

/// Tags in the order they were first set.
pub(super) type Tags = Vec<(String, String)>;

/// `current` with the tags of `given` (a `TagList`) added or changed.
pub(super) fn merged(current: &[(String, String)], given: &Value) -> Result<Tags, KmsError> {
    let given = given.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut merged = current.to_vec();
    let mut seen: Vec<&str> = Vec::new();
    if given.len() > TAGS_MAX {
        return Err(too_many());
    }
    for tag in given {
        let text = |name: &str| tag.get(name).and_then(Value::as_str);
        let key = text("TagKey").ok_or_else(|| KmsError::missing("tags.1.member.tagKey"))?;
        let value = text("TagValue").ok_or_else(|| KmsError::missing("tags.1.member.tagValue"))?;
        check_key(key)?;
        if seen.contains(&key) {
            return Err(tag_error("Duplicate tag keys"));
        }
        seen.push(key);
        match merged.iter_mut().find(|(existing, _)| existing == key) {
            Some((_, existing)) => value.clone_into(existing),
            None => merged.push((key.to_owned(), value.to_owned())),
        }
    }
    if merged.len() > TAGS_MAX { Err(too_many()) } else { Ok(merged) }
}

/// Refuses tag keys that belong to AWS.
pub(super) fn check_key(key: &str) -> Result<(), KmsError> {
    let prefix = key.get(..4).unwrap_or_default();
    if prefix.eq_ignore_ascii_case("aws:") {
        return Err(tag_error("Tags beginning with aws: are reserved"));
    }
    Ok(())
}

/// One tag as the API shows it.
pub(super) fn shown((key, value): &(String, String)) -> Value {
    json!({ "TagKey": key, "TagValue": value })
}

fn too_many() -> KmsError {
    tag_error("Too many tags")
}

fn tag_error(text: &str) -> KmsError {
    KmsError::new("TagException", text)
}

/// How many tags a key may have.
const TAGS_MAX: usize = 50;
