//! BatchExecuteStatement.

use std::collections::HashSet;

use serde_json::Value;
use strongroom_model::attribute::AttributeValue;
use strongroom_model::document::Document;
use strongroom_model::key::item_key;
use strongroom_model::partiql::Statement;
use strongroom_model::size;

use super::capacity::{self, Wanted};
use super::errors::duplicate_keys;
use super::partiql::{self, Answering, Prepared};
use super::{input, key, table, write};
use crate::auth::Caller;
use crate::engine::Engine;
use crate::service::{Output, Request};
use crate::wire::{ApiError, ObjectWriter};

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
    let mut responses = vec![b'['];
    let mut consumed = Vec::new();
    for member in members {
        let (response, capacity) = respond(engine, &request.caller, member, wanted).await;
        if responses.len() > 1 {
            responses.push(b',');
        }
        responses.extend_from_slice(&response.finish());
        consumed.extend(capacity);
    }
    responses.push(b']');
    let mut answer = ObjectWriter::new();
    answer.json("Responses", &responses);
    if wanted != Wanted::None {
        answer.value("ConsumedCapacity", &Value::Array(consumed));
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
) -> (ObjectWriter, Option<Value>) {
    let member = match member {
        Ok(member) => member,
        Err(error) => return (failure(error, None), None),
    };
    let name = member.prepared.found.record().name.clone();
    match execute(engine, caller, member, wanted).await {
        Ok((item, consumed)) => {
            let mut response = ObjectWriter::new();
            response.value("TableName", &name.into());
            if let Some(item) = item {
                response.json("Item", &item);
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
) -> Result<(Option<Vec<u8>>, Option<Value>), ApiError> {
    let Member { prepared: Prepared { statement, found, reference }, row, consistent, return_on_failure } =
        member;
    let answering = Answering { return_on_failure, capacity: wanted };
    let done = match statement {
        Statement::Select(select) => {
            let opening = table::open_for_items(engine, &found, caller).await?;
            let stored = opening.table.read(&row, consistent).await?;
            let units = size::read_units(write::stored_bytes(stored.as_ref())?, consistent);
            let mut item = None;
            if let Some(stored) = stored {
                write::show(&stored, select.projection.as_ref(), item.insert(Vec::new()))?;
            }
            return Ok((item, wanted.of(&reference, units)));
        }
        Statement::Insert(insert) => partiql::insert(engine, caller, &found, insert, &answering).await?,
        Statement::Write(write) => partiql::write(engine, caller, &found, *write, &answering).await?,
    };
    let consumed = done.consumed(wanted, &reference);
    Ok((done.attributes, consumed))
}

/// A statement's own error. The service tells the table of one that ran.
fn failure(error: ApiError, table_name: Option<&str>) -> ObjectWriter {
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
    let mut body = ObjectWriter::new();
    body.value("Code", &code.into());
    body.value("Message", &error.message.into());
    for (name, json) in &error.members {
        body.json(name, json);
    }
    let mut response = ObjectWriter::new();
    response.json("Error", &body.finish());
    if let Some(name) = table_name {
        response.value("TableName", &name.into());
    }
    response
}
