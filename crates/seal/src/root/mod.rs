//! The root key, which opens the system store, and the providers that seal it.
//!
//! The root key itself never changes; the object that holds it is sealed by what
//! the operator gives at start (a key file, a passphrase) and lies beside the
//! data. What is given wrongly changes nothing. The layout is in
//! `docs/formats/root-key.md`.

pub mod key_file;
mod store;

use std::sync::Arc;

use allocator_api2::alloc::System;
use allocator_api2::vec;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use strongroom_model::clock::Random;
use zeroize::{Zeroize, Zeroizing};

use crate::chunked;
use crate::object::StoreId;
use crate::primitive::kdf;
use crate::secret::{SecretBytes, SecretKey};

pub use key_file::KeyFileError;
pub use store::RootStore;

const MAGIC: &[u8; 8] = b"SRROOTKY";
const FORMAT: u8 = 1;
const KEY_FILE: u8 = 1;
const PASSPHRASE: u8 = 2;

/// More bytes than any sealed root key has.
const OBJECT_BYTES_MAX: u64 = 1024;

/// The key from which the keys of Strongroom's own stores come.
#[derive(Debug)]
pub struct RootKey(SecretKey);

/// What seals the root key.
#[derive(Clone, Debug)]
pub enum Provider {
    /// A key that lies in a file outside the data directory.
    KeyFile(Arc<SecretKey>),
    /// A passphrase, stretched with Argon2id. The cost counts when a root key is sealed; one that is opened names its own.
    Passphrase {
        /// The passphrase's bytes, as they were typed, without the line's end.
        passphrase: Arc<SecretBytes>,
        /// What a guess shall cost.
        cost: PassphraseCost,
    },
}

/// What one guess at a passphrase costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassphraseCost {
    /// Memory in KiB, at least 8 for each lane, at most 1 GiB.
    pub memory_kib: u32,
    /// Passes over the memory, 1 to 16.
    pub passes: u32,
    /// Lanes, 1 to 16.
    pub lanes: u32,
}

impl Default for PassphraseCost {
    /// The second recommendation of RFC 9106: 64 MiB, 3 passes, 4 lanes; a few tenths of a second.
    fn default() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3, lanes: 4 }
    }
}

impl PassphraseCost {
    const MEMORY_KIB_MAX: u32 = 1024 * 1024;
    const PASSES_MAX: u32 = 16;
    const LANES_MAX: u32 = 16;

    fn is_bearable(self) -> bool {
        (1..=Self::LANES_MAX).contains(&self.lanes)
            && (1..=Self::PASSES_MAX).contains(&self.passes)
            && (8 * self.lanes..=Self::MEMORY_KIB_MAX).contains(&self.memory_kib)
    }
}

/// Why the root key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// The bytes are not a sealed root key.
    #[error("object `{object}` is not a root key")]
    NotARootKey {
        /// The object's path.
        object: String,
    },
    /// Another release wrote it.
    #[error("root key `{object}` has format version {format}, which this release does not read")]
    Format {
        /// The object's path.
        object: String,
        /// The format version it names.
        format: u8,
    },
    /// It is sealed by a provider of another kind than the one that was given.
    #[error("root key `{object}` is sealed by a {sealed_by}, but a {given} was given")]
    OtherProvider {
        /// The object's path.
        object: String,
        /// What sealed it.
        sealed_by: &'static str,
        /// What was given.
        given: &'static str,
    },
    /// The key file or passphrase is the wrong one. Damage to the object looks the same.
    #[error("the {given} does not open root key `{object}`: it is the wrong one, or the object is damaged")]
    DoesNotOpen {
        /// The object's path.
        object: String,
        /// What was given.
        given: &'static str,
    },
    /// The passphrase's cost is out of bounds, or there is not enough memory for it.
    #[error("the cost of the passphrase is out of bounds: {memory_kib} KiB, {passes} passes, {lanes} lanes")]
    Cost {
        /// Memory in KiB.
        memory_kib: u32,
        /// Passes.
        passes: u32,
        /// Lanes.
        lanes: u32,
    },
    /// Somebody else has written this version.
    #[error("root key `{object}` exists already")]
    Conflict {
        /// The object's path.
        object: String,
    },
    /// The object store failed.
    #[error("the object store failed on root key `{object}`: {source}")]
    Store {
        /// The object's path.
        object: String,
        /// What it said.
        source: object_store::Error,
    },
}

impl RootKey {
    /// A new root key.
    pub fn generate(random: &dyn Random) -> Self {
        Self(SecretKey::generate(random))
    }

    /// The root key's object, sealed by `provider`. With a passphrase this takes as long as its cost says.
    pub fn seal(&self, provider: &Provider, random: &dyn Random) -> Result<Vec<u8>, RootError> {
        let mut object = MAGIC.to_vec();
        object.extend_from_slice(&[FORMAT, provider.code()]);
        let sealing_key = match provider {
            Provider::KeyFile(key) => Arc::clone(key),
            Provider::Passphrase { passphrase, cost } => {
                let mut salt = [0; 16];
                random.fill(&mut salt);
                for number in [cost.memory_kib, cost.passes, cost.lanes] {
                    object.extend_from_slice(&number.to_be_bytes());
                }
                object.extend_from_slice(&salt);
                Arc::new(stretch(passphrase, *cost, &salt)?)
            }
        };
        let message = chunked::seal(&sealing_key, &[&object], self.0.expose(), random);
        object.extend(message);
        Ok(object)
    }

    /// Opens a root key's object. `name` is what an error calls it.
    ///
    /// Errors with `DoesNotOpen` if the key file or passphrase is the wrong one.
    pub fn open(name: &str, object: &[u8], provider: &Provider) -> Result<Self, RootError> {
        let not_a_root_key = || RootError::NotARootKey { object: name.to_owned() };
        let (start, rest) = object.split_first_chunk::<10>().ok_or_else(not_a_root_key)?;
        if &start[..8] != MAGIC {
            return Err(not_a_root_key());
        }
        if start[8] != FORMAT {
            return Err(RootError::Format { object: name.to_owned(), format: start[8] });
        }
        let sealed_by = kind(start[9]).ok_or_else(not_a_root_key)?;
        if start[9] != provider.code() {
            return Err(RootError::OtherProvider {
                object: name.to_owned(),
                sealed_by,
                given: provider.kind(),
            });
        }
        let (sealing_key, message) = match provider {
            Provider::KeyFile(key) => (Arc::clone(key), rest),
            Provider::Passphrase { passphrase, .. } => {
                let (numbers, rest) = rest.split_first_chunk::<12>().ok_or_else(not_a_root_key)?;
                let (salt, message) = rest.split_first_chunk::<16>().ok_or_else(not_a_root_key)?;
                let number = |at| u32::from_be_bytes(std::array::from_fn(|byte| numbers[at + byte]));
                let (memory_kib, passes, lanes) = (number(0), number(4), number(8));
                let cost = PassphraseCost { memory_kib, passes, lanes };
                (Arc::new(stretch(passphrase, cost, salt)?), message)
            }
        };
        let head = &object[..object.len() - message.len()];
        let mut key = chunked::open(&sealing_key, &[head], message)
            .map_err(|_| RootError::DoesNotOpen { object: name.to_owned(), given: provider.kind() })?;
        SecretKey::from_slice(&mut key).map(Self).ok_or_else(not_a_root_key)
    }

    /// The table key of one of Strongroom's own stores, which no key service wraps.
    pub fn store_key(&self, store: &StoreId) -> SecretKey {
        let mut key = Zeroizing::new([0; 32]);
        let info: [&[u8]; 2] = [b"strongroom root key v1\0", store.as_str().as_bytes()];
        let fits = kdf::hkdf_expand_sha512(self.0.expose(), &info, key.as_mut_slice());
        assert!(fits, "32 bytes are within what HKDF gives");
        SecretKey::from_slice(key.as_mut_slice()).expect("the key has 32 bytes")
    }
}

impl Provider {
    fn code(&self) -> u8 {
        match self {
            Self::KeyFile(_) => KEY_FILE,
            Self::Passphrase { .. } => PASSPHRASE,
        }
    }

    /// What it is, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::KeyFile(_) => "key file",
            Self::Passphrase { .. } => "passphrase",
        }
    }
}

fn kind(code: u8) -> Option<&'static str> {
    match code {
        KEY_FILE => Some("key file"),
        PASSPHRASE => Some("passphrase"),
        _ => None,
    }
}

fn stretch(passphrase: &SecretBytes, cost: PassphraseCost, salt: &[u8; 16]) -> Result<SecretKey, RootError> {
    let PassphraseCost { memory_kib, passes, lanes } = cost;
    let out_of_bounds = || RootError::Cost { memory_kib, passes, lanes };
    if !cost.is_bearable() {
        return Err(out_of_bounds());
    }
    let params = Params::new(memory_kib, passes, lanes, Some(32)).map_err(|_| out_of_bounds())?;
    // Of the system's allocator, from which so large a piece goes back to the system at once. Another allocator would
    // keep it for the life of the server, which never needs as much again.
    let mut memory = vec![in System; Block::default(); params.block_count()];
    let mut key = Zeroizing::new([0; 32]);
    let stretched = Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
        passphrase.expose(),
        salt,
        key.as_mut_slice(),
        memory.as_mut_slice(),
    );
    memory.iter_mut().for_each(Zeroize::zeroize);
    stretched.map_err(|_| out_of_bounds())?;
    Ok(SecretKey::from_slice(key.as_mut_slice()).expect("the key has 32 bytes"))
}

#[cfg(test)]
mod tests;
