//! LookupEvents: newest first, by one attribute at most, 50 events a page.
//!
//! A page may hold fewer events than there are, or none, and still have a
//! `NextToken`: one call looks at a bounded part of the trail.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::audit::{Attribute, Audit, Found, Lookup, Position};
use crate::service::Request;
use crate::wire::ApiError;

pub(super) async fn run(audit: &Audit, request: &Request) -> Result<Value, ApiError> {
    let input = &Value::from(request.input.clone());
    let attribute = attribute(input)?;
    let start = time_millis(input, "StartTime").unwrap_or(i64::MIN);
    // Times are shown in whole seconds, so an end includes all of its second.
    let end = time_millis(input, "EndTime").map_or(i64::MAX, |end| end.saturating_add(999));
    if start > end {
        return Err(ApiError::new(
            "InvalidTimeRangeException",
            "The specified StartTime is after the specified EndTime.",
        ));
    }
    let events_max = match input.get("MaxResults").filter(|max| !max.is_null()) {
        None => EVENTS_MAX,
        Some(max) => max
            .as_u64()
            .and_then(|max| usize::try_from(max).ok())
            .filter(|max| (1..=EVENTS_MAX).contains(max))
            .ok_or_else(|| {
                ApiError::new(
                    "InvalidMaxResultsException",
                    format!("MaxResults must be a number from 1 to {EVENTS_MAX}."),
                )
            })?,
    };
    let is_insight = match input.get("EventCategory").and_then(Value::as_str) {
        None => false,
        Some("insight") => true,
        Some(category) => {
            let text = format!("The event category {category} is not valid. The valid category is insight.");
            return Err(ApiError::new("InvalidEventCategoryException", text));
        }
    };
    let query = fingerprint(request);
    let before = input.get("NextToken").and_then(Value::as_str).map(|token| position(token, query));
    let before = before.transpose()?;
    if is_insight {
        // Nothing here makes Insights events.
        return Ok(json!({ "Events": [] }));
    }
    let lookup = Lookup {
        account: request.caller.principal.account.to_string(),
        region: request.caller.region.to_string(),
        attribute,
        start_millis: start,
        end_millis: end,
        events_max,
        before,
    };
    let page = audit.lookup(&lookup).await?;
    let mut answer = json!({ "Events": page.events.into_iter().map(shown).collect::<Vec<_>>() });
    if let Some(next) = page.next {
        answer["NextToken"] = json!(token(next, query));
    }
    Ok(answer)
}

fn attribute(input: &Value) -> Result<Option<(Attribute, String)>, ApiError> {
    let invalid = |text: &str| ApiError::new("InvalidLookupAttributesException", text);
    let given = input.get("LookupAttributes").and_then(Value::as_array).map(Vec::as_slice);
    let [given] = given.unwrap_or_default() else {
        return match given.unwrap_or_default() {
            [] => Ok(None),
            _ => Err(invalid("You can specify only one lookup attribute.")),
        };
    };
    let text = |name: &str| given.get(name).and_then(Value::as_str);
    let (Some(key), Some(value)) = (text("AttributeKey"), text("AttributeValue")) else {
        return Err(invalid("A lookup attribute has an AttributeKey and an AttributeValue."));
    };
    let attribute = match key {
        "EventId" => Attribute::EventId,
        "EventName" => Attribute::EventName,
        "ReadOnly" => Attribute::ReadOnly,
        "Username" => Attribute::Username,
        "ResourceType" => Attribute::ResourceType,
        "ResourceName" => Attribute::ResourceName,
        "EventSource" => Attribute::EventSource,
        "AccessKeyId" => Attribute::AccessKeyId,
        _ => return Err(invalid("The AttributeKey is not valid.")),
    };
    if attribute == Attribute::ReadOnly && value != "true" && value != "false" {
        return Err(invalid("The AttributeValue of ReadOnly is true or false."));
    }
    Ok(Some((attribute, value.to_owned())))
}

// JSON 1.1 sends times as seconds since the epoch, with or without fractions.
#[expect(clippy::cast_possible_truncation, reason = "a float becomes an integer by saturating")]
fn time_millis(input: &Value, member: &str) -> Option<i64> {
    let seconds = input.get(member).and_then(Value::as_f64)?;
    Some((seconds.floor() as i64).saturating_mul(1_000))
}

fn shown(found: Found) -> Value {
    let resources: Vec<Value> = found
        .resources
        .iter()
        .map(|(kind, name)| json!({ "ResourceType": kind, "ResourceName": name }))
        .collect();
    let mut event = json!({
        "EventId": found.event_id,
        "EventName": found.event_name,
        "ReadOnly": if found.is_read_only { "true" } else { "false" },
        // The trail tells whole seconds, as the event itself does.
        "EventTime": found.time_millis.div_euclid(1_000),
        "EventSource": found.event_source,
        "Resources": resources,
        "CloudTrailEvent": found.document,
    });
    if let Some(access_key_id) = found.access_key_id {
        event["AccessKeyId"] = json!(access_key_id);
    }
    if let Some(user_name) = found.user_name {
        event["Username"] = json!(user_name);
    }
    event
}

// A token goes with the trail and the parameters it was given for; the page size may change.
fn fingerprint(request: &Request) -> u64 {
    let mut hasher = DefaultHasher::new();
    request.caller.principal.account.hash(&mut hasher);
    request.caller.region.hash(&mut hasher);
    for member in ["LookupAttributes", "StartTime", "EndTime", "EventCategory"] {
        request.input.get(member).map(ToString::to_string).hash(&mut hasher);
    }
    hasher.finish()
}

fn token((millis, sequence): Position, query: u64) -> String {
    let parts = [millis.to_be_bytes(), sequence.to_be_bytes(), query.to_be_bytes()];
    URL_SAFE_NO_PAD.encode(parts.concat())
}

fn position(token: &str, query: u64) -> Result<Position, ApiError> {
    let invalid = || ApiError::new("InvalidNextTokenException", "The NextToken is not valid.");
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| invalid())?;
    let bytes: [u8; 24] = bytes.try_into().map_err(|_| invalid())?;
    let part = |at: usize| u64::from_be_bytes(std::array::from_fn(|byte| bytes[at + byte]));
    let millis = i64::try_from(part(0)).map_err(|_| invalid())?;
    if part(16) == query { Ok((millis, part(8))) } else { Err(invalid()) }
}

/// The most events a page can have.
const EVENTS_MAX: usize = 50;
