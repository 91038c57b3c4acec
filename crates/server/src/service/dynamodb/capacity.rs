//! `ConsumedCapacity`.

use serde_json::{Value, json};
use strongroom_model::document::Document;
use strongroom_model::index::IndexSchema;
use strongroom_model::size;

use super::input;
use crate::engine::{IndexSet, IndexWrite, IndexWrites};

/// What `ReturnConsumedCapacity` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing.
    None,
    /// One figure per table.
    Total,
    /// The table's and each index's figures.
    Indexes,
}

/// Reads `ReturnConsumedCapacity`.
pub fn wanted(request: &Document) -> Wanted {
    match input::text(request, "ReturnConsumedCapacity") {
        Some("TOTAL") => Wanted::Total,
        Some("INDEXES") => Wanted::Indexes,
        _ => Wanted::None,
    }
}

/// What an operation consumed of one table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Units {
    /// Of the table itself.
    pub table: f64,
    // Of its indexes: name, whether it is local, units.
    indexes: Vec<(String, bool, f64)>,
}

impl Wanted {
    /// One table's figures, if they are asked for; nothing of it went to an index.
    pub fn of(self, table_name: &str, units: f64) -> Option<Value> {
        match self {
            Self::None => None,
            Self::Total | Self::Indexes => {
                self.of_units(table_name, &Units { table: units, indexes: Vec::new() })
            }
        }
    }

    /// One table's figures, if they are asked for; the table is named as in the request, by its name or by its ARN.
    pub fn of_units(self, table_name: &str, units: &Units) -> Option<Value> {
        let of_indexes: f64 = units.indexes.iter().map(|(_, _, units)| units).sum();
        let total = units.table + of_indexes;
        match self {
            Self::None => None,
            Self::Total => Some(json!({"TableName": table_name, "CapacityUnits": total})),
            Self::Indexes => {
                let mut consumed = json!({
                    "TableName": table_name,
                    "CapacityUnits": total,
                    "Table": {"CapacityUnits": units.table},
                });
                for (name, local, units) in &units.indexes {
                    let member = if *local { "LocalSecondaryIndexes" } else { "GlobalSecondaryIndexes" };
                    consumed[member][name] = json!({ "CapacityUnits": units });
                }
                Some(consumed)
            }
        }
    }
}

impl Units {
    /// What a write took of the table and its indexes: its item had `before_bytes` and has `after_bytes`.
    pub fn of_write(
        before_bytes: usize,
        after_bytes: usize,
        writes: &IndexWrites,
        indexes: &IndexSet,
    ) -> Self {
        let mut units = Self::default();
        units.add_write(before_bytes, after_bytes, writes, indexes);
        units
    }

    /// Adds what another write took.
    pub fn add_write(
        &mut self,
        before_bytes: usize,
        after_bytes: usize,
        writes: &IndexWrites,
        indexes: &IndexSet,
    ) {
        self.table += size::write_units(before_bytes.max(after_bytes));
        for write in &writes.changed {
            if let Some(index) = indexes.by_number(write.number) {
                self.add(&index.schema, entry_units(write));
            }
        }
    }

    /// Adds what an index took.
    pub fn add(&mut self, index: &IndexSchema, units: f64) {
        match self.indexes.iter_mut().find(|(name, _, _)| *name == index.name) {
            Some((_, _, sum)) => *sum += units,
            None => self.indexes.push((index.name.clone(), index.local, units)),
        }
    }
}

// An entry that moves is removed and made; one that stays is as large as its larger version.
// An entry that did not change costs nothing, and is not among the writes.
fn entry_units(write: &IndexWrite) -> f64 {
    let units = |bytes: Option<usize>| bytes.map_or(0.0, size::write_units);
    let (before, after) = (units(write.before_bytes), units(write.after_bytes));
    if write.moved { before + after } else { before.max(after) }
}
