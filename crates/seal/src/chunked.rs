//! C2SP chunked encryption v1 (c2sp.org/chunked-encryption) in its AES-256-GCM instance, Cobblestone-256.
//!
//! A message is a 24-byte salt, a 32-byte key commitment, and the plaintext in
//! chunks of 16 KiB, each with a 16-byte tag; the last chunk is always shorter
//! than 16 KiB, even if that makes it empty, which is how the end is known.
//! Key, nonces and commitment come from the input key, the salt and the
//! caller's context, so a message opens only where it was meant to be.
//!
//! ```text
//! 0        24           56                 16456               32856
//! | salt   | commitment | chunk 0 and tag  | chunk 1 and tag   | ...
//! ```
//!
//! This module knows the construction, not who uses it: the context is theirs.

use std::ops::Range;

use strongroom_model::clock::Random;
use zeroize::Zeroizing;

use crate::primitive::aead::{Aes256Gcm, NONCE_BYTES, TAG_BYTES};
use crate::primitive::{constant_time_eq, kdf};
use crate::secret::SecretKey;

/// Plaintext bytes of every chunk but the last, which has fewer.
pub const CHUNK_BYTES: usize = 16 * 1024;

/// Bytes of a chunk that is not the last, sealed.
pub const SEALED_CHUNK_BYTES: usize = CHUNK_BYTES + TAG_BYTES;

/// Bytes of the salt in front of a message.
pub const SALT_BYTES: usize = 24;

/// Bytes of the key commitment after the salt.
pub const COMMITMENT_BYTES: usize = 32;

/// Bytes in front of the first chunk.
pub const PREFIX_BYTES: usize = SALT_BYTES + COMMITMENT_BYTES;

/// The most chunks a message may have: the counter takes 38 bits of the nonce.
pub const CHUNKS_MAX: u64 = 1 << 38;

/// Why a message did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkedError {
    /// No message has this length.
    #[error("its length is not that of a whole message")]
    Length,
    /// The key is wrong, or the context or the salt or the commitment is not the original.
    #[error("its key commitment does not match")]
    Commitment,
    /// A chunk is not the one that was sealed at this place of this message.
    #[error("chunk {0} is not authentic")]
    Chunk(u64),
}

/// The length of the sealed message for a plaintext of `plain_bytes`; `None` above 4 PiB - 1 byte.
pub fn sealed_bytes(plain_bytes: u64) -> Option<u64> {
    let full_chunks = plain_bytes / CHUNK_BYTES as u64;
    if full_chunks >= CHUNKS_MAX {
        return None;
    }
    Some(PREFIX_BYTES as u64 + plain_bytes + (full_chunks + 1) * TAG_BYTES as u64)
}

/// The length of the plaintext in a sealed message of `sealed_bytes`; `None` if no message has that length.
pub fn plain_bytes(sealed_bytes: u64) -> Option<u64> {
    let chunks = sealed_bytes.checked_sub(PREFIX_BYTES as u64)?;
    let full_chunks = chunks / SEALED_CHUNK_BYTES as u64;
    let last_chunk_bytes = (chunks % SEALED_CHUNK_BYTES as u64).checked_sub(TAG_BYTES as u64)?;
    (full_chunks < CHUNKS_MAX).then_some(full_chunks * CHUNK_BYTES as u64 + last_chunk_bytes)
}

/// The chunks to read for a range of a message's plaintext.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkSpan {
    /// The number of the first chunk.
    pub first: u64,
    /// Where the chunks lie in the sealed message.
    pub sealed: Range<u64>,
    /// Where the plaintext that was asked for lies in the plaintext of these chunks.
    pub wanted: Range<usize>,
}

impl ChunkSpan {
    /// The chunks that hold `plain` of a message with `plain_bytes` of plaintext.
    ///
    /// A span that reaches the end of the plaintext takes in the last chunk even
    /// where that is empty, so whoever reads to the end knows that it is the end.
    /// `plain` must lie within the message, whose length must be possible.
    pub fn of(plain: Range<u64>, plain_bytes: u64) -> Self {
        assert!(plain.start <= plain.end && plain.end <= plain_bytes, "the range lies within the message");
        let chunk = CHUNK_BYTES as u64;
        let last_of_message = plain_bytes / chunk;
        let first = plain.start / chunk;
        let last = if plain.end == plain_bytes {
            last_of_message
        } else {
            (plain.end.max(plain.start + 1) - 1) / chunk
        };
        let sealed_start = PREFIX_BYTES as u64 + first * SEALED_CHUNK_BYTES as u64;
        let sealed_end = if last == last_of_message {
            sealed_bytes(plain_bytes).expect("the caller's length is that of a message")
        } else {
            PREFIX_BYTES as u64 + (last + 1) * SEALED_CHUNK_BYTES as u64
        };
        let offset = (plain.start - first * chunk) as usize;
        let wanted = offset..offset + (plain.end - plain.start) as usize;
        Self { first, sealed: sealed_start..sealed_end, wanted }
    }
}

/// Seals one message as its plaintext arrives.
#[derive(Debug)]
pub struct Sealer {
    key: MessageKey,
    chunks: u64,
    // INVARIANT (carry): always less than a chunk, so that the last chunk is the short one.
    carry: Vec<u8>,
}

impl Sealer {
    /// Starts a message under `input_key` with a fresh salt and writes its salt and commitment to `out`.
    ///
    /// The context is the concatenation of its parts: the caller makes it unambiguous.
    pub fn start(input_key: &SecretKey, context: &[&[u8]], random: &dyn Random, out: &mut Vec<u8>) -> Self {
        let mut salt = [0; SALT_BYTES];
        random.fill(&mut salt);
        Self::start_with_salt(input_key, context, &salt, out)
    }

    fn start_with_salt(
        input_key: &SecretKey,
        context: &[&[u8]],
        salt: &[u8; SALT_BYTES],
        out: &mut Vec<u8>,
    ) -> Self {
        let (key, commitment) = MessageKey::derive(input_key, salt, context);
        out.extend_from_slice(salt);
        out.extend_from_slice(&commitment);
        Self { key, chunks: 0, carry: Vec::new() }
    }

    /// Adds plaintext and writes every chunk that is full to `out`.
    ///
    /// Errors with `Length` past 4 PiB - 1 byte of plaintext.
    pub fn update(&mut self, mut plain: &[u8], out: &mut Vec<u8>) -> Result<(), ChunkedError> {
        if !self.carry.is_empty() {
            let (fill, rest) = plain.split_at(plain.len().min(CHUNK_BYTES - self.carry.len()));
            self.carry.extend_from_slice(fill);
            plain = rest;
            if self.carry.len() < CHUNK_BYTES {
                return Ok(());
            }
            let full = std::mem::take(&mut self.carry);
            self.seal_next(&full, out)?;
        }
        let (chunks, rest) = plain.as_chunks::<CHUNK_BYTES>();
        for chunk in chunks {
            self.seal_next(chunk, out)?;
        }
        self.carry.extend_from_slice(rest);
        Ok(())
    }

    /// Writes the last chunk to `out` and gives back the key that opens the message.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<Opener, ChunkedError> {
        let last = std::mem::take(&mut self.carry);
        self.seal_next(&last, out)?;
        Ok(Opener { key: self.key })
    }

    fn seal_next(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), ChunkedError> {
        if self.chunks >= CHUNKS_MAX {
            return Err(ChunkedError::Length);
        }
        let start = out.len();
        out.resize(start + plain.len() + TAG_BYTES, 0);
        self.key.aead.seal(self.key.nonce(self.chunks), &[], plain, &mut out[start..]);
        self.chunks += 1;
        Ok(())
    }
}

/// Opens chunks of one message, in any order.
#[derive(Debug)]
pub struct Opener {
    key: MessageKey,
}

impl Opener {
    /// The opener of the message that starts with `prefix`, its salt and commitment.
    ///
    /// Errors with `Commitment` unless `input_key`, `context` and `prefix` are those it was sealed with.
    pub fn new(
        input_key: &SecretKey,
        context: &[&[u8]],
        prefix: &[u8; PREFIX_BYTES],
    ) -> Result<Self, ChunkedError> {
        let (salt, commitment) =
            prefix.split_first_chunk::<SALT_BYTES>().expect("the prefix starts with a salt");
        let (key, expected) = MessageKey::derive(input_key, salt, context);
        if !constant_time_eq(&expected, commitment) {
            return Err(ChunkedError::Commitment);
        }
        Ok(Self { key })
    }

    /// Opens consecutive whole chunks, the first of which has number `first`.
    ///
    /// Only the message's last chunk may be shorter than the others.
    pub fn open_chunks(&self, first: u64, sealed: &[u8]) -> Result<Vec<u8>, ChunkedError> {
        let chunks = sealed.len().div_ceil(SEALED_CHUNK_BYTES);
        let mut plain = vec![0; sealed.len().saturating_sub(chunks * TAG_BYTES)];
        let mut rest = plain.as_mut_slice();
        for (number, chunk) in (first..).zip(sealed.chunks(SEALED_CHUNK_BYTES)) {
            let plain_bytes = chunk.len().checked_sub(TAG_BYTES).ok_or(ChunkedError::Length)?;
            if number >= CHUNKS_MAX {
                return Err(ChunkedError::Length);
            }
            let (out, after) = rest.split_at_mut(plain_bytes);
            if !self.key.aead.open(self.key.nonce(number), &[], chunk, out) {
                return Err(ChunkedError::Chunk(number));
            }
            rest = after;
        }
        Ok(plain)
    }
}

/// Seals a whole message under `input_key`.
pub fn seal(input_key: &SecretKey, context: &[&[u8]], plain: &[u8], random: &dyn Random) -> Vec<u8> {
    let bytes = sealed_bytes(plain.len() as u64).expect("memory holds less than 4 PiB");
    let mut out = Vec::with_capacity(bytes as usize);
    let mut sealer = Sealer::start(input_key, context, random, &mut out);
    sealer.update(plain, &mut out).expect("memory holds less than 4 PiB");
    sealer.finish(&mut out).expect("memory holds less than 4 PiB");
    out
}

/// Opens a whole message that was sealed under `input_key` with `context`.
pub fn open(
    input_key: &SecretKey,
    context: &[&[u8]],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, ChunkedError> {
    plain_bytes(sealed.len() as u64).ok_or(ChunkedError::Length)?;
    let (prefix, chunks) = sealed.split_first_chunk::<PREFIX_BYTES>().ok_or(ChunkedError::Length)?;
    let opener = Opener::new(input_key, context, prefix)?;
    opener.open_chunks(0, chunks).map(Zeroizing::new)
}

// What is derived for one message. The library wipes the AEAD key.
#[derive(Debug)]
struct MessageKey {
    aead: Aes256Gcm,
    base_nonce: [u8; NONCE_BYTES],
}

impl MessageKey {
    fn derive(
        input_key: &SecretKey,
        salt: &[u8; SALT_BYTES],
        context: &[&[u8]],
    ) -> (Self, [u8; COMMITMENT_BYTES]) {
        const LABEL: &[u8] = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";
        let mut info = Vec::with_capacity(2 + context.len());
        info.extend_from_slice(&[LABEL, salt.as_slice()]);
        info.extend_from_slice(context);

        let mut derived = Zeroizing::new([0; 32 + NONCE_BYTES + COMMITMENT_BYTES]);
        let fits = kdf::hkdf_expand_sha512(input_key.expose(), &info, derived.as_mut_slice());
        assert!(fits, "76 bytes are within what HKDF gives");
        let (key, rest) = derived.split_first_chunk::<32>().expect("the key comes first");
        let (base_nonce, commitment) = rest.split_first_chunk().expect("then the base nonce");
        let commitment = commitment.try_into().expect("then the commitment");
        (Self { aead: Aes256Gcm::new(key), base_nonce: *base_nonce }, commitment)
    }

    fn nonce(&self, chunk: u64) -> [u8; NONCE_BYTES] {
        let mut nonce = self.base_nonce;
        for (byte, counter) in nonce[NONCE_BYTES - 8..].iter_mut().zip(chunk.to_be_bytes()) {
            *byte ^= counter;
        }
        nonce
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_from_each_other_and_have_a_limit() {
        let longest = CHUNKS_MAX * CHUNK_BYTES as u64 - 1;
        for plain in [0, 1, 16_383, 16_384, 16_385, 1 << 40, longest] {
            let sealed = sealed_bytes(plain);
            assert_eq!(sealed.and_then(plain_bytes), Some(plain));
            assert_eq!(
                sealed.and_then(|sealed| plain_bytes(sealed + SEALED_CHUNK_BYTES as u64)).is_some(),
                plain < longest
            );
        }
        for plain in [longest + 1, u64::MAX] {
            assert_eq!(sealed_bytes(plain), None);
        }
        let full = (PREFIX_BYTES + SEALED_CHUNK_BYTES) as u64;
        for sealed in [0, 55, 56, 71, full, full + 1, full + 15, u64::MAX] {
            assert_eq!(plain_bytes(sealed), None, "{sealed}");
        }
    }

    #[test]
    fn a_span_that_reaches_the_end_takes_in_the_last_chunk() {
        let chunk = SEALED_CHUNK_BYTES as u64;
        let of = |range, size| ChunkSpan::of(range, size);
        let expect = |first, sealed: Range<u64>, wanted| ChunkSpan {
            first,
            sealed: sealed.start + 56..sealed.end + 56,
            wanted,
        };
        assert_eq!(of(0..0, 0), expect(0, 0..16, 0..0));
        assert_eq!(of(0..1, 16_384), expect(0, 0..chunk, 0..1));
        assert_eq!(of(0..16_384, 16_384), expect(0, 0..chunk + 16, 0..16_384));
        assert_eq!(of(16_384..16_384, 16_384), expect(1, chunk..chunk + 16, 0..0));
        assert_eq!(of(16_383..16_385, 40_000), expect(0, 0..2 * chunk, 16_383..16_385));
        assert_eq!(of(20_000..30_000, 40_000), expect(1, chunk..2 * chunk, 3616..13_616));
    }
}
