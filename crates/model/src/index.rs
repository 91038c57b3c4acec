//! Secondary indexes: their key schemas, their entries, the ranges that a Query reads.
//!
//! `docs/formats/key-layout.md` specifies the stored form. An entry is made from
//! the stored item alone, so that every write of an item can maintain it.

mod check;
mod entry;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::Bound;

pub use check::{IndexKeyError, bytes_with_local_entries, check_item, check_update};
pub use entry::Entry;

use crate::attribute::Item;
use crate::key::{
    KeyAttribute, KeyRange, KeySchema, KeyValue, PrimaryKey, SortCondition, item_key, kind, segment_range_of,
    sort_range_of, successor,
};

/// The most attributes of a global index's partition key, and of its sort key.
pub const KEY_ATTRIBUTES_MAX: usize = 4;

/// One secondary index of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexSchema {
    /// Its name, unique among the table's indexes.
    pub name: String,
    /// Its number in stored keys, unique in the table for ever.
    pub number: u16,
    /// Whether it is a local index: it shares the table's partition key.
    pub local: bool,
    /// The partition key's attributes, one to four.
    pub hash: Vec<KeyAttribute>,
    /// The sort key's attributes, none to four; exactly one of a local index.
    pub range: Vec<KeyAttribute>,
    /// Which attributes its entries have.
    pub projection: Projected,
    /// The table's key schema.
    pub table: KeySchema,
}

/// Which attributes of an item are in its entry, besides the keys of index and table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Projected {
    /// All of them.
    All,
    /// None.
    KeysOnly,
    /// These.
    Include(BTreeSet<String>),
}

/// What a Query reads of an index: one partition, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexCondition {
    /// The partition key attributes' values, all of them.
    pub hash: Vec<KeyValue>,
    /// The values of the first sort key attributes.
    pub equal: Vec<KeyValue>,
    /// The condition on the next sort key attribute, if there is one.
    pub sort: Option<SortCondition>,
}

impl IndexSchema {
    /// The key attributes: partition key first.
    pub fn attributes(&self) -> impl Iterator<Item = &KeyAttribute> {
        self.hash.iter().chain(&self.range)
    }

    /// Whether `name` is a key attribute of the index.
    pub fn contains(&self, name: &str) -> bool {
        self.attributes().any(|attribute| attribute.name == name)
    }

    /// Whether an item's attribute `name` is in its entry.
    pub fn projects(&self, name: &str) -> bool {
        match &self.projection {
            Projected::All => true,
            Projected::KeysOnly => self.contains(name) || self.table.contains(name),
            Projected::Include(names) => {
                names.contains(name) || self.contains(name) || self.table.contains(name)
            }
        }
    }

    /// The attributes of `LastEvaluatedKey` and `ExclusiveStartKey`: the table's keys and the index's.
    pub fn start_key_attributes(&self) -> Vec<&KeyAttribute> {
        let more = self.attributes().filter(|attribute| !self.table.contains(&attribute.name));
        self.table.attributes().chain(more).collect()
    }

    /// The stored keys of all entries.
    pub fn range_of_all(&self) -> KeyRange {
        let prefix = self.prefix();
        (Bound::Included(prefix.to_vec()), Bound::Excluded(successor(prefix.to_vec())))
    }

    /// The stored keys of one segment of a parallel Scan; none unless `segment < total`.
    pub fn segment_range(&self, segment: u32, total: u32) -> Option<KeyRange> {
        segment_range_of(&self.prefix(), segment, total)
    }

    /// The stored keys of the entries that meet the condition, in the order of their sort keys.
    /// None where no key can.
    pub fn query_range(&self, condition: &IndexCondition) -> Option<KeyRange> {
        let mut prefix = self.partition_prefix(condition.hash.iter());
        for value in &condition.equal {
            value.encode(&mut prefix);
        }
        // What begins with a value's encoding has that value; what follows it is the item's key.
        sort_range_of(prefix, condition.sort.as_ref(), successor)
    }

    /// The stored key of the entry whose key attributes `key` has; none where one is missing or of another type.
    pub fn row(&self, key: &Item) -> Option<Vec<u8>> {
        let value = |attribute: &KeyAttribute| KeyValue::of(key.get(&attribute.name)?, attribute.key_type);
        let hash: Vec<KeyValue> = self.hash.iter().map(value).collect::<Option<_>>()?;
        let mut row = self.partition_prefix(hash.iter());
        for attribute in self.range.iter().chain(self.item_key_attributes()) {
            value(attribute)?.encode(&mut row);
        }
        Some(row)
    }

    /// The key attributes, of the index and of the table, in an entry's stored key.
    pub fn key_of_row(&self, row: &[u8]) -> Option<Item> {
        let mut rest = row.get(PREFIX_BYTES..)?;
        let mut key = Item::new();
        for attribute in self.attributes().chain(self.item_key_attributes()) {
            let (value, length) = KeyValue::decode(rest, attribute.key_type)?;
            rest = rest.get(length..)?;
            key.insert(attribute.name.clone(), value.to_attribute());
        }
        rest.is_empty().then_some(key)
    }

    /// The stored key of the item whose entry has this stored key.
    pub fn item_row(&self, row: &[u8]) -> Option<Vec<u8>> {
        let key = self.key_of_row(row)?;
        let value = |attribute: &KeyAttribute| KeyValue::of(key.get(&attribute.name)?, attribute.key_type);
        let hash = value(&self.table.hash)?;
        let range = match &self.table.range {
            Some(range) => Some(value(range)?),
            None => None,
        };
        Some(item_key(&PrimaryKey { hash, range }))
    }

    /// The table's key attributes that follow the index's own in a stored key.
    fn item_key_attributes(&self) -> impl Iterator<Item = &KeyAttribute> {
        self.table.attributes().skip(usize::from(self.local))
    }

    fn prefix(&self) -> [u8; 3] {
        let [high, low] = self.number.to_be_bytes();
        [if self.local { kind::LOCAL_INDEX } else { kind::GLOBAL_INDEX }, high, low]
    }

    fn partition_prefix<'a>(&self, hash: impl Iterator<Item = &'a KeyValue>) -> Vec<u8> {
        let mut row = self.row_start();
        for value in hash {
            value.encode(&mut row);
        }
        set_hash(&mut row);
        row
    }

    fn row_start(&self) -> Vec<u8> {
        let mut row = Vec::with_capacity(96);
        row.extend_from_slice(&self.prefix());
        row.extend_from_slice(&[0; crate::key::HASH_BYTES]);
        row
    }
}

/// Sets the hash of a row that ends with its partition key.
fn set_hash(row: &mut [u8]) {
    let hash = xxhash_rust::xxh3::xxh3_64(&row[PREFIX_BYTES..]);
    row[PREFIX_BYTES - crate::key::HASH_BYTES..PREFIX_BYTES].copy_from_slice(&hash.to_be_bytes());
}

/// Kind, number and hash.
const PREFIX_BYTES: usize = 3 + crate::key::HASH_BYTES;
