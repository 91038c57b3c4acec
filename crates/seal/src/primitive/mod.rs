//! Thin wrappers of the cryptography library, so that no other module and no other crate names it.

pub mod aead;
pub mod hash;
pub mod hex;
pub mod kdf;
pub mod random;

pub use aead::Aes256Gcm;
pub use hash::{HmacSha256, Sha256, hmac_sha256, sha256};
pub use random::OsRandom;

/// Whether two byte strings are equal, in time that depends only on their lengths.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}
