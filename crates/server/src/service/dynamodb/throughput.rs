//! Billing mode, throughput and table class: what CreateTable and UpdateTable may ask for, and how it is described.

use serde_json::{Value, json};
use strongroom_model::document::Document;

use super::create_table::provisioned;
use super::index_definitions::invalid;
use super::input;
use super::long_date::long_date;
use super::table::seconds;
use super::throughput_rules;
use super::throughput_rules::{
    Asked, ON_DEMAND_WARM, SEE, Subject, Units, check_decrease, highest, limit_exceeded, told_before,
    told_warm, warm_now,
};
use crate::engine::{PassingStatus, TableOptions, TableRecord, ThroughputRecord};
use crate::wire::ApiError;

/// How often the table class may change in thirty days.
const CLASS_CHANGES_MAX: usize = 2;
/// How often a table may switch to on-demand in 24 hours; back to provisioned it may at any time.
const ON_DEMAND_SWITCHES_MAX: usize = 4;
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// The options that CreateTable asks for; `units` are the provisioned ones, or none for on-demand.
pub fn of_new_table(body: &Document, units: Option<Units>) -> Result<TableOptions, ApiError> {
    let asked = Asked::of(body);
    asked.check_on_demand_max(Subject::Table, units.is_some(), 1)?;
    let warm = asked.first_warm(Subject::Table, units)?;
    let throughput = ThroughputRecord { on_demand_max: asked.on_demand_max, warm, ..Default::default() };
    Ok(TableOptions { throughput, ..TableOptions::default() })
}

/// Refuses an UpdateTable of several things that the service changes one at a time.
pub fn check_one_concern(body: &Document) -> Result<(), ApiError> {
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
            return Err(invalid(format!("{words} must be the only operation in the request")));
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
pub fn is_asked_for(body: &Document) -> bool {
    ["BillingMode", "ProvisionedThroughput", "OnDemandThroughput", "WarmThroughput", "TableClass"]
        .iter()
        .any(|name| input::has(body, name) && !is_empty(body, name))
}

/// Whether the service answers that the table is `UPDATING`, which it does also where nothing changes.
pub fn takes_time(body: &Document) -> bool {
    ["BillingMode", "ProvisionedThroughput", "TableClass"].iter().any(|name| input::has(body, name))
}

/// The table as UpdateTable leaves it; until `until_millis` it is shown as changing, and tells what it was.
pub fn updated(
    body: &Document,
    record: &TableRecord,
    now_millis: i64,
    until_millis: i64,
) -> Result<TableRecord, ApiError> {
    let mut options = record.options.clone();
    let units = updated_units(body, record, now_millis)?;
    let asked = Asked::of(body);
    asked.check_on_demand_max(Subject::Table, units.is_some(), -1)?;
    let mut throughput = record.options.throughput.clone();
    throughput.on_demand_max = match units {
        Some(_) => (None, None),
        None => asked.merged_max(throughput.on_demand_max),
    };
    let before = (record.provisioned, &record.options.throughput);
    let warm = warm_now(before.0, before.1);
    if units != record.provisioned {
        throughput.warm = Some(highest(warm, units.unwrap_or(ON_DEMAND_WARM)));
        match (record.provisioned, units) {
            (_, None) => {
                switch_to_on_demand(&mut options, now_millis, until_millis)?;
                throughput.lowered_millis = Some(now_millis);
            }
            (None, Some(_)) => {
                options.on_demand_millis = on_demand_since_millis(record);
                throughput.raised_millis = Some(now_millis);
            }
            (Some(before), Some(after)) => throughput = throughput.moved(before, after, now_millis),
        }
        throughput.told = Some(told_before(before, units, now_millis, until_millis));
        let updating = PassingStatus::UpdatingThroughput {
            was_on_demand: record.provisioned.is_none(),
            on_demand_millis: on_demand_since_millis(record),
        };
        options.passing = Some((updating, until_millis));
    }
    let told = told_warm(before.0, before.1, now_millis);
    if let Some(warm) = asked.next_warm(Subject::Table, told, warm)? {
        throughput.warming = Some((told, until_millis));
        throughput.warm = Some(warm);
    }
    options.throughput = throughput;
    let mut changed = TableRecord { provisioned: units, options, ..record.clone() };
    if let Some(class) = input::text(body, "TableClass") {
        change_class(&mut changed, class, now_millis, until_millis)?;
    }
    Ok(changed)
}

/// Adds billing mode, throughput and table class to a table's description.
pub fn describe(record: &TableRecord, now_millis: i64, description: &mut Value) {
    let options = &record.options;
    throughput_rules::describe(record.provisioned, &options.throughput, now_millis, description);
    let passing = options.passing_status(now_millis);
    // The new billing mode is told at once, and when it came into force once that is so.
    let on_demand_millis = match passing {
        Some(PassingStatus::UpdatingThroughput { on_demand_millis, .. }) => *on_demand_millis,
        _ => on_demand_since_millis(record),
    };
    // A table that was never on-demand tells nothing of its billing mode.
    if on_demand_millis.is_some() || record.provisioned.is_none() {
        let mode = if record.provisioned.is_some() { "PROVISIONED" } else { "PAY_PER_REQUEST" };
        description["BillingModeSummary"] = json!({ "BillingMode": mode });
        if let Some(millis) = on_demand_millis {
            description["BillingModeSummary"]["LastUpdateToPayPerRequestDateTime"] = seconds(millis);
        }
    }
    let (table_class, changed_millis) = match passing {
        Some(PassingStatus::UpdatingClass { table_class, changed_millis }) => (table_class, *changed_millis),
        _ => (&record.table_class, options.class_changes_millis.last().copied()),
    };
    if let Some(table_class) = table_class {
        description["TableClassSummary"] = json!({ "TableClass": table_class });
        if let Some(millis) = changed_millis {
            description["TableClassSummary"]["LastUpdateDateTime"] = seconds(millis);
        }
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

fn updated_units(body: &Document, record: &TableRecord, now_millis: i64) -> Result<Option<Units>, ApiError> {
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
            check_decrease(&record.options.throughput, now_millis)?;
        }
    }
    Ok(units)
}

// The guide's quota is four times in 24 hours. The sentence is that of captures of the service, which told of one time.
fn switch_to_on_demand(
    options: &mut TableOptions,
    now_millis: i64,
    until_millis: i64,
) -> Result<(), ApiError> {
    let switches = &mut options.on_demand_switches_millis;
    switches.retain(|millis| now_millis - millis < DAY_MILLIS);
    if let (Some(first), Some(last), ON_DEMAND_SWITCHES_MAX..) =
        (switches.first(), switches.last(), switches.len())
    {
        return Err(limit_exceeded(format!(
            "Subscriber limit exceeded: Update to PayPerRequest mode are limited to {ON_DEMAND_SWITCHES_MAX} times in 1 \
             day(s). Last update at {}. Next update can be made at {}",
            long_date(*last),
            long_date(first + DAY_MILLIS)
        )));
    }
    switches.push(now_millis);
    options.on_demand_millis = Some(until_millis);
    Ok(())
}

fn change_class(
    record: &mut TableRecord,
    class: &str,
    now_millis: i64,
    until_millis: i64,
) -> Result<(), ApiError> {
    let changes = &mut record.options.class_changes_millis;
    let changed_millis = changes.last().copied();
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
        let table_class = record.table_class.replace(class.to_owned());
        changes.push(now_millis);
        let updating = PassingStatus::UpdatingClass { table_class, changed_millis };
        record.options.passing = Some((updating, until_millis));
    }
    Ok(())
}

// When it last became an on-demand table, if it ever was one: many are from the start.
fn on_demand_since_millis(record: &TableRecord) -> Option<i64> {
    record.options.on_demand_millis.or_else(|| record.provisioned.is_none().then_some(record.created_millis))
}

// A structure without members, or an empty list, asks for nothing. Such a structure alone in a
// request makes the service answer InternalFailure; here that request is told that it asks for nothing.
fn is_empty(body: &Document, name: &str) -> bool {
    match body.get(name) {
        Some(Document::Object(members)) => members.is_empty() && name != "SSESpecification",
        Some(Document::Array(elements)) => elements.is_empty(),
        _ => false,
    }
}
