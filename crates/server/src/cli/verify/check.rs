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

use super::finding::Finding;
use super::inventory::{Kind, Stored};
use super::progress::Progress;
use crate::storage::offline::{self, Layout};
use crate::storage::write_ahead_log::{self, Seen};

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
            Err(error) => checked.findings.push(Finding::of_object(&object.path, &error)),
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
    match offline::layout(folder, Arc::clone(&store) as Arc<dyn ObjectStore>, seen.log_id).await {
        Ok(Some(layout)) => {
            let present: Vec<Stored> = sealed.iter().map(|object| (*object).clone()).collect();
            checked.findings.extend(missing(folder, &layout, &present, seen));
            for (object, inspected) in authentic.values() {
                if !is_referenced(object, inspected, &layout) {
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
fn missing(folder: &str, layout: &Layout, present: &[Stored], seen: Seen) -> Vec<Finding> {
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
    let gaps = write_ahead_log::gaps(&layout.log, &log);
    findings.extend(gaps.iter().map(|gap| {
        Finding::missing(write_ahead_log::object(folder, *gap.start()), write_ahead_log::describe(gap))
    }));
    if log.is_empty() && gaps.is_empty() && seen != Seen::default() {
        // The server does not serve a store without the folder.
        let what =
            "it is missing or empty: each opening leaves an object in it that stays for good".to_owned();
        findings.push(Finding::missing(format!("{folder}/wal"), what));
    }
    findings
}

fn is_referenced(object: &Stored, inspected: &Inspected, layout: &Layout) -> bool {
    match object.kind {
        Kind::Log(number) => {
            // A fence, which is empty, stays for good: an older writer would write where it stood.
            number >= *layout.log.start() || inspected.plain_bytes == 0
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

    #[test]
    fn a_gap_in_the_log_is_named() {
        let stored = |number: u64| Stored {
            path: write_ahead_log::object("system", number),
            bytes: 1,
            kind: Kind::Log(number),
        };
        let layout = Layout {
            manifests: BTreeSet::new(),
            sorted_runs: BTreeSet::new(),
            held_runs: BTreeSet::new(),
            log: 4..=5,
        };
        let findings = missing("system", &layout, &[4, 6].map(stored), Seen::default());
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].object, "system/wal/00000000000000000005.sst");
        assert!(findings[0].what.contains("missing"), "{}", findings[0].what);
    }

    /// Everything is in sorted runs, so no row is lost with the log; but what stays in it for good is missing.
    #[test]
    fn a_log_without_any_object_is_missed_once_the_store_was_opened() {
        let layout = Layout {
            manifests: BTreeSet::new(),
            sorted_runs: BTreeSet::new(),
            held_runs: BTreeSet::new(),
            log: RangeInclusive::new(8, 7),
        };
        let seen = Seen { manifest_id: 3, log_id: 5 };
        let findings = missing("system", &layout, &[], seen);
        assert_eq!(
            findings.iter().map(|finding| finding.object.as_str()).collect::<Vec<_>>(),
            ["system/wal"]
        );
        assert_eq!(missing("system", &layout, &[], Seen::default()), []);
    }

    #[test]
    fn a_sorted_run_of_the_manifest_must_be_there() {
        let run = Path::from("system/compacted/01ARZ3NDEKTSV4RRFFQ69G5FAV.sst");
        let layout = Layout {
            manifests: BTreeSet::new(),
            sorted_runs: BTreeSet::from([run.clone()]),
            held_runs: BTreeSet::new(),
            log: RangeInclusive::new(1, 0),
        };
        let findings = missing("system", &layout, &[], Seen::default());
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].object, run.to_string());
        let there = Stored { path: run.to_string(), bytes: 1, kind: Kind::SortedRun };
        assert_eq!(missing("system", &layout, &[there], Seen::default()), []);
    }
}
