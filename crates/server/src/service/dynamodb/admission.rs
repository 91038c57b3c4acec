//! What may be changed while something else is under way.
//!
//! The service judges UpdateTable by its members and by what is under way, and has a sentence for each refusal. What is
//! refused in its most general words below is what nobody has captured. Sources are captures of the service of October
//! 2026 ([why](../../../../../docs/decisions/error-texts-of-us-east-1.md)).

use strongroom_model::document::Document;

use super::index_updates::{IndexUpdates, in_use};
use super::input;
use super::throughput_rules::{Asked, Subject};
use crate::engine::{IndexState, PassingStatus, TableRecord};
use crate::wire::ApiError;

/// Refuses any change of a table that is not there yet, or not any more.
pub fn check_exists(record: &TableRecord, now_millis: i64) -> Result<(), ApiError> {
    let name = &record.name;
    match record.options.passing_status(now_millis) {
        _ if record.deleting => Err(in_use(format!("Table is being deleted: {name}"))),
        Some(PassingStatus::Creating) => Err(in_use(format!("Table is being created: {name}"))),
        // An older row does not say what changes.
        Some(PassingStatus::Updating) => Err(being_updated(record)),
        _ => Ok(()),
    }
}

/// Refuses an UpdateTable that what is under way does not let pass. A change of key, and of deletion protection, may be
/// made at any time.
pub fn check_update(
    record: &TableRecord,
    body: &Document,
    updates: &IndexUpdates,
    now_millis: i64,
) -> Result<(), ApiError> {
    check_exists(record, now_millis)?;
    let name = &record.name;
    let passing = record.options.passing_status(now_millis);
    let on_demand = was_on_demand(record, passing);
    let goes_on_demand = input::text(body, "BillingMode") == Some("PAY_PER_REQUEST") && !on_demand;
    let changes_units = input::has(body, "ProvisionedThroughput") || goes_on_demand;
    let changes_class = input::has(body, "TableClass");
    let asked = Asked::of(body);
    let changes_maxima = asked.on_demand_max != (None, None);
    let refuse_maxima = |meanwhile: String| {
        // A table of the other billing mode has none: that is said first.
        let provisioned = input::text(body, "BillingMode").map_or(!on_demand, |mode| mode == "PROVISIONED");
        asked.check_on_demand_max(Subject::Table, provisioned, -1)?;
        Err(in_use(format!("OnDemandThroughput cannot be updated while {meanwhile}")))
    };
    match passing {
        Some(PassingStatus::UpdatingThroughput { .. }) => {
            if changes_units {
                return Err(in_use(format!("Table IOPS are currently being updated. Table: {name}")));
            }
            if changes_maxima {
                return refuse_maxima("BillingMode update is in progress".to_owned());
            }
            if updates.builds() {
                return Err(in_use(format!(
                    "Can't create or delete indexes while table IOPS are being updated. Table: {name}"
                )));
            }
            if changes_class || !updates.is_empty() {
                return Err(being_updated(record));
            }
        }
        Some(PassingStatus::UpdatingClass { .. }) => {
            let class = record.table_class.as_deref().unwrap_or("STANDARD");
            if changes_class {
                return Err(in_use(format!(
                    "Can't update table class when a table class update is in progress. Table: {name} \
                     TableClassUpdateInProgress: {class}"
                )));
            }
            if changes_maxima {
                return refuse_maxima(format!(
                    "TableClass update is in progress. TableClassUpdateInProgress: {class}"
                ));
            }
            if updates.builds() {
                return Err(in_use(
                    "Can't create or delete an index when a table class update is in progress.",
                ));
            }
            if changes_units || !updates.is_empty() {
                return Err(being_updated(record));
            }
        }
        _ => {}
    }
    updates.check_updated_are_at_rest(record, now_millis)?;
    for (state, done, doing) in
        [(IndexState::Deleting, "deleted", "deletion"), (IndexState::Allocating, "created", "creation")]
    {
        let in_work = record.indexes.iter().filter(|index| index.state == state);
        let names: Vec<&str> = in_work.map(|index| index.name.as_str()).collect();
        if names.is_empty() {
            continue;
        }
        let names = names.join(", ");
        if changes_units {
            return Err(in_use(format!(
                "Can't change table IOPS when an index is being {done}. Table: {name} Indexes: [{names}]"
            )));
        }
        if changes_maxima {
            return refuse_maxima(format!("index {doing} is in progress for indexes: [{names}]"));
        }
        if asked.warm != (None, None) && state == IndexState::Allocating {
            let text = "Table is under system maintenance, please try again later";
            return Err(ApiError::new("InternalServerError", text).with_status(500));
        }
        if asked.warm != (None, None) || changes_class {
            return Err(being_updated(record));
        }
    }
    Ok(())
}

/// Whether a request takes back a change from on-demand that is under way. The service, for which the table still is
/// on-demand, answers as if nothing were asked for, and goes on.
pub fn is_taken_back(record: &TableRecord, body: &Document, now_millis: i64) -> bool {
    let passing = record.options.passing_status(now_millis);
    input::text(body, "BillingMode") == Some("PAY_PER_REQUEST")
        && record.provisioned.is_some()
        && was_on_demand(record, passing)
}

/// Refuses to delete a table in which something is under way.
pub fn check_delete(record: &TableRecord, now_millis: i64) -> Result<(), ApiError> {
    check_exists(record, now_millis)?;
    if record.options.passing_status(now_millis).is_some_and(PassingStatus::is_updating) {
        return Err(being_updated(record));
    }
    if record.indexes.iter().any(|index| !index.is_complete() || index.is_updating(now_millis)) {
        return Err(in_use("Cannot delete table while indexes are being created, updated, or deleted."));
    }
    // The table is ACTIVE then, and this is refused all the same.
    if record.switch.is_some() || record.options.throughput.warming_at(now_millis).is_some() {
        return Err(being_updated(record));
    }
    Ok(())
}

// The billing mode by which the service judges a request: the old one until it has changed.
fn was_on_demand(record: &TableRecord, passing: Option<&PassingStatus>) -> bool {
    match passing {
        Some(PassingStatus::UpdatingThroughput { was_on_demand, .. }) => *was_on_demand,
        _ => record.provisioned.is_none(),
    }
}

fn being_updated(record: &TableRecord) -> ApiError {
    in_use(format!("Table: {} is in the process of being updated.", record.name))
}
