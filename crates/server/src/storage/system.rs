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

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use strongroom_model::clock::{Clock, Random};
use strongroom_seal::data_keys::DataKeys;
use strongroom_seal::keyring::{Keyring, KeyringError, KeyringStore, WrappedTableKey};
use strongroom_seal::object::StoreId;
use strongroom_seal::root::{Provider, RootError, RootStore};
use strongroom_seal::store::SealedStore;

use super::block_cache::BlockCache;
use super::database::Database;
use super::doors::Doors;
use super::error::StorageError;
use super::place::Place;
use super::write_ahead_log::Seen;

/// The system store; cheap to clone.
#[derive(Clone)]
pub struct SystemStore {
    database: Arc<Database>,
    // For objects beside the database, and to open it again without the root key.
    store: Arc<dyn ObjectStore>,
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
    /// There is a root key, but no keyring that goes with it.
    #[error("the data place holds data but the system store has no keyring: restore `store/system/keyring`")]
    KeyringMissing,
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
        let data_keys = match Self::data_keys(place, provider).await? {
            Some(data_keys) => {
                place.mend_folders(FOLDER, FOLDERS_MAYBE_EMPTY)?;
                data_keys
            }
            None => Self::create(place, provider, clock, &**random).await?,
        };
        let sealed = SealedStore::new(Arc::clone(&place.store), Arc::new(data_keys), Arc::clone(random));
        Ok(Self::open_over(Arc::new(sealed), cache, &place.doors).await?)
    }

    /// Opens a system store over a store that seals what it is given.
    pub async fn open_over(
        store: Arc<dyn ObjectStore>,
        cache: Arc<BlockCache>,
        doors: &Doors,
    ) -> Result<Self, StorageError> {
        let database = Database::open(FOLDER, Arc::clone(&store), cache, doors, Seen::default()).await?;
        Ok(Self { database: Arc::new(database), store })
    }

    /// Opens the same store again after a failure has closed it. Whatever its log holds is there, also writes that
    /// were answered with an error.
    pub async fn open_again(&self, cache: Arc<BlockCache>, doors: &Doors) -> Result<Self, StorageError> {
        Self::open_over(Arc::clone(&self.store), cache, doors).await
    }

    /// The sealed store that the database lies in, for objects of their own.
    pub fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// The keys of the system store of `place`, or none where there is no system store yet.
    pub async fn data_keys(place: &Place, provider: &Provider) -> Result<Option<DataKeys>, SystemError> {
        let keyring = Self::keyrings(place).latest().await?;
        let Some(root) = RootStore::new(Arc::clone(&place.store)).open(provider).await? else {
            return if keyring.is_some() { Err(SystemError::RootMissing) } else { Ok(None) };
        };
        let Some(keyring) = keyring else {
            // A first start that was interrupted between its two steps has written nothing else.
            let manifests = Path::from(format!("{FOLDER}/manifest"));
            let used = futures::StreamExt::next(&mut place.store.list(Some(&manifests))).await.is_some();
            return if used { Err(SystemError::KeyringMissing) } else { Ok(None) };
        };
        Ok(Some(keyring.open(&root.store_key(&store_id()))?))
    }

    async fn create(
        place: &Place,
        provider: &Provider,
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Result<DataKeys, SystemError> {
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
        Ok(keyring.open(&table_key)?)
    }

    fn keyrings(place: &Place) -> KeyringStore {
        KeyringStore::new(Arc::clone(&place.store), &Path::from(FOLDER), store_id())
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
