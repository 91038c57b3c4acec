//! The entry that an item has in an index.

use bytes::Bytes;

use super::{IndexSchema, Projected, set_hash};
use crate::key::{KeyAttribute, PARTITION_KEY_BYTES_MAX, SORT_KEY_BYTES_MAX, encode_bytes};
use crate::stored::{Attributes, KeyScalar};

/// One entry, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The stored key.
    pub row: Vec<u8>,
    /// A stored item with the projected attributes.
    pub value: Bytes,
}

impl IndexSchema {
    /// The entry of a stored item, of which `attributes` were read; none where the item lacks a key attribute
    /// of the index or has one that cannot be a key.
    pub fn entry(&self, attributes: &Attributes<'_>, stored: &Bytes) -> Option<Entry> {
        let mut row = self.row_start();
        encode_all(&self.hash, attributes, PARTITION_KEY_BYTES_MAX, &mut row)?;
        set_hash(&mut row);
        encode_all(&self.range, attributes, SORT_KEY_BYTES_MAX, &mut row)?;
        for attribute in self.item_key_attributes() {
            encode(attribute, attributes, &mut row)?;
        }
        let value = match self.projection {
            Projected::All => stored.clone(),
            Projected::KeysOnly | Projected::Include(_) => {
                attributes.select(|name| self.projects(name)).into()
            }
        };
        Some(Entry { row, value })
    }
}

fn encode_all(
    keys: &[KeyAttribute],
    attributes: &Attributes<'_>,
    bytes_max: usize,
    row: &mut Vec<u8>,
) -> Option<()> {
    let mut bytes = 0;
    for key in keys {
        bytes += encode(key, attributes, row)?;
    }
    (bytes <= bytes_max).then_some(())
}

/// Encodes one key attribute and says how many bytes of it count against the limits.
fn encode(key: &KeyAttribute, attributes: &Attributes<'_>, row: &mut Vec<u8>) -> Option<usize> {
    match attributes.key_scalar(&key.name, key.key_type)? {
        KeyScalar::Bytes([]) => None,
        KeyScalar::Bytes(bytes) => {
            encode_bytes(bytes, row);
            Some(bytes.len())
        }
        KeyScalar::Number(number) => {
            number.encode_ordered(row);
            Some(0)
        }
    }
}
