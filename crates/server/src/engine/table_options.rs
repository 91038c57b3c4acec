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

/// The statuses that pass by themselves. What changes while a table is `UPDATING` decides what else may change then; with
/// it stands what is told meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PassingStatus {
    /// `CREATING`
    Creating,
    /// `UPDATING`, in an older row, which does not say what changes.
    Updating,
    /// `UPDATING`: the billing mode or the provisioned units.
    UpdatingThroughput {
        /// Whether it was on-demand before.
        was_on_demand: bool,
        /// When it had last become on-demand before, milliseconds since the Unix epoch, if it ever had.
        on_demand_millis: Option<i64>,
    },
    /// `UPDATING`: the table class.
    UpdatingClass {
        /// The class before, if it was ever named.
        table_class: Option<String>,
        /// When that had been changed, milliseconds since the Unix epoch, if it had.
        changed_millis: Option<i64>,
    },
    /// `DELETING`
    Deleting,
}

impl PassingStatus {
    /// Whether it is shown as `UPDATING`.
    pub fn is_updating(&self) -> bool {
        match self {
            Self::Updating | Self::UpdatingThroughput { .. } | Self::UpdatingClass { .. } => true,
            Self::Creating | Self::Deleting => false,
        }
    }
}

impl TableOptions {
    /// The status that is shown at a time, if one is passing.
    pub fn passing_status(&self, now_millis: i64) -> Option<&PassingStatus> {
        self.passing.as_ref().filter(|(_, until_millis)| now_millis < *until_millis).map(|(status, _)| status)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn an_older_row_says_that_a_table_is_updating_and_not_of_what() {
        let told = json!({"until_millis": 5, "provisioned": [[1, 1], 0], "warm": null});
        let row = json!({"throughput": {"told": told}, "passing": ["Updating", 5]});
        let options: TableOptions = from_value(row).expect("an older row is read");
        assert_eq!(options.passing_status(4), Some(&PassingStatus::Updating));
        assert_eq!(options.passing_status(5), None);
        let told = options.throughput.told_at(4).expect("it is told until 5");
        assert_eq!((told.provisioned, told.warm), (Some(((1, 1), 0)), None));
        assert_eq!(options.throughput.warming_at(4), None);
    }

    #[test]
    fn a_row_says_what_is_under_way() {
        let class = PassingStatus::UpdatingClass { table_class: None, changed_millis: Some(3) };
        let throughput = ThroughputRecord { warming: Some(((1, 2), 9)), ..ThroughputRecord::default() };
        let options = TableOptions { throughput, passing: Some((class, 5)), ..TableOptions::default() };
        let row = serde_json::to_value(&options).expect("it has only string keys");
        assert_eq!(row["passing"], json!([{"UpdatingClass": {"table_class": null, "changed_millis": 3}}, 5]));
        assert_eq!(row["throughput"]["warming"], json!([[1, 2], 9]));
        assert_eq!(from_value::<TableOptions>(row).ok(), Some(options));
    }
}
