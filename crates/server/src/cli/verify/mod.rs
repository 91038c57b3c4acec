//! `strongroom verify`: looks at a data directory that no server has open, and changes nothing in it.
//!
//! Every object is read whole and authenticated under the keys that the
//! directory's own keyrings give, and every object that the newest manifests
//! need is looked for. Tables whose key cannot be used, because it is disabled
//! or in another key service, are counted and not opened.
//!
//! The exit code is 0 when all is well, 1 when something is damaged, missing or
//! in the wrong place, and 2 when not everything could be checked.
//!
//! What no look at one state can tell is whether it is the newest one: a
//! directory put back whole from an older copy verifies, as does a store that has
//! lost what its log got since it was last opened or closed (unless a table's
//! catalogue row was in it).

mod check;
mod finding;
mod inventory;
mod progress;
mod report;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStore;
use object_store::path::Path as ObjectPath;
use strongroom_model::clock::Clock;
use strongroom_seal::anchor::{self, Anchor, AnchorStore};
use strongroom_seal::keyring::{Keyring, KeyringStore};
use strongroom_seal::object::StoreId;
use strongroom_seal::primitive::OsRandom;
use strongroom_seal::root::{Provider, RootError, RootKey, RootStore};

use super::root_key::{RootKeyError, RootKeySetting};
use crate::clock::SystemClock;
use crate::engine::record::{self, TableRecord};
use crate::kms::offline::{self as stored_keys, KeyUnusable, StoredKeys};
use crate::kms::table_kms::KeyManager;
use crate::storage::offline;
use crate::storage::system::FOLDER as SYSTEM;
use crate::storage::{DataSetting, Place, PlaceError, Seen};
use check::Count;
use finding::{
    Finding, RESTORE_ANCHOR, RESTORE_CATALOGUE, RESTORE_KEYRING, RESTORE_MISSING, RESTORE_NEWER,
    RESTORE_SYSTEM,
};
use inventory::{Inventory, Kind, Stored};
use progress::Progress;
use report::{Report, Section, Verdict};

/// Which data directory, and what opens it.
#[derive(Debug, clap::Args)]
pub(super) struct VerifyArguments {
    /// Data directory
    #[arg(long, env = "STRONGROOM_DATA", value_name = "DIR")]
    data: PathBuf,
    /// What seals the root key, as for `serve` [default: the key file beside the data directory]
    #[arg(long, env = "STRONGROOM_ROOT_KEY", value_name = "PROVIDER", value_parser = root_key)]
    root_key: Option<RootKeySetting>,
}

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
enum VerifyError {
    /// The directory: not there, in use, of another format.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// What seals the root key.
    #[error(transparent)]
    RootKeySetting(#[from] RootKeyError),
    /// The root key does not open.
    #[error("nothing could be checked")]
    Root(#[from] RootError),
    /// The operating system.
    #[error("cannot read the data directory")]
    Io(#[from] std::io::Error),
}

/// Verifies, prints the report, and says how it went.
pub(super) fn run(arguments: &VerifyArguments) -> ExitCode {
    match verify_and_print(arguments) {
        Ok(Verdict::Well) => ExitCode::SUCCESS,
        Ok(Verdict::Damaged) => ExitCode::from(1),
        Ok(Verdict::Incomplete) => ExitCode::from(2),
        Err(error) => {
            super::print_error(&error);
            ExitCode::from(2)
        }
    }
}

fn verify_and_print(arguments: &VerifyArguments) -> Result<Verdict, VerifyError> {
    super::forbid_core_dumps();
    // Locked before anything else, so that nothing moves while it is looked at.
    let place = Place::open_unchanged(&arguments.data)?;
    let setting = DataSetting::Directory(arguments.data.clone());
    let root_key = arguments.root_key.clone().unwrap_or_else(|| RootKeySetting::beside(&setting));
    let provider = root_key.provider(&setting, false, &OsRandom)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let report = runtime.block_on(verify(&arguments.data, &place, &provider))?;
    std::io::Write::write_all(&mut std::io::stdout().lock(), report.text().as_bytes())?;
    Ok(report.verdict())
}

async fn verify(data: &Path, place: &Place, provider: &Provider) -> Result<Report, VerifyError> {
    let inventory = Inventory::of(data)?;
    let mut report = Report::default();
    notes(&inventory, &mut report.notes);
    let Some(root) = RootStore::new(Arc::clone(&place.store)).open(provider).await? else {
        report.sections.push(without_root(&inventory));
        return Ok(report);
    };
    let all = || inventory.stores.values().flatten();
    let sealed = || all().filter(|stored| !matches!(stored.kind, Kind::Keys(_)));
    let progress = Progress::new(sealed().count() as u64, sealed().map(|stored| stored.bytes).sum());
    let verification = Verification { store: Arc::clone(&place.store), inventory: &inventory, progress };
    let (system, rows) = verification.system(&root).await;
    report.sections.push(system);
    match rows {
        Some(rows) => verification.tables(rows, &mut report).await,
        None => report.sections.extend(verification.unknown_tables()),
    }
    verification.progress.finish();
    Ok(report)
}

/// A data directory that is being looked at.
struct Verification<'a> {
    store: Arc<dyn ObjectStore>,
    inventory: &'a Inventory,
    progress: Progress,
}

impl Verification<'_> {
    // The system store, and what tells of tables and keys if it can be had.
    async fn system(&self, root: &RootKey) -> (Section, Option<SystemRows>) {
        let stored = self.stored(SYSTEM);
        let mut section = Section {
            title: "system store".to_owned(),
            folder: SYSTEM.to_owned(),
            key_arn: "none: sealed under the root key".to_owned(),
            stored: count(stored),
            ..Section::default()
        };
        let id = StoreId::new(SYSTEM).expect("the name is short and plain");
        let seen = self.anchor(root, &mut section).await.map_or_else(Seen::default, Seen::from);
        let keyring = match self.newest_keyring(SYSTEM, &id, &mut section).await {
            Newest::Keyring(keyring) => keyring,
            // A first start that was interrupted has written a root key and nothing else.
            Newest::None if stored.is_empty() && !self.system_was_there() => {
                return (section, Some(SystemRows::default()));
            }
            Newest::None if stored.is_empty() => {
                let what = "it is missing or empty".to_owned();
                section.findings.push(Finding { object: SYSTEM.to_owned(), what, advice: RESTORE_SYSTEM });
                return (section, None);
            }
            Newest::None => {
                section.findings.push(no_keyring(SYSTEM));
                return (section, None);
            }
            Newest::Unreadable => return (section, None),
        };
        let data_keys = match keyring.open(&root.store_key(&id)) {
            Ok(data_keys) => data_keys,
            Err(error) => {
                section.findings.push(Finding::of_keyring(SYSTEM, &error));
                return (section, None);
            }
        };
        section.findings.extend(older(SYSTEM, stored, seen.manifest_id, "the anchor"));
        let (checked, store) =
            check::check(SYSTEM, &self.store, &keyring, data_keys, stored, seen, &self.progress).await;
        let is_sound = checked.findings.is_empty();
        section.checked = Some(checked);
        let prefixes = [record::ROWS, stored_keys::ROWS];
        match offline::rows(SYSTEM, Arc::clone(&store) as _, &prefixes).await {
            Ok(rows) => {
                // Before the first anchor nothing is written into it.
                if self.inventory.anchors.is_empty() && (!rows.is_empty() || self.has_tables()) {
                    let what =
                        "there is no anchor, which says how far the system store must reach".to_owned();
                    section.findings.push(Finding {
                        object: anchor::FOLDER.to_owned(),
                        what,
                        advice: RESTORE_ANCHOR,
                    });
                }
                let of_keys = rows.iter().filter(|(key, _)| key.first() == Some(&stored_keys::ROWS));
                let keys = match StoredKeys::load(of_keys, &*store).await {
                    Ok(keys) => Some(keys),
                    Err(error) => {
                        let what = format!("the keys in it cannot be read: {error}");
                        section.findings.push(Finding::missing(SYSTEM.to_owned(), what));
                        None
                    }
                };
                (section, Some(SystemRows { rows, keys }))
            }
            // A store that was never written has no manifest.
            Err(_) if is_sound && !stored.iter().any(|stored| matches!(stored.kind, Kind::Manifest(_))) => {
                (section, Some(SystemRows::default()))
            }
            Err(error) => {
                if is_sound {
                    let what = format!("its rows cannot be read: {error}");
                    section.findings.push(Finding::missing(SYSTEM.to_owned(), what));
                }
                (section, None)
            }
        }
    }

    // What the newest anchor says; also reads the earlier ones, which an interrupted start leaves behind.
    async fn anchor(&self, root: &RootKey, section: &mut Section) -> Option<Anchor> {
        let anchors = AnchorStore::new(Arc::clone(&self.store), root, Arc::new(OsRandom));
        let mut newest = None;
        for stored in &self.inventory.anchors {
            let Kind::Keys(version) = stored.kind else { continue };
            newest = match anchors.read(version).await {
                Ok(anchor) => Some(anchor),
                Err(error) => {
                    section.findings.push(Finding::of_anchor(&stored.path, &error));
                    None
                }
            };
        }
        newest
    }

    fn has_tables(&self) -> bool {
        let mut tables = self.inventory.stores.iter().filter(|(folder, _)| *folder != SYSTEM);
        tables.any(|(_, stored)| !stored.is_empty())
    }

    // Both are written once the system store is there.
    fn system_was_there(&self) -> bool {
        !self.inventory.anchors.is_empty() || self.has_tables()
    }

    async fn tables(&self, system: SystemRows, report: &mut Report) {
        let SystemRows { rows, keys } = system;
        if let Some(keys) = &keys {
            report.notes.extend(self.materials_of_no_key(keys));
        }
        let mut records = BTreeMap::new();
        for (_, value) in rows.iter().filter(|(key, _)| key.first() == Some(&record::ROWS)) {
            match TableRecord::parse(value) {
                Ok(record) => drop(records.insert(record.folder(), record)),
                Err(error) => {
                    let finding = Finding::missing(SYSTEM.to_owned(), error.to_string());
                    report.sections[0].findings.push(finding);
                }
            }
        }
        for record in records.values() {
            report.sections.push(self.table(record, keys.as_ref()).await);
        }
        for (folder, stored) in &self.inventory.stores {
            if folder == SYSTEM || records.contains_key(folder) {
                continue;
            }
            if is_leftover(stored) {
                let Count { objects, bytes } = count(stored);
                report.notes.push(format!(
                    "`store/{folder}` belongs to no table ({objects} objects, {bytes} bytes): an interrupted \
                     creation or deletion leaves such a folder, and it holds no data that can be read"
                ));
            } else {
                report.sections.push(lost_table(folder, stored));
            }
        }
    }

    fn materials_of_no_key(&self, keys: &StoredKeys) -> impl Iterator<Item = String> {
        let materials = self.stored(SYSTEM).iter().filter(|stored| matches!(stored.kind, Kind::Material));
        materials.filter(|stored| !keys.names_material(&stored.path)).map(|stored| {
            format!(
                "`store/{}` holds material of no key: a CreateKey that was interrupted leaves it, and so does an older \
                 system store that was put back, which has forgotten the key; nothing removes it",
                stored.path
            )
        })
    }

    async fn table(&self, record: &TableRecord, keys: Option<&StoredKeys>) -> Section {
        let folder = record.folder();
        let stored = self.stored(&folder);
        let mut section = Section {
            title: format!("table {} (account {}, region {})", record.name, record.account, record.region),
            key_arn: record.protection.key_arn.clone(),
            folder: folder.clone(),
            stored: count(stored),
            ..Section::default()
        };
        let Some(keys) = keys else {
            section.not_checked = Some("the keys in the system store cannot be read".to_owned());
            return section;
        };
        if record.deleting {
            section.title.push_str(", being deleted: the server clears away what is left");
            return section;
        }
        let Some(id) = StoreId::new(&record.id) else {
            let what = format!("the catalogue says that the id of table `{}` is none", record.name);
            section.findings.push(Finding::missing(SYSTEM.to_owned(), what));
            return section;
        };
        let keyring = match self.newest_keyring(&folder, &id, &mut section).await {
            Newest::Keyring(keyring) => keyring,
            Newest::None => {
                section.findings.push(no_keyring(&folder));
                return section;
            }
            Newest::Unreadable => return section,
        };
        if keyring.version() < record.keyring_version {
            section.findings.push(Finding {
                object: format!("{folder}/keyring/{:020}", keyring.version()),
                what: format!("the catalogue has seen keyring version {}", record.keyring_version),
                advice: RESTORE_NEWER,
            });
        }
        section.findings.extend(older(&folder, stored, record.manifest_id, "the catalogue"));
        // While a change of key is under way the keyring may be ahead of the catalogue.
        let wrapped = keyring.table_key();
        section.key_arn = wrapped.key_arn.clone();
        if !record.may_be_under(&wrapped.key_arn) {
            section.findings.push(Finding {
                object: format!("{folder}/keyring/{:020}", keyring.version()),
                what: format!(
                    "it names another KMS key than the catalogue does, {}",
                    record.protection.key_arn
                ),
                advice: RESTORE_KEYRING,
            });
            return section;
        }
        let now_millis = SystemClock::default().now_millis();
        let table_key = match keys.open_table_key(wrapped, &record.context(), now_millis) {
            Ok(table_key) => table_key,
            Err(error) => {
                let is_customers = record.protection.manager == KeyManager::Customer;
                if error == KeyUnusable::DoesNotOpen || (error == KeyUnusable::Elsewhere && !is_customers) {
                    section.findings.push(Finding {
                        object: format!("{folder}/keyring/{:020}", keyring.version()),
                        what: error.to_string(),
                        advice: RESTORE_KEYRING,
                    });
                } else {
                    section.not_checked = Some(error.to_string());
                }
                return section;
            }
        };
        let data_keys = match keyring.open(&table_key) {
            Ok(data_keys) => data_keys,
            Err(error) => {
                section.findings.push(Finding::of_keyring(&folder, &error));
                return section;
            }
        };
        let (checked, _) =
            check::check(&folder, &self.store, &keyring, data_keys, stored, record.seen(), &self.progress)
                .await;
        section.checked = Some(checked);
        section
    }

    // Also reads the older ones, which a change of key leaves behind when it is interrupted.
    async fn newest_keyring(&self, folder: &str, id: &StoreId, section: &mut Section) -> Newest {
        let keyrings = KeyringStore::new(Arc::clone(&self.store), &ObjectPath::from(folder), id.clone());
        let versions = match keyrings.list().await {
            Ok(versions) => versions,
            Err(error) => {
                section.findings.push(Finding::of_keyring(folder, &error));
                return Newest::Unreadable;
            }
        };
        let mut newest = Newest::None;
        for version in versions {
            newest = match keyrings.read(version).await {
                Ok(keyring) => Newest::Keyring(keyring),
                Err(error) => {
                    section.findings.push(Finding::of_keyring(folder, &error));
                    Newest::Unreadable
                }
            };
        }
        if let Newest::Keyring(keyring) = &newest {
            section.keyring_version = Some(keyring.version());
        }
        newest
    }

    // Without the catalogue nobody knows which table is which.
    fn unknown_tables(&self) -> Vec<Section> {
        let tables = self.inventory.stores.iter().filter(|(folder, _)| *folder != SYSTEM);
        tables
            .map(|(folder, stored)| Section {
                title: "a table whose name is not known".to_owned(),
                folder: folder.clone(),
                stored: count(stored),
                not_checked: Some("the catalogue in the system store cannot be read".to_owned()),
                ..Section::default()
            })
            .collect()
    }

    fn stored(&self, folder: &str) -> &[Stored] {
        self.inventory.stores.get(folder).map_or(&[], Vec::as_slice)
    }
}

// What the system store says of keys and tables.
#[derive(Default)]
struct SystemRows {
    rows: Vec<(Bytes, Bytes)>,
    // None where they cannot be read.
    keys: Option<StoredKeys>,
}

enum Newest {
    Keyring(Keyring),
    None,
    Unreadable,
}

// A directory in which no server was ever started is well; one with data and no root key is lost without it.
fn without_root(inventory: &Inventory) -> Section {
    let is_empty = inventory.anchors.is_empty() && inventory.stores.values().all(Vec::is_empty);
    let what = || "it is missing, and nothing opens without it".to_owned();
    let missing = || Finding { object: "root".to_owned(), what: what(), advice: RESTORE_MISSING };
    Section {
        title: "system store".to_owned(),
        folder: SYSTEM.to_owned(),
        findings: if is_empty { Vec::new() } else { vec![missing()] },
        ..Section::default()
    }
}

fn notes(inventory: &Inventory, notes: &mut Vec<String>) {
    for path in &inventory.unfinished {
        notes.push(format!("`{path}` is an interrupted write; the server removes it when it starts"));
    }
    for path in &inventory.foreign {
        notes.push(format!("`{path}` was not written by Strongroom; move it out of the data directory"));
    }
    for root in inventory.root.iter().rev().skip(1) {
        notes.push(format!(
            "`store/{}` is an earlier sealing of the root key that was to be deleted: whoever holds what sealed it \
             opens this directory; delete it",
            root.path
        ));
    }
}

fn no_keyring(folder: &str) -> Finding {
    Finding {
        object: format!("{folder}/keyring"),
        what: "there is no keyring".to_owned(),
        advice: RESTORE_KEYRING,
    }
}

// What an interrupted creation leaves has keys and no data, what an interrupted deletion leaves has no keys.
fn is_leftover(stored: &[Stored]) -> bool {
    let keys = stored.iter().filter(|stored| matches!(stored.kind, Kind::Keys(_))).count();
    keys == 0 || keys == stored.len()
}

// The catalogue names a table before anything is written into it, and forgets it after all of it was removed.
fn lost_table(folder: &str, stored: &[Stored]) -> Section {
    Section {
        title: "a table that the catalogue does not know".to_owned(),
        folder: folder.to_owned(),
        stored: count(stored),
        findings: vec![Finding {
            object: folder.to_owned(),
            what: "it holds a table's keys and data, and the catalogue has no such table: the end of the system \
                   store's log is missing, or its folder is an older copy"
                .to_owned(),
            advice: RESTORE_CATALOGUE,
        }],
        ..Section::default()
    }
}

// A store whose newest manifest is older than one that `who` has seen.
fn older(folder: &str, stored: &[Stored], seen_id: u64, who: &str) -> Option<Finding> {
    let number = |stored: &Stored| match stored.kind {
        Kind::Manifest(number) => Some(number),
        _ => None,
    };
    let newest = stored.iter().filter_map(number).max();
    if newest.unwrap_or(0) >= seen_id {
        return None;
    }
    Some(match newest {
        Some(newest) => Finding {
            object: format!("{folder}/manifest/{newest:020}.manifest"),
            what: format!("it is the newest, but {who} has seen number {seen_id}"),
            advice: RESTORE_NEWER,
        },
        None => Finding::missing(
            format!("{folder}/manifest"),
            format!("there is no manifest, but {who} has seen number {seen_id}"),
        ),
    })
}

fn count(stored: &[Stored]) -> Count {
    let mut count = Count::default();
    stored.iter().for_each(|stored| count.add(stored.bytes));
    count
}

fn root_key(text: &str) -> Result<RootKeySetting, &'static str> {
    text.parse().map_err(|()| "it must be as for `serve`: file:PATH or one of the passphrase providers")
}
