//! Primary keys: a table's key schema, the key in an item, the key in the store.
//!
//! `docs/formats/key-layout.md` specifies the stored form. It keeps the order
//! of the sort key's values, so every key condition is one range of bytes.

mod range;

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;

use crate::attribute::{AttributeValue, Item};
use crate::number::Number;

pub use range::{KeyRange, SortCondition, beyond, contains, items_after, segment_range, sort_range};
pub(crate) use range::{segment_range_of, sort_range_of, successor};

/// The largest partition key, in bytes of UTF-8 or binary.
pub const PARTITION_KEY_BYTES_MAX: usize = 2048;

/// The largest sort key, in bytes of UTF-8 or binary.
pub const SORT_KEY_BYTES_MAX: usize = 1024;

/// The kinds of keys in a table's store: each key's first byte.
pub mod kind {
    /// Sizes of item collections.
    pub const COLLECTION: u8 = 0x02;
    /// Items.
    pub const ITEM: u8 = 0x10;
    /// Entries of local secondary indexes.
    pub const LOCAL_INDEX: u8 = 0x20;
    /// Entries of global secondary indexes.
    pub const GLOBAL_INDEX: u8 = 0x30;
    /// Stream records. Reserved.
    pub const STREAM: u8 = 0x40;
    /// Times at which items expire. Reserved.
    pub const EXPIRY: u8 = 0x50;
}

/// The type of a key attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// A string.
    S,
    /// A number.
    N,
    /// Bytes.
    B,
}

/// One attribute of a key schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAttribute {
    /// The attribute's name.
    pub name: String,
    /// Its type, from the attribute definitions.
    pub key_type: KeyType,
}

/// Which attributes make up the primary key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySchema {
    /// The partition key (`HASH`).
    pub hash: KeyAttribute,
    /// The sort key (`RANGE`), if there is one.
    pub range: Option<KeyAttribute>,
}

/// The value of a key attribute: never empty, never too large.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyValue {
    /// A string.
    S(String),
    /// A number.
    N(Number),
    /// Bytes.
    B(Bytes),
}

/// A primary key's values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PrimaryKey {
    /// The partition key.
    pub hash: KeyValue,
    /// The sort key, in a table that has one.
    pub range: Option<KeyValue>,
}

/// Why there is no valid key. Displays as the message of the service's
/// `ValidationException`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The `Key` of a request does not have exactly the schema's attributes and types.
    #[error("The provided key element does not match the schema")]
    SchemaMismatch,
    /// An item lacks a key attribute.
    #[error("One or more parameter values were invalid: Missing the key {0} in the item")]
    Missing(String),
    /// A key attribute of an item has another type than the schema says.
    #[error(
        "One or more parameter values were invalid: Type mismatch for key {name} expected: \
         {expected} actual: {actual}"
    )]
    TypeMismatch {
        /// The attribute.
        name: String,
        /// The schema's type.
        expected: &'static str,
        /// The item's type.
        actual: &'static str,
    },
    /// A key attribute is empty. Older captures of GetItem say `were invalid:`; those of 2026 agree on this text for
    /// every operation.
    #[error(
        "One or more parameter values are not valid. The AttributeValue for a key attribute \
         cannot contain an empty {kind} value. Key: {name}"
    )]
    Empty {
        /// The attribute.
        name: String,
        /// `string` or `binary`.
        kind: &'static str,
    },
    /// The partition key is larger than [`PARTITION_KEY_BYTES_MAX`].
    #[error(
        "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size \
         limit of2048 bytes"
    )]
    PartitionKeyTooLarge,
    /// The sort key is larger than [`SORT_KEY_BYTES_MAX`].
    #[error(
        "One or more parameter values were invalid: Aggregated size of all range keys has \
         exceeded the size limit of 1024 bytes"
    )]
    SortKeyTooLarge,
}

impl KeyType {
    /// The type's name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            KeyType::S => "S",
            KeyType::N => "N",
            KeyType::B => "B",
        }
    }

    /// The type of that name: `S`, `N` or `B`.
    pub fn from_name(name: &str) -> Option<KeyType> {
        match name {
            "S" => Some(KeyType::S),
            "N" => Some(KeyType::N),
            "B" => Some(KeyType::B),
            _ => None,
        }
    }
}

impl KeySchema {
    /// The key attributes: the partition key, then the sort key if there is one.
    pub fn attributes(&self) -> impl Iterator<Item = &KeyAttribute> {
        std::iter::once(&self.hash).chain(&self.range)
    }

    /// Whether `name` is an attribute of the key.
    pub fn contains(&self, name: &str) -> bool {
        self.attributes().any(|attribute| attribute.name == name)
    }

    /// The primary key of a whole item.
    pub fn key_of_item(&self, item: &Item) -> Result<PrimaryKey, KeyError> {
        let value_of = |attribute: &KeyAttribute| {
            let value = item.get(&attribute.name).ok_or_else(|| KeyError::Missing(attribute.name.clone()))?;
            let key = KeyValue::of(value, attribute.key_type).ok_or_else(|| KeyError::TypeMismatch {
                name: attribute.name.clone(),
                expected: attribute.key_type.name(),
                actual: value.type_name(),
            })?;
            match key.empty_kind() {
                Some(kind) => Err(KeyError::Empty { name: attribute.name.clone(), kind }),
                None => Ok(key),
            }
        };
        self.checked(value_of)
    }

    /// The primary key that a request's `Key` (or `ExclusiveStartKey`) gives:
    /// the key attributes and no others.
    pub fn key_of_request(&self, key: &Item) -> Result<PrimaryKey, KeyError> {
        if key.len() != self.attributes().count() {
            return Err(KeyError::SchemaMismatch);
        }
        let value_of = |attribute: &KeyAttribute| {
            let key = key
                .get(&attribute.name)
                .and_then(|value| KeyValue::of(value, attribute.key_type))
                .ok_or(KeyError::SchemaMismatch)?;
            match key.empty_kind() {
                Some(kind) => Err(KeyError::Empty { name: attribute.name.clone(), kind }),
                None => Ok(key),
            }
        };
        self.checked(value_of)
    }

    /// The key's attributes with their values, as in `LastEvaluatedKey`.
    pub fn key_attributes(&self, key: &PrimaryKey) -> Item {
        self.attributes()
            .zip(std::iter::once(&key.hash).chain(&key.range))
            .map(|(attribute, value)| (attribute.name.clone(), value.to_attribute()))
            .collect()
    }

    /// Reads the key that [`item_key`] encoded; none where `bytes` are not
    /// such a key of this schema.
    pub fn decode_item_key(&self, bytes: &[u8]) -> Option<PrimaryKey> {
        let (prefix, rest) = bytes.split_at_checked(PREFIX_BYTES)?;
        let (hash, hash_length) = KeyValue::decode(rest, self.hash.key_type)?;
        let (partition, rest) = rest.split_at(hash_length);
        if prefix[0] != kind::ITEM || prefix[1..] != xxh3_64(partition).to_be_bytes() {
            return None;
        }
        let (range, range_length) = match &self.range {
            None => (None, 0),
            Some(range) => {
                let (value, length) = KeyValue::decode(rest, range.key_type)?;
                (Some(value), length)
            }
        };
        (range_length == rest.len()).then_some(PrimaryKey { hash, range })
    }

    /// The stored key of the size of an item's collection: of all items with its partition key. None where
    /// `row` is not an item's stored key of this schema.
    pub fn collection_row(&self, row: &[u8]) -> Option<Vec<u8>> {
        let (prefix, rest) = row.split_at_checked(PREFIX_BYTES)?;
        let (_, length) = KeyValue::decode(rest, self.hash.key_type)?;
        let mut collection = Vec::with_capacity(PREFIX_BYTES + length);
        collection.push(kind::COLLECTION);
        collection.extend_from_slice(&prefix[1..]);
        collection.extend_from_slice(&rest[..length]);
        Some(collection)
    }

    fn checked(
        &self,
        value_of: impl Fn(&KeyAttribute) -> Result<KeyValue, KeyError>,
    ) -> Result<PrimaryKey, KeyError> {
        let hash = value_of(&self.hash)?;
        if hash.bytes_length() > PARTITION_KEY_BYTES_MAX {
            return Err(KeyError::PartitionKeyTooLarge);
        }
        let range = self.range.as_ref().map(value_of).transpose()?;
        if range.as_ref().map_or(0, KeyValue::bytes_length) > SORT_KEY_BYTES_MAX {
            return Err(KeyError::SortKeyTooLarge);
        }
        Ok(PrimaryKey { hash, range })
    }
}

impl KeyValue {
    /// The key value of an attribute value, if it has the type. Says nothing
    /// about emptiness and size.
    pub fn of(value: &AttributeValue, key_type: KeyType) -> Option<KeyValue> {
        match (value, key_type) {
            (AttributeValue::S(text), KeyType::S) => Some(KeyValue::S(text.clone())),
            (AttributeValue::N(number), KeyType::N) => Some(KeyValue::N(*number)),
            (AttributeValue::B(bytes), KeyType::B) => Some(KeyValue::B(bytes.clone())),
            _ => None,
        }
    }

    /// The attribute value of the key value.
    pub fn to_attribute(&self) -> AttributeValue {
        match self {
            KeyValue::S(text) => AttributeValue::S(text.clone()),
            KeyValue::N(number) => AttributeValue::N(*number),
            KeyValue::B(bytes) => AttributeValue::B(bytes.clone()),
        }
    }

    /// The value's type.
    pub fn key_type(&self) -> KeyType {
        match self {
            KeyValue::S(_) => KeyType::S,
            KeyValue::N(_) => KeyType::N,
            KeyValue::B(_) => KeyType::B,
        }
    }

    /// What the service calls an empty value of this type, if this is one.
    pub(crate) fn empty_kind(&self) -> Option<&'static str> {
        match self {
            KeyValue::S(text) if text.is_empty() => Some("string"),
            KeyValue::B(bytes) if bytes.is_empty() => Some("binary"),
            _ => None,
        }
    }

    /// The length that counts against the key limits; a number always fits.
    pub(crate) fn bytes_length(&self) -> usize {
        match self {
            KeyValue::S(text) => text.len(),
            KeyValue::N(_) => 0,
            KeyValue::B(bytes) => bytes.len(),
        }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            KeyValue::N(number) => number.encode_ordered(out),
            KeyValue::S(text) => encode_bytes(text.as_bytes(), out),
            KeyValue::B(bytes) => encode_bytes(bytes, out),
        }
    }

    /// Encodes a string or bytes without the end, so that what begins with it
    /// does so in the store too. A number cannot be begun.
    pub(crate) fn encode_open(&self, out: &mut Vec<u8>) {
        match self {
            KeyValue::S(text) => encode_bytes_open(text.as_bytes(), out),
            KeyValue::B(bytes) => encode_bytes_open(bytes, out),
            KeyValue::N(number) => number.encode_ordered(out),
        }
    }

    /// Reads an encoded value at the start of `bytes`: the value and its length.
    pub(crate) fn decode(bytes: &[u8], key_type: KeyType) -> Option<(KeyValue, usize)> {
        if key_type == KeyType::N {
            let (number, length) = Number::decode_ordered(bytes)?;
            return Some((KeyValue::N(number), length));
        }
        let mut value = Vec::new();
        let mut length = 0;
        loop {
            let rest = &bytes[length..];
            let zero = rest.iter().position(|byte| *byte == ZERO)?;
            value.extend_from_slice(&rest[..zero]);
            length += zero + 2;
            match *rest.get(zero + 1)? {
                END => break,
                ESCAPED_ZERO => value.push(ZERO),
                _ => return None,
            }
        }
        let value = match key_type {
            KeyType::S => KeyValue::S(String::from_utf8(value).ok()?),
            _ => KeyValue::B(value.into()),
        };
        Some((value, length))
    }
}

/// Encodes a key attribute's string or bytes.
pub(crate) fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    encode_bytes_open(bytes, out);
    out.extend_from_slice(&[ZERO, END]);
}

fn encode_bytes_open(bytes: &[u8], out: &mut Vec<u8>) {
    let mut parts = bytes.split(|byte| *byte == ZERO);
    out.extend_from_slice(parts.next().unwrap_or_default());
    for part in parts {
        out.extend_from_slice(&[ZERO, ESCAPED_ZERO]);
        out.extend_from_slice(part);
    }
}

/// The stored key of an item.
pub fn item_key(key: &PrimaryKey) -> Vec<u8> {
    let mut out = partition_prefix(&key.hash);
    if let Some(range) = &key.range {
        range.encode(&mut out);
    }
    out
}

/// What the stored keys of a partition's items begin with.
pub fn partition_prefix(hash: &KeyValue) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    out.push(kind::ITEM);
    out.extend_from_slice(&[0; HASH_BYTES]);
    hash.encode(&mut out);
    let digest = xxh3_64(&out[PREFIX_BYTES..]);
    out[1..PREFIX_BYTES].copy_from_slice(&digest.to_be_bytes());
    out
}

pub(crate) const HASH_BYTES: usize = 8;
const PREFIX_BYTES: usize = 1 + HASH_BYTES;

const ZERO: u8 = 0x00;
const END: u8 = 0x00;
const ESCAPED_ZERO: u8 = 0xff;

#[cfg(test)]
mod tests;
