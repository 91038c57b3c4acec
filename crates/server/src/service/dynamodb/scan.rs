//! Scan.

use strongroom_model::attribute::Item;
use strongroom_model::document::Document;
use strongroom_model::expression::ExpressionKind;
use strongroom_model::key as model_key;

use super::index_reads::IndexSource;
use super::page::PageParameters;
use super::refused::Refused;
use super::{expressions, input, legacy, start_key, table};
use crate::engine::Engine;
use crate::service::{Output, Request};
use crate::storage::Order;
use crate::wire::ApiError;

/// Runs Scan. Segments are ranges of the partition keys' hashes.
pub async fn run(engine: &Engine, mut request: Request) -> Result<Output, ApiError> {
    let body = &mut request.input;
    let (parameters, start_key, (segment, total)) = read(body).map_err(Refused::in_older_words)?;
    let name = input::text(body, "TableName").unwrap_or_default();
    let found = table::for_items(engine, &request.caller, request.operation, name)?;
    if let Some(index) = IndexSource::named(&found, body)? {
        let reading = index.scan(engine, &request.caller, parameters, (segment, total), start_key);
        return Box::pin(reading).await;
    }
    let schema = &found.schema;
    let mut range = model_key::segment_range(segment, total);
    if let Some(start_key) = &start_key {
        let row = start_key::row_of_scan(schema, start_key)?;
        if !range.as_ref().is_some_and(|range| model_key::contains(range, &row)) {
            return Err(ApiError::validation(format!(
                "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with \
                 correct Segment. TotalSegments: {total} Segment: {segment}"
            )));
        }
        range = range.and_then(|range| model_key::beyond(range, &row, true));
    }
    if let Some(projection) = &parameters.projection {
        projection.check_key_access(schema)?;
        projection.check_index_key_access(found.indexes().schemas())?;
    }
    if let Some(filter) = &parameters.filter {
        filter.check_key_access(schema)?;
        filter.check_index_key_access(found.indexes().schemas())?;
    }
    let opening = table::open_for_items(engine, &found, &request.caller).await?;
    parameters.run(&opening.table, schema, name, range, Order::Ascending).await
}

type Segment = (u32, u32);

fn read(body: &mut Document) -> Result<(PageParameters, Option<Item>, Segment), Refused> {
    expressions::check_parameters(
        body,
        &["ProjectionExpression", "FilterExpression"],
        &["AttributesToGet", "ScanFilter", "ConditionalOperator"],
    )?;
    let attributes_to_get = legacy::attributes_to_get(body)?;
    let scan_filter = legacy::filter(body, "ScanFilter")?;
    let start_key = input::take_start_key(body)?;
    let segment = segment(input::integer(body, "Segment"), input::integer(body, "TotalSegments"))?;
    let mut placeholders = expressions::placeholders(body)?;
    let filter = expressions::condition(ExpressionKind::Filter, body, &mut placeholders)?.or(scan_filter);
    let projection = expressions::projection(body, &mut placeholders)?.or(attributes_to_get);
    placeholders.check_all_used()?;
    Ok((PageParameters::read("Scan", body, filter, projection)?, start_key, segment))
}

fn segment(segment: Option<i64>, total: Option<i64>) -> Result<Segment, ApiError> {
    match (segment, total) {
        (None, None) => Ok((0, 1)),
        (Some(_), None) => Err(ApiError::validation(
            "The TotalSegments parameter is required but was not present in the request when Segment parameter is \
             present",
        )),
        (None, Some(_)) => Err(ApiError::validation(
            "The Segment parameter is required but was not present in the request when parameter TotalSegments is \
             present",
        )),
        (Some(segment), Some(total)) => match (u32::try_from(segment), u32::try_from(total)) {
            (Ok(segment), Ok(total)) if segment < total => Ok((segment, total)),
            _ => Err(ApiError::validation(format!(
                "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: \
                 {segment} is not less than TotalSegments: {total}"
            ))),
        },
    }
}
