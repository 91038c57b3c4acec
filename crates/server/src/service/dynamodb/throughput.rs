//! Billing mode, throughput and table class: what CreateTable and UpdateTable may ask for, and how it is described.
//!
//! Strongroom does not throttle: the figures are kept and told as the service tells them. Sources are captures of the
//! service of October 2026.

use serde_json::{Value, json};

use super::create_table::provisioned;
use super::input;
use super::table::seconds;
use crate::engine::{TableOptions, TableRecord};
use crate::wire::ApiError;

/// The most units of a table, in each direction: the service's default quota.
const UNITS_MAX: i64 = 40_000;
/// What an on-demand table is warm for at first, in units a second: reads, writes.
const ON_DEMAND_WARM: (i64, i64) = (12_000, 4_000);
/// How often throughput may be lowered on a day before an hour must pass between two times.
const DECREASES_FREE: u32 = 4;
const HOUR_MILLIS: i64 = 60 * 60 * 1000;
const DAY_MILLIS: i64 = 24 * HOUR_MILLIS;
/// How often the table class may change in thirty days.
const CLASS_CHANGES_MAX: usize = 2;

/// The options that CreateTable asks for; `units` are the provisioned ones, or none for on-demand.
pub fn of_new_table(body: &Value, units: Option<(i64, i64)>, region: &str) -> Result<TableOptions, ApiError> {
    check_units(units, region)?;
    let on_demand_max = on_demand_max(body, units.is_some(), region)?;
    if [on_demand_max.0, on_demand_max.1].contains(&Some(-1)) {
        return Err(outside_of_range(if on_demand_max.0 == Some(-1) { "Read" } else { "Write" }));
    }
    let floor = units.unwrap_or(ON_DEMAND_WARM);
    let warm = warm(body).map(|(reads, writes)| (reads.unwrap_or(floor.0), writes.unwrap_or(floor.1)));
    if let Some(warm) = warm
        && let Some((direction, units_name)) = below(warm, floor)
    {
        let lower = match units {
            Some(_) => format!("{units_name} of ProvisionedThroughput"),
            None => {
                "initial throughput for OnDemand. See: https://docs.aws.amazon.com/amazondynamodb/latest/\
                     developerguide/on-demand-capacity-mode.html#on-demand-capacity-mode-initial"
                    .to_owned()
            }
        };
        return Err(invalid(&format!(
            "Requested {direction}UnitsPerSecond for WarmThroughput for table is lower than {lower}"
        )));
    }
    Ok(TableOptions { on_demand_max, warm, ..TableOptions::default() })
}

/// Refuses an UpdateTable of several things that the service changes one at a time.
pub fn check_one_concern(body: &Value) -> Result<(), ApiError> {
    let has = |name: &str| input::has(body, name) && !is_empty(body, name);
    let others = |name: &str, allowed: &[&str]| {
        CONCERNS.iter().any(|other| *other != name && !allowed.contains(other) && has(other))
    };
    for (name, words) in [
        ("SSESpecification", "Server-Side Encryption modification"),
        ("TableClass", "TableClass modification"),
        ("DeletionProtectionEnabled", "DeletionProtection modification"),
        ("WarmThroughput", "WarmThroughput"),
    ] {
        if has(name) && others(name, &[]) {
            return Err(invalid(&format!("{words} must be the only operation in the request")));
        }
    }
    if has("OnDemandThroughput") && others("OnDemandThroughput", &["BillingMode"]) {
        return Err(invalid(
            "OnDemandThroughput can only be combined with BillingMode in an UpdateTable request",
        ));
    }
    Ok(())
}

/// Whether UpdateTable asks for anything that this module changes.
pub fn is_asked_for(body: &Value) -> bool {
    ["BillingMode", "ProvisionedThroughput", "OnDemandThroughput", "WarmThroughput", "TableClass"]
        .iter()
        .any(|name| input::has(body, name) && !is_empty(body, name))
}

/// Whether the service shows the table as `UPDATING` while it does what is asked for.
pub fn takes_time(body: &Value) -> bool {
    ["BillingMode", "ProvisionedThroughput", "TableClass"].iter().any(|name| input::has(body, name))
}

/// The table as UpdateTable leaves it.
pub fn updated(body: &Value, record: &TableRecord, now_millis: i64) -> Result<TableRecord, ApiError> {
    let mut options = record.options.clone();
    let units = updated_units(body, record, now_millis)?;
    let given = on_demand_max(body, units.is_some(), &record.region)?;
    if units.is_some() {
        options.on_demand_max = (None, None);
    }
    let merged = |before: Option<i64>, given: Option<i64>| given.or(before).filter(|units| *units != -1);
    options.on_demand_max =
        (merged(options.on_demand_max.0, given.0), merged(options.on_demand_max.1, given.1));
    if units != record.provisioned {
        options.warm = Some(highest(warm_now(record), units.unwrap_or(ON_DEMAND_WARM)));
        match (record.provisioned, units) {
            (_, None) => {
                options.on_demand_millis = Some(now_millis);
                options.lowered_millis = Some(now_millis);
            }
            (None, Some(_)) => {
                options.on_demand_millis = on_demand_since_millis(record);
                options.raised_millis = Some(now_millis);
            }
            (Some(before), Some(after)) => {
                if after.0 > before.0 || after.1 > before.1 {
                    options.raised_millis = Some(now_millis);
                }
                if after.0 < before.0 || after.1 < before.1 {
                    options = options.lowered(now_millis);
                }
            }
        }
    }
    if let Some((reads, writes)) = warm(body) {
        let now = warm_now(record);
        let wanted = (reads.unwrap_or(now.0), writes.unwrap_or(now.1));
        if let Some((direction, _)) = below(wanted, now) {
            return Err(invalid(&format!(
                "Requested {direction}UnitsPerSecond for WarmThroughput for table is lower than current \
                 WarmThroughput, decreasing WarmThroughput is not supported"
            )));
        }
        options.warm = Some(wanted);
    }
    let mut changed = TableRecord { provisioned: units, options, ..record.clone() };
    if let Some(class) = input::text(body, "TableClass") {
        change_class(&mut changed, class, now_millis)?;
    }
    Ok(changed)
}

/// Adds billing mode, throughput and table class to a table's description.
pub fn describe(record: &TableRecord, now_millis: i64, description: &mut Value) {
    let options = &record.options;
    let (read_units, write_units) = record.provisioned.unwrap_or((0, 0));
    let mut throughput = json!({
        "NumberOfDecreasesToday": options.lowered_today(now_millis),
        "ReadCapacityUnits": read_units,
        "WriteCapacityUnits": write_units,
    });
    for (name, millis) in
        [("LastIncreaseDateTime", options.raised_millis), ("LastDecreaseDateTime", options.lowered_millis)]
    {
        if let Some(millis) = millis {
            throughput[name] = seconds(millis);
        }
    }
    description["ProvisionedThroughput"] = throughput;
    let (warm_reads, warm_writes) = warm_now(record);
    description["WarmThroughput"] = json!({
        "ReadUnitsPerSecond": warm_reads,
        "WriteUnitsPerSecond": warm_writes,
        "Status": "ACTIVE",
    });
    // A table that was never on-demand tells nothing of its billing mode.
    if let Some(since_millis) = on_demand_since_millis(record) {
        let mode = if record.provisioned.is_some() { "PROVISIONED" } else { "PAY_PER_REQUEST" };
        description["BillingModeSummary"] =
            json!({"BillingMode": mode, "LastUpdateToPayPerRequestDateTime": seconds(since_millis)});
    }
    let mut on_demand = json!({});
    for (name, units) in
        [("MaxReadRequestUnits", options.on_demand_max.0), ("MaxWriteRequestUnits", options.on_demand_max.1)]
    {
        if let Some(units) = units {
            on_demand[name] = json!(units);
        }
    }
    if on_demand != json!({}) {
        description["OnDemandThroughput"] = on_demand;
    }
    if let Some(table_class) = &record.table_class {
        description["TableClassSummary"] = json!({ "TableClass": table_class });
        if let Some(millis) = options.class_changes_millis.last() {
            description["TableClassSummary"]["LastUpdateDateTime"] = seconds(*millis);
        }
    }
}

/// Puts into UpdateTable's answer what the service still, or only there, tells: the throughput as it was.
pub fn answer_as_before(body: &Value, before: &TableRecord, now_millis: i64, description: &mut Value) {
    if let (Some((reads, writes)), true) = (before.provisioned, input::has(body, "ProvisionedThroughput")) {
        description["ProvisionedThroughput"]["ReadCapacityUnits"] = json!(reads);
        description["ProvisionedThroughput"]["WriteCapacityUnits"] = json!(writes);
        description["ProvisionedThroughput"]["NumberOfDecreasesToday"] =
            json!(before.options.lowered_today(now_millis));
    }
    if input::has(body, "WarmThroughput") {
        let (reads, writes) = warm_now(before);
        description["WarmThroughput"] =
            json!({"ReadUnitsPerSecond": reads, "WriteUnitsPerSecond": writes, "Status": "UPDATING"});
    }
    if input::text(body, "BillingMode") == Some("PAY_PER_REQUEST") && before.provisioned.is_some() {
        description["BillingModeSummary"] = json!({"BillingMode": "PAY_PER_REQUEST"});
    }
}

const CONCERNS: [&str; 8] = [
    "BillingMode",
    "ProvisionedThroughput",
    "GlobalSecondaryIndexUpdates",
    "OnDemandThroughput",
    "WarmThroughput",
    "SSESpecification",
    "TableClass",
    "DeletionProtectionEnabled",
];

fn updated_units(
    body: &Value,
    record: &TableRecord,
    now_millis: i64,
) -> Result<Option<(i64, i64)>, ApiError> {
    let mode = input::text(body, "BillingMode");
    let gives_units = input::has(body, "ProvisionedThroughput");
    if mode == Some("PROVISIONED") && !gives_units {
        return Err(invalid("ProvisionedThroughput must be specified when BillingMode is PROVISIONED"));
    }
    if mode.is_none() && gives_units && record.provisioned.is_none() {
        return Err(invalid(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
        ));
    }
    let units = provisioned(body, Some(record.provisioned))?;
    check_units(units.filter(|_| gives_units), &record.region)?;
    if let (Some(before), Some(after), true) = (record.provisioned, units, gives_units) {
        // Indexes may be changed beside a table that stays as it is.
        if before == after && !input::has(body, "GlobalSecondaryIndexUpdates") {
            return Err(ApiError::validation(format!(
                "The provisioned throughput for the table will not change. The requested value equals the current \
                 value. Current ReadCapacityUnits provisioned for the table: {}. Requested ReadCapacityUnits: {}. \
                 Current WriteCapacityUnits provisioned for the table: {}. Requested WriteCapacityUnits: {}. {SEE}",
                before.0, after.0, before.1, after.1
            )));
        }
        if after.0 < before.0 || after.1 < before.1 {
            check_decrease(&record.options, now_millis)?;
        }
    }
    Ok(units)
}

fn check_units(units: Option<(i64, i64)>, region: &str) -> Result<(), ApiError> {
    let Some((reads, writes)) = units else { return Ok(()) };
    let (name, asked) = match (reads > UNITS_MAX, writes > UNITS_MAX) {
        (true, _) => ("ReadCapacityUnits", reads),
        (false, true) => ("WriteCapacityUnits", writes),
        (false, false) => return Ok(()),
    };
    Err(limit_exceeded(format!(
        "The requested {name}, {asked}, is above the per table maximum for the account in {region}. Per table maximum: \
         {UNITS_MAX}. {SEE}"
    )))
}

fn check_decrease(options: &TableOptions, now_millis: i64) -> Result<(), ApiError> {
    let today = options.lowered_today(now_millis);
    let (DECREASES_FREE.., Some(last_millis)) = (today, options.lowered_millis) else { return Ok(()) };
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

fn change_class(record: &mut TableRecord, class: &str, now_millis: i64) -> Result<(), ApiError> {
    let changes = &mut record.options.class_changes_millis;
    changes.retain(|millis| now_millis - millis < 30 * DAY_MILLIS);
    if record.table_class.is_none() && class == "STANDARD" {
        return Ok(());
    }
    // Also to say again what is so already is refused then.
    if changes.len() >= CLASS_CHANGES_MAX {
        return Err(limit_exceeded(
            "Subscriber limit exceeded: Updates to TableClass are limited to 2 times in 30 day(s)."
                .to_owned(),
        ));
    }
    if record.table_class.as_deref() != Some(class) {
        record.table_class = Some(class.to_owned());
        changes.push(now_millis);
    }
    Ok(())
}

// The units of `OnDemandThroughput`, each a number of units or -1, which takes a maximum away.
fn on_demand_max(
    body: &Value,
    is_provisioned: bool,
    region: &str,
) -> Result<(Option<i64>, Option<i64>), ApiError> {
    let mut found = (None, None);
    let Some(given) = body.get("OnDemandThroughput") else { return Ok(found) };
    for (direction, units) in [("Read", &mut found.0), ("Write", &mut found.1)] {
        let name = format!("Max{direction}RequestUnits");
        *units = input::integer(given, &name);
        let Some(asked) = *units else { continue };
        if is_provisioned {
            return Err(invalid(&format!(
                "{name} for OnDemandThroughput cannot be specified when the table BillingMode is PROVISIONED"
            )));
        }
        if asked < 1 && asked != -1 {
            return Err(outside_of_range(direction));
        }
        if asked > UNITS_MAX {
            return Err(limit_exceeded(format!(
                "Subscriber limit exceeded: Requested {name} for OnDemandThroughput for table exceeds \
                 TableMax{direction}CapacityUnits of the account in region {region}"
            )));
        }
    }
    Ok(found)
}

fn outside_of_range(direction: &str) -> ApiError {
    invalid(&format!(
        "Requested Max{direction}RequestUnits for OnDemandThroughput for table is outside of valid range"
    ))
}

fn warm(body: &Value) -> Option<(Option<i64>, Option<i64>)> {
    let given = body.get("WarmThroughput")?;
    let units = (input::integer(given, "ReadUnitsPerSecond"), input::integer(given, "WriteUnitsPerSecond"));
    (units != (None, None)).then_some(units)
}

// What a table is warm for: never less than it was before, nor than it is provisioned for.
fn warm_now(record: &TableRecord) -> (i64, i64) {
    highest(record.options.warm.unwrap_or_default(), record.provisioned.unwrap_or(ON_DEMAND_WARM))
}

// When it last became an on-demand table, if it ever was one: many are from the start.
fn on_demand_since_millis(record: &TableRecord) -> Option<i64> {
    record.options.on_demand_millis.or_else(|| record.provisioned.is_none().then_some(record.created_millis))
}

fn highest(one: (i64, i64), other: (i64, i64)) -> (i64, i64) {
    (one.0.max(other.0), one.1.max(other.1))
}

// In which direction `units` are too few, and the name of the units of that direction.
fn below(units: (i64, i64), floor: (i64, i64)) -> Option<(&'static str, &'static str)> {
    match (units.0 < floor.0, units.1 < floor.1) {
        (true, _) => Some(("Read", "ReadCapacityUnits")),
        (false, true) => Some(("Write", "WriteCapacityUnits")),
        (false, false) => None,
    }
}

// A structure without members, or an empty list, asks for nothing. Such a structure alone in a
// request makes the service answer InternalFailure; here that request is told that it asks for nothing.
fn is_empty(body: &Value, name: &str) -> bool {
    match body.get(name) {
        Some(Value::Object(members)) => members.is_empty() && name != "SSESpecification",
        Some(Value::Array(elements)) => elements.is_empty(),
        _ => false,
    }
}

// A time as the service spells it out in sentences.
fn long_date(millis: i64) -> String {
    const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let days = millis.div_euclid(DAY_MILLIS);
    let second_of_day = millis.rem_euclid(DAY_MILLIS) / 1000;
    let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    let (year, month, day) = date_of(days);
    let half = if hour < 12 { "AM" } else { "PM" };
    let hour = if hour % 12 == 0 { 12 } else { hour % 12 };
    // The first of January 1970 was a Thursday.
    let weekday = DAYS[usize::try_from(days.rem_euclid(7)).unwrap_or_default()];
    format!(
        "{weekday}, {} {day}, {year} at {hour}:{minute:02}:{second:02} {half} Coordinated Universal Time",
        MONTHS[month - 1]
    )
}

// The year, month (1 to 12) and day of a number of days since the Unix epoch.
fn date_of(days: i64) -> (i64, usize, i64) {
    let mut year = 1970 + days.div_euclid(366);
    let first_day = |year: i64| {
        let before = year - 1;
        365 * (year - 1970) + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400) - 477
    };
    while first_day(year + 1) <= days {
        year += 1;
    }
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut day = days - first_day(year);
    let mut month = 0;
    while day >= lengths[month] {
        day -= lengths[month];
        month += 1;
    }
    (year, month + 1, day + 1)
}

fn invalid(text: &str) -> ApiError {
    ApiError::validation(format!("One or more parameter values were invalid: {text}"))
}

fn limit_exceeded(text: String) -> ApiError {
    ApiError::new("LimitExceededException", text)
}

const SEE: &str =
    "Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_spelt_out_as_by_the_service() {
        for (seconds, text) in [
            (1_791_501_648, "Thursday, October 8, 2026 at 11:20:48 PM Coordinated Universal Time"),
            (1_791_504_000, "Friday, October 9, 2026 at 12:00:00 AM Coordinated Universal Time"),
            (0, "Thursday, January 1, 1970 at 12:00:00 AM Coordinated Universal Time"),
            (951_782_399, "Monday, February 28, 2000 at 11:59:59 PM Coordinated Universal Time"),
            (951_825_600, "Tuesday, February 29, 2000 at 12:00:00 PM Coordinated Universal Time"),
            (4_102_444_799, "Thursday, December 31, 2099 at 11:59:59 PM Coordinated Universal Time"),
        ] {
            assert_eq!(long_date(seconds * 1000), text);
        }
    }

    #[test]
    fn throughput_is_lowered_four_times_a_day_and_then_once_an_hour() {
        let noon = 1_791_460_800_000;
        let mut options = TableOptions::default();
        for at in 0..4 {
            assert!(check_decrease(&options, noon + at).is_ok());
            options = options.lowered(noon + at);
        }
        let refusal =
            check_decrease(&options, noon + 10).err().map(|error| (error.code.to_string(), error.message));
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
        assert!(check_decrease(&options, noon + HOUR_MILLIS + 3).is_ok());
        let midnight = noon + 12 * HOUR_MILLIS;
        options = options.lowered(midnight - 1);
        assert!(check_decrease(&options, midnight - 1).is_err());
        assert!(check_decrease(&options, midnight).is_ok());
        assert_eq!((options.lowered_today(midnight - 1), options.lowered_today(midnight)), (5, 0));
    }
}
