//! What can go wrong between an object store and whoever reads through the seal.

use crate::chunked::ChunkedError;
use crate::object::DataKeyId;

/// A sealed object could not be read or written. Every text names the object.
///
/// It travels as the source of an `object_store::Error`, inside
/// `slatedb_common::retry::NonRetryable`: no retry makes any of these better.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The object does not start like one of ours, or is too short or long to be one.
    #[error("object `{object}` is not a sealed object")]
    NotSealed {
        /// The object's path.
        object: String,
    },
    /// Another release wrote the object.
    #[error("object `{object}` has sealed-object format version {version}, which this release does not read")]
    Version {
        /// The object's path.
        object: String,
        /// The version its header names.
        version: u8,
    },
    /// The object names a data key that is not in the keyring it is read with.
    #[error("object `{object}` is sealed under data key {data_key}, which is not in the keyring")]
    UnknownDataKey {
        /// The object's path.
        object: String,
        /// The key its header names.
        data_key: DataKeyId,
    },
    /// The object is not, byte for byte, what was sealed for this path of this store.
    #[error("object `{object}` does not authenticate: {damage}")]
    Damaged {
        /// The object's path.
        object: String,
        /// What failed.
        damage: ChunkedError,
    },
    /// The data keys were wiped: nothing of this store can be read or written until it is opened again.
    #[error("the data keys of store `{store}` are closed, so `{object}` cannot be reached")]
    KeysClosed {
        /// The store's id.
        store: String,
        /// The object's path, or the prefix that was to be listed.
        object: String,
    },
    /// The disk below is full, read-only, failing or gone.
    #[error("storage failed for good on `{object}`: {source}")]
    Unavailable {
        /// The object's path.
        object: String,
        /// What the store below said.
        source: object_store::Error,
    },
}

impl SealError {
    /// Whether stored bytes are not what was written, as opposed to being out of reach.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::NotSealed { .. }
            | Self::Version { .. }
            | Self::UnknownDataKey { .. }
            | Self::Damaged { .. } => true,
            Self::KeysClosed { .. } | Self::Unavailable { .. } => false,
        }
    }

    /// Finds one of these in an error or its causes, whatever has wrapped it on the way up.
    pub fn find<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(found);
            }
            // `io::Error::source` skips the error it wraps.
            next = match error.downcast_ref::<std::io::Error>() {
                Some(io) => io.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static)),
                None => error.source(),
            };
        }
        None
    }
}

/// The same as an error of the store, marked so that SlateDB does not retry it for ever.
impl From<SealError> for object_store::Error {
    fn from(error: SealError) -> Self {
        Self::Generic {
            store: "SealedStore",
            source: Box::new(slatedb_common::retry::NonRetryable(Box::new(error))),
        }
    }
}
