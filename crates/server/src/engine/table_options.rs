//! What is settable about a table and changes nothing about its items.

use serde::{Deserialize, Serialize};

/// A table's options, part of its record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TableOptions {
    /// The most read and write request units of an on-demand table.
    pub on_demand_max: (Option<i64>, Option<i64>),
    /// Read and write units a second that it is warm for; none where nothing was ever said or provisioned.
    pub warm: Option<(i64, i64)>,
    /// When it was last switched to on-demand, milliseconds since the Unix epoch; none of one that was made so.
    pub on_demand_millis: Option<i64>,
    /// When its table class was changed in the last 30 days, milliseconds since the Unix epoch.
    pub class_changes_millis: Vec<i64>,
    /// When its provisioned throughput was last raised, milliseconds since the Unix epoch.
    pub raised_millis: Option<i64>,
    /// When its provisioned throughput was last lowered, milliseconds since the Unix epoch.
    pub lowered_millis: Option<i64>,
    /// How often it was lowered on a day: days since the Unix epoch, and the number.
    pub lowered_on_day: (i64, u32),
    /// Its resource-based policy.
    pub policy: Option<ResourcePolicy>,
    /// A status that is shown until a time, milliseconds since the Unix epoch.
    pub passing: Option<(PassingStatus, i64)>,
}

/// A table's resource-based policy. It is kept, and nothing is refused because of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourcePolicy {
    /// The document in its canonical form.
    pub document: String,
    /// When it was set, milliseconds since the Unix epoch; told to users as its revision.
    pub revision_millis: i64,
}

/// The statuses that pass by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PassingStatus {
    /// `CREATING`
    Creating,
    /// `UPDATING`
    Updating,
    /// `DELETING`
    Deleting,
}

impl TableOptions {
    /// The status that is shown at a time, if one is passing.
    pub fn passing_status(&self, now_millis: i64) -> Option<PassingStatus> {
        self.passing.filter(|(_, until_millis)| now_millis < *until_millis).map(|(status, _)| status)
    }

    /// How often provisioned throughput was lowered on the day of `now_millis`, which begins at midnight UTC.
    pub fn lowered_today(&self, now_millis: i64) -> u32 {
        match self.lowered_on_day {
            (day, count) if day == day_of(now_millis) => count,
            _ => 0,
        }
    }

    /// The options after provisioned throughput was lowered.
    #[must_use]
    pub fn lowered(self, now_millis: i64) -> Self {
        let count = self.lowered_today(now_millis) + 1;
        Self { lowered_millis: Some(now_millis), lowered_on_day: (day_of(now_millis), count), ..self }
    }
}

fn day_of(millis: i64) -> i64 {
    millis.div_euclid(24 * 60 * 60 * 1000)
}
