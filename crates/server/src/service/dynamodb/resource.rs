//! `ResourceArn`: finding the table whose tags or policy a request means.

use std::sync::Arc;

use strongroom_model::arn::Arn;

use super::errors::table_not_found;
use super::{input, table};
use crate::engine::{Engine, Table};
use crate::service::Request;
use crate::wire::ApiError;

/// The ARN of a table.
pub struct ResourceArn {
    text: String,
    region: String,
    account: String,
    /// The table's name.
    table_name: String,
    /// The stream's label, of the ARN of a stream.
    stream: Option<String>,
    /// Whether the partition is that of the region.
    partition_is_right: bool,
}

/// The ARN of a request about tags. The service looks at its form before it looks at the rest of the request.
pub fn tagged_arn(request: &Request) -> Result<ResourceArn, ApiError> {
    ResourceArn::of(request)
}

/// The table whose tags a request means.
pub fn tagged_table(engine: &Engine, request: &Request, arn: &ResourceArn) -> Result<Arc<Table>, ApiError> {
    let caller = &request.caller;
    if arn.account != *caller.principal.account {
        return Err(ApiError::new(
            "AccessDeniedException",
            format!(
                "User: {} is not authorized to perform: dynamodb:{} on resource: {}",
                caller.principal.arn, request.operation, arn.text
            ),
        ));
    }
    if !arn.is_of_region(request) {
        return Err(ApiError::validation(format!(
            "Invalid TableArn: Invalid ResourceArn provided as input {}",
            arn.text
        )));
    }
    arn.table(engine, request).filter(|_| arn.stream.is_none()).ok_or_else(|| {
        ApiError::new(
            "ResourceNotFoundException",
            format!("Requested resource not found: ResourceArn: {} not found", arn.text),
        )
    })
}

/// The table whose policy a request means.
pub fn table_with_policy(engine: &Engine, request: &Request) -> Result<Arc<Table>, ApiError> {
    let arn = ResourceArn::of(request)?;
    if arn.account != *request.caller.principal.account {
        return Err(ApiError::validation(
            "This action is only supported by accounts that match the resource owner\u{2019}s account.",
        ));
    }
    if !arn.is_of_region(request) {
        return Err(invalid(&format!("Invalid resource Arn: {}", arn.text)));
    }
    let table = arn.table(engine, request).ok_or_else(|| table_not_found(&arn.table_name))?;
    match &arn.stream {
        None => Ok(table),
        Some(label) => Err(ApiError::new(
            "ResourceNotFoundException",
            format!("Requested resource not found: Stream: {label} not found for Table: {}", arn.table_name),
        )),
    }
}

impl ResourceArn {
    fn of(request: &Request) -> Result<Self, ApiError> {
        let text = input::text(&request.input, "ResourceArn").unwrap_or_default();
        if !text.starts_with("arn:") {
            return Err(invalid(&format!("ARNs must start with 'arn:': {text}")));
        }
        let foreign = || invalid(&format!("Provided Arn is not a DynamoDB resource arn: {text}"));
        let arn = Arn::parse(text).map_err(|_| foreign())?;
        let mut parts = arn.resource.splitn(4, '/');
        let (kind, name) = (parts.next(), parts.next().unwrap_or_default());
        let (part, rest) = (parts.next(), parts.next());
        if arn.service != "dynamodb" || kind != Some("table") || name.is_empty() {
            return Err(foreign());
        }
        let stream = match (part, rest) {
            (None, _) => None,
            (Some("stream"), Some(label)) => Some(label.to_owned()),
            (Some("index"), Some(_)) => {
                return Err(invalid(&format!(
                    "Invalid resource arn provided, only table or stream is accepted. Provided resource arn: {text}"
                )));
            }
            _ => return Err(foreign()),
        };
        Ok(Self {
            text: text.to_owned(),
            region: arn.region.to_owned(),
            account: arn.account_id.to_owned(),
            table_name: name.to_owned(),
            stream,
            partition_is_right: arn.partition == strongroom_model::arn::partition_of_region(arn.region),
        })
    }

    fn is_of_region(&self, request: &Request) -> bool {
        self.region == *request.caller.region && self.partition_is_right
    }

    fn table(&self, engine: &Engine, request: &Request) -> Option<Arc<Table>> {
        let caller = &request.caller;
        engine
            .table(&caller.principal.account, &caller.region, &self.table_name)
            .filter(|found| !table::is_coming_into_being(engine, &found.record()))
    }
}

fn invalid(text: &str) -> ApiError {
    ApiError::validation(format!("One or more parameter values were invalid: {text}"))
}
