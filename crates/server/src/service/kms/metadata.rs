//! `KeyMetadata`, as CreateKey and DescribeKey answer it.

use serde_json::{Value, json};

use crate::kms::key::{Key, KeyState};
use crate::kms::table_kms::KeyManager;

pub(super) fn key_metadata(key: &Key) -> Value {
    let mut metadata = json!({
        "AWSAccountId": key.place.account,
        "KeyId": key.id,
        "Arn": key.arn,
        "CreationDate": epoch_seconds(key.record.created_millis),
        "Enabled": key.record.state == KeyState::Enabled,
        "Description": key.record.description,
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": key.record.state.name(),
        "Origin": "AWS_KMS",
        "KeyManager": match key.record.manager {
            KeyManager::Customer => "CUSTOMER",
            KeyManager::Aws | KeyManager::Service => "AWS",
        },
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": false,
        "CurrentKeyMaterialId": key.current_material().id_text(),
    });
    if let Some(deletion_millis) = key.record.deletion_millis {
        metadata["DeletionDate"] = epoch_seconds(deletion_millis);
    }
    metadata
}

/// A time as JSON 1.1 services send it: seconds since the epoch, with fractions.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 stay exact in a double")]
pub(super) fn epoch_seconds(millis: i64) -> Value {
    json!(millis as f64 / 1000.0)
}
