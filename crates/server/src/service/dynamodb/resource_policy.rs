//! PutResourcePolicy, GetResourcePolicy and DeleteResourcePolicy.
//!
//! A policy is kept and given back; nothing is refused because of it. What is set can be read at once, and may be set
//! again at once, where the service takes seconds for the first and asks for 15 seconds between two changes.

use serde_json::{Value, json};
use strongroom_model::resource_policy::PolicyDocument;

use super::{input, resource};
use crate::engine::{Engine, ResourcePolicy, TableOptions, TableRecord};
use crate::service::{Output, Request};
use crate::wire::ApiError;

/// Runs PutResourcePolicy. A document of the same meaning as the one there changes nothing.
pub async fn put(engine: &Engine, request: &Request) -> Result<Output, ApiError> {
    let body = &request.input;
    let found = resource::table_with_policy(engine, request)?;
    let document = document(input::text(body, "Policy").unwrap_or_default())?;
    let confirmed = input::flag(body, "ConfirmRemoveSelfResourceAccess") == Some(true);
    let principal = &request.caller.principal;
    if !confirmed && document.denies("dynamodb:PutResourcePolicy", &principal.account, &principal.arn) {
        return Err(ApiError::new(
            "AccessDeniedException",
            "The new resource policy will not allow you to update the resource policy in the future.",
        ));
    }
    let expected = input::text(body, "ExpectedRevisionId");
    let now_millis = engine.clock().now_millis();
    engine
        .try_change_record(&found, |record| {
            check_deleting(record)?;
            let before = record.options.policy.as_ref();
            match (expected, before) {
                (Some("NO_POLICY"), None) => {}
                (Some("NO_POLICY"), Some(before)) => {
                    return Err(not_found(&format!(
                        "Requested policy update expecting none to be present for table {}, but a policy exists \
                         with revision id {}.",
                        record.name, before.revision_millis
                    )));
                }
                _ => check_revision(record, expected)?,
            }
            Ok(with_policy(record, Some(put_over(before, &document, now_millis))))
        })
        .await?;
    Ok(json!({ "RevisionId": revision(&found.record()) }).into())
}

/// Runs GetResourcePolicy.
pub fn get(engine: &Engine, request: &Request) -> Result<Output, ApiError> {
    let found = resource::table_with_policy(engine, request)?;
    let record = found.record();
    let Some(policy) = &record.options.policy else { return Err(not_found(&record.arn())) };
    let shown =
        PolicyDocument::parse(&policy.document).map_or_else(|_| policy.document.clone(), |it| it.shown());
    Ok(json!({"Policy": shown, "RevisionId": policy.revision_millis.to_string()}).into())
}

/// Runs DeleteResourcePolicy. That there is none is no error.
pub async fn delete(engine: &Engine, request: &Request) -> Result<Output, ApiError> {
    let found = resource::table_with_policy(engine, request)?;
    let expected = input::text(&request.input, "ExpectedRevisionId");
    let mut removed = Value::Null;
    engine
        .try_change_record(&found, |record| {
            check_deleting(record)?;
            check_revision(record, expected)?;
            removed = revision(record);
            Ok::<_, ApiError>(with_policy(record, None))
        })
        .await?;
    Ok(match removed {
        Value::Null => json!({}).into(),
        removed => json!({ "RevisionId": removed }).into(),
    })
}

/// The policy that a document is, if it is set on a table without one.
pub fn first(text: &str, now_millis: i64) -> Result<ResourcePolicy, ApiError> {
    Ok(put_over(None, &document(text)?, now_millis))
}

fn document(text: &str) -> Result<PolicyDocument, ApiError> {
    PolicyDocument::parse(text).map_err(|error| ApiError::validation(error.to_string()))
}

fn put_over(before: Option<&ResourcePolicy>, document: &PolicyDocument, now_millis: i64) -> ResourcePolicy {
    let document = document.canonical();
    match before {
        Some(before) if before.document == document => before.clone(),
        // Revisions go up, also within one millisecond.
        Some(before) => {
            ResourcePolicy { document, revision_millis: now_millis.max(before.revision_millis + 1) }
        }
        None => ResourcePolicy { document, revision_millis: now_millis },
    }
}

fn with_policy(record: &TableRecord, policy: Option<ResourcePolicy>) -> TableRecord {
    TableRecord { options: TableOptions { policy, ..record.options.clone() }, ..record.clone() }
}

fn revision(record: &TableRecord) -> Value {
    record.options.policy.as_ref().map_or(Value::Null, |policy| json!(policy.revision_millis.to_string()))
}

fn check_revision(record: &TableRecord, expected: Option<&str>) -> Result<(), ApiError> {
    let Some(expected) = expected else { return Ok(()) };
    let requested = format!("Requested update for policy with revision id {expected}, but");
    match &record.options.policy {
        Some(policy) if policy.revision_millis.to_string() == expected => Ok(()),
        Some(policy) => Err(not_found(&format!(
            "{requested} the policy associated to target table {} has revision id {}.",
            record.name, policy.revision_millis
        ))),
        // The captures of this text end at `associated`.
        None => Err(not_found(&format!("{requested} table {} has no associated policy.", record.name))),
    }
}

fn check_deleting(record: &TableRecord) -> Result<(), ApiError> {
    match record.deleting {
        false => Ok(()),
        true => Err(ApiError::new(
            "ResourceInUseException",
            format!(
                "Attempt to change a resource which is still in use: Table is being deleted: {}",
                record.name
            ),
        )),
    }
}

fn not_found(what: &str) -> ApiError {
    ApiError::new(
        "PolicyNotFoundException",
        format!("Resource-based policy not found for the provided ResourceArn: {what}"),
    )
}
