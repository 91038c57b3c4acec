//! Key material that wipes itself and cannot be printed, cloned or serialised.

use strongroom_model::clock::Random;
use zeroize::Zeroizing;

/// A 256-bit key.
pub struct SecretKey(Box<Zeroizing<[u8; 32]>>);

impl SecretKey {
    /// A new random key.
    pub fn generate(random: &dyn Random) -> Self {
        let mut bytes = Box::new(Zeroizing::new([0; 32]));
        random.fill(bytes.as_mut_slice());
        Self(bytes)
    }

    /// Takes the key out of `bytes` and wipes them; `None` unless there are exactly 32.
    pub fn from_slice(bytes: &mut [u8]) -> Option<Self> {
        let mut key = Box::new(Zeroizing::new([0; 32]));
        let fits = bytes.len() == key.len();
        if fits {
            key.copy_from_slice(bytes);
        }
        zeroize::Zeroize::zeroize(bytes);
        fits.then_some(Self(key))
    }

    /// The key's bytes, for a primitive's call only.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// A secret of any length, such as a passphrase.
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes over `bytes`; they are wiped when this is dropped.
    ///
    /// A `Vec` that grew has left copies behind: read a secret into one that was made large enough.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A secret of `bytes` zero bytes, to be filled in place.
    pub fn zeroed(bytes: usize) -> Self {
        Self(Zeroizing::new(vec![0; bytes]))
    }

    /// The secret's bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The secret's bytes, to be filled in place.
    pub fn expose_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl std::fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretBytes(..)")
    }
}
