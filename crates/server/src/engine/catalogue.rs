//! The catalogue: all tables of all accounts and regions, in memory and in the system store.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};

use object_store::ObjectStore;
use parking_lot::RwLock;
use strongroom_model::clock::{Clock, Random};

use super::callers::CallerRules;
use super::debts::Debts;
use super::item_cache::ItemCache;
use super::key_filter::FilterBudget;
use super::large_writes::LargeWrites;
use super::names::Names;
use super::record::{ROWS, TableRecord};
use super::table::Table;
use crate::kms::Kms;
use crate::kms::table_kms::TableKms;
use crate::storage::{Batch, BlockCache, Order, Place, StorageError, SystemStore, Visibility, prefix_range};

/// All tables.
pub struct Engine {
    pub(super) parts: EngineParts,
    pub(super) item_cache: Arc<ItemCache>,
    pub(super) large_writes: Arc<LargeWrites>,
    pub(super) filter_budget: Arc<FilterBudget>,
    pub(super) creating: Names,
    // Whether another engine has taken over.
    pub(super) is_abandoned: AtomicBool,
    // Set before the tables are closed: nobody opens one again.
    pub(super) is_closing: AtomicBool,
    pub(super) me: Weak<Self>,
    tables: RwLock<Regions>,
    pub(super) debts: Debts,
    pub(super) tasks: parking_lot::Mutex<Vec<tokio::task::JoinHandle<()>>>,
}

/// Memory for the filters of keys, all tables together.
const FILTER_BYTES_MAX: u32 = 64 * 1024 * 1024;

// By account and region, then by name.
type Regions = HashMap<(Arc<str>, Arc<str>), Region>;
type Region = BTreeMap<String, Arc<Table>>;

/// What the engine is built from.
pub struct EngineParts {
    /// The system store.
    pub system: SystemStore,
    /// Where the sealed objects lie.
    pub place: Arc<Place>,
    /// The key service that tables are protected with.
    pub table_kms: Arc<dyn TableKms>,
    /// The key service of this process, for news of its keys.
    pub kms: Arc<Kms>,
    /// Whether customers' keys are in another key service (`--kms-endpoint`).
    pub kms_is_remote: bool,
    /// Whether a change of a key's state bites at once, or only when a caller's entry is renewed.
    pub push_key_state: bool,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The random source.
    pub random: Arc<dyn Random>,
    /// Decrypted blocks of all databases.
    pub block_cache: Arc<BlockCache>,
    /// How many bytes of items are kept in memory.
    pub item_cache_bytes: u64,
    /// The rules of the table-key cache.
    pub callers: CallerRules,
    /// How long a table may be unused before it is closed and its keys are wiped.
    pub idle_millis: i64,
    /// How many times a day a table's key may be changed before LimitExceededException.
    pub switches_per_day_max: usize,
    /// How long `CREATING`, `UPDATING` and `DELETING` are shown.
    pub status_millis: i64,
}

impl Engine {
    /// Loads the catalogue.
    pub async fn load(parts: EngineParts) -> Result<Arc<Self>, StorageError> {
        let mut tables = Regions::new();
        let latest_millis = parts.clock.now_millis() + parts.status_millis;
        let mut rows =
            parts.system.scan(prefix_range(&[ROWS]), Order::Ascending, Visibility::Applied).await?;
        while let Some((_, value)) = rows.next().await? {
            let record = TableRecord::parse(&value)?.not_held_beyond(latest_millis);
            let region = (Arc::from(record.account.as_str()), Arc::from(record.region.as_str()));
            tables.entry(region).or_default().insert(record.name.clone(), Arc::new(Table::new(record)));
        }
        Ok(Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            item_cache: Arc::new(ItemCache::new(parts.item_cache_bytes)),
            large_writes: Arc::new(LargeWrites::new()),
            filter_budget: Arc::new(FilterBudget::new(FILTER_BYTES_MAX)),
            parts,
            creating: Names::default(),
            debts: Debts::new(),
            is_abandoned: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
            tables: RwLock::new(tables),
            tasks: parking_lot::Mutex::default(),
        }))
    }

    /// The clock that everything here goes by.
    pub fn clock(&self) -> &dyn Clock {
        &*self.parts.clock
    }

    /// The table of that name; `None` where there is none, or none any more.
    pub fn table(&self, account: &Arc<str>, region: &Arc<str>, name: &str) -> Option<Arc<Table>> {
        let key = (Arc::clone(account), Arc::clone(region));
        self.tables.read().get(&key)?.get(name).cloned()
    }

    /// Names of an account's tables in a region after `start` in alphabetical order, at most `limit`,
    /// and whether there are more.
    pub fn table_names(
        &self,
        account: &Arc<str>,
        region: &Arc<str>,
        start: Option<&str>,
        limit: usize,
    ) -> (Vec<String>, bool) {
        let tables = self.tables.read();
        let Some(region) = tables.get(&(Arc::clone(account), Arc::clone(region))) else {
            return (Vec::new(), false);
        };
        let after = match start {
            Some(start) => std::ops::Bound::Excluded(start),
            None => std::ops::Bound::Unbounded,
        };
        let mut names =
            region.range::<str, _>((after, std::ops::Bound::Unbounded)).map(|(name, _)| name.clone());
        let page: Vec<String> = names.by_ref().take(limit).collect();
        let more = names.next().is_some();
        (page, more)
    }

    /// Other regions in which the account has tables.
    pub fn other_regions(&self, account: &Arc<str>, region: &Arc<str>) -> Vec<Arc<str>> {
        let tables = self.tables.read();
        let mut regions: Vec<Arc<str>> = tables
            .iter()
            .filter(|((owner, other), tables)| owner == account && other != region && !tables.is_empty())
            .map(|((_, other), _)| Arc::clone(other))
            .collect();
        regions.sort();
        regions
    }

    /// All tables of all accounts and regions.
    pub fn all_tables(&self) -> Vec<Arc<Table>> {
        self.tables.read().values().flat_map(|region| region.values().cloned()).collect()
    }

    /// Changes what the catalogue keeps about a table.
    pub async fn change_record(
        &self,
        table: &Table,
        change: impl FnOnce(TableRecord) -> TableRecord,
    ) -> Result<(), StorageError> {
        let _turn = table.turn.lock().await;
        let changed = change((*table.record()).clone());
        self.save(table, changed).await
    }

    /// Like [`Engine::change_record`], unless `change` refuses.
    pub async fn try_change_record<E: From<StorageError>>(
        &self,
        table: &Table,
        change: impl FnOnce(&TableRecord) -> Result<TableRecord, E>,
    ) -> Result<(), E> {
        let _turn = table.turn.lock().await;
        let changed = change(&table.record())?;
        Ok(self.save(table, changed).await?)
    }

    pub(super) fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.parts.place.store)
    }

    // Writes a record durably, then shows it. The caller holds the table's turn.
    //
    // INVARIANT (a name's row belongs to one table): rows are kept by name, so whoever waited for the turn of a table
    // that is gone by now must not touch the row, which may be a newer table's.
    pub(super) async fn save(&self, table: &Table, record: TableRecord) -> Result<(), StorageError> {
        if table.is_gone() {
            return Ok(());
        }
        let mut batch = Batch::new();
        batch.put(record.row_key(), record.row_value());
        self.parts.system.commit(batch).await?;
        table.set_record(record);
        Ok(())
    }

    pub(super) async fn insert(&self, record: TableRecord) -> Result<Arc<Table>, StorageError> {
        let region = (Arc::from(record.account.as_str()), Arc::from(record.region.as_str()));
        let name = record.name.clone();
        let table = Arc::new(Table::new(record.clone()));
        self.save(&table, record).await?;
        self.tables.write().entry(region).or_default().insert(name, Arc::clone(&table));
        Ok(table)
    }

    // The caller holds the table's turn.
    pub(super) async fn remove(&self, table: &Table) -> Result<(), StorageError> {
        // INVARIANT (a name's row belongs to one table).
        if table.is_gone() {
            return Ok(());
        }
        let record = table.record();
        let mut batch = Batch::new();
        batch.delete(record.row_key());
        self.parts.system.commit(batch).await?;
        table.mark_gone();
        let region = (Arc::from(record.account.as_str()), Arc::from(record.region.as_str()));
        if let Some(region) = self.tables.write().get_mut(&region) {
            region.remove(&record.name);
        }
        Ok(())
    }
}
