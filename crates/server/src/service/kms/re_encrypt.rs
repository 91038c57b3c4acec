//! ReEncrypt: from one key or context to another, the plaintext staying here.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::call::Call;
use super::decrypt::{CIPHERTEXT_BYTES_MAX, is_without_ciphertext, key_of_ciphertext};
use crate::kms::cipher;
use crate::kms::error::KmsError;
use crate::kms::identifier::Aliases;

pub(super) fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    call.required_string("DestinationKeyId")?;
    let source_context = call.context("SourceEncryptionContext")?;
    let destination_context = call.context("DestinationEncryptionContext")?;
    call.check_grant_tokens()?;
    if is_without_ciphertext(call)? {
        call.key("SourceKeyId", Aliases::Allowed, "ReEncryptFrom")?.check_enabled()?;
        call.key("DestinationKeyId", Aliases::Allowed, "ReEncryptTo")?.check_enabled()?;
        return Err(KmsError::dry_run());
    }
    let ciphertext = call.required_blob("CiphertextBlob", CIPHERTEXT_BYTES_MAX)?;
    let source = key_of_ciphertext(call, &ciphertext, "SourceKeyId", "ReEncryptFrom")?;
    call.check_algorithm("SourceEncryptionAlgorithm")?;
    let destination = call.key("DestinationKeyId", Aliases::Allowed, "ReEncryptTo")?;
    call.check_algorithm("DestinationEncryptionAlgorithm")?;
    source.check_enabled()?;
    destination.check_enabled()?;
    let (plaintext, source_material) = cipher::decrypt(&source, &ciphertext, &source_context)?;
    call.end_dry_run()?;
    let resealed =
        cipher::encrypt(&destination, plaintext.expose(), &destination_context, call.kms.random())?;
    let source_material_id = source_material.id_text();
    let destination_material_id = destination.current_material().id_text();
    call.additional_data = json!({
        "sourceKeyMaterialId": source_material_id,
        "destinationKeyMaterialId": destination_material_id,
    });
    Ok(json!({
        "CiphertextBlob": STANDARD.encode(resealed),
        "SourceKeyId": source.arn,
        "KeyId": destination.arn,
        "SourceEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "DestinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "SourceKeyMaterialId": source_material_id,
        "DestinationKeyMaterialId": destination_material_id,
    }))
}
