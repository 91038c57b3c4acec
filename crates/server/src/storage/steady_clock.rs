//! The clock that SlateDB dates its rows and names its objects by: never behind what it has dated before.
//!
//! SlateDB orders rows, sorted runs and compactions by their time, and refuses every write
//! when its clock is behind the newest of them. A machine's clock may be put back, also
//! while the server is down: then this one goes on from the newest time that is stored.
//! Garbage is collected by the machine's clock, which dates the objects: a clock that is
//! ahead would take a young object for an old one.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::path::Path;
use slatedb::WalFile;
use slatedb_common::clock::{DefaultSystemClock, SystemClock, SystemClockTicker};

use super::StorageError;

/// A clock for one database.
pub struct SteadyClock {
    below: Arc<dyn SystemClock>,
    // Added to the clock below, so that time goes on where the stored one stands.
    ahead_millis: i64,
    latest_millis: AtomicI64,
}

impl SteadyClock {
    /// The clock for the database at `path` of `store`, whose log is `log`; `below` is the clock that dates objects,
    /// by default the machine's.
    pub async fn for_database(
        path: &str,
        store: &Arc<dyn ObjectStore>,
        log: &[WalFile],
        below: Option<&Arc<dyn SystemClock>>,
    ) -> Result<Self, StorageError> {
        let below = below.map_or_else(|| Arc::new(DefaultSystemClock::default()) as _, Arc::clone);
        let now_millis = below.now().timestamp_millis();
        let named_millis = newest_run_millis(path, store).await?;
        let logged_millis = newest_row_millis(log).await?;
        let newest_millis = named_millis.max(logged_millis).unwrap_or(0);
        let ahead_millis = (newest_millis - now_millis).max(0);
        if ahead_millis > WORTH_TELLING_MILLIS {
            tracing::warn!(
                database = path,
                ahead_seconds = ahead_millis / 1_000,
                "the stored data is from the future: the machine's clock was put back; storage goes by its own until then"
            );
        }
        Ok(Self { below, ahead_millis, latest_millis: AtomicI64::new(newest_millis) })
    }
}

// The newest time in the names of sorted runs, which are never older than their rows; such as `compacted/01JD5Z4N6Q9M7T0V5H3B1C2D4E.sst`.
async fn newest_run_millis(path: &str, store: &Arc<dyn ObjectStore>) -> Result<Option<i64>, StorageError> {
    let folder = Path::from(format!("{path}/compacted"));
    let listed = store.list(Some(&folder)).try_collect().await;
    let runs: Vec<_> = listed.map_err(|error| StorageError::of_object(&error))?;
    let named = runs.iter().filter_map(|run| ulid_millis(run.location.filename()?.split_once('.')?.0));
    Ok(named.max())
}

// The newest row of the log. Closing empties the log into a run, so what is left of the log after the last run are
// the rows of the last few openings, none of which was closed.
async fn newest_row_millis(log: &[WalFile]) -> Result<Option<i64>, StorageError> {
    for file in log.iter().rev().take(LOG_FILES_MAX) {
        let mut rows = file.iterator().await?;
        let mut newest_millis = None;
        while let Some(row) = rows.next().await? {
            newest_millis = newest_millis.max(row.create_ts);
        }
        if newest_millis.is_some() {
            return Ok(newest_millis);
        }
    }
    Ok(None)
}

/// The time in a ULID: its first ten letters are 48 bits of milliseconds in Crockford's base 32.
fn ulid_millis(ulid: &str) -> Option<i64> {
    if ulid.len() != 26 || !ulid.is_ascii() {
        return None;
    }
    let digit = |letter: u8| ALPHABET.iter().position(|&known| known == letter.to_ascii_uppercase());
    ulid.bytes().take(10).try_fold(0_i64, |millis, letter| Some(millis << 5 | digit(letter)? as i64))
}

impl SystemClock for SteadyClock {
    fn now(&self) -> DateTime<Utc> {
        let now_millis = self.below.now().timestamp_millis() + self.ahead_millis;
        let latest_millis = self.latest_millis.fetch_max(now_millis, Ordering::AcqRel).max(now_millis);
        DateTime::from_timestamp_millis(latest_millis).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    fn sleep<'a>(&'a self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        self.below.sleep(duration)
    }

    fn ticker<'a>(&'a self, duration: Duration) -> SystemClockTicker<'a> {
        SystemClockTicker::new(self, duration)
    }
}

impl fmt::Debug for SteadyClock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SteadyClock")
            .field("ahead_millis", &self.ahead_millis)
            .finish_non_exhaustive()
    }
}

/// Each opening leaves one file without rows at the end of the log: more of them than this mean that it is empty.
const LOG_FILES_MAX: usize = 64;
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Clocks of virtual machines are put right by less than this all the time.
const WORTH_TELLING_MILLIS: i64 = 10_000;

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    use super::*;

    #[derive(Debug)]
    struct At(AtomicI64);

    impl SystemClock for At {
        fn now(&self) -> DateTime<Utc> {
            DateTime::from_timestamp_millis(self.0.load(Ordering::Relaxed)).unwrap()
        }

        fn sleep<'a>(&'a self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
            Box::pin(tokio::time::sleep(duration))
        }

        fn ticker<'a>(&'a self, duration: Duration) -> SystemClockTicker<'a> {
            SystemClockTicker::new(self, duration)
        }
    }

    // The example of the ULID specification.
    #[test]
    fn a_ulid_tells_its_time() {
        assert_eq!(ulid_millis("01ARZ3NDEKTSV4RRFFQ69G5FAV"), Some(1_469_922_850_259));
        assert_eq!(ulid_millis("01ARZ3NDEKTSV4RRFFQ69G5FA"), None);
        assert_eq!(ulid_millis("U1ARZ3NDEKTSV4RRFFQ69G5FAV"), None);
    }

    #[tokio::test]
    async fn time_goes_on_from_the_newest_name_and_never_back() {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        for name in ["01ARZ3NDEKTSV4RRFFQ69G5FAV.sst", "00ARZ3NDEKTSV4RRFFQ69G5FAV.sst", "note.txt"] {
            store.put(&Path::from(format!("db/compacted/{name}")), "".into()).await.unwrap();
        }
        let below = Arc::new(At(AtomicI64::new(1_000_000_000_000)));
        let below_clock: Arc<dyn SystemClock> = Arc::clone(&below) as _;
        let clock = SteadyClock::for_database("db", &store, &[], Some(&below_clock)).await.unwrap();
        assert_eq!(clock.now().timestamp_millis(), 1_469_922_850_259);
        below.0.fetch_add(5, Ordering::Relaxed);
        assert_eq!(clock.now().timestamp_millis(), 1_469_922_850_264);
        below.0.fetch_sub(100, Ordering::Relaxed);
        assert_eq!(clock.now().timestamp_millis(), 1_469_922_850_264);
        let empty = SteadyClock::for_database("other", &store, &[], Some(&below_clock)).await.unwrap();
        assert_eq!(empty.now().timestamp_millis(), below.0.load(Ordering::Relaxed));
    }
}
