//! ExecuteStatement.

use std::sync::Arc;

use serde_json::{Value, json};
use strongroom_model::key::{self, KeySchema};
use strongroom_model::partiql::token::{self, NextToken};
use strongroom_model::partiql::{Section, Select, Statement};
use strongroom_model::{json as attribute_json, size};

use super::page::{Page, PageParameters};
use super::partiql::{self, Answering};
use super::write::Done;
use super::{capacity, input, table};
use crate::engine::{Engine, Table};
use crate::service::{Output, Request};
use crate::storage::{Order, StorageError};
use crate::wire::ApiError;

/// Runs ExecuteStatement.
pub async fn run(engine: &Engine, mut request: Request) -> Result<Output, ApiError> {
    let bound_parameters = request.input.get("Parameters").map(Value::to_string).unwrap_or_default();
    let body = &mut request.input;
    let parameters = partiql::take_parameters(body)?;
    let source = input::text(body, "Statement").unwrap_or_default();
    let answering = Answering {
        return_on_failure: input::text(body, "ReturnValuesOnConditionCheckFailure") == Some("ALL_OLD"),
        capacity: capacity::wanted(body),
    };
    let caller = &request.caller;
    let prepared = partiql::prepare(engine, caller, source, &parameters)?;
    let found = &prepared.found;
    let next_token = input::text(body, "NextToken");
    let done = match prepared.statement {
        Statement::Select(select) => {
            let table_id = found.record().id.clone();
            let binding = token::binding(&[
                caller.principal.account.as_bytes(),
                table_id.to_string().as_bytes(),
                source.as_bytes(),
                bound_parameters.as_bytes(),
            ]);
            let start = next_token.map(|text| NextToken::decode(text, binding)).transpose()?;
            return read(engine, &request, found, *select, start, binding).await;
        }
        _ if next_token.is_some() => return Err(token::invalid().into()),
        Statement::Insert(insert) => partiql::insert(engine, caller, found, insert, &answering).await?,
        Statement::Write(write) => partiql::write(engine, caller, found, *write, &answering).await?,
    };
    Ok(written(done, &answering, &found.record().name))
}

fn written(done: Done, answering: &Answering, table_name: &str) -> Output {
    let consumed = done.consumed(answering.capacity, table_name);
    let items: Vec<Value> = done.attributes.into_iter().collect();
    let mut answer = json!({ "Items": items });
    if let Some(consumed) = consumed {
        answer["ConsumedCapacity"] = consumed;
    }
    answer.into()
}

/// Reads one page of a SELECT: its sections one after another.
async fn read(
    engine: &Engine,
    request: &Request,
    found: &Arc<Table>,
    select: Select,
    start: Option<NextToken>,
    binding: u64,
) -> Result<Output, ApiError> {
    let schema = &found.schema;
    if select.index.is_some() {
        return Err(ApiError::validation("The table does not have the specified index"));
    }
    let plan = select.plan(schema)?;
    select.check_key_access(schema)?;
    let order = if plan.descending { Order::Descending } else { Order::Ascending };
    let sections = match plan.sections {
        Some(sections) => sections,
        None => key::segment_range(0, 1).map(Section::of_range).into_iter().collect(),
    };
    let start = start.unwrap_or(NextToken { section: 0, after: None });
    check_start(&start, &sections, schema)?;
    let body = &request.input;
    let parameters = PageParameters {
        limit: input::integer(body, "Limit").and_then(|limit| usize::try_from(limit).ok()),
        consistent: input::flag(body, "ConsistentRead").unwrap_or(false),
        count_only: false,
        all_attributes: false,
        filter: select.condition,
        projection: select.projection,
        capacity: capacity::wanted(body),
    };
    let opening = table::open_for_items(engine, found, &request.caller).await?;
    let mut page = Page::new(&parameters);
    let mut units = 0.0;
    let mut next = None;
    let section_count = sections.len();
    for (position, section) in sections.into_iter().enumerate().skip(usize::from(start.section)) {
        let bytes_before = page.scanned_bytes;
        let this = position as u16;
        if let Some(row) = section.point {
            let stored = opening.table.read(&row, parameters.consistent).await?;
            if let Some(stored) = stored {
                let goes_on = page.take(row.into(), &stored)?;
                if !goes_on && position + 1 < section_count {
                    next = Some(NextToken { section: this + 1, after: None });
                }
            }
        } else {
            let after = start.after.as_ref().filter(|_| this == start.section);
            let range = match after {
                None => Some(section.range),
                Some(after) => key::beyond(section.range, after, order == Order::Ascending),
            };
            if let Some(range) = range {
                let to_end = opening
                    .table
                    .visit::<ApiError>(range, order, parameters.consistent, |key, stored| {
                        page.take(key, &stored)
                    })
                    .await?;
                // Like Query: not looking whether another item follows the last one.
                if !to_end {
                    let after = page.last_key.as_ref().map(|key| key.to_vec());
                    next = Some(NextToken { section: this, after });
                }
            }
        }
        units += size::read_units(page.scanned_bytes - bytes_before, parameters.consistent);
        if next.is_some() {
            break;
        }
    }
    if section_count == 0 {
        units = size::read_units(0, parameters.consistent);
    }
    let mut out = Vec::with_capacity(page.items.len() + 128);
    out.extend_from_slice(b"{\"Items\":[");
    out.extend_from_slice(&page.items);
    out.push(b']');
    if let Some(next) = next {
        out.extend_from_slice(format!(",\"NextToken\":\"{}\"", next.encode(binding)).as_bytes());
        if let Some(row) = &page.last_key {
            let key = schema.decode_item_key(row).ok_or_else(|| {
                ApiError::from(StorageError::Damaged("a stored key does not parse".to_owned()))
            })?;
            out.extend_from_slice(b",\"LastEvaluatedKey\":");
            attribute_json::write_item_json(&schema.key_attributes(&key), &mut out);
        }
    }
    if let Some(consumed) = parameters.capacity.of(&found.record().name, units) {
        out.extend_from_slice(b",\"ConsumedCapacity\":");
        out.extend_from_slice(consumed.to_string().as_bytes());
    }
    out.push(b'}');
    Ok(Output::Bytes(out))
}

/// Refuses a place that the statement does not read.
fn check_start(start: &NextToken, sections: &[Section], schema: &KeySchema) -> Result<(), ApiError> {
    let inside = match (&start.after, sections.get(usize::from(start.section))) {
        (None, section) => section.is_some() || start.section == 0,
        (Some(_), None) => false,
        (Some(after), Some(section)) => {
            section.point.is_none()
                && key::contains(&section.range, after)
                && schema.decode_item_key(after).is_some()
        }
    };
    if inside { Ok(()) } else { Err(token::invalid().into()) }
}
