//! DescribeLimits.

use serde_json::json;

use crate::service::Output;

/// Runs DescribeLimits: the service's default quotas. Strongroom does not throttle.
pub fn run() -> Output {
    json!({
        "AccountMaxReadCapacityUnits": 80_000,
        "AccountMaxWriteCapacityUnits": 80_000,
        "TableMaxReadCapacityUnits": 40_000,
        "TableMaxWriteCapacityUnits": 40_000,
    })
    .into()
}
