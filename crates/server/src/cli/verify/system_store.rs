//! The system store: is it there, has it come as far as its anchor says, and what does it say of tables and keys?

use std::sync::Arc;

use bytes::Bytes;
use strongroom_seal::anchor::{Anchor, AnchorStore};
use strongroom_seal::object::StoreId;
use strongroom_seal::primitive::OsRandom;
use strongroom_seal::root::RootKey;

use super::check;
use super::finding::{Finding, RESTORE_ROOT, RESTORE_SYSTEM};
use super::inventory::Kind;
use super::report::Section;
use super::{Newest, SYSTEM, Verification, count, no_keyring, older};
use crate::engine::record;
use crate::kms::offline::{self as stored_keys, StoredKeys};
use crate::storage::Seen;
use crate::storage::offline;
use crate::storage::remains::Standing;

/// What the system store says of keys and tables.
#[derive(Default)]
pub(super) struct SystemRows {
    /// Its rows.
    pub rows: Vec<(Bytes, Bytes)>,
    /// The keys; none where they cannot be read.
    pub keys: Option<StoredKeys>,
}

impl Verification<'_> {
    /// The system store, and what tells of tables and keys if it can be had.
    pub(super) async fn system_store(&self, root: &RootKey) -> (Section, Option<SystemRows>) {
        let stored = self.stored(SYSTEM);
        let mut section = Section {
            title: "system store".to_owned(),
            folder: SYSTEM.to_owned(),
            key_arn: "none: sealed under the root key".to_owned(),
            stored: count(stored),
            ..Section::default()
        };
        section.findings.extend(self.in_place_of_objects(SYSTEM));
        let seen = self.anchor(root, &mut section).await.map_or_else(Seen::default, Seen::from);
        match self.remains.standing(true) {
            Standing::Lost(missing) => {
                section.findings.extend(missing.into_iter().map(|part| Finding {
                    object: part.to_owned(),
                    what: "it is missing or empty, but what is written after it is there".to_owned(),
                    advice: RESTORE_SYSTEM,
                }));
                return (section, None);
            }
            // A first start that was interrupted has written a root key and nothing else.
            Standing::New | Standing::RootLost => {
                section.notes.push(NEVER_STARTED.to_owned());
                return (section, Some(SystemRows::default()));
            }
            Standing::There => {}
        }
        let id = StoreId::new(SYSTEM).expect("the name is short and plain");
        let keyring = match self.newest_keyring(SYSTEM, &id, &mut section).await {
            Newest::Keyring(keyring) => keyring,
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
        self.look_at_log(SYSTEM, seen, &checked, &mut section);
        let is_sound = checked.findings.is_empty();
        section.checked = Some(checked);
        let prefixes = [record::ROWS, stored_keys::ROWS];
        match offline::rows(SYSTEM, Arc::clone(&store) as _, &prefixes).await {
            Ok(rows) => {
                // Before the first anchor nothing is written into it.
                if self.inventory.anchors.is_empty() && (!rows.is_empty() || self.remains.tables) {
                    section.notes.push(NO_ANCHOR.to_owned());
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

    /// A directory in which no server was ever started is well; one with data and no root key is lost without it.
    pub(super) fn without_root(&self) -> Section {
        let mut section = Section {
            title: "system store".to_owned(),
            folder: SYSTEM.to_owned(),
            stored: count(self.stored(SYSTEM)),
            findings: self.in_place_of_objects(SYSTEM).collect(),
            ..Section::default()
        };
        match self.remains.standing(false) {
            Standing::RootLost => {
                let what = "it is missing, and nothing opens without it".to_owned();
                section.findings.push(Finding { object: "root".to_owned(), what, advice: RESTORE_ROOT });
            }
            Standing::New | Standing::There | Standing::Lost(_) => {
                section.notes.push(NEVER_STARTED.to_owned());
            }
        }
        section
    }
}

const NEVER_STARTED: &str = "no server has finished its first start here, and the next one carries on with it; if there should be data, \
                             what `store` held is gone: put it back before you start one";
const NO_ANCHOR: &str = "there is no anchor, the object that says how far the system store must reach: an older build has \
                         written none, and the next start writes it. If one was there, put the folder `store/anchor` back \
                         first: without it nothing tells whether this is the newest system store";
