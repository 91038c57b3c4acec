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
