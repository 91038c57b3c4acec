//! HKDF (RFC 5869).

use aws_lc_rs::hkdf;

/// HKDF with SHA-256: extract with `salt`, then expand with `info` into `out`.
///
/// Returns `false`, leaving `out` unspecified, if `out` is longer than 8,160 bytes.
#[must_use]
pub fn hkdf_sha256(salt: &[u8], input_key: &[u8], info: &[u8], out: &mut [u8]) -> bool {
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(input_key);
    expand(&prk, &[info], out)
}

/// HKDF-Expand with SHA-512 of a key that is already uniformly random, into `out`.
///
/// `info` is the concatenation of the parts: the caller makes it unambiguous.
/// Returns `false`, leaving `out` unspecified, if `key` is longer than 64 bytes or `out` than 16,320.
#[must_use]
pub fn hkdf_expand_sha512(key: &[u8], info: &[&[u8]], out: &mut [u8]) -> bool {
    if key.len() > 64 {
        return false;
    }
    expand(&hkdf::Prk::new_less_safe(hkdf::HKDF_SHA512, key), info, out)
}

fn expand(prk: &hkdf::Prk, info: &[&[u8]], out: &mut [u8]) -> bool {
    prk.expand(info, OutputLength(out.len())).and_then(|okm| okm.fill(out)).is_ok()
}

struct OutputLength(usize);

impl hkdf::KeyType for OutputLength {
    fn len(&self) -> usize {
        self.0
    }
}
