//! Sealed objects: a header that names the data key, then one chunked message.
//!
//! ```text
//! 0              7          8              24             56            112
//! | magic SRSEAL\0 | version | data key id | put tag      | salt and    | chunks ...
//! |                |         |             | length, text | commitment  |
//! ```
//!
//! The message's context is the header, the store's id and the object's path,
//! so an object opens only under its own name in its own store. The layout is
//! specified in `docs/formats/sealed-object.md`.

use crate::chunked::{self, ChunkedError, Opener, Sealer};
use crate::secret::SecretKey;
use strongroom_model::clock::Random;

/// What every sealed object starts with.
pub const MAGIC: &[u8; 7] = b"SRSEAL\0";

/// The format version this release writes, and the only one it reads.
pub const VERSION: u8 = 1;

/// Bytes of the header.
pub const HEADER_BYTES: usize = 56;

/// Bytes in front of the first chunk: the header, then the message's salt and commitment.
pub const PREFIX_BYTES: usize = HEADER_BYTES + chunked::PREFIX_BYTES;

/// Bytes of a sealed object whose plaintext is empty; no sealed object is shorter.
pub const EMPTY_OBJECT_BYTES: usize = PREFIX_BYTES + 16;

/// The most bytes a put tag may have.
pub const PUT_TAG_BYTES_MAX: usize = 31;

/// The stored size of an object with `plain_bytes` of plaintext; `None` above 4 PiB - 1 byte.
pub fn sealed_bytes(plain_bytes: u64) -> Option<u64> {
    Some(chunked::sealed_bytes(plain_bytes)? + HEADER_BYTES as u64)
}

/// The plaintext size of an object that is stored in `sealed_bytes`; `None` if no sealed object has that size.
pub fn plain_bytes(sealed_bytes: u64) -> Option<u64> {
    chunked::plain_bytes(sealed_bytes.checked_sub(HEADER_BYTES as u64)?)
}

/// A data key's name: sixteen random bytes, written as hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DataKeyId(pub [u8; 16]);

impl DataKeyId {
    /// A new random id.
    pub fn generate(random: &dyn Random) -> Self {
        let mut id = [0; 16];
        random.fill(&mut id);
        Self(id)
    }
}

impl std::fmt::Display for DataKeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&crate::primitive::hex::encode(&self.0))
    }
}

impl std::fmt::Debug for DataKeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DataKeyId({self})")
    }
}

/// A store's name, which every object in it is bound to: a table's id, never its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreId(std::sync::Arc<str>);

impl StoreId {
    /// The most bytes an id may have.
    pub const BYTES_MAX: usize = 64;

    /// `id` as a store's name; `None` unless it is 1 to 64 ASCII letters, digits, `-`, `_` or `.`.
    pub fn new(id: &str) -> Option<Self> {
        let fits = (1..=Self::BYTES_MAX).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        fits.then(|| Self(id.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for StoreId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A sealed object's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The data key that the object is sealed under.
    pub data_key: DataKeyId,
    /// The mark by which a writer recognises its own conditional put; may be empty.
    put_tag: Vec<u8>,
}

impl Header {
    /// A header; `None` if the put tag is longer than `PUT_TAG_BYTES_MAX`.
    pub fn new(data_key: DataKeyId, put_tag: &[u8]) -> Option<Self> {
        (put_tag.len() <= PUT_TAG_BYTES_MAX).then(|| Self { data_key, put_tag: put_tag.to_vec() })
    }

    /// The put tag; empty if the object was put without one.
    pub fn put_tag(&self) -> &[u8] {
        &self.put_tag
    }

    /// The header's bytes.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..7].copy_from_slice(MAGIC);
        bytes[7] = VERSION;
        bytes[8..24].copy_from_slice(&self.data_key.0);
        bytes[24] = u8::try_from(self.put_tag.len()).expect("a put tag has at most 31 bytes");
        bytes[25..25 + self.put_tag.len()].copy_from_slice(&self.put_tag);
        bytes
    }

    /// The header that `object` starts with. It is authentic only once a chunk of the object has opened.
    pub fn decode(object: &[u8]) -> Result<Self, HeaderError> {
        let bytes = object.first_chunk::<HEADER_BYTES>().ok_or(HeaderError::NotSealed)?;
        if &bytes[..7] != MAGIC {
            return Err(HeaderError::NotSealed);
        }
        if bytes[7] != VERSION {
            return Err(HeaderError::Version(bytes[7]));
        }
        let data_key = DataKeyId(bytes[8..24].try_into().expect("sixteen bytes"));
        let (tag, padding) =
            bytes[25..].split_at_checked(usize::from(bytes[24])).ok_or(HeaderError::NotSealed)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(HeaderError::NotSealed);
        }
        Ok(Self { data_key, put_tag: tag.to_vec() })
    }
}

/// Why bytes are not a header that this release reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// They are no header of ours.
    #[error("not a sealed object")]
    NotSealed,
    /// They are the header of another format version.
    #[error("sealed-object format version {0}")]
    Version(u8),
}

/// Starts a sealed object: writes its header, salt and commitment to `out`.
pub fn start_sealing(
    header: &Header,
    data_key: &SecretKey,
    store: &StoreId,
    path: &str,
    random: &dyn Random,
    out: &mut Vec<u8>,
) -> Sealer {
    let bytes = header.encode();
    out.extend_from_slice(&bytes);
    Sealer::start(data_key, &context(&bytes, &store_bytes(store), path), random, out)
}

/// The opener of the object whose first `PREFIX_BYTES` are `prefix`.
pub fn opener(
    prefix: &[u8; PREFIX_BYTES],
    data_key: &SecretKey,
    store: &StoreId,
    path: &str,
) -> Result<Opener, ChunkedError> {
    let (header, message) = prefix.split_first_chunk::<HEADER_BYTES>().expect("the header comes first");
    let message = message.try_into().expect("then salt and commitment");
    Opener::new(data_key, &context(header, &store_bytes(store), path), message)
}

// Unambiguous: the header has a fixed length, the store id says its own, the path is the rest.
fn context<'a>(header: &'a [u8; HEADER_BYTES], store: &'a [u8], path: &'a str) -> [&'a [u8]; 3] {
    [header, store, path.as_bytes()]
}

fn store_bytes(store: &StoreId) -> Vec<u8> {
    let length = u8::try_from(store.0.len()).expect("a store id has at most 64 bytes");
    let mut bytes = Vec::with_capacity(1 + store.0.len());
    bytes.push(length);
    bytes.extend_from_slice(store.0.as_bytes());
    bytes
}
