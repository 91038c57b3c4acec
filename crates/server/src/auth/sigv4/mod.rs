//! AWS Signature Version 4: what is signed, and how.
//!
//! The rules are those of the "Signature Version 4 signing process" of AWS's
//! IAM user guide for every service but S3: paths are normalised and encoded
//! twice, and the payload is always hashed.

pub(super) mod canonical;
pub(super) mod claim;
pub(super) mod date;
pub(super) mod key;
pub mod sign;
#[cfg(test)]
mod vectors;

/// The only algorithm there is.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// What ends every credential scope.
pub(super) const TERMINATOR: &str = "aws4_request";
