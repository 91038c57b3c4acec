//! The system store: KMS keys, grants, aliases, identities, the catalogue of tables and the audit trail.
//!
//! One database sealed under the root key, so the key service never needs a
//! key service to start. Each owner of a part keeps its rows under its own
//! first byte:
//!
//! | first byte | owner |
//! | --- | --- |
//! | `a` | audit |
//! | `g` | grants to give back |
//! | `i` | identities |
//! | `k` | kms |
//! | `t` | catalogue of tables |
//!
//! Nothing stands above it that could tell when it is gone, or older than it was: so an
//! object beside it, the anchor, says how far it had come when it was last opened or closed.

use std::ops::Bound;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use strongroom_model::clock::{Clock, Random};
use strongroom_seal::anchor::{self, Anchor, AnchorError, AnchorStore};
use strongroom_seal::data_keys::DataKeys;
use strongroom_seal::keyring::{Keyring, KeyringError, KeyringStore, WrappedTableKey};
use strongroom_seal::object::StoreId;
use strongroom_seal::root::{Provider, RootError, RootKey, RootStore};
use strongroom_seal::store::SealedStore;

use super::block_cache::BlockCache;
use super::database::{Database, Order, Visibility};
use super::doors::Doors;
use super::error::StorageError;
use super::place::Place;
use super::remains::{Remains, Standing};
use super::write_ahead_log::Seen;

/// The system store; cheap to clone.
#[derive(Clone)]
pub struct SystemStore {
    database: Arc<Database>,
    // For objects beside the database, and to open it again without the root key.
    store: Arc<dyn ObjectStore>,
    // None where nobody asks how far it has come.
    anchors: Option<AnchorStore>,
}

/// Why the system store does not open.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// The root key: wrong file or passphrase, most often.
    #[error(transparent)]
    Root(#[from] RootError),
    /// The keyring of the system store.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// There is data, but no root key that opens it.
    #[error("the data place holds data but no root key: restore the folder `store/root` from a backup")]
    RootMissing,
    /// There is what only a system store that was there can have left.
    #[error(
        "the system store is gone, or a part of it: the data place holds what was written after it, but nothing in {}; put \
         back what is missing, or restore the whole data directory from one backup",
        listed(.0)
    )]
    StoreMissing(Vec<&'static str>),
    /// The operating system.
    #[error("cannot make the folders of the system store: {0}")]
    Folders(#[from] std::io::Error),
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The system store's folder and name.
pub const FOLDER: &str = "system";

/// Where the key service keeps the material of its keys, an object each.
pub const MATERIALS: &str = "system/materials";

const FOLDERS: &[&str] = &["keyring", "wal", "manifest", "compacted", "compactions", "materials"];
// Those that a copy of the data directory may have left out.
const FOLDERS_MAYBE_EMPTY: &[&str] = &["compacted", "compactions", "materials"];

impl SystemStore {
    /// Opens the system store of `place`, or makes the first one. A wrong root key changes nothing.
    pub async fn open(
        place: &Place,
        provider: &Provider,
        cache: Arc<BlockCache>,
        clock: &dyn Clock,
        random: &Arc<dyn Random>,
    ) -> Result<Self, SystemError> {
        for folder in ["root", anchor::FOLDER, FOLDER] {
            place.check_folder(folder)?;
        }
        let (root, data_keys) = match Self::keys(place, provider).await? {
            Some(keys) => {
                place.mend_folders(FOLDER, FOLDERS_MAYBE_EMPTY)?;
                keys
            }
            None => Self::create(place, provider, clock, &**random).await?,
        };
        place.mend_folders(".", &[anchor::FOLDER])?;
        let anchors = AnchorStore::new(Arc::clone(&place.store), &root, Arc::clone(random));
        let sealed = SealedStore::new(Arc::clone(&place.store), Arc::new(data_keys), Arc::clone(random));
        Ok(Self::open_anchored(Arc::new(sealed), anchors, cache, &place.doors).await?)
    }

    /// Opens a system store over a store that seals what it is given, without an anchor.
    pub async fn open_over(
        store: Arc<dyn ObjectStore>,
        cache: Arc<BlockCache>,
        doors: &Doors,
    ) -> Result<Self, StorageError> {
        let database = Database::open(FOLDER, Arc::clone(&store), cache, doors, Seen::default()).await?;
        Ok(Self { database: Arc::new(database), store, anchors: None })
    }

    /// Opens the same store again after a failure has closed it. Whatever its log holds is there, also writes that
    /// were answered with an error.
    pub async fn open_again(&self, cache: Arc<BlockCache>, doors: &Doors) -> Result<Self, StorageError> {
        let store = Arc::clone(&self.store);
        match &self.anchors {
            Some(anchors) => Self::open_anchored(store, anchors.clone(), cache, doors).await,
            None => Self::open_over(store, cache, doors).await,
        }
    }

    // INVARIANT (anchored): nothing is written into the system store before an anchor says that it is there.
    async fn open_anchored(
        store: Arc<dyn ObjectStore>,
        anchors: AnchorStore,
        cache: Arc<BlockCache>,
        doors: &Doors,
    ) -> Result<Self, StorageError> {
        let anchor = anchors.latest().await.map_err(anchor_error)?;
        let seen = anchor.map_or_else(Seen::default, Seen::from);
        let database = Database::open(FOLDER, Arc::clone(&store), cache, doors, seen).await?;
        let system = Self { database: Arc::new(database), store, anchors: Some(anchors) };
        if anchor.is_none() && system.holds_rows().await? {
            tracing::warn!(
                "`store/anchor` is missing, so nothing tells whether this is the newest system store; it is made anew"
            );
        }
        system.anchor().await?;
        Ok(system)
    }

    /// Writes out what memory holds, closes, and anchors what was written.
    pub async fn close(&self) -> Result<(), StorageError> {
        self.database.close().await?;
        self.anchor().await
    }

    async fn anchor(&self) -> Result<(), StorageError> {
        let Some(anchors) = &self.anchors else { return Ok(()) };
        let Seen { manifest_id, log_id } = self.database.seen();
        anchors.publish(Anchor { manifest_id, log_id }).await.map_err(anchor_error)
    }

    async fn holds_rows(&self) -> Result<bool, StorageError> {
        let all = (Bound::Unbounded, Bound::Unbounded);
        let mut rows = self.database.scan(all, Order::Ascending, Visibility::Applied).await?;
        Ok(rows.next().await?.is_some())
    }

    /// The sealed store that the database lies in, for objects of their own.
    pub fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    // The root key and the keys of the system store of `place`, or none where there is no system store yet.
    async fn keys(place: &Place, provider: &Provider) -> Result<Option<(RootKey, DataKeys)>, SystemError> {
        let root = RootStore::new(Arc::clone(&place.store)).open(provider).await?;
        match (Remains::of(place).await?.standing(root.is_some()), root) {
            (Standing::RootLost, _) | (Standing::There, None) => Err(SystemError::RootMissing),
            (Standing::Lost(missing), _) => Err(SystemError::StoreMissing(missing)),
            // A first start that was interrupted between its first two steps has written nothing else.
            (Standing::New, _) => Ok(None),
            (Standing::There, Some(root)) => {
                let keyring = Self::keyrings(place).latest().await?;
                let keyring = keyring.ok_or_else(|| SystemError::StoreMissing(vec!["system/keyring"]))?;
                let data_keys = keyring.open(&root.store_key(&store_id()))?;
                Ok(Some((root, data_keys)))
            }
        }
    }

    async fn create(
        place: &Place,
        provider: &Provider,
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Result<(RootKey, DataKeys), SystemError> {
        place.create_folders("root", &[])?;
        place.create_folders(FOLDER, FOLDERS)?;
        let roots = RootStore::new(Arc::clone(&place.store));
        let root = match roots.open(provider).await? {
            Some(root) => root,
            None => roots.create(provider, random).await?,
        };
        let table_key = root.store_key(&store_id());
        // Nothing wraps this key: it comes from the root key.
        let wrapped = WrappedTableKey {
            key_arn: "root".to_owned(),
            key_material_id: String::new(),
            wrapped: Vec::new(),
        };
        let keyring = Keyring::create(&store_id(), &table_key, wrapped, clock.now_millis(), random)?;
        Self::keyrings(place).publish(&keyring).await?;
        let data_keys = keyring.open(&table_key)?;
        Ok((root, data_keys))
    }

    fn keyrings(place: &Place) -> KeyringStore {
        KeyringStore::new(Arc::clone(&place.store), &Path::from(FOLDER), store_id())
    }
}

// `store/system/wal` and `store/anchor`
fn listed(missing: &[&str]) -> String {
    missing.iter().map(|path| format!("`store/{path}`")).collect::<Vec<_>>().join(" and ")
}

impl From<Anchor> for Seen {
    fn from(anchor: Anchor) -> Self {
        let Anchor { manifest_id, log_id } = anchor;
        Self { manifest_id, log_id }
    }
}

fn anchor_error(error: AnchorError) -> StorageError {
    match error {
        AnchorError::Store { .. } => StorageError::Unavailable(error.to_string()),
        _ => StorageError::Damaged(format!(
            "{error}; restore it from a backup of the same time or, if `store/system` is known to be the newest, \
             remove the folder `store/anchor`"
        )),
    }
}

fn store_id() -> StoreId {
    StoreId::new(FOLDER).expect("the name is short and plain")
}

impl std::ops::Deref for SystemStore {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.database
    }
}
