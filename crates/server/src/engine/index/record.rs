//! What a table's record keeps about a secondary index: see `docs/formats/table-record.md`.

use serde::{Deserialize, Serialize};
use strongroom_model::index::{IndexSchema, Projected};
use strongroom_model::key::{KeyAttribute, KeySchema, KeyType};

use crate::engine::record::Counted;
use crate::engine::throughput_record::ThroughputRecord;

/// One secondary index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexRecord {
    /// Its name.
    pub name: String,
    /// Its number in the keys of its entries.
    pub number: u16,
    /// Whether it is a local secondary index.
    pub local: bool,
    /// The partition key's attributes: names and types.
    pub hash: Vec<(String, String)>,
    /// The sort key's attributes, likewise.
    pub range: Vec<(String, String)>,
    /// Which attributes its entries have.
    pub projection: ProjectionRecord,
    /// Provisioned read and write units of a global index, or none.
    pub provisioned: Option<(i64, i64)>,
    /// A global index's throughput, beside the provisioned units.
    #[serde(default)]
    pub throughput: ThroughputRecord,
    /// Until when it is shown as being made, updated or removed, milliseconds since the Unix epoch.
    #[serde(default, alias = "updating_until_millis")]
    pub held_until_millis: Option<i64>,
    /// How far it is.
    pub state: IndexState,
    /// Its entries when they were last counted.
    pub counted: Counted,
}

/// `Projection`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProjectionRecord {
    /// `ALL`
    All,
    /// `KEYS_ONLY`
    KeysOnly,
    /// `INCLUDE`, with `NonKeyAttributes`.
    Include(Vec<String>),
}

/// How far an index is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IndexState {
    /// It can be read.
    Active,
    /// Writes maintain it; the items that were there before have no entries yet.
    Allocating,
    /// Those are being made; the stored key in hexadecimal of the last item that was looked at.
    Backfilling(Option<String>),
    /// Its entries are being removed, and writes make no new ones.
    Deleting,
}

impl IndexRecord {
    /// How its entries are made.
    pub fn schema(&self, table: &KeySchema) -> IndexSchema {
        let attributes = |list: &[(String, String)]| {
            let attribute = |(name, key_type): &(String, String)| KeyAttribute {
                name: name.clone(),
                key_type: KeyType::from_name(key_type).unwrap_or(KeyType::S),
            };
            list.iter().map(attribute).collect()
        };
        IndexSchema {
            name: self.name.clone(),
            number: self.number,
            local: self.local,
            hash: attributes(&self.hash),
            range: attributes(&self.range),
            projection: match &self.projection {
                ProjectionRecord::All => Projected::All,
                ProjectionRecord::KeysOnly => Projected::KeysOnly,
                ProjectionRecord::Include(names) => Projected::Include(names.iter().cloned().collect()),
            },
            table: table.clone(),
        }
    }

    /// Whether writes of items maintain its entries.
    pub fn is_maintained(&self) -> bool {
        self.state != IndexState::Deleting
    }

    /// Whether it is shown as being updated.
    pub fn is_updating(&self, now_millis: i64) -> bool {
        self.state == IndexState::Active && self.is_held(now_millis)
    }

    /// Whether it is to be shown longer as what it is.
    pub fn is_held(&self, now_millis: i64) -> bool {
        self.held_until_millis.is_some_and(|until_millis| now_millis < until_millis)
    }

    /// Whether every item that should have an entry has one.
    pub fn is_complete(&self) -> bool {
        self.state == IndexState::Active
    }
}
