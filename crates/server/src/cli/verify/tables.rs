//! The tables: those of the catalogue, and folders that belong to none.

use std::collections::BTreeMap;

use strongroom_model::clock::Clock;
use strongroom_seal::object::StoreId;

use super::check::{self, Count};
use super::finding::{Finding, RESTORE_CATALOGUE, RESTORE_KEYRING, RESTORE_NEWER};
use super::inventory::{Kind, Stored};
use super::report::{Report, Section};
use super::system_store::SystemRows;
use super::{Newest, SYSTEM, Verification, count, no_keyring, older};
use crate::clock::SystemClock;
use crate::engine::record::{self, TableRecord};
use crate::kms::offline::{KeyUnusable, StoredKeys};
use crate::kms::table_kms::KeyManager;

impl Verification<'_> {
    /// Each table, as far as the system store tells of it.
    pub(super) async fn tables(&self, system: SystemRows, report: &mut Report) {
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
        section.findings.extend(self.in_place_of_objects(&folder));
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
        self.look_at_log(&folder, record.seen(), &checked, &mut section);
        section.checked = Some(checked);
        section
    }

    /// Without the catalogue nobody knows which table is which.
    pub(super) fn unknown_tables(&self) -> Vec<Section> {
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
