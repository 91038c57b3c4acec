//! How each service speaks on the wire.

use strongroom_model::shape::{Protocol, model};

pub use strongroom_model::shape::Service;

/// Whether it takes a form and answers XML, rather than JSON both ways.
pub(super) fn is_query(service: Service) -> bool {
    model(service).protocol() == Protocol::Query
}

/// Whether it is one of the two services that DynamoDB's fleet answers.
pub(super) fn is_dynamodb(service: Service) -> bool {
    matches!(service, Service::DynamoDb | Service::DynamoDbStreams)
}

/// The content type of a service's answers.
pub(super) fn content_type(service: Service) -> &'static str {
    match service {
        Service::DynamoDb | Service::DynamoDbStreams => "application/x-amz-json-1.0",
        Service::Kms | Service::CloudTrail => "application/x-amz-json-1.1",
        Service::Sts | Service::Iam => "text/xml",
    }
}
