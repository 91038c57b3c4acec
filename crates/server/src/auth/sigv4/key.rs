//! Signing keys, derived from a secret for one day, region and service.

use strongroom_seal::primitive::{HmacSha256, hmac_sha256};
use strongroom_seal::secret::SecretBytes;

use super::TERMINATOR;

/// The key that signs; `scope` is `date/region/service`.
pub(in crate::auth) fn signing_key(secret: &str, scope: &str) -> HmacSha256 {
    let mut derived = SecretBytes::new([b"AWS4", secret.as_bytes()].concat());
    for part in scope.split('/').chain([TERMINATOR]) {
        derived = SecretBytes::new(hmac_sha256(derived.expose(), part.as_bytes()).to_vec());
    }
    HmacSha256::new(derived.expose())
}

#[cfg(test)]
mod tests {
    use super::*;
    use strongroom_seal::primitive::hex;

    /// AWS's own example of a derivation, from its documentation of the signing process.
    #[test]
    fn the_documented_example_comes_out() {
        let key = signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830/us-east-1/iam");
        let to_sign = "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\nf536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59";
        let signature = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        assert_eq!(hex::encode(&key.sign(to_sign.as_bytes())), signature);
    }
}
