//! The services that share the port, and how a request names one.

/// An AWS service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Amazon DynamoDB, API version 2012-08-10.
    DynamoDb,
    /// Amazon DynamoDB Streams, API version 2012-08-10.
    DynamoDbStreams,
    /// AWS Key Management Service, API version 2014-11-01.
    Kms,
    /// AWS CloudTrail, API version 2013-11-01.
    CloudTrail,
    /// AWS Security Token Service, API version 2011-06-15.
    Sts,
    /// AWS Identity and Access Management, API version 2010-05-08.
    Iam,
}

/// How a service writes requests and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// JSON, operation in `X-Amz-Target`.
    Json,
    /// A form in, XML out, operation in the parameter `Action`.
    Query,
}

impl Service {
    /// The name in a credential scope.
    pub fn signing_name(self) -> &'static str {
        match self {
            Self::DynamoDb | Self::DynamoDbStreams => "dynamodb",
            Self::Kms => "kms",
            Self::CloudTrail => "cloudtrail",
            Self::Sts => "sts",
            Self::Iam => "iam",
        }
    }
}

pub(super) fn protocol(service: Service) -> Protocol {
    match service {
        Service::DynamoDb | Service::DynamoDbStreams | Service::Kms | Service::CloudTrail => {
            Protocol::Json
        }
        Service::Sts | Service::Iam => Protocol::Query,
    }
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

/// The operation of this exact name, if the service publishes one.
pub(super) fn operation(service: Service, name: &str) -> Option<&'static str> {
    let names: &'static [&'static str] = match service {
        Service::DynamoDb => &DYNAMODB,
        Service::Kms => &KMS,
        Service::CloudTrail => &["LookupEvents"],
        _ => &[],
    };
    names.iter().find(|known| **known == name).copied()
}

const DYNAMODB: [&str; 21] = [
    "BatchGetItem", "BatchWriteItem", "CreateTable", "DeleteItem", "DeleteTable", "DescribeContinuousBackups",
    "DescribeContributorInsights", "DescribeEndpoints", "DescribeKinesisStreamingDestination", "DescribeLimits",
    "DescribeTable", "DescribeTimeToLive", "GetItem", "GetResourcePolicy", "ListTables", "ListTagsOfResource",
    "PutItem", "Query", "Scan", "UpdateItem", "UpdateTable",
];
const KMS: [&str; 5] = ["CreateKey", "DescribeKey", "EnableKey", "DisableKey", "Decrypt"];

/// Splits `X-Amz-Target` into the service and the operation's name.
pub(super) fn parse_target(target: &str) -> Option<(Service, &str)> {
    let (prefix, operation) = target.rsplit_once('.')?;
    let service = match prefix {
        "DynamoDB_20120810" => Service::DynamoDb,
        "DynamoDBStreams_20120810" => Service::DynamoDbStreams,
        "TrentService" => Service::Kms,
        "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101" | "CloudTrail_20131101" => {
            Service::CloudTrail
        }
        _ => return None,
    };
    Some((service, operation))
}
