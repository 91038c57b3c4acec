//! What tools read back after CreateTable, of features that are off.

use serde_json::json;

use super::{input, table};
use crate::engine::Engine;
use crate::service::{Output, Request};
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
    if let Some(index) = input::text(&request.input, "IndexName") {
        return Err(ApiError::new(
            "ResourceNotFoundException",
            format!("Requested resource not found: Index: {index} not found"),
        ));
    }
    Ok(json!({"TableName": found.record().name, "ContributorInsightsStatus": "DISABLED"}).into())
}

/// DescribeKinesisStreamingDestination.
pub fn kinesis_streaming_destination(engine: &Engine, request: &Request) -> Result<Output, ApiError> {
    let found = table::for_control(engine, request)?;
    Ok(json!({"TableName": found.record().name, "KinesisDataStreamDestinations": []}).into())
}

/// DescribeEndpoints: clients are told to stay where they are.
pub fn endpoints(request: &Request) -> Output {
    json!({"Endpoints": [{
        "Address": format!("dynamodb.{}.amazonaws.com", request.caller.region),
        "CachePeriodInMinutes": 1440,
    }]})
    .into()
}
