//! Signing keys, derived from a secret for one day, region and service.

use strongroom_seal::primitive::{HmacSha256, hmac_sha256};

use super::TERMINATOR;

/// The key that signs; `scope` is `date/region/service`.
pub(in crate::auth) fn signing_key(secret: &str, scope: &str) -> HmacSha256 {
    let mut key = zeroize_vec(b"AWS4", secret.as_bytes());
    let mut derived = [0; 32];
    for (place, part) in scope.split('/').chain([TERMINATOR]).enumerate() {
        derived = hmac_sha256(if place == 0 { key.expose() } else { &derived }, part.as_bytes());
    }
    key.expose_mut().fill(0);
    HmacSha256::new(&derived)
}

fn zeroize_vec(prefix: &[u8], secret: &[u8]) -> strongroom_seal::secret::SecretBytes {
    strongroom_seal::secret::SecretBytes::new([prefix, secret].concat())
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
