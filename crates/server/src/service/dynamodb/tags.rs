//! TagResource, UntagResource and ListTagsOfResource.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{input, table};
use crate::engine::{Engine, TableRecord};
use crate::service::{Output, Request};
use crate::wire::ApiError;

const TAGS_MAX: usize = 50;

/// Runs TagResource.
pub async fn tag(engine: &Engine, request: &Request) -> Result<Output, ApiError> {
    let found = table::by_arn(engine, request)?;
    let tags = merged(found.record().tags.clone(), request.input.get("Tags"))?;
    engine.change_record(&found, |record| TableRecord { tags, ..record }).await?;
    Ok(Output::Bytes(Vec::new()))
}

/// Runs UntagResource. Keys that no tag has are no error.
pub async fn untag(engine: &Engine, request: &Request) -> Result<Output, ApiError> {
    let found = table::by_arn(engine, request)?;
    let keys = request.input.get("TagKeys").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    engine
        .change_record(&found, |mut record| {
            record.tags.retain(|key, _| !keys.iter().any(|gone| gone.as_str() == Some(key)));
            record
        })
        .await?;
    Ok(Output::Bytes(Vec::new()))
}

/// Runs ListTagsOfResource: ten tags a page, as the service.
pub fn list(engine: &Engine, request: &Request) -> Result<Output, ApiError> {
    const PAGE: usize = 10;
    let found = table::by_arn(engine, request)?;
    let record = found.record();
    let start = input::text(&request.input, "NextToken");
    let mut rest = record.tags.iter().filter(|(key, _)| start.is_none_or(|start| key.as_str() > start));
    let page: Vec<_> = rest.by_ref().take(PAGE).collect();
    let mut answer = json!({"Tags": page.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect::<Vec<_>>()});
    if rest.next().is_some()
        && let Some((last, _)) = page.last()
    {
        answer["NextToken"] = json!(last);
    }
    Ok(answer.into())
}

/// `tags` with those of a request put over them.
pub fn merged(
    mut tags: BTreeMap<String, String>,
    added: Option<&Value>,
) -> Result<BTreeMap<String, String>, ApiError> {
    for tag in added.and_then(Value::as_array).map_or(&[][..], Vec::as_slice) {
        let key = input::text(tag, "Key").unwrap_or_default();
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(ApiError::validation(
                "One or more parameter values were invalid: Tag keys cannot start with aws:",
            ));
        }
        tags.insert(key.to_owned(), input::text(tag, "Value").unwrap_or_default().to_owned());
    }
    if tags.len() > TAGS_MAX {
        return Err(ApiError::validation(
            "One or more parameter values were invalid: Too many tags: a resource can have at most 50",
        ));
    }
    Ok(tags)
}
