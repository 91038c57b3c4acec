//! Decrypt. The ciphertext says which key it was made with; a `KeyId` must agree.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::call::Call;
use crate::kms::authorize::authorize;
use crate::kms::cipher;
use crate::kms::error::KmsError;
use crate::kms::identifier::Aliases;
use crate::kms::key::Key;

pub(super) fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    call.refuse(&["Recipient"])?;
    let context = call.context("EncryptionContext")?;
    call.check_grant_tokens()?;
    if is_without_ciphertext(call)? {
        call.key("KeyId", Aliases::Allowed, "Decrypt")?.check_enabled()?;
        return Err(KmsError::dry_run());
    }
    let ciphertext = call.required_blob("CiphertextBlob", CIPHERTEXT_BYTES_MAX)?;
    let key = key_of_ciphertext(call, &ciphertext, "KeyId", "Decrypt")?;
    call.check_algorithm("EncryptionAlgorithm")?;
    key.check_enabled()?;
    let (plaintext, material) = cipher::decrypt(&key, &ciphertext, &context)?;
    call.end_dry_run()?;
    call.additional_data = json!({ "keyMaterialId": material.id_text() });
    Ok(json!({
        "Plaintext": STANDARD.encode(plaintext.expose()),
        "KeyId": key.arn,
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "KeyMaterialId": material.id_text(),
    }))
}

/// The key that `ciphertext` was made with, once the caller may do `action` with it.
///
/// The member `name`, if there is one, must name that key.
pub(super) fn key_of_ciphertext(
    call: &mut Call<'_>,
    ciphertext: &[u8],
    name: &str,
    action: &str,
) -> Result<Arc<Key>, KmsError> {
    let named = call.string(name).is_some().then(|| call.key(name, Aliases::Allowed, action)).transpose()?;
    let made_with = cipher::named(ciphertext)?;
    if let Some(named) = named {
        return if *named.id == made_with.key_id { Ok(named) } else { Err(KmsError::incorrect_key()) };
    }
    let key = call.kms.key(&call.place, &made_with.key_id);
    let key = key.ok_or_else(|| {
        if call.kms.has_material(&call.place, &made_with.material_id) {
            // The material is here, so it is the key's id that was damaged.
            KmsError::invalid_ciphertext()
        } else {
            KmsError::ciphertext_of_unknown_key()
        }
    })?;
    call.use_key(&key);
    authorize(call.requester(action), &key)?;
    Ok(key)
}

/// Whether this is a dry run that asks for permissions only.
pub(super) fn is_without_ciphertext(call: &Call<'_>) -> Result<bool, KmsError> {
    let modifiers = call.member("DryRunModifiers").and_then(Value::as_array);
    let ignores_ciphertext = modifiers.is_some_and(|modifiers| !modifiers.is_empty());
    if ignores_ciphertext && !call.flag("DryRun") {
        return Err(KmsError::validation("DryRunModifiers can be specified only when DryRun is true"));
    }
    Ok(ignores_ciphertext)
}

/// The longest ciphertext that the service takes.
pub(super) const CIPHERTEXT_BYTES_MAX: usize = 6_144;
