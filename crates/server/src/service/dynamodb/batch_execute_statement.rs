//! BatchExecuteStatement.

use std::collections::HashSet;

use serde_json::{Map, Value, json};
use strongroom_model::attribute::AttributeValue;
use strongroom_model::document::Document;
use strongroom_model::key::item_key;
use strongroom_model::partiql::{Select, Statement};
use strongroom_model::{json as attribute_json, size, stored};

use super::capacity::{self, Wanted};
use super::errors::duplicate_keys;
use super::partiql::{self, Answering, Prepared};
use super::{input, key, table, write};
use crate::auth::Caller;
use crate::engine::Engine;
use crate::service::{Output, Request};
use crate::wire::ApiError;

/// One statement that can run, or why it cannot.
struct Member {
    prepared: Prepared,
    /// The stored key of its item.
    row: Vec<u8>,
    consistent: bool,
    return_on_failure: bool,
}

/// Runs BatchExecuteStatement: each statement for itself, in their order.
pub async fn run(engine: &Engine, mut request: Request) -> Result<Output, ApiError> {
    let wanted = capacity::wanted(&request.input);
    let Some(Document::Array(statements)) = input::take(&mut request.input, "Statements") else {
        return Err(ApiError::validation("The statement was empty."));
    };
    let mut members = Vec::with_capacity(statements.len());
    // Which statements read; one that is not well formed does neither.
    let mut reads = Vec::with_capacity(statements.len());
    for mut statement in statements.into_vec() {
        let member = match partiql::take_parameters(&mut statement) {
            Err(error) if error.code == "SerializationException" => return Err(error),
            Err(error) => Err(error),
            Ok(parameters) => member(engine, &request.caller, &statement, &parameters),
        };
        reads.extend(match &member {
            Ok(member) => Some(matches!(member.prepared.statement, Statement::Select(_))),
            // What else is wrong with it is told only when the batch is one.
            Err(_) => Statement::is_read(input::text(&statement, "Statement").unwrap_or_default()),
        });
        members.push(member);
    }
    if reads.contains(&true) && reads.contains(&false) {
        return Err(ApiError::validation(
            "Read and write requests together in the same batch is not supported.",
        ));
    }
    let mut seen = HashSet::new();
    for member in members.iter().flatten() {
        if !seen.insert((member.prepared.found.record().id.to_string(), member.row.clone())) {
            return Err(duplicate_keys());
        }
    }
    let mut responses = Vec::with_capacity(members.len());
    let mut consumed = Vec::new();
    for member in members {
        let (response, capacity) = respond(engine, &request.caller, member, wanted).await;
        responses.push(response);
        consumed.extend(capacity);
    }
    let mut answer = json!({ "Responses": responses });
    if wanted != Wanted::None {
        answer["ConsumedCapacity"] = Value::Array(consumed);
    }
    Ok(answer.into())
}

fn member(
    engine: &Engine,
    caller: &Caller,
    statement: &Document,
    parameters: &[AttributeValue],
) -> Result<Member, ApiError> {
    let source = input::text(statement, "Statement").unwrap_or_default();
    let prepared = partiql::prepare(engine, caller, source, parameters)?;
    let schema = &prepared.found.schema;
    let row = match &prepared.statement {
        Statement::Select(select) => {
            let key = select.single_key(schema)?.ok_or_else(|| {
                ApiError::validation(
                    "Select statements within BatchExecuteStatement must specify the primary key in the where \
                     clause.",
                )
            })?;
            item_key(&key)
        }
        Statement::Insert(insert) => {
            insert.check_keys(schema)?;
            key::row_of_item(schema, &insert.item)?
        }
        Statement::Write(write) => key::row_of_request(schema, &write.target(schema)?.key)?,
    };
    Ok(Member {
        prepared,
        row,
        consistent: input::flag(statement, "ConsistentRead").unwrap_or(false),
        return_on_failure: input::text(statement, "ReturnValuesOnConditionCheckFailure") == Some("ALL_OLD"),
    })
}

/// The response to one statement, and the capacity that it used.
async fn respond(
    engine: &Engine,
    caller: &Caller,
    member: Result<Member, ApiError>,
    wanted: Wanted,
) -> (Value, Option<Value>) {
    let member = match member {
        Ok(member) => member,
        Err(error) => return (failure(error, None), None),
    };
    let name = member.prepared.found.record().name.clone();
    match execute(engine, caller, member, wanted).await {
        Ok((item, consumed)) => {
            let mut response = json!({ "TableName": name });
            if let Some(item) = item {
                response["Item"] = item;
            }
            (response, consumed)
        }
        Err(error) => (failure(error, Some(&name)), None),
    }
}

async fn execute(
    engine: &Engine,
    caller: &Caller,
    member: Member,
    wanted: Wanted,
) -> Result<(Option<Value>, Option<Value>), ApiError> {
    let Member { prepared: Prepared { statement, found }, row, consistent, return_on_failure } = member;
    let name = found.record().name.clone();
    let answering = Answering { return_on_failure, capacity: wanted };
    let done = match statement {
        Statement::Select(select) => {
            let opening = table::open_for_items(engine, &found, caller).await?;
            let stored = opening.table.read(&row, consistent).await?;
            let units = size::read_units(write::stored_bytes(stored.as_ref())?, consistent);
            let item = stored.map(|stored| shown(&select, &stored)).transpose()?;
            return Ok((item, wanted.of(&name, units)));
        }
        Statement::Insert(insert) => partiql::insert(engine, caller, &found, insert, &answering).await?,
        Statement::Write(write) => partiql::write(engine, caller, &found, *write, &answering).await?,
    };
    let consumed = done.consumed(wanted, &name);
    Ok((done.attributes, consumed))
}

fn shown(select: &Select, stored: &[u8]) -> Result<Value, ApiError> {
    let item = stored::decode(stored).map_err(write::damaged)?;
    Ok(match &select.projection {
        Some(projection) => attribute_json::item_to_json(&projection.apply(&item)),
        None => attribute_json::item_to_json(&item),
    })
}

/// A statement's own error. The service tells the table of one that ran.
fn failure(mut error: ApiError, table_name: Option<&str>) -> Value {
    let code = match &*error.code {
        "ConditionalCheckFailedException" => "ConditionalCheckFailed",
        "ItemCollectionSizeLimitExceededException" => "ItemCollectionSizeLimitExceeded",
        "RequestLimitExceeded" => "RequestLimitExceeded",
        "ValidationException" => "ValidationError",
        "ProvisionedThroughputExceededException" => "ProvisionedThroughputExceeded",
        "TransactionConflictException" => "TransactionConflict",
        "ThrottlingException" => "ThrottlingError",
        "ResourceNotFoundException" => "ResourceNotFound",
        "AccessDeniedException" => "AccessDenied",
        "DuplicateItemException" => "DuplicateItem",
        _ => "InternalServerError",
    };
    let mut body = Map::new();
    body.insert("Code".to_owned(), code.into());
    body.insert("Message".to_owned(), error.message.into());
    if let Some(item) = error.members.remove("Item") {
        body.insert("Item".to_owned(), item);
    }
    let mut response = json!({ "Error": body });
    if let Some(name) = table_name {
        response["TableName"] = name.into();
    }
    response
}
