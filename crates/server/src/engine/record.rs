//! What the catalogue keeps about a table: see `docs/formats/table-record.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strongroom_model::arn::partition_of_region;
use strongroom_model::key::{KeyAttribute, KeySchema, KeyType};

use super::index::IndexRecord;
use super::table_options::TableOptions;
use crate::kms::table_kms::{KeyManager, TableContext};
use crate::storage::{Seen, StorageError};

/// One table, as its row in the system store holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableRecord {
    /// The table's id (a UUID): names its folder in the store and binds its objects.
    pub id: String,
    /// The table's name.
    pub name: String,
    /// The account it belongs to.
    pub account: String,
    /// The region it belongs to.
    pub region: String,
    /// When it was created, milliseconds since the Unix epoch.
    pub created_millis: i64,
    /// Partition key: attribute name and type (`S`, `N`, `B`).
    pub hash: (String, String),
    /// Sort key, likewise.
    pub range: Option<(String, String)>,
    /// `PROVISIONED` throughput as read and write units, or none for `PAY_PER_REQUEST`.
    pub provisioned: Option<(i64, i64)>,
    /// `STANDARD` or `STANDARD_INFREQUENT_ACCESS`, if it was ever named.
    pub table_class: Option<String>,
    /// Whether DeleteTable is refused.
    pub deletion_protection: bool,
    /// The table's tags.
    pub tags: BTreeMap<String, String>,
    /// Whether DeleteTable was called; what is left is cleared away.
    pub deleting: bool,
    /// The key that protects it.
    pub protection: Protection,
    /// A change of key that is under way.
    pub switch: Option<Switch>,
    /// Since when its key cannot be used, milliseconds since the Unix epoch.
    pub inaccessible_millis: Option<i64>,
    /// The newest keyring's version: an older one in the store is a rollback.
    pub keyring_version: u64,
    /// The newest manifest's number when the table was last opened or closed: a store that has only older ones
    /// was rolled back.
    pub manifest_id: u64,
    /// The object up to which its log must be there: unless all of it is in sorted runs, a store without it has lost its
    /// log's end.
    #[serde(default)]
    pub log_id: u64,
    /// When its key was changed in the last 24 hours, milliseconds since the Unix epoch.
    pub switches_millis: Vec<i64>,
    /// Items and bytes when they were last counted; they may lag behind by seconds.
    pub counted: Counted,
    /// Whether it was opened and not closed since: then the figures may be behind by more than seconds.
    #[serde(default)]
    pub open: bool,
    /// The secondary indexes, in the order in which they were made.
    #[serde(default)]
    pub indexes: Vec<IndexRecord>,
    /// The number of the next index.
    #[serde(default = "first_index")]
    pub next_index: u16,
    /// Throughput, policy and the like.
    #[serde(default)]
    pub options: TableOptions,
}

/// How large a table is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Number of items.
    pub items: i64,
    /// Their size as the service counts it.
    pub bytes: i64,
}

impl Counted {
    /// The same, with nothing below zero.
    pub fn at_least_none(self) -> Self {
        Self { items: self.items.max(0), bytes: self.bytes.max(0) }
    }
}

/// The key that protects a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protection {
    /// Whose key it is.
    pub manager: KeyManager,
    /// The key's ARN.
    pub key_arn: String,
    /// The grants that the table holds on it.
    pub grants: Vec<String>,
}

/// A change of key that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Switch {
    /// The table is under its old key still, and goes to this one.
    To(Protection),
    /// The table is under its new key, and has to let go of this one.
    From {
        /// The old key.
        left: Protection,
        /// When that is done at the earliest, milliseconds since the Unix epoch.
        until_millis: i64,
    },
}

impl Switch {
    /// The key that the table goes to, or comes from.
    pub fn other(&self) -> &Protection {
        match self {
            Self::To(other) | Self::From { left: other, .. } => other,
        }
    }
}

impl TableRecord {
    /// The table's ARN.
    pub fn arn(&self) -> String {
        let partition = partition_of_region(&self.region);
        format!("arn:{partition}:dynamodb:{}:{}:table/{}", self.region, self.account, self.name)
    }

    /// The table's key schema.
    pub fn schema(&self) -> KeySchema {
        let attribute = |(name, key_type): &(String, String)| KeyAttribute {
            name: name.clone(),
            key_type: KeyType::from_name(key_type).unwrap_or(KeyType::S),
        };
        KeySchema { hash: attribute(&self.hash), range: self.range.as_ref().map(attribute) }
    }

    /// The encryption context of the table's key calls.
    pub fn context(&self) -> TableContext {
        TableContext {
            table_name: self.name.clone(),
            account: self.account.clone(),
            region: self.region.clone(),
        }
    }

    /// Whether the table's newest keyring may be under this KMS key: the one that protects it or, while that changes,
    /// the one that it goes to.
    pub fn may_be_under(&self, key_arn: &str) -> bool {
        let goes_to = match &self.switch {
            Some(Switch::To(to)) => Some(to),
            Some(Switch::From { .. }) | None => None,
        };
        std::iter::once(&self.protection).chain(goes_to).any(|protection| protection.key_arn == key_arn)
    }

    /// The record with nothing shown as under way that passes by itself.
    #[must_use]
    pub fn at_rest(self) -> Self {
        let throughput = self.options.throughput.at_rest();
        let options = TableOptions { throughput, passing: None, ..self.options };
        let at_rest = |index: IndexRecord| IndexRecord {
            throughput: index.throughput.at_rest(),
            held_until_millis: None,
            ..index
        };
        Self { options, indexes: self.indexes.into_iter().map(at_rest).collect(), ..self }
    }

    /// The record, at rest if what is shown as under way would end later than `latest_millis`, milliseconds since the Unix
    /// epoch: a clock that was wrong has said when.
    #[must_use]
    pub fn not_held_beyond(mut self, latest_millis: i64) -> Self {
        if let Some(Switch::From { until_millis, .. }) = &mut self.switch {
            *until_millis = latest_millis.min(*until_millis);
        }
        let ends = self.options.passing.iter().map(|(_, until_millis)| *until_millis);
        let of_indexes =
            self.indexes.iter().flat_map(|index| index.throughput.ends().chain(index.held_until_millis));
        let last = ends.chain(self.options.throughput.ends()).chain(of_indexes).max();
        if last.is_some_and(|last| last > latest_millis) { self.at_rest() } else { self }
    }

    /// How far its store had come when the table was last opened or closed.
    pub fn seen(&self) -> Seen {
        Seen { manifest_id: self.manifest_id, log_id: self.log_id }
    }

    /// The folder of the table's objects in the store.
    pub fn folder(&self) -> String {
        format!("tables/{}", self.id)
    }

    /// The row's key in the system store.
    pub fn row_key(&self) -> Vec<u8> {
        let mut key = vec![ROWS];
        for part in [&self.account, &self.region, &self.name] {
            key.extend_from_slice(part.as_bytes());
            key.push(0);
        }
        key
    }

    /// The row's value.
    pub fn row_value(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a record has only string keys")
    }

    /// Reads a row's value.
    pub fn parse(value: &[u8]) -> Result<Self, StorageError> {
        serde_json::from_slice(value)
            .map_err(|error| StorageError::Damaged(format!("a catalogue row does not parse: {error}")))
    }
}

/// The number of a table's first index.
pub fn first_index() -> u16 {
    1
}

/// The first byte of the catalogue's rows in the system store.
pub const ROWS: u8 = b't';
