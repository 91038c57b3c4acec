//! The only place that reads the system's clock and random source.

use std::sync::atomic::{AtomicI64, Ordering};
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
    // How far behind that the system's clock was when the log last told of a step.
    told_micros: AtomicI64,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self {
            offset_millis: AtomicI64::new(0),
            started: Instant::now(),
            ahead_micros: AtomicI64::new(i64::MIN),
            told_micros: AtomicI64::new(0),
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
        self.tell(most - ahead);
        (elapsed_micros + most) / 1000 + self.offset_millis.load(Ordering::Relaxed)
    }

    // Tells the log of each step, back and forward again, once: whether a clock that is behind stays so nobody knows.
    fn tell(&self, behind_micros: i64) -> bool {
        let told = self.told_micros.load(Ordering::Relaxed);
        let is_step = (behind_micros - told).abs() > TOLD_MICROS;
        let relaxed = Ordering::Relaxed;
        if !is_step || self.told_micros.compare_exchange(told, behind_micros, relaxed, relaxed).is_err() {
            return false;
        }
        if behind_micros > TOLD_MICROS {
            tracing::warn!(
                "the system's clock shows {} s less than it would have by now: this server's time goes on from where it was, \
                 and is ahead of the system's clock until that has caught up or the server is started anew",
                behind_micros / 1_000_000
            );
        } else {
            tracing::info!("the system's clock has caught up with this server's time");
        }
        true
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

/// From which difference on the log tells of a step of the system's clock.
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
    // An operator reads the log: each step back is told, once, whether the clock comes right again or not.
    #[test]
    fn each_step_of_the_systems_clock_is_told_once() {
        let clock = SystemClock::default();
        let told = |behind_secs: i64| clock.tell(behind_secs * 1_000_000);
        assert!(!told(0) && !told(59), "what time servers put right is no step");
        assert!(told(3_600) && !told(3_600) && !told(3_630));
        assert!(told(0) && !told(0), "it was behind for a moment only");
        assert!(told(3_600) && !told(3_600));
        assert!(told(7_200), "further back");
        assert!(told(3_600), "and half of it forward");
    }
}
