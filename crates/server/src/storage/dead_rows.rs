//! Rows that scans walk over for nothing, and when it is worth writing a database anew without them.
//!
//! A row that is overwritten stays in memory until memory is moved into a sorted run. One that is deleted leaves a mark
//! behind, which goes on from there to the end of all runs: only a merge of all of them drops it. Runs say themselves how
//! many marks they hold, so a restart forgets nothing; what dies in memory is counted here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use object_store::ObjectStore;
use slatedb::{SstReader, VersionedManifest};

/// How many rows have died in memory since it was last moved into a run.
#[derive(Debug, Default)]
pub struct DeadInMemory(AtomicU64);

impl DeadInMemory {
    pub fn add(&self, rows: u64) {
        if rows > 0 {
            self.0.fetch_add(rows, Ordering::Relaxed);
        }
    }

    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Memory was moved into a run, or is about to be.
    pub fn moved(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// The rows of a database's sorted runs at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowsInRuns {
    /// Rows with a value; overwritten ones that lie in an older run count too.
    pub values: u64,
    /// Marks of deleted rows.
    pub marks: u64,
}

impl RowsInRuns {
    /// Asks each run. They keep the figures beside their rows, which are not read.
    pub async fn of(
        manifest: &VersionedManifest,
        path: &str,
        store: &Arc<dyn ObjectStore>,
    ) -> Result<Self, slatedb::Error> {
        let reader = SstReader::new(path, Arc::clone(store), None, None);
        let mut rows = Self::default();
        for view in manifest.all_sst_views() {
            if let Some(stats) = reader.open_with_handle(view.sst.clone())?.stats().await? {
                rows.values += stats.num_puts;
                rows.marks += stats.num_deletes;
            }
        }
        Ok(rows)
    }
}

/// How many dead rows are left alone.
///
/// A merge writes every row anew. With the share of the living, each row that dies costs the writing of `per_dead` rows
/// at most, and a scan of everything is never slowed by more than that share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance {
    least: u64,
    per_dead: u64,
}

impl Tolerance {
    /// While writes go on. `least` is what the smallest database may hold.
    pub fn in_use(least: u64) -> Self {
        Self { least, per_dead: 4 }
    }

    /// When nothing was written for a while: merges are rare then, and take nobody's time.
    pub fn quiet(least: u64) -> Self {
        Self { least: least / 10, per_dead: 20 }
    }

    /// Whether `dead` rows beside those are too many.
    pub fn is_exceeded(self, dead: u64, rows: RowsInRuns) -> bool {
        let living = rows.values.saturating_sub(rows.marks);
        dead > self.least.max(living / self.per_dead)
    }
}

/// What a small database may hold of dead rows while it is in use: a scan walks over them in about ten milliseconds.
pub const LEAST: u64 = 10_000;

/// The bytes of all runs.
pub fn bytes_of_runs(manifest: &VersionedManifest) -> u64 {
    manifest.all_sst_views().map(slatedb::manifest::SsTableView::estimate_size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_in_use_tolerates_more_and_a_large_one_its_share() {
        let small = RowsInRuns { values: 300, marks: 100 };
        let large = RowsInRuns { values: 1_100_000, marks: 100_000 };
        for (tolerance, rows, most) in [
            (Tolerance::in_use(LEAST), small, 10_000),
            (Tolerance::in_use(LEAST), large, 250_000),
            (Tolerance::quiet(LEAST), small, 1_000),
            (Tolerance::quiet(LEAST), large, 50_000),
            // More marks than values: rows that were deleted in other runs, or twice.
            (Tolerance::quiet(LEAST), RowsInRuns { values: 0, marks: 9 }, 1_000),
        ] {
            assert!(!tolerance.is_exceeded(most, rows), "{tolerance:?} {rows:?}");
            assert!(tolerance.is_exceeded(most + 1, rows), "{tolerance:?} {rows:?}");
        }
    }
}
