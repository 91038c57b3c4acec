//! Query.

use strongroom_model::expression::{ExpressionKind, KeyConditionExpression};
use strongroom_model::key as model_key;

use super::index_reads::IndexSource;
use super::page::PageParameters;
use super::{expressions, input, legacy, start_key, table};
use crate::engine::Engine;
use crate::service::{Output, Request};
use crate::storage::Order;
use crate::wire::ApiError;

/// Runs Query.
pub async fn run(engine: &Engine, mut request: Request) -> Result<Output, ApiError> {
    let body = &mut request.input;
    expressions::check_parameters(
        body,
        &["ProjectionExpression", "FilterExpression", "KeyConditionExpression"],
        &["AttributesToGet", "QueryFilter", "ConditionalOperator", "KeyConditions"],
    )?;
    let query_filter = legacy::filter(body, "QueryFilter")?;
    let attributes_to_get = legacy::attributes_to_get(body)?;
    let start_key = input::take_start_key(body)?;
    if !input::has(body, "KeyConditions") && !input::has(body, ExpressionKind::KeyCondition.name()) {
        return Err(ApiError::validation(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
        ));
    }
    let mut placeholders = expressions::placeholders(body)?;
    let key_condition = input::text(body, ExpressionKind::KeyCondition.name())
        .map(|source| KeyConditionExpression::parse(source, &mut placeholders))
        .transpose()?;
    let filter = expressions::condition(ExpressionKind::Filter, body, &mut placeholders)?.or(query_filter);
    let projection = expressions::projection(body, &mut placeholders)?.or(attributes_to_get);
    placeholders.check_all_used()?;
    let key_conditions = match key_condition {
        Some(key_condition) => key_condition.conditions()?,
        None => legacy::key_conditions(body)?,
    };
    let order = match input::flag(body, "ScanIndexForward") {
        Some(false) => Order::Descending,
        _ => Order::Ascending,
    };
    let parameters = PageParameters::read("Query", body, filter, projection)?;
    let name = input::text(body, "TableName").unwrap_or_default();
    let found = table::for_items(engine, &request.caller, request.operation, name)?;
    if let Some(index) = IndexSource::named(&found, body)? {
        let reading = index.query(engine, &request.caller, parameters, &key_conditions, start_key, order);
        return Box::pin(reading).await;
    }
    let schema = &found.schema;
    if let Some(start_key) = &start_key {
        start_key::check_partition(schema, start_key)?;
    }
    let condition = key_conditions.for_schema(schema)?;
    let mut range = model_key::sort_range(&condition.hash, condition.sort.as_ref());
    if let Some(start_key) = &start_key {
        let row = start_key::row_of_query(schema, &condition, start_key)?;
        range = range.and_then(|range| model_key::beyond(range, &row, order == Order::Ascending));
    }
    if let Some(projection) = &parameters.projection {
        projection.check_key_access(schema)?;
        projection.check_index_key_access(found.indexes().schemas())?;
    }
    if let Some(filter) = &parameters.filter {
        filter.check_no_key_attribute(schema)?;
        filter.check_index_key_access(found.indexes().schemas())?;
    }
    let opening = table::open_for_items(engine, &found, &request.caller).await?;
    parameters.run(&opening.table, schema, name, range, order).await
}
