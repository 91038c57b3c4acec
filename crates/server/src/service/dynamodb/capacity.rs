//! `ConsumedCapacity`.

use serde_json::{Value, json};

use super::input;

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
pub fn wanted(request: &Value) -> Wanted {
    match input::text(request, "ReturnConsumedCapacity") {
        Some("TOTAL") => Wanted::Total,
        Some("INDEXES") => Wanted::Indexes,
        _ => Wanted::None,
    }
}

impl Wanted {
    /// One table's figures, if they are asked for.
    pub fn of(self, table_name: &str, units: f64) -> Option<Value> {
        match self {
            Self::None => None,
            Self::Total => Some(json!({"TableName": table_name, "CapacityUnits": units})),
            Self::Indexes => Some(json!({
                "TableName": table_name,
                "CapacityUnits": units,
                "Table": {"CapacityUnits": units},
            })),
        }
    }
}
