//! GenerateDataKey and GenerateDataKeyWithoutPlaintext.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use strongroom_seal::secret::SecretBytes;

use super::call::Call;
use crate::kms::cipher;
use crate::kms::error::KmsError;
use crate::kms::identifier::Aliases;

pub(super) fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    let (plaintext, mut answer) = generate(call)?;
    answer["Plaintext"] = json!(STANDARD.encode(plaintext.expose()));
    Ok(answer)
}

pub(super) fn run_without_plaintext(call: &mut Call<'_>) -> Result<Value, KmsError> {
    generate(call).map(|(_, answer)| answer)
}

fn generate(call: &mut Call<'_>) -> Result<(SecretBytes, Value), KmsError> {
    call.refuse(&["Recipient"])?;
    let bytes = match (call.string("KeySpec"), call.integer("NumberOfBytes")) {
        (Some("AES_256"), None) => 32,
        (Some("AES_128"), None) => 16,
        (None, Some(bytes @ 1..=1024)) => usize::try_from(bytes).unwrap_or(1),
        (Some(spec), None) => {
            let constraint = "Member must satisfy enum value set: [AES_256, AES_128]";
            return Err(KmsError::constraint(&format!("'{spec}'"), "keySpec", constraint));
        }
        (None, Some(bytes)) => return Err(out_of_range(bytes)),
        _ => {
            return Err(KmsError::validation("Please specify either number of bytes or key spec."));
        }
    };
    let context = call.context("EncryptionContext")?;
    call.check_grant_tokens()?;
    let key = call.key("KeyId", Aliases::Allowed, call.operation())?;
    key.check_enabled()?;
    call.end_dry_run()?;
    let mut plaintext = SecretBytes::zeroed(bytes);
    call.kms.random().fill(plaintext.expose_mut());
    let ciphertext = cipher::encrypt(&key, plaintext.expose(), &context, call.kms.random())?;
    let material_id = key.current_material().id_text();
    call.additional_data = json!({ "keyMaterialId": material_id });
    let answer = json!({
        "CiphertextBlob": STANDARD.encode(ciphertext),
        "KeyId": key.arn,
        "KeyMaterialId": material_id,
    });
    Ok((plaintext, answer))
}

/// The refusal of a `NumberOfBytes` outside 1 to 1,024.
pub(super) fn out_of_range(bytes: i64) -> KmsError {
    let constraint = if bytes < 1 {
        "Member must have value greater than or equal to 1"
    } else {
        "Member must have value less than or equal to 1024"
    };
    KmsError::constraint(&format!("'{bytes}'"), "numberOfBytes", constraint)
}
