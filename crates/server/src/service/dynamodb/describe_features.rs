//! What tools read back after CreateTable, of features that are off.

use serde_json::json;

use super::errors::table_not_found;
use super::{input, table};
use crate::engine::Engine;
use crate::service::{Output, Reached, Request};
use crate::wire::ApiError;

/// DescribeContinuousBackups.
pub fn continuous_backups(engine: &Engine, request: &Request) -> Result<Output, ApiError> {
    table::for_control(engine, request).map_err(|error| {
        if error.code != "ResourceNotFoundException" {
            return error;
        }
        let name = input::text(&request.input, "TableName").unwrap_or_default();
        ApiError::new("TableNotFoundException", format!("Table not found: {name}"))
    })?;
    Ok(json!({"ContinuousBackupsDescription": {
        "ContinuousBackupsStatus": "DISABLED",
        "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": "DISABLED"},
    }})
    .into())
}

/// DescribeTimeToLive.
pub fn time_to_live(engine: &Engine, request: &Request) -> Result<Output, ApiError> {
    table::for_control(engine, request)?;
    Ok(json!({"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}).into())
}

/// DescribeContributorInsights.
pub fn contributor_insights(engine: &Engine, request: &Request) -> Result<Output, ApiError> {
    let found = table::for_control(engine, request)?;
    let record = found.record();
    // While a table comes into being, or goes, the service says that it is not there.
    if record.deleting || table::is_coming_into_being(engine, &record) {
        return Err(table_not_found(&record.name));
    }
    let mut answer = json!({"TableName": record.name, "ContributorInsightsStatus": "DISABLED"});
    if let Some(name) = input::text(&request.input, "IndexName") {
        // Local indexes have no insights of their own.
        if !record.indexes.iter().any(|index| index.name == name && !index.local) {
            return Err(ApiError::new(
                "ResourceNotFoundException",
                format!("Requested resource not found: Index: {name} not found for table: {}", record.name),
            ));
        }
        answer["IndexName"] = json!(name);
    }
    Ok(answer.into())
}

/// DescribeKinesisStreamingDestination.
pub fn kinesis_streaming_destination(engine: &Engine, request: &Request) -> Result<Output, ApiError> {
    let found = table::for_control(engine, request)?;
    Ok(json!({"TableName": found.record().name, "KinesisDataStreamDestinations": []}).into())
}

/// DescribeEndpoints: clients are told to stay where they are. A client that discovers endpoints sends its items
/// to whatever address it is answered, so this must be the one at which it has reached this server.
pub fn endpoints(request: &Request) -> Result<Output, ApiError> {
    let Reached { host, tls } = &request.reached;
    if host.is_empty() {
        return Err(ApiError::validation("the request does not say in Host which endpoint it was sent to"));
    }
    // SDKs put `https://` in front of an address without a scheme.
    let scheme = if *tls { "" } else { "http://" };
    let address = format!("{scheme}{host}");
    Ok(json!({"Endpoints": [{ "Address": address, "CachePeriodInMinutes": 1440 }]}).into())
}
