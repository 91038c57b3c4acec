//! Virtual time: the server's and the store's clock, moved by the paused clock of the runtime it lives in.

use std::pin::Pin;
use std::time::Duration;

use chrono::{DateTime, Utc};
use slatedb_common::clock::{SystemClock, SystemClockTicker};
use strongroom_model::clock::Clock;
use tokio::time::Instant;

/// Milliseconds since the Unix epoch at which every world begins.
pub const WORLD_BEGINS_MILLIS: i64 = 1_800_000_000_000;

/// The clock of one run of a server.
#[derive(Debug)]
pub struct SimClock {
    started_millis: i64,
    started: Instant,
}

impl SimClock {
    /// A clock that shows `millis` now. Make and read it inside the paused runtime.
    pub fn starting_at(millis: i64) -> Self {
        Self { started_millis: millis, started: Instant::now() }
    }
}

impl Clock for SimClock {
    fn now_millis(&self) -> i64 {
        let elapsed_millis = i64::try_from(self.started.elapsed().as_millis());
        self.started_millis + elapsed_millis.expect("a simulated server does not run for ages")
    }
}

impl SystemClock for SimClock {
    fn now(&self) -> DateTime<Utc> {
        date(self.now_millis())
    }

    fn sleep<'a>(&'a self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn ticker<'a>(&'a self, duration: Duration) -> SystemClockTicker<'a> {
        SystemClockTicker::new(self, duration)
    }
}

/// A time of a world, as the store dates its objects.
pub fn date(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).expect("a world ends before dates do")
}
