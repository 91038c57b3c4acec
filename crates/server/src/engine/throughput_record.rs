//! What a record keeps about the throughput of a table or a global index, beside its provisioned units.

use serde::{Deserialize, Serialize};

/// Maxima, warmth, and when provisioned throughput changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ThroughputRecord {
    /// The most read and write request units of an on-demand table, or of an index of such a table.
    pub on_demand_max: (Option<i64>, Option<i64>),
    /// Read and write units a second that it is warm for; none where nothing was ever said or provisioned.
    pub warm: Option<(i64, i64)>,
    /// When its provisioned throughput was last raised, milliseconds since the Unix epoch.
    pub raised_millis: Option<i64>,
    /// When its provisioned throughput was last lowered, milliseconds since the Unix epoch.
    pub lowered_millis: Option<i64>,
    /// How often it was lowered on a day: days since the Unix epoch, and the number.
    pub lowered_on_day: (i64, u32),
    /// What is told while a change of units or billing mode is shown as under way.
    pub told: Option<ToldThroughput>,
    /// What it was warm for before it gets warmer, and until when that is told, milliseconds since the Unix epoch.
    pub warming: Option<((i64, i64), i64)>,
}

/// Throughput as it was before a change of units or billing mode that is shown as under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToldThroughput {
    /// Until when, milliseconds since the Unix epoch.
    pub until_millis: i64,
    /// The provisioned units, and how often they had been lowered that day; none if the new ones are told at once.
    pub provisioned: Option<((i64, i64), u32)>,
    /// What it was warm for.
    pub warm: Option<(i64, i64)>,
}

impl ThroughputRecord {
    /// How often provisioned throughput was lowered on the day of `now_millis`, which begins at midnight UTC.
    pub fn lowered_today(&self, now_millis: i64) -> u32 {
        match self.lowered_on_day {
            (day, count) if day == day_of(now_millis) => count,
            _ => 0,
        }
    }

    /// What is told at a time instead of the record, if a change of units or billing mode is shown as under way.
    pub fn told_at(&self, now_millis: i64) -> Option<&ToldThroughput> {
        self.told.as_ref().filter(|told| now_millis < told.until_millis)
    }

    /// What it was warm for, while it is shown as getting warmer.
    pub fn warming_at(&self, now_millis: i64) -> Option<(i64, i64)> {
        self.warming.filter(|(_, until_millis)| now_millis < *until_millis).map(|(warm, _)| warm)
    }

    /// When what is shown as under way ends, milliseconds since the Unix epoch.
    pub fn ends(&self) -> impl Iterator<Item = i64> {
        let told = self.told.as_ref().map(|told| told.until_millis);
        told.into_iter().chain(self.warming.map(|(_, until_millis)| until_millis))
    }

    /// The record with nothing shown as under way.
    #[must_use]
    pub fn at_rest(self) -> Self {
        Self { told: None, warming: None, ..self }
    }

    /// The record after provisioned throughput was lowered.
    #[must_use]
    pub fn lowered(self, now_millis: i64) -> Self {
        let count = self.lowered_today(now_millis) + 1;
        Self { lowered_millis: Some(now_millis), lowered_on_day: (day_of(now_millis), count), ..self }
    }

    /// The record after the provisioned units went from `before` to `after`.
    #[must_use]
    pub fn moved(self, before: (i64, i64), after: (i64, i64), now_millis: i64) -> Self {
        let raised = (after.0 > before.0 || after.1 > before.1).then_some(now_millis);
        let moved = Self { raised_millis: raised.or(self.raised_millis), ..self };
        if after.0 < before.0 || after.1 < before.1 { moved.lowered(now_millis) } else { moved }
    }
}

fn day_of(millis: i64) -> i64 {
    millis.div_euclid(24 * 60 * 60 * 1000)
}
