//! What ExecuteStatement and BatchExecuteStatement have in common: statements
//! run as the calls that they stand for.

use std::sync::Arc;

use strongroom_model::attribute::AttributeValue;
use strongroom_model::document::Document;
use strongroom_model::json;
use strongroom_model::partiql::{Insert, PartiqlError, Returning, Statement, Write, has_single_keys};

use super::capacity::Wanted;
use super::refused::Refused;
use super::update_item::{self, ItemChange};
use super::write::{Done, WriteParameters};
use super::{delete_item, input, put_item, table};
use crate::auth::Caller;
use crate::engine::{Engine, Table};
use crate::wire::ApiError;

impl From<PartiqlError> for ApiError {
    fn from(error: PartiqlError) -> Self {
        Self::validation(error.message())
    }
}

/// A statement and its table.
pub struct Prepared {
    /// The statement.
    pub statement: Statement,
    /// The table that it names.
    pub found: Arc<Table>,
    /// The table as it names it.
    pub reference: String,
}

/// Takes `Parameters` out of a request.
pub fn take_parameters(body: &mut Document) -> Result<Vec<AttributeValue>, ApiError> {
    let Some(Document::Array(parameters)) = input::take(body, "Parameters") else { return Ok(Vec::new()) };
    let parameters = parameters.into_vec().into_iter().map(json::from_json_owned);
    parameters.collect::<Result<_, _>>().map_err(|error| Refused::from(error).in_older_words())
}

/// Parses a statement and finds its table.
pub fn prepare(
    engine: &Engine,
    caller: &Caller,
    source: &str,
    parameters: &[AttributeValue],
) -> Result<Prepared, ApiError> {
    let may_read = |name: &str, index: &str| {
        let found = table::of_statement(engine, caller, name).ok();
        let indexes = found.map(|found| found.indexes());
        let index = indexes.as_ref().and_then(|indexes| indexes.by_name(index));
        // One that is not there is refused later.
        index.is_none_or(|index| has_single_keys(&index.schema))
    };
    let statement = Statement::parse_for(source, parameters, may_read)?;
    let found = table::of_statement(engine, caller, statement.table())?;
    let reference = statement.table().to_owned();
    Ok(Prepared { statement, found, reference })
}

/// How a statement that writes is answered.
pub struct Answering {
    /// Whether the item is told when the condition fails.
    pub return_on_failure: bool,
    /// `ReturnConsumedCapacity`.
    pub capacity: Wanted,
}

/// Runs INSERT. An item that is there already is not replaced.
pub async fn insert(
    engine: &Engine,
    caller: &Caller,
    found: &Arc<Table>,
    insert: Insert,
    answering: &Answering,
) -> Result<Done, ApiError> {
    insert.check_keys(&found.schema)?;
    put_item::check_size(&insert.item)?;
    let condition = Insert::condition(&found.schema)?;
    let parameters = parameters(None, answering);
    let done = put_item::put(engine, caller, found, &parameters, insert.item, Some(&condition)).await;
    done.map_err(|error| match &*error.code {
        "ConditionalCheckFailedException" => {
            ApiError::new("DuplicateItemException", "Duplicate primary key exists in table")
        }
        _ => error,
    })
}

/// Runs UPDATE or DELETE.
pub async fn write(
    engine: &Engine,
    caller: &Caller,
    found: &Arc<Table>,
    write: Write,
    answering: &Answering,
) -> Result<Done, ApiError> {
    let target = write.target(&found.schema)?;
    let parameters = parameters(write.returning, answering);
    match write.update {
        Some(update) => {
            // A statement is held to the size of the finished item only.
            let change =
                ItemChange { key: target.key, update: Some(update), condition: target.condition, charge: 0 };
            update_item::update_item(engine, caller, found, &parameters, &change).await
        }
        None => {
            let condition = target.condition.as_ref();
            delete_item::delete(engine, caller, found, &parameters, &target.key, condition).await
        }
    }
}

fn parameters(returning: Option<Returning>, answering: &Answering) -> WriteParameters {
    let return_values = match returning {
        None => "NONE",
        Some(Returning { modified: false, old: true }) => "ALL_OLD",
        Some(Returning { modified: false, old: false }) => "ALL_NEW",
        Some(Returning { modified: true, old: true }) => "UPDATED_OLD",
        Some(Returning { modified: true, old: false }) => "UPDATED_NEW",
    };
    WriteParameters {
        return_values: return_values.to_owned(),
        return_on_failure: answering.return_on_failure,
        capacity: answering.capacity,
        collection_metrics: false,
    }
}
