//! Latencies in buckets that grow with the value: small, and never more than 1 % off.

use std::time::Duration;

/// How often each latency occurred, in microseconds.
#[derive(Clone)]
pub(super) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max_micros: u64,
}

/// Below this, in microseconds, every value has a bucket of its own; above it every power of two has this many.
const STEPS: u64 = 1 << STEP_BITS;
const STEP_BITS: u32 = 7;
/// Enough for 2^32 microseconds, more than an hour. Longer ones fall in the last bucket.
const BUCKETS: usize = ((32 - STEP_BITS as usize) + 1) * STEPS as usize;

impl Histogram {
    pub(super) fn new() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0, max_micros: 0 }
    }

    pub(super) fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.counts[bucket(micros)] += 1;
        self.total += 1;
        self.max_micros = self.max_micros.max(micros);
    }

    /// The number of latencies recorded.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// The longest, in microseconds; 0 when there is none.
    pub(super) fn max_micros(&self) -> u64 {
        self.max_micros
    }

    /// The latency that `share` (0 to 1) of all stay at or below, in microseconds; 0 when there is none.
    pub(super) fn quantile_micros(&self, share: f64) -> u64 {
        let rank = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper_bound(bucket).min(self.max_micros);
            }
        }
        self.max_micros
    }
}

fn bucket(micros: u64) -> usize {
    if micros < STEPS {
        return micros as usize;
    }
    let power = micros.ilog2() - STEP_BITS;
    let step = (micros >> power) - STEPS;
    ((u64::from(power) + 1) * STEPS + step).min(BUCKETS as u64 - 1) as usize
}

// The largest value that falls in the bucket.
fn upper_bound(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < STEPS {
        return bucket;
    }
    let power = bucket / STEPS - 1;
    let step = bucket % STEPS;
    ((STEPS + step + 1) << power) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_falls_in_a_bucket_that_is_at_most_one_percent_wide() {
        for micros in (0..2_000).chain((2_000..u64::from(u32::MAX)).step_by(7_919_993)) {
            let upper = upper_bound(bucket(micros));
            assert!(upper >= micros && upper as f64 <= micros as f64 * 1.01, "{micros} counts as {upper}");
            assert_eq!(bucket(upper), bucket(micros));
            assert_eq!(bucket(upper + 1), (bucket(micros) + 1).min(BUCKETS - 1), "{micros}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.quantile_micros(0.5), 0);
        for micros in 1..=100 {
            histogram.record(Duration::from_micros(micros));
        }
        for (share, micros) in [(0.0, 1), (0.5, 50), (0.99, 99), (0.999, 100), (1.0, 100)] {
            assert_eq!(histogram.quantile_micros(share), micros, "{share}");
        }
        histogram.record(Duration::from_secs(100_000));
        assert_eq!(histogram.max_micros(), 100_000_000_000);
        assert_eq!(histogram.total(), 101);
    }
}
