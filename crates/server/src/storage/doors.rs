//! The doors through which time and chance reach SlateDB, what a simulation does more often than a machine, and the turns
//! that the databases of one place take.
//!
//! SlateDB compares its clock with the times the store below gives its objects, so
//! both come from the same place: the machine's, except where a simulation makes its own.

use std::sync::Arc;

use slatedb_common::clock::SystemClock;
use strongroom_model::clock::Random;
use tokio::sync::{Semaphore, SemaphorePermit};

/// What SlateDB takes time and chance from; by default the machine's.
#[derive(Clone, Debug, Default)]
pub struct Doors {
    /// The clock that the store below dates its objects by; `None` is the machine's.
    pub clock: Option<Arc<dyn SystemClock>>,
    /// What names of sorted runs and waits between retries are drawn from; `None` is the machine's.
    pub random: Option<Arc<dyn Random>>,
    /// How many dead rows a small database may hold while it is in use; by default as many as no reader minds.
    pub dead_rows_max: Option<u64>,
    /// Whose turn it is to merge sorted runs; clones share it.
    pub merges: MergeTurns,
}

/// A merge holds tens of MiB, so a few run at a time, of all databases together: first come, first served.
#[derive(Clone, Debug)]
pub struct MergeTurns(Arc<Semaphore>);

const MERGES_AT_ONCE: usize = 2;

impl Default for MergeTurns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MERGES_AT_ONCE)))
    }
}

impl MergeTurns {
    /// Waits for a turn, which ends when what is returned is dropped.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.0.acquire().await.ok()
    }
}

impl Doors {
    pub(super) fn seed(&self) -> Option<u64> {
        self.random.as_ref().map(|random| {
            let mut seed = [0; 8];
            random.fill(&mut seed);
            u64::from_le_bytes(seed)
        })
    }
}
