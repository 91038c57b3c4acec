//! The anchor of the system store: that the store is there, and how far it had come when it was last opened or closed.
//!
//! What a table's store must hold is known to the system store; of the system store
//! itself an object beside it tells, sealed under the root key. The layout is in
//! `docs/formats/anchor.md`.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use strongroom_model::clock::Random;

use crate::chunked::{self, ChunkedError};
use crate::numbered::{NumberedError, NumberedObjects};
use crate::object::StoreId;
use crate::root::RootKey;
use crate::secret::SecretKey;

/// Where anchors lie in the data place.
pub const FOLDER: &str = "anchor";

/// How far the system store had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The number of its newest manifest.
    pub manifest_id: u64,
    /// The number of the object up to which its log must be there, as far as it is in no sorted run.
    pub log_id: u64,
}

/// The anchors of a data place; cheap to clone.
#[derive(Clone, Debug)]
pub struct AnchorStore {
    objects: NumberedObjects,
    key: Arc<SecretKey>,
    random: Arc<dyn Random>,
}

/// Why an anchor cannot be read or written. Every text names it.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// The bytes are not an anchor.
    #[error("object `{object}` is not an anchor")]
    NotAnAnchor {
        /// The object's path.
        object: String,
    },
    /// Another release wrote it.
    #[error("anchor `{object}` has format version {format}, which this release does not read")]
    Format {
        /// The object's path.
        object: String,
        /// The format version it names.
        format: u8,
    },
    /// It lies under another version's name.
    #[error("object `{object}` is version {version} of the anchor, which belongs elsewhere")]
    Misplaced {
        /// The object's path.
        object: String,
        /// The version it says it is.
        version: u64,
    },
    /// It was changed, or written under another root key.
    #[error("anchor `{object}` does not authenticate under the root key: {damage}")]
    DoesNotOpen {
        /// The object's path.
        object: String,
        /// What failed.
        damage: ChunkedError,
    },
    /// Somebody else has written this version.
    #[error("anchor `{object}` exists already")]
    Conflict {
        /// The object's path.
        object: String,
    },
    /// The object store failed.
    #[error("the object store failed on anchor `{object}`: {source}")]
    Store {
        /// The object's path.
        object: String,
        /// What it said.
        source: object_store::Error,
    },
}

impl AnchorStore {
    /// The anchors at `anchor/` of `objects`, which is not a sealed store, under the root key of that place.
    pub fn new(objects: Arc<dyn ObjectStore>, root: &RootKey, random: Arc<dyn Random>) -> Self {
        let id = StoreId::new(FOLDER).expect("the name is short and plain");
        let objects = NumberedObjects::new(objects, Path::from(FOLDER));
        Self { objects, key: Arc::new(root.store_key(&id)), random }
    }

    /// The newest anchor, or `None` if there is none.
    pub async fn latest(&self) -> Result<Option<Anchor>, AnchorError> {
        match self.objects.versions().await?.last() {
            Some(version) => self.read(*version).await.map(Some),
            None => Ok(None),
        }
    }

    /// The anchor of one version.
    pub async fn read(&self, version: u64) -> Result<Anchor, AnchorError> {
        let bytes = self.objects.read(version, BYTES as u64).await?;
        open(self.objects.path(version).as_ref(), version, &bytes, &self.key)
    }

    /// Writes the next anchor, and then deletes the earlier ones.
    pub async fn publish(&self, anchor: Anchor) -> Result<(), AnchorError> {
        let earlier = self.objects.versions().await?;
        let version = earlier.last().map_or(1, |latest| latest.saturating_add(1));
        self.objects.create(version, seal(version, anchor, &self.key, &*self.random)).await?;
        for version in earlier {
            self.objects.delete(version).await?;
        }
        Ok(())
    }
}

const MAGIC: &[u8; 8] = b"SRANCHOR";
const FORMAT: u8 = 1;
const HEAD_BYTES: usize = 8 + 1 + 8;
const BYTES: usize = HEAD_BYTES + 88;

fn seal(version: u64, anchor: Anchor, key: &SecretKey, random: &dyn Random) -> Vec<u8> {
    let mut object = MAGIC.to_vec();
    object.push(FORMAT);
    object.extend_from_slice(&version.to_be_bytes());
    let plain = [anchor.manifest_id.to_be_bytes(), anchor.log_id.to_be_bytes()].concat();
    let message = chunked::seal(key, &[&object], &plain, random);
    object.extend(message);
    assert_eq!(object.len(), BYTES, "an anchor has one size");
    object
}

fn open(name: &str, version: u64, object: &[u8], key: &SecretKey) -> Result<Anchor, AnchorError> {
    let object_name = || name.to_owned();
    let not_an_anchor = || AnchorError::NotAnAnchor { object: object_name() };
    let (head, message) = object.split_first_chunk::<HEAD_BYTES>().ok_or_else(not_an_anchor)?;
    if &head[..8] != MAGIC {
        return Err(not_an_anchor());
    }
    if head[8] != FORMAT {
        return Err(AnchorError::Format { object: object_name(), format: head[8] });
    }
    let says = u64::from_be_bytes(std::array::from_fn(|byte| head[9 + byte]));
    if says != version {
        return Err(AnchorError::Misplaced { object: object_name(), version: says });
    }
    let plain = chunked::open(key, &[head], message)
        .map_err(|damage| AnchorError::DoesNotOpen { object: object_name(), damage })?;
    let plain: &[u8; 16] = plain.as_slice().try_into().map_err(|_| not_an_anchor())?;
    let number = |at: usize| u64::from_be_bytes(std::array::from_fn(|byte| plain[at + byte]));
    Ok(Anchor { manifest_id: number(0), log_id: number(8) })
}

impl From<NumberedError> for AnchorError {
    fn from(error: NumberedError) -> Self {
        match error {
            NumberedError::Taken { object } => Self::Conflict { object },
            NumberedError::TooLarge { object } => Self::NotAnAnchor { object },
            NumberedError::Store { object, source } => Self::Store { object, source },
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use object_store::memory::InMemory;
    use object_store::{ObjectStoreExt, PutPayload};

    use super::*;
    use crate::primitive::OsRandom;

    const ANCHOR: Anchor = Anchor { manifest_id: 7, log_id: u64::MAX };
    const NAME: &str = "anchor/00000000000000000003";

    fn anchors(objects: &Arc<InMemory>, root: &RootKey) -> AnchorStore {
        AnchorStore::new(Arc::clone(objects) as _, root, Arc::new(OsRandom))
    }

    async fn put(objects: &InMemory, name: &str, bytes: &[u8]) {
        objects.put(&Path::from(name), PutPayload::from(bytes.to_vec())).await.unwrap();
    }

    #[tokio::test]
    async fn the_newest_counts_and_is_the_only_one() {
        let objects = Arc::new(InMemory::new());
        let anchors = anchors(&objects, &RootKey::generate(&OsRandom));
        assert_eq!(anchors.latest().await.unwrap(), None);
        for log_id in 1..=3 {
            let anchor = Anchor { manifest_id: 2, log_id };
            anchors.publish(anchor).await.unwrap();
            assert_eq!(anchors.latest().await.unwrap(), Some(anchor));
        }
        assert_eq!(anchors.objects.versions().await.unwrap(), [3]);
    }

    // A crash between the two steps of a publication leaves two.
    #[tokio::test]
    async fn an_earlier_one_that_was_left_is_deleted_by_the_next() {
        let objects = Arc::new(InMemory::new());
        let anchors = anchors(&objects, &RootKey::generate(&OsRandom));
        for version in 1..=2 {
            let bytes = seal(version, ANCHOR, &anchors.key, &OsRandom);
            put(&objects, &format!("anchor/{version:020}"), &bytes).await;
        }
        anchors.publish(ANCHOR).await.unwrap();
        assert_eq!(anchors.objects.versions().await.unwrap(), [3]);
    }

    #[tokio::test]
    async fn one_that_was_touched_anywhere_does_not_open_and_is_named() {
        let objects = Arc::new(InMemory::new());
        let anchors = anchors(&objects, &RootKey::generate(&OsRandom));
        let whole = seal(3, ANCHOR, &anchors.key, &OsRandom);
        assert_eq!(whole.len(), 105);
        put(&objects, NAME, &whole).await;
        assert_eq!(anchors.latest().await.unwrap(), Some(ANCHOR));
        let mut hostile: Vec<Vec<u8>> = (0..whole.len()).map(|end| whole[..end].to_vec()).collect();
        hostile.push([&whole[..], b"\0"].concat());
        hostile.push([&whole[..], &whole[..]].concat());
        for at in 0..whole.len() {
            for bit in [1, 0x80] {
                let mut touched = whole.clone();
                touched[at] ^= bit;
                hostile.push(touched);
            }
        }
        for bytes in hostile {
            put(&objects, NAME, &bytes).await;
            let text = anchors.latest().await.unwrap_err().to_string();
            assert!(text.contains(NAME), "{bytes:02x?}: {text}");
        }
    }

    #[tokio::test]
    async fn one_of_another_version_or_root_key_does_not_open() {
        let objects = Arc::new(InMemory::new());
        let [own, other] = [(); 2].map(|()| anchors(&objects, &RootKey::generate(&OsRandom)));
        put(&objects, NAME, &seal(2, ANCHOR, &own.key, &OsRandom)).await;
        assert!(matches!(own.latest().await, Err(AnchorError::Misplaced { version: 2, .. })));
        put(&objects, NAME, &seal(3, ANCHOR, &other.key, &OsRandom)).await;
        assert!(matches!(own.latest().await, Err(AnchorError::DoesNotOpen { .. })));
        // A message under the right key that says something else.
        let mut longer = seal(3, ANCHOR, &own.key, &OsRandom)[..HEAD_BYTES].to_vec();
        let message = chunked::seal(&own.key, &[&longer], &[0; 15], &OsRandom);
        longer.extend(message);
        put(&objects, NAME, &longer).await;
        assert!(matches!(own.latest().await, Err(AnchorError::NotAnAnchor { .. })));
    }

    #[test]
    fn the_layout_is_the_specified_one() {
        let key = SecretKey::from_slice(&mut [9; 32]).unwrap();
        let object = seal(0x0102, ANCHOR, &key, &OsRandom);
        assert_eq!(object[..17], *b"SRANCHOR\x01\0\0\0\0\0\0\x01\x02");
        let plain = chunked::open(&key, &[&object[..17]], &object[17..]).unwrap();
        assert_eq!(plain.as_slice(), [&[0; 7][..], &[7][..], &[0xff; 8][..]].concat());
    }
}
