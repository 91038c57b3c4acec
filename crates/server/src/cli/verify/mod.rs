//! `strongroom verify`: looks at a data directory that no server has open, and changes nothing in it.
//!
//! Every object is read whole and authenticated under the keys that the
//! directory's own keyrings give, and every object that the newest manifests
//! need is looked for; what is lost is judged by the rules by which the server
//! opens them. Tables whose key cannot be used, because it is disabled or in
//! another key service, are counted and not opened.
//!
//! The exit code is 0 when all is well, 1 when something is damaged, missing or
//! in the wrong place, and 2 when not everything could be checked.
//!
//! What no look at one state can tell is whether it is the newest one: a
//! directory put back whole from an older copy verifies, as does a store that has
//! lost the end that its log got since it was last opened or closed (unless a
//! table's catalogue row was in it).

mod check;
mod finding;
mod inventory;
mod progress;
mod report;
mod system_store;
mod tables;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path as ObjectPath;
use strongroom_seal::keyring::{Keyring, KeyringStore};
use strongroom_seal::object::StoreId;
use strongroom_seal::primitive::OsRandom;
use strongroom_seal::root::{Provider, RootError, RootStore};

use super::root_key::{RootKeyError, RootKeySetting};
use crate::storage::names::store_folder;
use crate::storage::remains::Remains;
use crate::storage::system::FOLDER as SYSTEM;
use crate::storage::{DataSetting, Place, PlaceError, Seen, StorageError};
use check::{Checked, Count};
use finding::{Finding, IN_PLACE_OF_OBJECT, RESTORE_FOLDER, RESTORE_KEYRING, RESTORE_NEWER};
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
    /// The data directory.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The operating system.
    #[error("cannot read the data directory")]
    Io(#[from] std::io::Error),
    /// Whoever was to read the report.
    #[error("the report cannot be written to standard output")]
    Output(#[source] std::io::Error),
}

/// Verifies, prints the report, and says how it went.
pub(super) fn run(arguments: &VerifyArguments) -> ExitCode {
    match report_on(arguments).map(|report| print(&report)) {
        Ok(Verdict::Well) => ExitCode::SUCCESS,
        Ok(Verdict::Damaged) => ExitCode::from(1),
        Ok(Verdict::Incomplete) => ExitCode::from(2),
        Err(error) => {
            super::print_error(&error);
            ExitCode::from(2)
        }
    }
}

fn report_on(arguments: &VerifyArguments) -> Result<Report, VerifyError> {
    super::forbid_core_dumps();
    // Locked before anything else, so that nothing moves while it is looked at.
    let place = Place::open_unchanged(&arguments.data)?;
    let setting = DataSetting::Directory(arguments.data.clone());
    let root_key = arguments.root_key.clone().unwrap_or_else(|| RootKeySetting::beside(&setting));
    let provider = root_key.provider(&setting, false, &OsRandom)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(verify(&arguments.data, &place, &provider))
}

// A report that nobody has got says nothing good; damage stays what it is.
fn print(report: &Report) -> Verdict {
    let verdict = report.verdict();
    let mut output = std::io::stdout().lock();
    match output.write_all(report.text().as_bytes()).and_then(|()| output.flush()) {
        Ok(()) => verdict,
        Err(error) => {
            super::print_error(&VerifyError::Output(error));
            if verdict == Verdict::Damaged { verdict } else { Verdict::Incomplete }
        }
    }
}

async fn verify(data: &Path, place: &Place, provider: &Provider) -> Result<Report, VerifyError> {
    let inventory = Inventory::of(data)?;
    let mut report = Report::default();
    notes(&inventory, &mut report.notes);
    let all = || inventory.stores.values().flatten();
    let sealed = || all().filter(|stored| !matches!(stored.kind, Kind::Keys(_)));
    let verification = Verification {
        store: Arc::clone(&place.store),
        inventory: &inventory,
        remains: Remains::of(place).await?,
        progress: Progress::new(sealed().count() as u64, sealed().map(|stored| stored.bytes).sum()),
    };
    let Some(root) = RootStore::new(Arc::clone(&place.store)).open(provider).await? else {
        report.sections.push(verification.without_root());
        return Ok(report);
    };
    let (system, rows) = verification.system_store(&root).await;
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
    remains: Remains,
    progress: Progress,
}

impl Verification<'_> {
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

    // The local store does not list them, and can neither read nor write what should be in their place. What belongs to no
    // table is found with the system store.
    fn in_place_of_objects(&self, folder: &str) -> impl Iterator<Item = Finding> {
        let found = self.inventory.in_place_of_objects.iter();
        found.filter(move |path| store_folder(path).unwrap_or(SYSTEM) == folder).map(|path| Finding {
            object: path.clone(),
            what: "it is a folder, or a link that leads nowhere, and an object should be there".to_owned(),
            advice: IN_PLACE_OF_OBJECT,
        })
    }

    // A log without any object has lost nothing if it was found to be whole; but its folder is not made anew by a server.
    fn look_at_log(&self, folder: &str, seen: Seen, checked: &Checked, section: &mut Section) {
        let log = format!("{folder}/wal");
        let holds_log = self.stored(folder).iter().any(|stored| matches!(stored.kind, Kind::Log(_)));
        let is_found = checked.findings.iter().any(|finding| finding.object.starts_with(&log));
        let was_opened = folder == SYSTEM || seen != Seen::default();
        if holds_log || is_found || !was_opened {
            return;
        }
        if self.inventory.folders.contains(&log) {
            section.notes.push(format!(
                "`store/{log}` is empty; what it held is in sorted runs, so nothing is lost with it"
            ));
        } else {
            let what = "the folder is missing, and the server makes no new one in its place".to_owned();
            section.findings.push(Finding { object: log, what, advice: RESTORE_FOLDER });
        }
    }

    fn stored(&self, folder: &str) -> &[Stored] {
        self.inventory.stores.get(folder).map_or(&[], Vec::as_slice)
    }
}

enum Newest {
    Keyring(Keyring),
    None,
    Unreadable,
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
