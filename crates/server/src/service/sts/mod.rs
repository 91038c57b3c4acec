//! STS: one file per API action.

mod get_caller_identity;

use super::{Output, Request};
use crate::wire::ApiError;

/// Runs one call. The wire renders the answer as XML.
#[expect(clippy::unused_async, reason = "every service is dispatched in the same way")]
pub async fn dispatch(request: &Request) -> Result<Output, ApiError> {
    match request.operation {
        "GetCallerIdentity" => Ok(get_caller_identity::run(request)?.into()),
        _ => Err(ApiError::new("UnknownOperationException", "")),
    }
}
