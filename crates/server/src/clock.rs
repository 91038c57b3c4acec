//! The only place that reads the system's clock and random source.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use strongroom_model::clock::Clock;

/// The system's clock, plus an offset that `--dev` users and tests may move forward.
#[derive(Debug, Default)]
pub struct SystemClock {
    offset_millis: AtomicI64,
    // INVARIANT (time does not go back): the last value handed out.
    last_millis: AtomicI64,
}

impl SystemClock {
    /// Moves this clock forward for all who read it.
    pub fn advance_millis(&self, by_millis: u32) {
        self.offset_millis.fetch_add(i64::from(by_millis), Ordering::Relaxed);
    }
}

impl Clock for SystemClock {
    fn now_millis(&self) -> i64 {
        let real = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
        let now = real.saturating_add(self.offset_millis.load(Ordering::Relaxed));
        self.last_millis.fetch_max(now, Ordering::Relaxed).max(now)
    }
}
