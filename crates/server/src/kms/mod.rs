//! The key service: keys, aliases, grants, ciphertexts.

pub mod table_kms;
