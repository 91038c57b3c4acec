//! What the key service hands out as a ciphertext: a header that names the key, then one chunked message.
//!
//! The message's context is the header and the caller's encryption context, so
//! a blob opens only under the key it names and with the same pairs. The layout
//! is in `docs/formats/kms-ciphertext.md`.

use std::collections::BTreeMap;

use strongroom_model::clock::Random;

use crate::chunked;
use crate::secret::{SecretBytes, SecretKey};

const MAGIC: &[u8; 5] = b"SRKMS";
const VERSION: u8 = 1;

/// Bytes of the header.
pub const HEADER_BYTES: usize = 54;

/// The most bytes a blob may have, as KMS documents it for `CiphertextBlob`.
pub const BLOB_BYTES_MAX: usize = 6144;

/// The most bytes a blob may hold, as KMS documents it for `Plaintext`.
pub const PLAINTEXT_BYTES_MAX: usize = 4096;

/// The key that a blob names. Authentic only once the blob has opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobHeader {
    /// The KMS key's UUID.
    pub key_id: [u8; 16],
    /// Which material of that key.
    pub material_id: [u8; 32],
}

/// The blob does not open: it is not one of ours, it was changed, or the key or the encryption context is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ciphertext does not open under this key and encryption context")]
pub struct DoesNotOpen;

/// Seals `plaintext`, at most 4,096 bytes, under one material of a KMS key.
pub fn seal(
    key_material: &SecretKey,
    header: BlobHeader,
    encryption_context: &BTreeMap<String, String>,
    plaintext: &[u8],
    random: &dyn Random,
) -> Vec<u8> {
    assert!(plaintext.len() <= PLAINTEXT_BYTES_MAX, "the API refuses longer plaintexts");
    let header = header.encode();
    let pairs = canonical(encryption_context);
    let mut blob = header.to_vec();
    blob.extend(chunked::seal(key_material, &[&header, &pairs], plaintext, random));
    blob
}

/// The key that `blob` names, or `None` if it is no blob of ours.
pub fn header(blob: &[u8]) -> Option<BlobHeader> {
    let header = blob.first_chunk::<HEADER_BYTES>()?;
    if &header[..5] != MAGIC || header[5] != VERSION || blob.len() > BLOB_BYTES_MAX {
        return None;
    }
    let (key_id, material_id) = header[6..].split_first_chunk()?;
    Some(BlobHeader { key_id: *key_id, material_id: material_id.try_into().ok()? })
}

/// Opens `blob` with the material that its header names.
pub fn open(
    key_material: &SecretKey,
    encryption_context: &BTreeMap<String, String>,
    blob: &[u8],
) -> Result<SecretBytes, DoesNotOpen> {
    header(blob).ok_or(DoesNotOpen)?;
    let (header, message) = blob.split_at(HEADER_BYTES);
    let pairs = canonical(encryption_context);
    let mut plain = chunked::open(key_material, &[header, &pairs], message).map_err(|_| DoesNotOpen)?;
    Ok(SecretBytes::new(std::mem::take(&mut *plain)))
}

impl BlobHeader {
    fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..5].copy_from_slice(MAGIC);
        bytes[5] = VERSION;
        bytes[6..22].copy_from_slice(&self.key_id);
        bytes[22..].copy_from_slice(&self.material_id);
        bytes
    }
}

// One spelling for every encryption context, and none for two of them: names in byte order, every text with its length.
fn canonical(encryption_context: &BTreeMap<String, String>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for text in encryption_context.iter().flat_map(|(name, value)| [name, value]) {
        let length = u32::try_from(text.len()).expect("a request has at most 16 MiB");
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::primitive::OsRandom;

    const HEADER: BlobHeader = BlobHeader { key_id: [7; 16], material_id: [9; 32] };

    fn context(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn a_blob_names_its_key_and_opens_with_the_same_pairs() {
        let key = SecretKey::generate(&OsRandom);
        let pairs = context(&[("b", "2"), ("a", "1")]);
        for plaintext in [&b""[..], b"secret", &[5; PLAINTEXT_BYTES_MAX]] {
            let blob = seal(&key, HEADER, &pairs, plaintext, &OsRandom);
            assert!(blob.len() <= BLOB_BYTES_MAX);
            assert_eq!(header(&blob), Some(HEADER));
            assert_eq!(open(&key, &pairs, &blob).unwrap().expose(), plaintext);
        }
    }

    #[test]
    fn another_key_or_context_does_not_open_it() {
        let key = SecretKey::generate(&OsRandom);
        let blob = seal(&key, HEADER, &context(&[("a", "1")]), b"secret", &OsRandom);
        let others = [
            context(&[]),
            context(&[("a", "2")]),
            context(&[("A", "1")]),
            context(&[("a", "1"), ("b", "")]),
            context(&[("", "a1")]),
        ];
        for other in others {
            assert_eq!(open(&key, &other, &blob).err(), Some(DoesNotOpen), "{other:?}");
        }
        let other_key = SecretKey::generate(&OsRandom);
        assert!(open(&other_key, &context(&[("a", "1")]), &blob).is_err());
    }

    // Two contexts whose texts run together to the same bytes must not be taken for each other.
    #[test]
    fn pairs_cannot_be_shifted_into_each_other() {
        let spellings = [
            context(&[("ab", "c")]),
            context(&[("a", "bc")]),
            context(&[("a", "b"), ("c", "")]),
            context(&[("abc", "")]),
        ];
        let bytes: std::collections::HashSet<Vec<u8>> = spellings.iter().map(canonical).collect();
        assert_eq!(bytes.len(), spellings.len());
    }

    #[test]
    fn a_blob_that_was_touched_anywhere_does_not_open() {
        let key = SecretKey::generate(&OsRandom);
        let pairs = context(&[("a", "1")]);
        let blob = seal(&key, HEADER, &pairs, b"secret", &OsRandom);
        for at in 0..blob.len() {
            let mut touched = blob.clone();
            touched[at] ^= 1;
            assert!(open(&key, &pairs, &touched).is_err(), "flipped at {at}");
            assert!(open(&key, &pairs, &blob[..at]).is_err(), "cut at {at}");
        }
        assert!(open(&key, &pairs, &[blob.as_slice(), &[0]].concat()).is_err());
        assert_eq!(header(b"garbage"), None);
        assert_eq!(header(&[blob, vec![0; BLOB_BYTES_MAX]].concat()), None);
    }
}
