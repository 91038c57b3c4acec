//! The way to a table's rows: is its key usable, may this caller use it, is the table open?
//!
//! A refusal by the key service takes effect at once and for everybody where it
//! is about the key, for one caller where it is about the caller. Silence of
//! the key service is not a refusal: who was let in before is served on.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use object_store::path::Path;
use strongroom_seal::data_keys::DataKeys;
use strongroom_seal::keyring::{Keyring, KeyringError, KeyringStore};
use strongroom_seal::object::StoreId;
use strongroom_seal::secret::SecretKey;
use strongroom_seal::store::SealedStore;

use super::callers::{Callers, Standing};
use super::catalogue::Engine;
use super::key_filter::KeyFilter;
use super::key_state::wipe;
use super::lifecycle::{FOLDERS, FOLDERS_MAYBE_EMPTY};
use super::open_table::OpenTable;
use super::record::TableRecord;
use super::table::{Opening, Table};
use crate::auth::Caller;
use crate::kms::key::KeyStatus;
use crate::kms::table_kms::{KeyManager, TableKmsError};
use crate::storage::{Database, Seen, StorageError};

/// Why a table's rows cannot be reached.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AccessError {
    /// There is no such table, or it is being deleted.
    #[error("the table is not there")]
    NotFound,
    /// The key service refused, or did not answer and nothing was cached.
    #[error(transparent)]
    Key(#[from] TableKmsError),
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Engine {
    /// Lets `caller` to the rows of `table`, opening it if need be.
    ///
    /// What is rare here is boxed: its 15 KB would be in every request otherwise, to be moved with it.
    pub async fn access(&self, table: &Arc<Table>, caller: &Caller) -> Result<Arc<Opening>, AccessError> {
        let now_millis = self.clock().now_millis();
        table.mark_used(now_millis);
        if let Some(opening) = table.opening() {
            if !opening.is_guarded() {
                return Ok(opening);
            }
            if opening.key_is_usable() {
                return match opening.callers.standing(caller, now_millis) {
                    Standing::Good => Ok(opening),
                    Standing::RenewOrServe if self.parts.table_kms.is_silent() => {
                        Box::pin(self.renew_beside(table, opening, caller)).await
                    }
                    Standing::Renew | Standing::RenewOrServe => {
                        Box::pin(self.renew(table, opening, caller)).await
                    }
                };
            }
            // Its record is marked by whoever follows the keys, or by the opening that the key service refuses.
            self.wipe_unusable(table);
        }
        Box::pin(self.open(table, Some(caller))).await
    }

    /// Opens a table on behalf of `caller`, or of the service itself.
    pub(super) async fn open(
        &self,
        table: &Arc<Table>,
        caller: Option<&Caller>,
    ) -> Result<Arc<Opening>, AccessError> {
        // Whoever has the turn may be long at the table's disk.
        let turn = self.unless_lost(table, Arc::clone(&table.turn).lock_owned()).await?;
        self.wipe_unusable(table);
        if let Some(opening) = table.opening() {
            drop(turn);
            // Whoever opened it did so for another caller perhaps.
            return match caller {
                Some(caller) if opening.is_guarded() => {
                    match opening.callers.standing(caller, self.clock().now_millis()) {
                        Standing::Good => Ok(opening),
                        Standing::Renew | Standing::RenewOrServe => self.renew(table, opening, caller).await,
                    }
                }
                _ => Ok(opening),
            };
        }
        let Some(engine) = self.me.upgrade() else { return Err(taken_over().into()) };
        let (opened, caller) = (Arc::clone(table), caller.cloned());
        // Beside the request, which waits no longer than the key lasts; the turn is kept until the disk has answered.
        let opening = tokio::spawn(async move {
            let _turn = turn;
            engine.open_in_turn(&opened, caller.as_ref()).await
        });
        match self.unless_lost(table, opening).await? {
            Ok(opening) => opening,
            Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
            Err(_) => Err(StorageError::Unavailable("the server stops".to_owned()).into()),
        }
    }

    // The caller of this holds the table's turn.
    async fn open_in_turn(
        &self,
        table: &Arc<Table>,
        caller: Option<&Caller>,
    ) -> Result<Arc<Opening>, AccessError> {
        if self.is_abandoned.load(Ordering::Acquire) {
            return Err(taken_over().into());
        }
        if self.is_closing.load(Ordering::Acquire) {
            return Err(StorageError::Unavailable("the server stops".to_owned()).into());
        }
        if let Some(failed) = table.set_opening(None) {
            let closed = StorageError::Closed("the table is opened anew".to_owned());
            failed.table.abandon(closed.into()).await;
        }
        let record = table.record();
        if record.deleting {
            return Err(AccessError::NotFound);
        }
        let key_status = self.pushed_status(&record.protection.key_arn);
        if let Some(refusal) = table.refusal() {
            // Nothing can have changed: say the same again, without another line in the trail.
            let unchanged = match &key_status {
                Some(status) => !status.is_enabled() && refusal.key_status == Some(status.seen()),
                None => self.clock().now_millis() - refusal.since_millis < REFUSAL_MILLIS,
            };
            if unchanged {
                return Err(refusal.error.into());
            }
        }
        if !self.has_grants(&record).await {
            let error = grant_missing(&record);
            self.mark_inaccessible(table, Some(error.clone())).await?;
            return Err(error.into());
        }
        let keyring = self.newest_keyring(&record).await?;
        let guarded = record.protection.manager != KeyManager::Service;
        let asker = if guarded { caller } else { None };
        let table_key = match self.table_key(&record, &keyring, asker).await {
            Ok(table_key) => table_key,
            Err(error) => {
                if let Some(damage) = damaged_keyring(&record, &keyring, &error) {
                    return Err(damage.into());
                }
                if concerns_the_key(&error) {
                    self.mark_inaccessible(table, Some(error.clone())).await?;
                }
                return Err(error.into());
            }
        };
        let data_keys = keyring.open(&table_key).map_err(keyring_error)?;
        drop(table_key);
        let opening = self.opening(table, &record, keyring, data_keys, key_status).await?;
        if let Some(caller) = asker {
            opening.callers.renewed(caller, self.clock().now_millis());
        }
        table.set_refusal(None);
        if record.inaccessible_millis.is_some() {
            tracing::info!(table = %record.id, "the table is accessible again");
        }
        // Each opening writes a manifest and an object of the log: from now on a store without them is an older copy.
        let Seen { manifest_id, log_id } = opening.table.seen();
        self.save(
            table,
            TableRecord { inaccessible_millis: None, manifest_id, log_id, open: true, ..(*record).clone() },
        )
        .await?;
        let opening = Arc::new(opening);
        if let Some(refusal) = self.loss(&record).await {
            // The key was lost while the table was opened. Whoever follows the key waits for the turn, to say so in the record.
            wipe(opening, refusal.clone());
            return Err(refusal.into());
        }
        table.set_opening(Some(Arc::clone(&opening)));
        Ok(opening)
    }

    async fn opening(
        &self,
        table: &Table,
        record: &TableRecord,
        keyring: Keyring,
        data_keys: DataKeys,
        key_status: Option<Arc<KeyStatus>>,
    ) -> Result<Opening, StorageError> {
        let data_keys = Arc::new(data_keys);
        let store = SealedStore::new(self.store(), Arc::clone(&data_keys), Arc::clone(&self.parts.random));
        let cache = Arc::clone(&self.parts.block_cache);
        let place = &self.parts.place;
        place.check_folder(&record.folder())?;
        // One that is never empty and is gone is not made anew: what is put back would find it in its place.
        let folders = if record.manifest_id == 0 { FOLDERS } else { FOLDERS_MAYBE_EMPTY };
        place
            .mend_folders(&record.folder(), folders)
            .map_err(|error| StorageError::Unavailable(error.to_string()))?;
        let store = Arc::new(store);
        let database = Database::open(&record.folder(), store, cache, &place.doors, record.seen()).await?;
        let item_cache = Arc::clone(&self.item_cache);
        let large_writes = Arc::clone(&self.large_writes);
        let mut seed = [0; 16];
        self.parts.random.fill(&mut seed);
        let filter = KeyFilter::new(&seed, Arc::clone(&self.filter_budget));
        Ok(Opening::new(
            OpenTable::new(database, data_keys, item_cache, large_writes, filter, record, table.indexes()),
            Callers::new(self.parts.callers),
            keyring,
            key_status,
            record.protection.manager != KeyManager::Service,
            self.clock().now_millis(),
        ))
    }

    /// The newest keyring of a table; an older one than the catalogue has seen is refused.
    pub(super) async fn newest_keyring(&self, record: &TableRecord) -> Result<Keyring, StorageError> {
        let keyring = self
            .keyrings(record)
            .latest()
            .await
            .map_err(keyring_error)?
            .ok_or_else(|| StorageError::Damaged(format!("`{}` has no keyring", record.folder())))?;
        if keyring.version() < record.keyring_version {
            return Err(StorageError::Damaged(format!(
                "`{}` was rolled back: its keyring is version {}, the catalogue has seen version {}",
                record.folder(),
                keyring.version(),
                record.keyring_version
            )));
        }
        // The name of its KMS key stands in clear in a keyring, and nothing authenticates it before that key is asked.
        let key_arn = &keyring.table_key().key_arn;
        if !record.may_be_under(key_arn) {
            return Err(StorageError::Damaged(format!(
                "object `{}/keyring/{:020}`: it names another KMS key than the catalogue does; restore it from a backup",
                record.folder(),
                keyring.version()
            )));
        }
        Ok(keyring)
    }

    pub(super) fn keyrings(&self, record: &TableRecord) -> KeyringStore {
        KeyringStore::new(self.store(), &Path::from(record.folder()), store_id(record))
    }

    /// The state of a key in this process's key service, if it is to bite at once.
    pub(super) fn pushed_status(&self, key_arn: &str) -> Option<Arc<KeyStatus>> {
        if self.parts.push_key_state { self.parts.kms.status(key_arn) } else { None }
    }

    /// Whether the key of a table is another key service's than this process's own.
    pub(super) fn is_remote(&self, record: &TableRecord) -> bool {
        record.protection.manager == KeyManager::Customer && self.parts.kms_is_remote
    }

    /// Whether the table still holds its grants: without them it cannot be protected (R42).
    /// A key service that does not answer, or a key that cannot be used, is not the grants' matter.
    pub(super) async fn has_grants(&self, record: &TableRecord) -> bool {
        for grant in &record.protection.grants {
            let key_arn = &record.protection.key_arn;
            if let Ok(false) = self.parts.table_kms.has_grant(key_arn, grant, &record.context()).await
                && self.is_remote(record) | self.parts.kms.status(key_arn).is_some_and(|key| key.is_enabled())
            {
                return false;
            }
        }
        true
    }

    /// Asks the key service for a table key.
    pub(super) async fn table_key(
        &self,
        record: &TableRecord,
        keyring: &Keyring,
        caller: Option<&Caller>,
    ) -> Result<SecretKey, TableKmsError> {
        let wrapped = keyring.table_key();
        self.parts
            .table_kms
            .decrypt_table_key(caller, &wrapped.key_arn, &wrapped.wrapped, &record.context())
            .await
    }

    // The same as `renew` for a caller who can be served from the cache, while the key service is known not to
    // answer: it is asked, and waited for no longer than one that is back needs for its answer (R25).
    async fn renew_beside(
        &self,
        table: &Arc<Table>,
        opening: Arc<Opening>,
        caller: &Caller,
    ) -> Result<Arc<Opening>, AccessError> {
        if opening.asking_beside.swap(true, Ordering::AcqRel) {
            return Ok(opening);
        }
        let Some(engine) = self.me.upgrade() else { return Ok(opening) };
        let (table, asking, caller) = (Arc::clone(table), Arc::clone(&opening), caller.clone());
        let answer = tokio::spawn(async move {
            let answer = engine.renew(&table, Arc::clone(&asking), &caller).await;
            asking.asking_beside.store(false, Ordering::Release);
            answer
        });
        match tokio::time::timeout(BESIDE_WAIT, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Ok(opening),
        }
    }

    // A caller's entry is missing or due: Decrypt on the caller's behalf, which picks up every
    // change of key, policy and grants since the last time (R24).
    async fn renew(
        &self,
        table: &Arc<Table>,
        opening: Arc<Opening>,
        caller: &Caller,
    ) -> Result<Arc<Opening>, AccessError> {
        // One renewal at a time: whoever waited finds its entry renewed.
        let turn = opening.renewing.lock().await;
        let now_millis = self.clock().now_millis();
        let standing = opening.callers.standing(caller, now_millis);
        if standing == Standing::Good {
            drop(turn);
            return Ok(opening);
        }
        let (record, answer, is_due, grant_lost) = loop {
            let record = table.record();
            let keyring = opening.keyring();
            let answer = self.table_key(&record, &keyring, Some(caller)).await;
            // A grant that was revoked elsewhere is nobody's news; it is noticed here at the latest (R24, R42). It is the
            // table's: one look serves the renewals of all callers.
            let seen_millis = opening.grants_seen_millis.load(Ordering::Relaxed);
            let is_due =
                !self.is_remote(&record) || now_millis - seen_millis >= self.parts.callers.renewal_millis;
            let grant_lost = answer.is_ok() && is_due && !self.has_grants(&record).await;
            // What is said of a key does not concern a table that has come under another one meanwhile.
            if table.record().protection == record.protection {
                break (record, answer, is_due, grant_lost);
            }
        };
        match if grant_lost { Err(grant_missing(&record)) } else { answer } {
            Ok(_) => {
                opening.callers.renewed(caller, now_millis);
                if is_due {
                    opening.grants_seen_millis.store(now_millis, Ordering::Relaxed);
                }
                drop(turn);
                Ok(opening)
            }
            Err(error)
                if standing == Standing::RenewOrServe && !matches!(error, TableKmsError::Refused { .. }) =>
            {
                opening.callers.unanswered(caller, self.clock().now_millis());
                drop(turn);
                Ok(opening)
            }
            Err(error) => {
                opening.callers.refused(caller);
                if grant_lost || concerns_the_key(&error) {
                    self.lose(table, &record, error.clone()).await?;
                }
                Err(error.into())
            }
        }
    }
}

/// How long a refusal of a remote key service stands before it is asked again.
const REFUSAL_MILLIS: i64 = 1_000;
/// How long a request waits for a key service that did not answer the last time.
const BESIDE_WAIT: Duration = Duration::from_millis(200);

/// The name of a table's store, bound into each of its objects.
pub(super) fn store_id(record: &TableRecord) -> StoreId {
    StoreId::new(&record.id).expect("a table id is a UUID")
}

/// What an engine answers whose tables are another's now.
pub(super) fn taken_over() -> StorageError {
    StorageError::Unavailable("the disk has failed, and what it holds was opened anew".to_owned())
}

/// What a table answers whose grant was revoked.
pub(super) fn grant_missing(record: &TableRecord) -> TableKmsError {
    let service = format!("dynamodb.{}.amazonaws.com", record.region);
    TableKmsError::Refused {
        code: "AccessDeniedException".to_owned(),
        message: format!(
            "User: {service} is not authorized to perform: kms:Decrypt on resource: {} because the grant of the \
             table was revoked",
            record.protection.key_arn
        ),
        request_id: record.id.clone(),
    }
}

/// What it means that the key service does not know its own ciphertext: the keyring is not what was written.
fn damaged_keyring(record: &TableRecord, keyring: &Keyring, error: &TableKmsError) -> Option<StorageError> {
    let TableKmsError::Refused { code, .. } = error else { return None };
    let foreign = matches!(code.as_str(), "InvalidCiphertextException" | "IncorrectKeyException");
    foreign.then(|| {
        StorageError::Damaged(format!(
            "object `{}/keyring/{:020}`: the key service does not open the table key in it ({code}); restore it from \
             a backup",
            record.folder(),
            keyring.version()
        ))
    })
}

/// Whether a refusal is about the key, so that it holds for everybody.
fn concerns_the_key(error: &TableKmsError) -> bool {
    matches!(error, TableKmsError::Refused { code, .. } if code != "AccessDeniedException")
}

pub(super) fn keyring_error(error: KeyringError) -> StorageError {
    match error {
        KeyringError::Store { .. } => StorageError::Unavailable(error.to_string()),
        _ => StorageError::Damaged(error.to_string()),
    }
}
