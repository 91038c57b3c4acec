//! The engine's errors as DynamoDB words them.

use crate::engine::{AccessError, CollectionFull, CreateError, SwitchError};
use crate::kms::table_kms::{KeyManager, TableKmsError};
use crate::storage::StorageError;
use crate::wire::ApiError;

impl From<StorageError> for ApiError {
    fn from(error: StorageError) -> Self {
        // Where and why is for whoever runs the server, and stands in its log.
        let text = match error {
            StorageError::Closed(_) => "Internal server error",
            StorageError::Damaged(_) => {
                "Internal server error: stored data is damaged; the server's log names the object"
            }
            StorageError::Unavailable(_) => {
                "Internal server error: storage is unavailable; the server's log says why"
            }
        };
        Self::new("InternalServerError", text).with_status(500).with_cause(error)
    }
}

impl From<CollectionFull> for ApiError {
    fn from(_: CollectionFull) -> Self {
        // The documented text; what the service sends is not known.
        Self::new("ItemCollectionSizeLimitExceededException", "Collection size exceeded.")
    }
}

impl From<AccessError> for ApiError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::NotFound => not_found(),
            AccessError::Key(error) => error.into(),
            AccessError::Storage(error) => error.into(),
        }
    }
}

// The texts are those that users of the real service report; its own client of KMS shows through.
impl From<TableKmsError> for ApiError {
    fn from(error: TableKmsError) -> Self {
        match error {
            TableKmsError::Refused { code, message, request_id } => {
                let (kind, class, answer) = match code.as_str() {
                    "DisabledException" => ("disabled", "DisabledException", "ValidationException"),
                    "AccessDeniedException" => ("access denied", "AWSKMSException", "AccessDeniedException"),
                    _ => ("validation", code.as_str(), "ValidationException"),
                };
                let subject = if kind == "validation" { "KMS" } else { "KMS key" };
                Self::new(
                    answer.to_owned(),
                    format!(
                        "{subject} {kind} error: com.amazonaws.services.kms.model.{class}: {message} \
                         (Service: AWSKMS; Status Code: 400; Error Code: {code}; Request ID: {request_id}; \
                         Proxy: null)"
                    ),
                )
            }
            TableKmsError::Unreachable(cause) => {
                let text = "Internal server error: the key service does not answer";
                Self::new("InternalServerError", text).with_status(500).with_cause(cause)
            }
            TableKmsError::ClocksDiffer(cause) => {
                let text = "Internal server error: the clocks of this server and of the key service differ by too much";
                Self::new("InternalServerError", text).with_status(500).with_cause(cause)
            }
            // Nobody closes the key service's own store but a disk that failed.
            TableKmsError::Storage(StorageError::Closed(cause)) => StorageError::Unavailable(cause).into(),
            TableKmsError::Storage(error) => error.into(),
        }
    }
}

impl ApiError {
    /// What CreateTable answers; `name` is the table's.
    pub fn creating(error: CreateError, name: &str) -> Self {
        match error {
            CreateError::Exists => {
                Self::new("ResourceInUseException", format!("Table already exists: {name}"))
            }
            CreateError::Key(error) => error.into(),
            CreateError::Storage(error) => error.into(),
        }
    }

    /// What UpdateTable answers to a change of key; `arn` is the table's.
    pub fn switching(error: SwitchError) -> Self {
        match error {
            SwitchError::UnderWay => {
                super::index_updates::in_use("Server-Side Encryption is still being updated")
            }
            SwitchError::Same(KeyManager::Service) => Self::validation(
                "One or more parameter values were invalid: Table is already encrypted by default",
            ),
            SwitchError::Same(KeyManager::Aws | KeyManager::Customer) => Self::validation(
                "One or more parameter values were invalid: Table is already encrypted with given KMSMasterKeyId. \
                 Please specify a different KMSMasterKeyId.",
            ),
            SwitchError::TooMany => Self::new(
                "LimitExceededException",
                "Subscriber limit exceeded: Server-Side Encryption can be changed four times in 24 hours per \
                 table, and once in the last 6 hours after that",
            ),
            SwitchError::Access(error) => error.into(),
        }
    }
}

/// What reads and writes of items answer where there is no table.
pub fn not_found() -> ApiError {
    ApiError::new("ResourceNotFoundException", "Requested resource not found")
}

/// The error for a batch that has an item twice.
pub fn duplicate_keys() -> ApiError {
    ApiError::validation("Provided list of item keys contains duplicates")
}

/// What operations on tables answer where there is none.
pub fn table_not_found(name: &str) -> ApiError {
    ApiError::new(
        "ResourceNotFoundException",
        format!("Requested resource not found: Table: {name} not found"),
    )
}
