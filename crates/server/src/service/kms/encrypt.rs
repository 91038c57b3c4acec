//! Encrypt.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use strongroom_seal::secret::SecretBytes;

use super::call::Call;
use crate::kms::cipher;
use crate::kms::error::KmsError;
use crate::kms::identifier::Aliases;

pub(super) fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    let plaintext = SecretBytes::new(call.required_blob("Plaintext", PLAINTEXT_BYTES_MAX)?);
    let context = call.context("EncryptionContext")?;
    call.check_grant_tokens()?;
    let key = call.key("KeyId", Aliases::Allowed, "Encrypt")?;
    call.check_algorithm("EncryptionAlgorithm")?;
    key.check_enabled()?;
    call.end_dry_run()?;
    let ciphertext = cipher::encrypt(&key, plaintext.expose(), &context, call.kms.random())?;
    Ok(json!({
        "CiphertextBlob": STANDARD.encode(ciphertext),
        "KeyId": key.arn,
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
    }))
}

/// The longest plaintext that a symmetric encryption key takes.
const PLAINTEXT_BYTES_MAX: usize = 4_096;
