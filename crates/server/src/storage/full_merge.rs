//! The merge of all sorted runs of a database into one, which drops what is dead in them.

use std::collections::HashSet;
use std::sync::Arc;

use slatedb::compactor::{
    Compaction, CompactionScheduler, CompactionSchedulerSupplier, CompactionSpec, CompactorStateView,
    SizeTieredCompactionSchedulerSupplier, SourceId,
};
use slatedb::config::CompactorOptions;
use slatedb::manifest::SsTableId;
use slatedb::{Error, VersionedManifest};

/// One full merge: it is done when none of the files is left that were there when it began.
#[derive(Clone, Debug)]
pub struct FullMerge {
    files: Arc<HashSet<SsTableId>>,
}

impl FullMerge {
    /// Of what a manifest holds now.
    pub fn of(manifest: &VersionedManifest) -> Self {
        Self { files: Arc::new(manifest.all_sst_views().map(|view| view.sst.id).collect()) }
    }

    /// Whether a newer manifest holds what the merge has made.
    pub fn is_done(&self, manifest: &VersionedManifest) -> bool {
        !manifest.all_sst_views().any(|view| self.files.contains(&view.sst.id))
    }
}

impl CompactionSchedulerSupplier for FullMerge {
    fn compaction_scheduler(&self, options: &CompactorOptions) -> Box<dyn CompactionScheduler + Send + Sync> {
        Box::new(Scheduler {
            merge: self.clone(),
            ordinary: SizeTieredCompactionSchedulerSupplier::new().compaction_scheduler(options),
        })
    }
}

struct Scheduler {
    merge: FullMerge,
    ordinary: Box<dyn CompactionScheduler + Send + Sync>,
}

impl CompactionScheduler for Scheduler {
    // One that an earlier compactor left unfinished is finished first.
    fn propose(&self, state: &CompactorStateView) -> Vec<CompactionSpec> {
        let is_busy =
            state.compactions().is_some_and(|known| known.recent_compactions().any(Compaction::active));
        let manifest = state.manifest();
        if is_busy || self.merge.is_done(manifest) {
            return Vec::new();
        }
        let runs = || manifest.compacted().iter().map(|run| run.id);
        // Newest first, as they lie in the manifest. Marks are dropped because no older run lies under the result.
        let young = manifest.l0().iter().map(|view| SourceId::SstView(view.id));
        let sources = young.chain(runs().map(SourceId::SortedRun)).collect();
        vec![CompactionSpec::new(sources, runs().min().unwrap_or(0))]
    }

    fn validate(&self, state: &CompactorStateView, spec: &CompactionSpec) -> Result<(), Error> {
        self.ordinary.validate(state, spec)
    }
}
