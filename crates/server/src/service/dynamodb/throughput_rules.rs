//! The rules of throughput that tables and global indexes have in common, and how both are described.
//!
//! Strongroom does not throttle: the figures are kept and told as the service tells them. Sources are captures of the
//! service of October 2026.

use serde_json::{Value, json};
use strongroom_model::document::Document;

use super::index_definitions::invalid;
use super::input;
use super::long_date::long_date;
use super::table::seconds;
use crate::engine::{ThroughputRecord, ToldThroughput};
use crate::wire::ApiError;

/// Read and write units.
pub type Units = (i64, i64);

/// What an on-demand table, or an index of one, is warm for at first, in units a second.
pub const ON_DEMAND_WARM: Units = (12_000, 4_000);

/// Whose throughput it is, as the sentences of the errors tell it apart.
#[derive(Clone, Copy)]
pub enum Subject<'a> {
    /// The table's own.
    Table,
    /// An index's, by its name.
    Index(&'a str),
}

/// What a request asks for beside provisioned units.
pub struct Asked {
    /// `OnDemandThroughput`: for reads and writes a number of units, or -1 to take a maximum away.
    pub on_demand_max: (Option<i64>, Option<i64>),
    /// `WarmThroughput`.
    pub warm: (Option<i64>, Option<i64>),
}

impl Asked {
    /// Reads the members of a table or an index.
    pub fn of(holder: &Document) -> Self {
        let pair = |name: &str, read: &str, write: &str| match holder.get(name) {
            None => (None, None),
            Some(given) => (input::integer(given, read), input::integer(given, write)),
        };
        Self {
            on_demand_max: pair("OnDemandThroughput", "MaxReadRequestUnits", "MaxWriteRequestUnits"),
            warm: pair("WarmThroughput", "ReadUnitsPerSecond", "WriteUnitsPerSecond"),
        }
    }

    /// Refuses maxima that a table of this billing mode cannot have; `least` is the lowest that means something.
    pub fn check_on_demand_max(
        &self,
        subject: Subject<'_>,
        is_provisioned: bool,
        least: i64,
    ) -> Result<(), ApiError> {
        for (direction, asked) in [("Read", self.on_demand_max.0), ("Write", self.on_demand_max.1)] {
            let Some(asked) = asked else { continue };
            let name = format!("Max{direction}RequestUnits");
            if is_provisioned {
                let of_index = match subject {
                    Subject::Table => String::new(),
                    Subject::Index(index) => format!(" for index : {index}"),
                };
                return Err(invalid(format!(
                    "{name} for OnDemandThroughput{of_index} cannot be specified when the table BillingMode is \
                     PROVISIONED"
                )));
            }
            if asked == 0 || asked < least {
                return Err(invalid(format!(
                    "Requested {name} for OnDemandThroughput for {} is outside of valid range",
                    subject.after_maximum()
                )));
            }
        }
        Ok(())
    }

    /// The maxima that `before` and what is asked for make together.
    pub fn merged_max(&self, before: (Option<i64>, Option<i64>)) -> (Option<i64>, Option<i64>) {
        let merged =
            |before: Option<i64>, asked: Option<i64>| asked.or(before).filter(|units| *units != NO_MAXIMUM);
        (merged(before.0, self.on_demand_max.0), merged(before.1, self.on_demand_max.1))
    }

    /// What something new is to be warm for, if that is said; it cannot start colder than it is anyway.
    pub fn first_warm(&self, subject: Subject<'_>, units: Option<Units>) -> Result<Option<Units>, ApiError> {
        if self.warm == (None, None) {
            return Ok(None);
        }
        let floor = units.unwrap_or(ON_DEMAND_WARM);
        let warm = (self.warm.0.unwrap_or(floor.0), self.warm.1.unwrap_or(floor.1));
        let Some((direction, units_name)) = below(warm, floor) else { return Ok(Some(warm)) };
        let lower = match units {
            Some(_) => format!("{units_name} of ProvisionedThroughput"),
            None => format!("initial throughput for OnDemand. See: {ON_DEMAND_PAGE}"),
        };
        Err(invalid(format!(
            "Requested {direction}UnitsPerSecond for WarmThroughput for {subject} is lower than {lower}"
        )))
    }

    /// What it is to be warm for after an update, if that is said, where it is `told` to be warm for something and on
    /// its way to `wanted`; it does not get colder.
    pub fn next_warm(
        &self,
        subject: Subject<'_>,
        told: Units,
        wanted: Units,
    ) -> Result<Option<Units>, ApiError> {
        if self.warm == (None, None) {
            return Ok(None);
        }
        let wanted = (self.warm.0.unwrap_or(wanted.0), self.warm.1.unwrap_or(wanted.1));
        match below(wanted, told) {
            None => Ok(Some(wanted)),
            Some((direction, _)) => Err(invalid(format!(
                "Requested {direction}UnitsPerSecond for WarmThroughput for {subject} is lower than current \
                 WarmThroughput, decreasing WarmThroughput is not supported"
            ))),
        }
    }
}

/// Refuses units of a table that are beyond any quota; the service does so before it looks for the table.
pub fn check_bounds(units: Units) -> Result<(), ApiError> {
    for (name, units) in [("ReadCapacityUnits", units.0), ("WriteCapacityUnits", units.1)] {
        if units > UNITS_BOUND {
            return Err(ApiError::validation(format!("Given value {units} for {name} is out of bounds")));
        }
    }
    Ok(())
}

/// The units of `ProvisionedThroughput` of a table or an index.
pub fn units(holder: &Document) -> Option<Units> {
    let units = holder.get("ProvisionedThroughput").filter(|units| !units.is_null())?;
    let unit = |name| input::integer(units, name).unwrap_or(0);
    Some((unit("ReadCapacityUnits"), unit("WriteCapacityUnits")))
}

/// Refuses more than the account may have for a table or an index: the service's default quotas.
pub fn check_quotas(
    subject: Subject<'_>,
    units: Option<Units>,
    throughput: &ThroughputRecord,
    region: &str,
) -> Result<(), ApiError> {
    if let Some((direction, asked)) = units.and_then(above) {
        let name = format!("{direction}CapacityUnits");
        let (whose, what) = match subject {
            Subject::Table => (name, "table"),
            Subject::Index(index) => (format!("{name} for index {index}"), "index"),
        };
        return Err(limit_exceeded(format!(
            "The requested {whose}, {asked}, is above the per {what} maximum for the account in {region}. Per table \
             maximum: {UNITS_MAX}. {SEE}"
        )));
    }
    let (reads, writes) = throughput.on_demand_max;
    if let Some((direction, _)) = above((reads.unwrap_or_default(), writes.unwrap_or_default())) {
        return Err(limit_exceeded(format!(
            "Subscriber limit exceeded: Requested Max{direction}RequestUnits for OnDemandThroughput for {} exceeds \
             TableMax{direction}CapacityUnits of the account in region {region}",
            subject.after_maximum()
        )));
    }
    if let Some((direction, _)) = throughput.warm.and_then(above) {
        return Err(limit_exceeded(format!(
            "Subscriber limit exceeded: Requested {direction}UnitsPerSecond for WarmThroughput for {subject} exceeds \
             TableMax{direction}CapacityUnits of the account in region {region}"
        )));
    }
    Ok(())
}

/// Refuses to lower provisioned throughput more often than the service does it.
pub fn check_decrease(throughput: &ThroughputRecord, now_millis: i64) -> Result<(), ApiError> {
    let today = throughput.lowered_today(now_millis);
    let (DECREASES_FREE.., Some(last_millis)) = (today, throughput.lowered_millis) else { return Ok(()) };
    let midnight_millis = (now_millis.div_euclid(DAY_MILLIS) + 1) * DAY_MILLIS;
    let next_millis = (last_millis + HOUR_MILLIS).min(midnight_millis);
    if now_millis >= next_millis {
        return Ok(());
    }
    Err(limit_exceeded(format!(
        "Subscriber limit exceeded: Provisioned throughput decreases are limited within a given UTC day. After the \
         first {DECREASES_FREE} decreases, each subsequent decrease in the same UTC day can be performed at most once \
         every 3600 seconds. Number of decreases today: {today}. Last decrease at {}. Next decrease can be made at {}.",
        long_date(last_millis),
        long_date(next_millis)
    )))
}

/// What is told until `until_millis` of a change to the units `after`, or to on-demand: the throughput as it is `before`.
/// Where the billing mode changes, the new units are told at once.
pub fn told_before(
    (units, before): (Option<Units>, &ThroughputRecord),
    after: Option<Units>,
    now_millis: i64,
    until_millis: i64,
) -> ToldThroughput {
    ToldThroughput {
        until_millis,
        provisioned: units.filter(|_| after.is_some()).map(|units| (units, before.lowered_today(now_millis))),
        warm: Some(told_warm(units, before, now_millis)),
    }
}

/// What it is told to be warm for: what it was, while it is shown as getting warmer or its units as changing.
pub fn told_warm(units: Option<Units>, throughput: &ThroughputRecord, now_millis: i64) -> Units {
    let before_warming = throughput.warming_at(now_millis);
    match (throughput.told_at(now_millis).and_then(|told| told.warm), before_warming) {
        (Some(warm), _) => highest(warm, before_warming.unwrap_or_default()),
        (None, Some(warm)) => highest(warm, units.unwrap_or(ON_DEMAND_WARM)),
        (None, None) => warm_now(units, throughput),
    }
}

/// What it is warm for: never less than it was before, nor than it is provisioned for.
pub fn warm_now(units: Option<Units>, throughput: &ThroughputRecord) -> Units {
    highest(throughput.warm.unwrap_or_default(), units.unwrap_or(ON_DEMAND_WARM))
}

/// The higher of two in each direction.
pub fn highest(one: Units, other: Units) -> Units {
    (one.0.max(other.0), one.1.max(other.1))
}

/// Adds the figures to the description of a table or of a global index.
pub fn describe(
    units: Option<Units>,
    throughput: &ThroughputRecord,
    now_millis: i64,
    description: &mut Value,
) {
    let ((read_units, write_units), lowered_today) = throughput
        .told_at(now_millis)
        .and_then(|told| told.provisioned)
        .unwrap_or_else(|| (units.unwrap_or_default(), throughput.lowered_today(now_millis)));
    let mut provisioned = json!({
        "NumberOfDecreasesToday": lowered_today,
        "ReadCapacityUnits": read_units,
        "WriteCapacityUnits": write_units,
    });
    for (name, millis) in [
        ("LastIncreaseDateTime", throughput.raised_millis),
        ("LastDecreaseDateTime", throughput.lowered_millis),
    ] {
        if let Some(millis) = millis {
            provisioned[name] = seconds(millis);
        }
    }
    description["ProvisionedThroughput"] = provisioned;
    let (warm_reads, warm_writes) = told_warm(units, throughput, now_millis);
    description["WarmThroughput"] = json!({
        "ReadUnitsPerSecond": warm_reads,
        "WriteUnitsPerSecond": warm_writes,
        "Status": if throughput.warming_at(now_millis).is_some() { "UPDATING" } else { "ACTIVE" },
    });
    for (name, units) in [
        ("MaxReadRequestUnits", throughput.on_demand_max.0),
        ("MaxWriteRequestUnits", throughput.on_demand_max.1),
    ] {
        if let Some(units) = units {
            description["OnDemandThroughput"][name] = json!(units);
        }
    }
}

/// The refusal of more than there may be.
pub fn limit_exceeded(text: String) -> ApiError {
    ApiError::new("LimitExceededException", text)
}

impl Subject<'_> {
    // The service puts a space before the colon where it speaks of maxima, and has no colon elsewhere.
    fn after_maximum(self) -> String {
        match self {
            Self::Table => "table".to_owned(),
            Self::Index(name) => format!("index : {name}"),
        }
    }
}

impl std::fmt::Display for Subject<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Table => out.write_str("table"),
            Self::Index(name) => write!(out, "index {name}"),
        }
    }
}

// In which direction `units` are too few, and the name of the units of that direction.
fn below(units: Units, floor: Units) -> Option<(&'static str, &'static str)> {
    match (units.0 < floor.0, units.1 < floor.1) {
        (true, _) => Some(("Read", "ReadCapacityUnits")),
        (false, true) => Some(("Write", "WriteCapacityUnits")),
        (false, false) => None,
    }
}

// In which direction units are too many, and how many they are.
fn above(units: Units) -> Option<(&'static str, i64)> {
    match (units.0 > UNITS_MAX, units.1 > UNITS_MAX) {
        (true, _) => Some(("Read", units.0)),
        (false, true) => Some(("Write", units.1)),
        (false, false) => None,
    }
}

/// The refusals of quotas end with this.
pub const SEE: &str =
    "Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.";
const ON_DEMAND_PAGE: &str = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html#on-demand-capacity-mode-initial";
/// The most units of a table or an index, in each direction: the service's default quota.
/// Higher units than these are no figure that the service reads.
const UNITS_BOUND: i64 = 1_000_000_000_000;
const UNITS_MAX: i64 = 40_000;
/// What takes a maximum away.
const NO_MAXIMUM: i64 = -1;
/// How often throughput may be lowered on a day before an hour must pass between two times.
const DECREASES_FREE: u32 = 4;
const HOUR_MILLIS: i64 = 60 * 60 * 1000;
const DAY_MILLIS: i64 = 24 * HOUR_MILLIS;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throughput_is_lowered_four_times_a_day_and_then_once_an_hour() {
        let noon = 1_791_460_800_000;
        let mut throughput = ThroughputRecord::default();
        for at in 0..4 {
            assert!(check_decrease(&throughput, noon + at).is_ok());
            throughput = throughput.lowered(noon + at);
        }
        let refusal =
            check_decrease(&throughput, noon + 10).err().map(|error| (error.code.to_string(), error.message));
        assert_eq!(
            refusal,
            Some((
                "LimitExceededException".to_owned(),
                "Subscriber limit exceeded: Provisioned throughput decreases are limited within a given UTC day. After \
                 the first 4 decreases, each subsequent decrease in the same UTC day can be performed at most once \
                 every 3600 seconds. Number of decreases today: 4. Last decrease at Thursday, October 8, 2026 at \
                 12:00:00 PM Coordinated Universal Time. Next decrease can be made at Thursday, October 8, 2026 at \
                 1:00:00 PM Coordinated Universal Time."
                    .to_owned()
            ))
        );
        assert!(check_decrease(&throughput, noon + HOUR_MILLIS + 3).is_ok());
        let midnight = noon + 12 * HOUR_MILLIS;
        throughput = throughput.lowered(midnight - 1);
        assert!(check_decrease(&throughput, midnight - 1).is_err());
        assert!(check_decrease(&throughput, midnight).is_ok());
        assert_eq!((throughput.lowered_today(midnight - 1), throughput.lowered_today(midnight)), (5, 0));
    }
}
