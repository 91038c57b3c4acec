//! One sealed store: every object opened, and every object that must be there looked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt;
use object_store::ObjectStore;
use object_store::path::Path;
use strongroom_seal::data_keys::{DataKeys, Structure};
use strongroom_seal::keyring::Keyring;
use strongroom_seal::object::DataKeyId;
use strongroom_seal::primitive::OsRandom;
use strongroom_seal::store::{Inspected, SealedStore};

use super::finding::{Finding, RESTORE, SWAPPED, UNNEEDED};
use super::inventory::{Kind, Stored};
use super::progress::Progress;
use crate::storage::Seen;
use crate::storage::offline::{self, Layout};

/// What was found in one store.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// Objects that authenticate, keyrings apart.
    pub authentic: Count,
    /// Objects that authenticate and that nothing refers to (any more): the server collects them.
    pub unreferenced: Count,
    /// The keyring's data keys, oldest first.
    pub data_keys: Vec<DataKeyUse>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Objects and their size as stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    /// How many.
    pub objects: u64,
    /// How large together.
    pub bytes: u64,
}

impl Count {
    /// One object more.
    pub(super) fn add(&mut self, bytes: u64) {
        self.objects += 1;
        self.bytes += bytes;
    }
}

/// What is sealed under one data key.
#[derive(Clone, Debug)]
pub(super) struct DataKeyUse {
    /// The key's name.
    pub id: DataKeyId,
    /// What it seals.
    pub structure: Structure,
    /// The objects sealed under it.
    pub count: Count,
}

/// Checks the store in `folder`, whose files are `stored` and which has come as far as it was `seen`. The caller has
/// compared the newest manifest's number.
pub(super) async fn check(
    folder: &str,
    inner: &Arc<dyn ObjectStore>,
    keyring: &Keyring,
    data_keys: DataKeys,
    stored: &[Stored],
    seen: Seen,
    progress: &Progress,
) -> (Checked, Arc<SealedStore>) {
    let store = Arc::new(SealedStore::new(Arc::clone(inner), Arc::new(data_keys), Arc::new(OsRandom)));
    let mut checked = Checked::default();
    let mut uses: BTreeMap<DataKeyId, Count> = BTreeMap::new();
    let sealed: Vec<&Stored> = stored.iter().filter(|stored| !matches!(stored.kind, Kind::Keys(_))).collect();
    let mut authentic: BTreeMap<&str, (&Stored, Inspected)> = BTreeMap::new();
    let mut damaged: Vec<(&Stored, Finding)> = Vec::new();
    let mut opened = futures::stream::iter(&sealed)
        .map(|object| {
            let store = Arc::clone(&store);
            async move { (*object, store.inspect(&Path::from(object.path.as_str())).await) }
        })
        .buffered(AT_ONCE);
    while let Some((object, inspected)) = opened.next().await {
        progress.done(object.bytes);
        match inspected {
            Ok(inspected) => {
                checked.authentic.add(object.bytes);
                uses.entry(inspected.data_key).or_default().add(object.bytes);
                authentic.insert(&object.path, (object, inspected));
            }
            Err(error) => damaged.push((object, Finding::of_object(&object.path, &error))),
        }
    }
    drop(opened);
    checked.data_keys = keyring
        .data_keys()
        .iter()
        .map(|entry| DataKeyUse {
            id: entry.id,
            structure: entry.structure,
            count: uses.get(&entry.id).copied().unwrap_or_default(),
        })
        .collect();
    let layout = offline::layout(folder, Arc::clone(&store) as Arc<dyn ObjectStore>, seen).await;
    if let Ok(Some(layout)) = &layout {
        for (object, finding) in &mut damaged {
            if [RESTORE, SWAPPED].contains(&finding.advice) && !is_referenced(object, None, layout) {
                finding.advice = UNNEEDED;
            }
        }
    }
    checked.findings.extend(damaged.into_iter().map(|(_, finding)| finding));
    match layout {
        Ok(Some(layout)) => {
            checked.findings.extend(missing(folder, &layout, &sealed));
            for (object, inspected) in authentic.values() {
                if !is_referenced(object, Some(inspected), &layout) {
                    checked.unreferenced.add(object.bytes);
                }
            }
        }
        Ok(None) if seen.manifest_id == 0 && !sealed.is_empty() => {
            let what = "the store holds data, but no manifest says what belongs to it".to_owned();
            checked.findings.push(Finding::missing(format!("{folder}/manifest"), what));
        }
        // A table that was never used has keys and nothing else; one that was used is known to have lost its manifests.
        Ok(None) => {}
        // Damage to a manifest was found already when it was opened as an object.
        Err(_) if checked.findings.iter().any(|finding| finding.object.contains("/manifest/")) => {}
        Err(error) => {
            let what = format!("the manifests cannot be read: {error}");
            checked.findings.push(Finding::missing(format!("{folder}/manifest"), what));
        }
    }
    (checked, store)
}

/// How many objects are read at once.
const AT_ONCE: usize = 4;

// What the manifest says must be there and is not.
fn missing(folder: &str, layout: &Layout, present: &[&Stored]) -> Vec<Finding> {
    let paths: BTreeSet<&str> = present.iter().map(|object| object.path.as_str()).collect();
    let mut findings: Vec<Finding> = layout
        .sorted_runs
        .iter()
        .filter(|run| !paths.contains(run.as_ref()))
        .map(|run| {
            let what = "it is missing: a sorted run that the newest manifest refers to".to_owned();
            Finding::missing(run.to_string(), what)
        })
        .collect();
    let log: BTreeSet<u64> = present
        .iter()
        .filter_map(|object| match object.kind {
            Kind::Log(number) => Some(number),
            _ => None,
        })
        .collect();
    let lost = layout.log.lost(&log);
    findings.extend(lost.iter().map(|lost| Finding::missing(lost.object(folder), lost.what())));
    findings
}

// One that does not open has not been inspected.
fn is_referenced(object: &Stored, inspected: Option<&Inspected>, layout: &Layout) -> bool {
    match object.kind {
        Kind::Log(number) => {
            // A fence, which is empty, stays for good: an older writer would write where it stood.
            number >= *layout.log.numbers.start() || inspected.is_some_and(|found| found.plain_bytes == 0)
        }
        Kind::SortedRun => {
            let run = Path::from(object.path.as_str());
            layout.sorted_runs.contains(&run) || layout.held_runs.contains(&run)
        }
        Kind::Manifest(number) => layout.manifests.contains(&number),
        Kind::Keys(_) | Kind::Compactions | Kind::Material => true,
    }
}

#[cfg(test)]
mod tests {
    use std::ops::RangeInclusive;

    use super::*;
    use crate::storage::write_ahead_log::{self, Needed};

    fn layout(sorted_runs: BTreeSet<Path>, numbers: RangeInclusive<u64>, any: bool) -> Layout {
        let log = Needed { numbers, any };
        Layout { manifests: BTreeSet::new(), sorted_runs, held_runs: BTreeSet::new(), log }
    }

    #[test]
    fn a_gap_in_the_log_is_named() {
        let stored = |number: u64| Stored {
            path: write_ahead_log::object("system", number),
            bytes: 1,
            kind: Kind::Log(number),
        };
        let findings = missing("system", &layout(BTreeSet::new(), 4..=5, true), &[&stored(4), &stored(6)]);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].object, "system/wal/00000000000000000005.sst");
        assert!(findings[0].what.contains("missing"), "{}", findings[0].what);
    }

    /// Everything that is known of is in sorted runs; whether that is all depends on who has been here since.
    #[test]
    fn a_log_without_any_object_is_missed_unless_the_store_was_closed() {
        let none = || RangeInclusive::new(8, 7);
        let findings = missing("system", &layout(BTreeSet::new(), none(), true), &[]);
        assert_eq!(
            findings.iter().map(|finding| finding.object.as_str()).collect::<Vec<_>>(),
            ["system/wal"]
        );
        assert_eq!(missing("system", &layout(BTreeSet::new(), none(), false), &[]), []);
    }

    #[test]
    fn a_sorted_run_of_the_manifest_must_be_there() {
        let run = Path::from("system/compacted/01ARZ3NDEKTSV4RRFFQ69G5FAV.sst");
        let layout = layout(BTreeSet::from([run.clone()]), RangeInclusive::new(1, 0), false);
        let findings = missing("system", &layout, &[]);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].object, run.to_string());
        let there = Stored { path: run.to_string(), bytes: 1, kind: Kind::SortedRun };
        assert_eq!(missing("system", &layout, &[&there]), []);
    }
}
