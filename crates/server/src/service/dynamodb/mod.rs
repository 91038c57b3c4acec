//! DynamoDB's API: one file per action.

mod admission;
mod batch_execute_statement;
mod batch_get_item;
mod batch_write_item;
mod capacity;
mod collection_metrics;
mod create_table;
mod delete_item;
mod delete_table;
mod describe_features;
mod describe_limits;
mod describe_table;
mod encryption;
mod errors;
mod evaluation;
mod execute_statement;
mod expressions;
mod get_item;
mod index_definitions;
mod index_descriptions;
mod index_reads;
mod index_throughput;
mod index_updates;
mod input;
mod key;
mod legacy;
mod list_tables;
mod long_date;
mod page;
mod partiql;
mod put_item;
mod query;
mod refused;
mod resource;
mod resource_policy;
mod scan;
mod select;
mod start_key;
mod table;
mod tags;
mod throughput;
mod throughput_rules;
mod update_item;
mod update_table;
mod write;

use std::sync::Arc;

use super::{Output, Request};
use crate::engine::Engine;
use crate::wire::ApiError;

/// Runs one action. An operation that is not there yet answers `UnknownOperationException`.
pub async fn dispatch(engine: &Arc<Engine>, request: Request) -> Result<Output, ApiError> {
    match request.operation {
        "BatchExecuteStatement" => batch_execute_statement::run(engine, request).await,
        "BatchGetItem" => batch_get_item::run(engine, request).await,
        "BatchWriteItem" => batch_write_item::run(engine, request).await,
        "CreateTable" => Box::pin(create_table::run(engine, request)).await,
        "DeleteResourcePolicy" => resource_policy::delete(engine, &request).await,
        "DeleteItem" => delete_item::run(engine, request).await,
        "DeleteTable" => delete_table::run(engine, request).await,
        "DescribeContinuousBackups" => describe_features::continuous_backups(engine, &request),
        "DescribeContributorInsights" => describe_features::contributor_insights(engine, &request),
        "DescribeEndpoints" => describe_features::endpoints(&request),
        "DescribeKinesisStreamingDestination" => {
            describe_features::kinesis_streaming_destination(engine, &request)
        }
        "DescribeLimits" => Ok(describe_limits::run()),
        "DescribeTable" => describe_table::run(engine, &request),
        "DescribeTimeToLive" => describe_features::time_to_live(engine, &request),
        "ExecuteStatement" => execute_statement::run(engine, request).await,
        "GetItem" => get_item::run(engine, request).await,
        "GetResourcePolicy" => resource_policy::get(engine, &request),
        "ListTables" => list_tables::run(engine, &request),
        "ListTagsOfResource" => tags::list(engine, &request),
        "PutItem" => put_item::run(engine, request).await,
        "PutResourcePolicy" => resource_policy::put(engine, &request).await,
        "Query" => query::run(engine, request).await,
        "Scan" => scan::run(engine, request).await,
        "TagResource" => tags::tag(engine, &request).await,
        "UntagResource" => tags::untag(engine, &request).await,
        "UpdateItem" => update_item::run(engine, request).await,
        "UpdateTable" => update_table::run(engine, &request).await,
        _ => Err(ApiError::new("UnknownOperationException", "")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A request's future is moved several times on its way: one rare, large step in it costs every request.
    #[test]
    fn requests_are_small() {
        fn bytes<'a, F: Future>(_: impl Fn(&'a Engine, Request) -> F) -> usize {
            size_of::<F>()
        }
        let sizes = [
            bytes(get_item::run),
            bytes(put_item::run),
            bytes(update_item::run),
            bytes(delete_item::run),
            bytes(query::run),
            bytes(scan::run),
            bytes(batch_get_item::run),
            bytes(batch_write_item::run),
            bytes(execute_statement::run),
            bytes(batch_execute_statement::run),
        ];
        assert!(sizes.iter().all(|bytes| *bytes < 6 * 1024), "{sizes:?}");
    }
}
