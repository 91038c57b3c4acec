//! What is settable about a table and changes nothing about its items.

use serde::{Deserialize, Serialize};

use super::throughput_record::ThroughputRecord;

/// A table's options, part of its record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TableOptions {
    /// Its throughput, beside the provisioned units.
    pub throughput: ThroughputRecord,
    /// When it was last switched to on-demand, milliseconds since the Unix epoch; none of one that was made so.
    pub on_demand_millis: Option<i64>,
    /// When it was switched to on-demand in the last 24 hours, milliseconds since the Unix epoch, oldest first.
    pub on_demand_switches_millis: Vec<i64>,
    /// When its table class was changed in the last 30 days, milliseconds since the Unix epoch.
    pub class_changes_millis: Vec<i64>,
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
}
