//! `GlobalSecondaryIndexUpdates` of UpdateTable.

use std::collections::BTreeSet;

use strongroom_model::document::Document;

use super::index_definitions::{
    Definitions, GLOBAL_INDEXES_MAX, NameAndType, check_included, global_index, invalid, key_elements,
};
use super::throughput_rules::{Asked, Subject, check_quotas, units};
use super::{index_throughput, input};
use crate::engine::{IndexRecord, IndexState, NewIndex, TableRecord};
use crate::wire::ApiError;

/// What is to be done, in the order of the request.
pub struct IndexUpdates {
    actions: Vec<Action>,
    definitions: Definitions,
}

enum Action {
    Create { name: String, definition: Document },
    Update { name: String, update: Document },
    Delete { name: String },
}

impl IndexUpdates {
    /// Reads and checks what the request alone shows.
    pub fn read(body: &Document) -> Result<Self, ApiError> {
        let list = body.get("GlobalSecondaryIndexUpdates").and_then(Document::as_array);
        let mut actions = Vec::new();
        let mut names = BTreeSet::new();
        for update in list.unwrap_or_default() {
            let action = action(update)?;
            if !names.insert(action.name().to_owned()) {
                return Err(invalid(format!(
                    "Only one global secondary index update per index is allowed simultaneously. Index: {}",
                    action.name()
                )));
            }
            actions.push(action);
        }
        let updates = Self { actions, definitions: Definitions::read(body)? };
        if updates.actions.iter().any(|action| matches!(action, Action::Create { .. }))
            && Asked::of(body).warm != (None, None)
        {
            return Err(invalid(
                "Create global secondary index cannot be specified when updating WarmThroughput",
            ));
        }
        if updates.builds() && input::has(body, "ProvisionedThroughput") {
            return Err(invalid("You cannot create or delete index while updating table IOPS"));
        }
        Ok(updates)
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// Whether an index is created or deleted.
    pub fn builds(&self) -> bool {
        self.actions.iter().any(|action| !matches!(action, Action::Update { .. }))
    }

    /// Refuses to update an index that is being made, updated or removed.
    pub fn check_updated_are_at_rest(&self, record: &TableRecord, now_millis: i64) -> Result<(), ApiError> {
        for action in &self.actions {
            let Action::Update { name, .. } = action else { continue };
            let Some(index) = record.indexes.iter().find(|index| index.name == *name) else { continue };
            match index.state {
                IndexState::Deleting => return Err(being("deleted", &record.name, name)),
                // The service puts two spaces there.
                IndexState::Allocating => {
                    return Err(in_use(format!(
                        "Index is being created but is not backfilling yet.  Table: {} Index: {name}",
                        record.name
                    )));
                }
                IndexState::Active if index.is_updating(now_millis) => {
                    return Err(being("updated", &record.name, name));
                }
                IndexState::Active | IndexState::Backfilling(_) => {}
            }
        }
        Ok(())
    }

    /// The table's record with the updates: `record` is how it was, `changed` has what else the request asks for.
    ///
    /// Indexes that are made, updated or removed are shown so until `until_millis`.
    pub fn apply(
        self,
        record: &TableRecord,
        mut changed: TableRecord,
        now_millis: i64,
        until_millis: i64,
    ) -> Result<TableRecord, ApiError> {
        let on_demand = changed.provisioned.is_none();
        self.check_throughput_of_others(record, on_demand)?;
        if on_demand != record.provisioned.is_none() {
            for index in changed.indexes.iter_mut().filter(|index| !index.local) {
                *index = index_throughput::switched(index.clone(), on_demand, now_millis);
            }
        }
        if self.actions.iter().filter(|action| !matches!(action, Action::Update { .. })).count() > 1 {
            return Err(one_at_a_time());
        }
        for action in self.actions {
            match action {
                Action::Create { name, definition } => {
                    let new = created(record, &name, &definition, &self.definitions, on_demand)?;
                    let number = changed.next_index;
                    changed.next_index = number.checked_add(1).ok_or_else(numbers_are_used_up)?;
                    changed.indexes.push(IndexRecord {
                        state: IndexState::Allocating,
                        held_until_millis: Some(until_millis),
                        ..new.record(number)
                    });
                }
                Action::Update { name, update } => {
                    let index = found(&mut changed, &name, "update")?;
                    let updated = index_throughput::updated(
                        index.clone(),
                        &update,
                        on_demand,
                        now_millis,
                        until_millis,
                    )?;
                    // The service shows nothing but the old warmth while an index gets warm.
                    let shows = units(&update).is_some() || Asked::of(&update).on_demand_max != (None, None);
                    *index = match shows && updated.is_complete() {
                        true => IndexRecord { held_until_millis: Some(until_millis), ..updated },
                        false => updated,
                    };
                }
                Action::Delete { name } => {
                    let table_name = &record.name;
                    let others =
                        record.indexes.iter().any(|index| index.name != name && !index.is_complete());
                    let index = found(&mut changed, &name, "delete")?;
                    match index.state {
                        IndexState::Allocating => {
                            return Err(in_use(format!(
                                "Index creation is in resource allocation phase. Retry deletion during backfilling \
                                 phase or when the index is active. Table: {table_name} Index: {name}"
                            )));
                        }
                        IndexState::Deleting => {
                            return Err(being("deleted", &record.name, &name));
                        }
                        IndexState::Active | IndexState::Backfilling(_) if others => {
                            return Err(one_at_a_time());
                        }
                        IndexState::Active | IndexState::Backfilling(_) => {
                            index.state = IndexState::Deleting;
                            index.held_until_millis = Some(until_millis);
                        }
                    }
                }
            }
        }
        for index in &changed.indexes {
            check_quotas(Subject::Index(&index.name), index.provisioned, &index.throughput, &record.region)?;
        }
        Ok(changed)
    }

    // A table that leaves on-demand needs to hear of every index what it is to have.
    fn check_throughput_of_others(&self, record: &TableRecord, on_demand: bool) -> Result<(), ApiError> {
        if on_demand || record.provisioned.is_some() {
            return Ok(());
        }
        let is_given = |name: &str| {
            self.actions
                .iter()
                .any(|action| matches!(action, Action::Update { name: other, update } if other == name && units(update).is_some()))
        };
        let missing = record.indexes.iter().find(|index| !index.local && !is_given(&index.name));
        missing.map_or(Ok(()), |index| {
            Err(invalid(format!("ProvisionedThroughput must be specified for index: {}", index.name)))
        })
    }
}

impl Action {
    fn name(&self) -> &str {
        match self {
            Self::Create { name, .. } | Self::Update { name, .. } | Self::Delete { name } => name,
        }
    }
}

fn action(update: &Document) -> Result<Action, ApiError> {
    let present: Vec<(&str, &Document)> = ["Create", "Update", "Delete"]
        .into_iter()
        .filter_map(|kind| Some((kind, update.get(kind).filter(|action| !action.is_null())?)))
        .collect();
    let [(kind, action)] = present[..] else {
        return Err(invalid(match present.len() {
            0 => {
                "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, \
                 GlobalSecondaryIndexUpdate.Delete must not be null"
            }
            _ => "Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate object",
        }));
    };
    let name = input::text(action, "IndexName").unwrap_or_default().to_owned();
    Ok(match kind {
        "Create" => Action::Create { name, definition: action.clone() },
        "Delete" => Action::Delete { name },
        _ => {
            index_throughput::check_update(action, &name)?;
            Action::Update { name, update: action.clone() }
        }
    })
}

fn created(
    record: &TableRecord,
    name: &str,
    definition: &Document,
    definitions: &Definitions,
    on_demand: bool,
) -> Result<NewIndex, ApiError> {
    // That the name is taken is said before anything is said of the definition.
    match record.indexes.iter().find(|index| index.name == name) {
        Some(index) if index.is_complete() => {
            return Err(ApiError::validation("Attempting to create an index which already exists"));
        }
        Some(index) if index.state == IndexState::Deleting => {
            return Err(being("deleted", &record.name, name));
        }
        _ if record.indexes.iter().any(|index| !index.is_complete()) => return Err(one_at_a_time()),
        _ => {}
    }
    if definitions.is_empty() {
        return Err(invalid(format!("AttributeDefinitions is not specified for index: {name}")));
    }
    let elements = key_elements(definition);
    let known = definitions.with(attributes(record));
    known.check_defined(&elements)?;
    for (attribute, _) in &elements {
        check_same_type(record, attribute, definitions, definition)?;
    }
    let new = global_index(definition, &known)?;
    let throughput = index_throughput::of_new_index(definition, name, new.provisioned, on_demand)?;
    let new = NewIndex { throughput, ..new };
    match (on_demand, new.provisioned) {
        (true, Some(_)) => {
            return Err(invalid(format!(
                "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: {name} when BillingMode \
                 is PAY_PER_REQUEST"
            )));
        }
        (false, None) => {
            return Err(invalid(format!(
                "Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: {name}"
            )));
        }
        _ => {}
    }
    if record.indexes.iter().filter(|index| !index.local).count() >= GLOBAL_INDEXES_MAX {
        return Err(limit_exceeded(&format!(
            "GlobalSecondaryIndex count exceeds the per-table limit of {GLOBAL_INDEXES_MAX}"
        )));
    }
    check_included(record.indexes.iter().map(|index| &index.projection).chain([&new.projection]))?;
    Ok(new)
}

// Attributes keep the type that table and indexes have given them.
fn check_same_type(
    record: &TableRecord,
    name: &str,
    definitions: &Definitions,
    definition: &Document,
) -> Result<(), ApiError> {
    let Some(given) = definitions.type_of(name) else { return Ok(()) };
    let table: (Vec<&NameAndType>, Vec<&NameAndType>) = (vec![&record.hash], record.range.iter().collect());
    let of_indexes =
        record.indexes.iter().map(|index| (index.hash.iter().collect(), index.range.iter().collect()));
    for (hash, range) in std::iter::once(table).chain(of_indexes) {
        let elements: Vec<(&NameAndType, &str)> = hash
            .into_iter()
            .map(|key| (key, "HASH"))
            .chain(range.into_iter().map(|key| (key, "RANGE")))
            .collect();
        if !elements.iter().any(|((known, key_type), _)| known == name && key_type != given) {
            continue;
        }
        let element = |name: &str, key_type: &str, kind: &str| {
            format!("SchemaElement: key{{{name}:{key_type}:{kind}}}")
        };
        let existing: Vec<String> =
            elements.iter().map(|((name, key_type), kind)| element(name, key_type, kind)).collect();
        let new: Vec<String> = key_elements(definition)
            .into_iter()
            .map(|(name, kind)| element(name, definitions.type_of(name).unwrap_or_default(), kind))
            .collect();
        return Err(invalid(format!(
            "Attributes cannot be redefined. Please check that your attribute has the same type as previously defined. \
             Existing schema: Schema:[{}] New schema: Schema:[{}]",
            existing.join(", "),
            new.join(", ")
        )));
    }
    Ok(())
}

fn attributes(record: &TableRecord) -> Vec<NameAndType> {
    let of_indexes = record.indexes.iter().flat_map(|index| index.hash.iter().chain(&index.range));
    std::iter::once(&record.hash).chain(&record.range).chain(of_indexes).cloned().collect()
}

fn found<'a>(record: &'a mut TableRecord, name: &str, what: &str) -> Result<&'a mut IndexRecord, ApiError> {
    let table_name = record.name.clone();
    match record.indexes.iter_mut().find(|index| index.name == name) {
        Some(index) if index.local => Err(ApiError::validation(format!(
            "Cannot {what} an index that is not a GlobalSecondaryIndex: {name}"
        ))),
        Some(index) => Ok(index),
        None => Err(ApiError::new(
            "ResourceNotFoundException",
            format!("Requested resource not found: Index {name} for table {table_name}"),
        )),
    }
}

fn being(what: &str, table_name: &str, name: &str) -> ApiError {
    in_use(format!("Index is being {what}. Table: {table_name} Index: {name}"))
}

fn one_at_a_time() -> ApiError {
    limit_exceeded("Only 1 online index can be created or deleted simultaneously per table")
}

fn numbers_are_used_up() -> ApiError {
    limit_exceeded("No more indexes can be created in this table")
}

fn limit_exceeded(text: &str) -> ApiError {
    ApiError::new("LimitExceededException", format!("Subscriber limit exceeded: {text}"))
}

/// The error for a change that must wait for another.
pub fn in_use(text: impl AsRef<str>) -> ApiError {
    ApiError::new(
        "ResourceInUseException",
        format!("Attempt to change a resource which is still in use: {}", text.as_ref()),
    )
}
