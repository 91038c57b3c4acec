//! GenerateRandom.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use strongroom_seal::secret::SecretBytes;

use super::call::Call;
use super::generate_data_key::out_of_range;
use crate::kms::error::KmsError;

pub(super) fn run(call: &mut Call<'_>) -> Result<Value, KmsError> {
    call.refuse(&["Recipient", "CustomKeyStoreId"])?;
    let bytes = call.integer("NumberOfBytes");
    let bytes = bytes.ok_or_else(|| KmsError::validation("NumberOfBytes is required."))?;
    if !(1..=1024).contains(&bytes) {
        return Err(out_of_range(bytes));
    }
    let mut random = SecretBytes::zeroed(usize::try_from(bytes).unwrap_or(1));
    call.kms.random().fill(random.expose_mut());
    Ok(json!({ "Plaintext": STANDARD.encode(random.expose()) }))
}
