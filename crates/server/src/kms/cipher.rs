//! Sealing and opening with a key's material. The format is `strongroom_seal::blob`'s.

use strongroom_model::clock::Random;
use strongroom_seal::blob::{self, BlobHeader};
use strongroom_seal::secret::SecretBytes;

use super::error::KmsError;
use super::grant::EncryptionContext;
use super::key::{Key, KeyMaterial};

/// Seals `plaintext`, 4,096 bytes at most, under the key's current material, bound to `context`.
pub(crate) fn encrypt(
    key: &Key,
    plaintext: &[u8],
    context: &EncryptionContext,
    random: &dyn Random,
) -> Result<Vec<u8>, KmsError> {
    let material = key.current_material();
    let key_id = uuid::Uuid::parse_str(&key.id).map_err(|_| KmsError::key_id_invalid(&key.id))?;
    let header = BlobHeader { key_id: key_id.into_bytes(), material_id: material.id };
    Ok(blob::seal(&material.secret, header, context, plaintext, random))
}

/// What a ciphertext says it was made with. True only once the ciphertext has opened.
pub(crate) struct Named {
    pub key_id: String,
    pub material_id: [u8; 32],
}

/// Reads what a ciphertext says it was made with.
pub(crate) fn named(ciphertext: &[u8]) -> Result<Named, KmsError> {
    let BlobHeader { key_id, material_id } =
        blob::header(ciphertext).ok_or_else(KmsError::invalid_ciphertext)?;
    Ok(Named { key_id: uuid::Uuid::from_bytes(key_id).to_string(), material_id })
}

/// Opens a ciphertext of this key, and says which material it was made with.
pub(crate) fn decrypt<'a>(
    key: &'a Key,
    ciphertext: &[u8],
    context: &EncryptionContext,
) -> Result<(SecretBytes, &'a KeyMaterial), KmsError> {
    let header = blob::header(ciphertext).ok_or_else(KmsError::invalid_ciphertext)?;
    let material = key.materials.iter().find(|material| material.id == header.material_id);
    let material = material.ok_or_else(KmsError::invalid_ciphertext)?;
    let plaintext = blob::open(&material.secret, context, ciphertext);
    plaintext.map(|plaintext| (plaintext, &**material)).map_err(|_| KmsError::invalid_ciphertext())
}
