//! AES-256-GCM.

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};

/// Bytes that sealing adds.
pub const TAG_BYTES: usize = 16;

/// Bytes of a nonce, which must never repeat under one key.
pub const NONCE_BYTES: usize = 12;

/// A prepared AES-256-GCM key. The library wipes it when it is dropped.
pub struct Aes256Gcm(LessSafeKey);

impl Aes256Gcm {
    /// Prepares `key`.
    pub fn new(key: &[u8; 32]) -> Self {
        let unbound = UnboundKey::new(&aead::AES_256_GCM, key).expect("an AES-256 key has 32 bytes");
        Self(LessSafeKey::new(unbound))
    }

    /// Seals `plain` into `sealed`, which is exactly `TAG_BYTES` longer.
    pub fn seal(&self, nonce: [u8; NONCE_BYTES], aad: &[u8], plain: &[u8], sealed: &mut [u8]) {
        assert_eq!(sealed.len(), plain.len() + TAG_BYTES, "the output holds the sealed bytes and their tag");
        let (bytes, tag) = sealed.split_at_mut(plain.len());
        self.0
            .seal_out_of_place_scatter(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(aad),
                plain,
                bytes,
                &[],
                tag,
            )
            .expect("AES-GCM takes any input far shorter than 64 GiB");
    }

    /// Opens `sealed` into `plain`, which is exactly `TAG_BYTES` shorter.
    ///
    /// Returns `false`, with `plain` wiped, unless `sealed` is authentic under this key, nonce and `aad`.
    #[must_use]
    pub fn open(&self, nonce: [u8; NONCE_BYTES], aad: &[u8], sealed: &[u8], plain: &mut [u8]) -> bool {
        assert_eq!(sealed.len(), plain.len() + TAG_BYTES, "the output holds exactly the plaintext");
        let (bytes, tag) = sealed.split_at(plain.len());
        let opened = self
            .0
            .open_separate_gather(Nonce::assume_unique_for_key(nonce), Aad::from(aad), bytes, tag, plain)
            .is_ok();
        if !opened {
            plain.fill(0);
        }
        opened
    }
}

impl std::fmt::Debug for Aes256Gcm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Aes256Gcm(..)")
    }
}
