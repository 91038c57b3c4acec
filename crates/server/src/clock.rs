//! The only place that reads the system's clock and random source.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use strongroom_model::clock::Clock;

/// The system's clock, plus an offset that `--dev` users and tests may move forward.
///
/// It follows the system's clock forward. When that is put back, it goes on from where it is at the pace of the monotonic
/// clock: what is timed goes on being timed, and nothing is dated before what it follows.
#[derive(Debug)]
pub struct SystemClock {
    offset_millis: AtomicI64,
    started: Instant,
    // INVARIANT (time does not go back, nor stand still): the most that the system's clock was ahead of the monotonic one.
    ahead_micros: AtomicI64,
    told: AtomicBool,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self {
            offset_millis: AtomicI64::new(0),
            started: Instant::now(),
            ahead_micros: AtomicI64::new(i64::MIN),
            told: AtomicBool::new(false),
        }
    }
}

impl SystemClock {
    /// Moves this clock forward for all who read it.
    pub fn advance_millis(&self, by_millis: u32) {
        self.offset_millis.fetch_add(i64::from(by_millis), Ordering::Relaxed);
    }

    // The time when the system's clock shows one time, and the monotonic clock another since the start.
    fn at(&self, system_micros: i64, elapsed_micros: i64) -> i64 {
        let ahead = system_micros - elapsed_micros;
        let most = self.ahead_micros.fetch_max(ahead, Ordering::Relaxed).max(ahead);
        if most - ahead > TOLD_MICROS && !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "the system's clock was put back by {} s: this server's time goes on from where it was, and is ahead until \
                 the server is started anew",
                (most - ahead) / 1_000_000
            );
        }
        (elapsed_micros + most) / 1000 + self.offset_millis.load(Ordering::Relaxed)
    }
}

impl Clock for SystemClock {
    fn now_millis(&self) -> i64 {
        // In this order: a pause in between must not make the system's clock look ahead.
        let system = system_micros();
        let elapsed = i64::try_from(self.started.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.at(system, elapsed)
    }

    fn wall_millis(&self) -> i64 {
        system_micros() / 1000 + self.offset_millis.load(Ordering::Relaxed)
    }
}

fn system_micros() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// From which difference on the log tells that the system's clock was put back.
const TOLD_MICROS: i64 = 60 * 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_when_the_systems_clock_is_put_back() {
        let clock = SystemClock::default();
        let second = 1_000_000;
        let day = 86_400 * second;
        assert_eq!(clock.at(1_000 * second, 0), 1_000_000);
        assert_eq!(clock.at(1_001 * second, second), 1_001_000);
        // A day ahead, and back after a second.
        assert_eq!(clock.at(day + 1_002 * second, 2 * second), 86_400_000 + 1_002_000);
        assert_eq!(clock.at(1_003 * second, 3 * second), 86_400_000 + 1_003_000);
        assert_eq!(clock.at(1_013 * second, 13 * second), 86_400_000 + 1_013_000, "it does not stand still");
        // It follows the system's clock beyond that.
        assert_eq!(clock.at(3 * day, 14 * second), 3 * 86_400_000);
        clock.advance_millis(5);
        assert_eq!(clock.at(3 * day, 14 * second), 3 * 86_400_000 + 5);
    }
}
