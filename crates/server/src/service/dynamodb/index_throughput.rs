//! The throughput of global indexes: what CreateTable and UpdateTable may ask for, and what a change of the table's
//! billing mode does to it.

use strongroom_model::document::Document;

use super::index_definitions::invalid;
use super::input;
use super::throughput_rules::{
    Asked, ON_DEMAND_WARM, SEE, Subject, Units, check_decrease, highest, told_before, told_warm, units,
    warm_now,
};
use crate::engine::{IndexRecord, ThroughputRecord};
use crate::wire::ApiError;

/// The throughput of a new index, beside its provisioned units; `on_demand` is the table's billing mode.
pub fn of_new_index(
    definition: &Document,
    name: &str,
    units: Option<Units>,
    on_demand: bool,
) -> Result<ThroughputRecord, ApiError> {
    let asked = Asked::of(definition);
    let subject = Subject::Index(name);
    asked.check_on_demand_max(subject, !on_demand, 1)?;
    let warm = asked.first_warm(subject, units)?;
    Ok(ThroughputRecord { on_demand_max: asked.on_demand_max, warm, ..Default::default() })
}

/// Refuses an `Update` that shows by itself that it asks for nothing.
pub fn check_update(update: &Document, name: &str) -> Result<(), ApiError> {
    if input::has(update, "WarmThroughput") && Asked::of(update).warm == (None, None) {
        return Err(invalid(format!(
            "WarmThroughput must have at least one of ReadUnitsPerSecond or WriteUnitsPerSecond specified for index: \
             {name}"
        )));
    }
    Ok(())
}

/// The index as an `Update` leaves it; `on_demand` is the table's billing mode from now on. Until `until_millis` it tells
/// what it was.
pub fn updated(
    index: IndexRecord,
    update: &Document,
    on_demand: bool,
    now_millis: i64,
    until_millis: i64,
) -> Result<IndexRecord, ApiError> {
    let name = index.name.clone();
    let subject = Subject::Index(&name);
    let asked = Asked::of(update);
    let units = units(update);
    let asks_for_more = asked.warm != (None, None) || (on_demand && asked.on_demand_max != (None, None));
    match (on_demand, units) {
        (true, Some(_)) => return Err(only_other_updates(&name)),
        (true, None) if !asks_for_more => return Err(only_other_updates(&name)),
        (true, None) => {}
        (false, _) => {
            asked.check_on_demand_max(subject, true, -1)?;
            if units.is_none() && !asks_for_more {
                return Err(invalid(format!(
                    "Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: {name}"
                )));
            }
        }
    }
    asked.check_on_demand_max(subject, false, -1)?;
    let warm = warm_now(index.provisioned, &index.throughput);
    let told = told_warm(index.provisioned, &index.throughput, now_millis);
    let told_units = told_before((index.provisioned, &index.throughput), units, now_millis, until_millis);
    let mut throughput = index.throughput;
    throughput.on_demand_max = asked.merged_max(throughput.on_demand_max);
    if let (Some(before), Some(after)) = (index.provisioned, units) {
        if before == after {
            return Err(will_not_change(&name, before));
        }
        if after.0 < before.0 || after.1 < before.1 {
            check_decrease(&throughput, now_millis)?;
        }
        throughput = throughput.moved(before, after, now_millis);
        throughput.warm = Some(highest(warm, after));
    }
    if units.is_some() {
        throughput.told = Some(told_units);
    }
    if let Some(warm) = asked.next_warm(subject, told, warm)? {
        throughput.warming = Some((told, until_millis));
        throughput.warm = Some(warm);
    }
    Ok(IndexRecord { provisioned: units.or(index.provisioned), throughput, ..index })
}

/// The index after its table's billing mode has changed.
pub fn switched(index: IndexRecord, on_demand: bool, now_millis: i64) -> IndexRecord {
    let warm = warm_now(index.provisioned, &index.throughput);
    let throughput = index.throughput;
    if on_demand {
        let throughput = ThroughputRecord { warm: Some(highest(warm, ON_DEMAND_WARM)), ..throughput };
        // The service counts this as a decrease of the index, though not of the table.
        return IndexRecord { provisioned: None, throughput: throughput.lowered(now_millis), ..index };
    }
    let throughput = ThroughputRecord {
        on_demand_max: (None, None),
        warm: Some(warm),
        raised_millis: Some(now_millis),
        ..throughput
    };
    IndexRecord { throughput, ..index }
}

fn only_other_updates(name: &str) -> ApiError {
    invalid(format!(
        "The only Updates for index: {name} when TableThroughputMode is PAY_PER_REQUEST can be to OnDemandThroughput, \
         WarmThroughput"
    ))
}

fn will_not_change(name: &str, (reads, writes): Units) -> ApiError {
    ApiError::validation(format!(
        "The provisioned throughput for the index {name} will not change. The requested value equals the current value. \
         Current ReadCapacityUnits provisioned for the index: {reads}. Requested ReadCapacityUnits: {reads}. Current \
         WriteCapacityUnits provisioned for the index: {writes}. Requested WriteCapacityUnits: {writes}. {SEE}"
    ))
}
