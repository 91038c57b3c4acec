//! The doors through which time and chance reach SlateDB, and what a simulation does more often than a machine.
//!
//! SlateDB compares its clock with the times the store below gives its objects, so
//! both come from the same place: the machine's, except where a simulation makes its own.

use std::sync::Arc;

use slatedb_common::clock::SystemClock;
use strongroom_model::clock::Random;

/// What SlateDB takes time and chance from; by default the machine's.
#[derive(Clone, Debug, Default)]
pub struct Doors {
    /// The clock that the store below dates its objects by; `None` is the machine's.
    pub clock: Option<Arc<dyn SystemClock>>,
    /// What names of sorted runs and waits between retries are drawn from; `None` is the machine's.
    pub random: Option<Arc<dyn Random>>,
    /// How many dead rows a small database may hold while it is in use; by default as many as no reader minds.
    pub dead_rows_max: Option<u64>,
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
