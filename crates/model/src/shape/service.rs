//! The services whose models are kept, and their one door.

use std::sync::OnceLock;

use super::load;
use super::model::{Model, Operation};

/// A service whose published model is kept in `crates/model/data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// Amazon DynamoDB.
    DynamoDb,
    /// Amazon DynamoDB Streams.
    DynamoDbStreams,
    /// AWS Key Management Service.
    Kms,
    /// AWS CloudTrail.
    CloudTrail,
    /// AWS Security Token Service.
    Sts,
    /// AWS Identity and Access Management.
    Iam,
}

impl Service {
    /// Every service, in the order of the enum.
    pub const ALL: [Self; 6] =
        [Self::DynamoDb, Self::DynamoDbStreams, Self::Kms, Self::CloudTrail, Self::Sts, Self::Iam];

    /// The service and the operation's name of an `X-Amz-Target` header such as
    /// `DynamoDB_20120810.PutItem`; nothing if no service answers to the prefix.
    ///
    /// Whether the operation exists is for [`Model::operation`] to say.
    pub fn from_target(target: &str) -> Option<(Self, &str)> {
        let (prefix, operation) = target.rsplit_once('.')?;
        let service = match prefix {
            "DynamoDB_20120810" => Self::DynamoDb,
            "DynamoDBStreams_20120810" => Self::DynamoDbStreams,
            "TrentService" => Self::Kms,
            // Older SDKs send CloudTrail's prefix without its Java package.
            "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101" | "CloudTrail_20131101" => {
                Self::CloudTrail
            }
            _ => return None,
        };
        Some((service, operation))
    }

    /// The published operation that an `X-Amz-Target` header names.
    pub fn operation_from_target(target: &str) -> Option<&'static Operation> {
        let (service, operation) = Self::from_target(target)?;
        model(service).operation(operation)
    }

    /// The name under which requests to this service are signed.
    pub fn signing_name(self) -> &'static str {
        match self {
            Self::DynamoDb | Self::DynamoDbStreams => "dynamodb",
            Self::Kms => "kms",
            Self::CloudTrail => "cloudtrail",
            Self::Sts => "sts",
            Self::Iam => "iam",
        }
    }

    /// The prefix of the service's Java classes, which its error texts show.
    pub(super) fn java_package(self) -> &'static str {
        match self {
            Self::DynamoDb | Self::DynamoDbStreams => "com.amazonaws.dynamodb.v20120810.",
            Self::Kms => "com.amazonaws.kms.",
            Self::CloudTrail => "com.amazonaws.cloudtrail.v20131101.",
            Self::Sts => "com.amazonaws.sts.",
            Self::Iam => "com.amazonaws.iam.",
        }
    }

    pub(super) fn data(self) -> &'static str {
        match self {
            Self::DynamoDb => include_str!("../../data/dynamodb.json"),
            Self::DynamoDbStreams => include_str!("../../data/dynamodbstreams.json"),
            Self::Kms => include_str!("../../data/kms.json"),
            Self::CloudTrail => include_str!("../../data/cloudtrail.json"),
            Self::Sts => include_str!("../../data/sts.json"),
            Self::Iam => include_str!("../../data/iam.json"),
        }
    }
}

/// The model of `service`, read at the first call (well under 3 ms) and kept.
pub fn model(service: Service) -> &'static Model {
    static MODELS: [OnceLock<Model>; Service::ALL.len()] = [const { OnceLock::new() }; Service::ALL.len()];
    MODELS[service as usize].get_or_init(|| load::model(service, service.data()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_names_service_and_operation() {
        assert_eq!(Service::from_target("DynamoDB_20120810.PutItem"), Some((Service::DynamoDb, "PutItem")));
        assert_eq!(
            Service::from_target("DynamoDBStreams_20120810.GetRecords"),
            Some((Service::DynamoDbStreams, "GetRecords"))
        );
        assert_eq!(Service::from_target("TrentService.Encrypt"), Some((Service::Kms, "Encrypt")));
        for target in [
            "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents",
            "CloudTrail_20131101.LookupEvents",
        ] {
            assert_eq!(Service::from_target(target), Some((Service::CloudTrail, "LookupEvents")));
        }
        for target in
            ["", ".", "PutItem", "DynamoDB_20111205.PutItem", "dynamodb_20120810.PutItem", "Trent.A.B"]
        {
            assert_eq!(Service::from_target(target), None, "{target}");
        }
    }

    /// The prefixes above are those of the models, so an update of the data cannot silently differ.
    #[test]
    fn the_prefixes_are_the_models_own() {
        for service in Service::ALL {
            if let Some(prefix) = model(service).target_prefix() {
                let target = format!("{prefix}.Any");
                assert_eq!(Service::from_target(&target), Some((service, "Any")));
            }
        }
    }
}
