//! ExecuteStatement.

use std::sync::Arc;

use bytes::Bytes;
use strongroom_model::document::Document;
use strongroom_model::key;
use strongroom_model::partiql::token::{self, NextToken};
use strongroom_model::partiql::{Section, Select, Statement};
use strongroom_model::{json as attribute_json, size};

use super::capacity::{self, Units};
use super::index_reads::{self, NameOrder};
use super::page::{Page, PageParameters};
use super::partiql::{self, Answering};
use super::write::Done;
use super::{input, table};
use crate::engine::{Engine, Index, IndexSet, Table};
use crate::service::{Output, Request};
use crate::storage::{Order, StorageError};
use crate::wire::{ApiError, ObjectWriter};

/// Runs ExecuteStatement.
pub async fn run(engine: &Engine, mut request: Request) -> Result<Output, ApiError> {
    let bound_parameters = request.input.get("Parameters").map(Document::to_string).unwrap_or_default();
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
            return read(engine, &request, (found, &prepared.reference), *select, start, binding).await;
        }
        _ if next_token.is_some() => return Err(token::invalid().into()),
        Statement::Insert(insert) => partiql::insert(engine, caller, found, insert, &answering).await?,
        Statement::Write(write) => partiql::write(engine, caller, found, *write, &answering).await?,
    };
    Ok(written(done, &answering, &prepared.reference))
}

fn written(done: Done, answering: &Answering, table_name: &str) -> Output {
    let mut answer = ObjectWriter::new();
    let items = answer.member("Items");
    items.push(b'[');
    items.extend_from_slice(done.attributes.as_deref().unwrap_or_default());
    items.push(b']');
    if let Some(consumed) = done.consumed(answering.capacity, table_name) {
        answer.value("ConsumedCapacity", &consumed);
    }
    answer.into()
}

/// Reads one page of a SELECT: its sections one after another.
async fn read(
    engine: &Engine,
    request: &Request,
    (found, reference): (&Arc<Table>, &str),
    select: Select,
    start: Option<NextToken>,
    binding: u64,
) -> Result<Output, ApiError> {
    let body = &request.input;
    let schema = &found.schema;
    let consistent = input::flag(body, "ConsistentRead").unwrap_or(false);
    let indexes = found.indexes();
    let index = select.index.as_deref().map(|name| index(&indexes, name, consistent)).transpose()?;
    let plan = match index {
        None => select.plan(schema)?,
        Some(index) => select.plan_on_index(&index.schema)?,
    };
    select.check_key_access(schema)?;
    let order = if plan.descending { Order::Descending } else { Order::Ascending };
    let sections = match (plan.sections, index) {
        (Some(sections), _) => sections,
        (None, None) => key::segment_range(0, 1).map(Section::of_range).into_iter().collect(),
        (None, Some(index)) => vec![Section::of_range(index.schema.range_of_all())],
    };
    // The key attributes that a row's stored key says.
    let key_of_row = |row: &[u8]| match index {
        None => Some(schema.key_attributes(&schema.decode_item_key(row)?)),
        Some(index) => index.schema.key_of_row(row),
    };
    let start = start.unwrap_or(NextToken { section: 0, after: None });
    let is_key = start.after.as_ref().is_none_or(|row| key_of_row(row).is_some());
    if !is_key || !is_inside(&start, &sections) {
        return Err(token::invalid().into());
    }
    let parameters = PageParameters {
        limit: input::integer(body, "Limit").and_then(|limit| usize::try_from(limit).ok()),
        consistent,
        count_only: false,
        all_attributes: false,
        filter: select.condition,
        projection: select.projection,
        capacity: capacity::wanted(body),
    };
    let mut fetch = false;
    if let Some(index) = index {
        if let Some(projection) = &parameters.projection {
            projection.check_index_key_access(indexes.schemas())?;
        }
        fetch = index_reads::fetches(&index.schema, &parameters, NameOrder::AsWritten)?;
        if let Some(filter) = &parameters.filter {
            filter.check_index_key_access(indexes.schemas())?;
            if plan.is_keyed {
                index_reads::check_filter_is_projected(&index.schema, filter)?;
            }
        }
    }
    let opening = table::open_for_items(engine, found, &request.caller).await?;
    let table = &opening.table;
    let mut page = Page::new(&parameters);
    let mut units = Units::default();
    let mut next: Option<(NextToken, Option<Bytes>)> = None;
    let section_count = sections.len();
    let pages: Vec<usize> = sections.iter().map(|section| section.page).collect();
    for (position, section) in sections.into_iter().enumerate().skip(usize::from(start.section)) {
        let bytes_before = page.entry_bytes;
        let this = position as u16;
        let ends_page = pages.get(position + 1).is_some_and(|page| *page != section.page);
        if let Some(row) = section.point {
            let row = Bytes::from(row);
            let stored = table.read(&row, consistent).await?;
            let is_full = match stored {
                None => false,
                Some(stored) => !page.take(row.clone(), &stored)?,
            };
            if ends_page || is_full && position + 1 < section_count {
                next = Some((NextToken { section: this + 1, after: None }, Some(row)));
            }
        } else {
            let after = start.after.as_ref().filter(|_| this == start.section);
            let range = match after {
                None => Some(section.range),
                Some(after) => key::beyond(section.range, after, order == Order::Ascending),
            };
            let last_row = match index.filter(|_| fetch) {
                None => page.read(table, range, order).await?,
                Some(index) => page.read_and_fetch(table, index, range, order, &mut units.table).await?,
            };
            next = last_row.map(|row| (NextToken { section: this, after: Some(row.to_vec()) }, Some(row)));
            if next.is_none() && ends_page {
                next = Some((NextToken { section: this + 1, after: None }, page.last_key.take()));
            }
        }
        let read_units = size::read_units(page.entry_bytes - bytes_before, consistent);
        match index {
            None => units.table += read_units,
            Some(index) => units.add(&index.schema, read_units),
        }
        if next.is_some() {
            break;
        }
    }
    if section_count == 0 {
        units.table = size::read_units(0, consistent);
    }
    let mut out = Vec::with_capacity(page.items.len() + 128);
    out.extend_from_slice(b"{\"Items\":[");
    out.extend_from_slice(&page.items);
    out.push(b']');
    if let Some((next, row)) = next {
        out.extend_from_slice(format!(",\"NextToken\":\"{}\"", next.encode(binding)).as_bytes());
        // A page may have looked at no row at all.
        if let Some(row) = row {
            let key = key_of_row(&row).ok_or_else(|| {
                ApiError::from(StorageError::Damaged("a stored key does not parse".to_owned()))
            })?;
            out.extend_from_slice(b",\"LastEvaluatedKey\":");
            attribute_json::write_item_json(&key, &mut out);
        }
    }
    if let Some(consumed) = parameters.capacity.of_units(reference, &units) {
        out.extend_from_slice(b",\"ConsumedCapacity\":");
        out.extend_from_slice(consumed.to_string().as_bytes());
    }
    out.push(b'}');
    Ok(Output::Bytes(out))
}

/// The index that a statement reads. Unlike Query, the service does not repeat an unknown name.
fn index<'a>(indexes: &'a IndexSet, name: &str, consistent: bool) -> Result<&'a Index, ApiError> {
    let index = indexes
        .by_name(name)
        .ok_or_else(|| ApiError::validation("The table does not have the specified index"))?;
    if !index.schema.local && consistent {
        return Err(ApiError::validation(
            "Strongly consistent read is not supported on Global Secondary Indexes",
        ));
    }
    if !index.record.is_complete() {
        return Err(ApiError::validation(format!(
            "Cannot read from backfilling global secondary index: {name}"
        )));
    }
    Ok(index)
}

/// Whether a place is one that the statement reads.
fn is_inside(start: &NextToken, sections: &[Section]) -> bool {
    match (&start.after, sections.get(usize::from(start.section))) {
        (None, section) => section.is_some() || start.section == 0,
        (Some(_), None) => false,
        (Some(after), Some(section)) => section.point.is_none() && key::contains(&section.range, after),
    }
}
