//! What the engine asks of a key service to protect tables.
//!
//! Two implementations: the key service in this process, and one reached over
//! the network (`--kms-endpoint`).

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use strongroom_seal::secret::SecretKey;

use super::grant::EncryptionContext;
use crate::auth::Caller;
use crate::storage::StorageError;

/// The key calls that DynamoDB makes for a table.
#[async_trait]
pub trait TableKms: Send + Sync {
    /// The service-owned key of `region`, made at first use; always of this process's own key service.
    async fn service_key(&self, region: &str) -> Result<KeyDescription, TableKmsError>;

    /// Whether the last call of a key service over the network was not answered.
    fn is_silent(&self) -> bool;

    /// Resolves `key` (id, ARN, alias name or alias ARN) for `caller`, who selects it for a table.
    /// Says `Refused` unless it is a symmetric encryption key of the caller's account and region. In which state it is, is
    /// for the call to judge that needs it to be usable: `create_grant`.
    async fn describe_key(&self, caller: &Caller, key: &str) -> Result<KeyDescription, TableKmsError>;

    /// Creates the table's grant on behalf of `caller`; returns the grant id.
    async fn create_grant(
        &self,
        caller: &Caller,
        key_arn: &str,
        context: &TableContext,
    ) -> Result<String, TableKmsError>;

    /// Makes a new table key (AES_256), called by the service itself.
    async fn generate_table_key(
        &self,
        key_arn: &str,
        context: &TableContext,
    ) -> Result<NewTableKey, TableKmsError>;

    /// Opens a table key on behalf of `caller`, or of the service itself when there is none.
    async fn decrypt_table_key(
        &self,
        caller: Option<&Caller>,
        key_arn: &str,
        wrapped: &[u8],
        context: &TableContext,
    ) -> Result<SecretKey, TableKmsError>;

    /// Whether a table's grant still stands: neither revoked nor retired, and its key not deleted (R42).
    async fn has_grant(
        &self,
        key_arn: &str,
        grant_id: &str,
        context: &TableContext,
    ) -> Result<bool, TableKmsError>;

    /// The ids of all grants on a key that the service holds for a table of this context.
    async fn table_grants(&self, key_arn: &str, context: &TableContext)
    -> Result<Vec<String>, TableKmsError>;

    /// Retires a table's grant when the table is deleted or has left the key.
    async fn retire_grant(
        &self,
        key_arn: &str,
        grant_id: &str,
        context: &TableContext,
    ) -> Result<(), TableKmsError>;
}

/// The encryption context of every KMS call for one table (R21), and where the table lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableContext {
    /// `aws:dynamodb:tableName`.
    pub table_name: String,
    /// `aws:dynamodb:subscriberId`: the account, twelve digits.
    pub account: String,
    /// The table's region.
    pub region: String,
}

impl TableContext {
    /// DynamoDB of the table's region, as the holder of grants.
    pub fn service_principal(&self) -> String {
        format!("dynamodb.{}.amazonaws.com", self.region)
    }

    /// The two pairs, as every KMS call gets them.
    pub fn pairs(&self) -> EncryptionContext {
        EncryptionContext::from([
            ("aws:dynamodb:tableName".to_owned(), self.table_name.clone()),
            ("aws:dynamodb:subscriberId".to_owned(), self.account.clone()),
        ])
    }
}

/// A key that can protect a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDescription {
    /// The key's ARN.
    pub arn: String,
    /// Whose key it is.
    pub manager: KeyManager,
}

/// Whose key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyManager {
    /// Strongroom's own key: invisible, never audited (R8).
    Service,
    /// `alias/aws/dynamodb` (R9).
    Aws,
    /// The customer's (R10).
    Customer,
}

/// A freshly made table key.
#[derive(Debug)]
pub struct NewTableKey {
    /// The key itself; wipes itself.
    pub plaintext: SecretKey,
    /// The same, wrapped by the KMS key: a KMS ciphertext blob.
    pub wrapped: Vec<u8>,
}

/// Why a key call failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TableKmsError {
    /// The key service answered no: final until somebody changes the key, its policy or its grants.
    #[error("{code}: {message}")]
    Refused {
        /// KMS's code, such as `DisabledException`, `KMSInvalidStateException`, `NotFoundException`, `AccessDeniedException`.
        code: String,
        /// KMS's message.
        message: String,
        /// KMS's request id.
        request_id: String,
    },
    /// The key service did not answer (network, 5xx): cached keys may serve on (R25).
    #[error("the key service does not answer: {0}")]
    Unreachable(String),
    /// The key service does not take this server's signature for the time in it. Nothing was said of the key: cached keys
    /// may serve on (R25).
    #[error("the clocks of this server and of the key service differ by too much: {0}")]
    ClocksDiffer(String),
    /// The records of this process's own key service or trail cannot be written: its disk failed. Nobody said no.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
