//! CloudTrail: one file per API action.

mod lookup_events;
#[cfg(test)]
mod tests;

use super::{Output, Request};
use crate::audit::Audit;
use crate::wire::ApiError;

/// Runs one call.
pub async fn dispatch(audit: &Audit, request: &Request) -> Result<Output, ApiError> {
    match request.operation {
        "LookupEvents" => lookup_events::run(audit, request).await.map(Output::from),
        _ => Err(ApiError::new("UnknownOperationException", "")),
    }
}
