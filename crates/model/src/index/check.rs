//! Whether what is written can be in the table's indexes.
//!
//! An item may lack an index's key attributes. One that has them, of another
//! type or with a value that cannot be a key, is refused. The service names
//! the index whose name comes first.

use super::IndexSchema;
use crate::attribute::{AttributeValue, Item};
use crate::key::{KeyType, KeyValue, PARTITION_KEY_BYTES_MAX, SORT_KEY_BYTES_MAX};
use crate::size;

/// Why an item cannot be written. Displays as the message of the service's `ValidationException`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IndexKeyError {
    /// A key attribute of an index has another type than its definition.
    #[error(
        "One or more parameter values were invalid: Type mismatch for Index Key {name} Expected: {expected} Actual: \
         {actual} IndexName: {index}"
    )]
    TypeMismatch {
        /// The attribute.
        name: String,
        /// The definition's type.
        expected: &'static str,
        /// The item's type.
        actual: &'static str,
        /// The index.
        index: String,
    },
    /// A key attribute of an index is empty.
    #[error(
        "One or more parameter values are not valid. A value specified for a secondary index key is not supported. \
         The AttributeValue for a key attribute cannot contain an empty {kind} value. IndexName: {index}, IndexKey: \
         {name}"
    )]
    Empty {
        /// `string` or `binary`.
        kind: &'static str,
        /// The index.
        index: String,
        /// The attribute.
        name: String,
    },
    /// An update set a key attribute of an index to a value of another type, which the request did not show.
    #[error("The update expression attempted to update the secondary index key to unsupported type")]
    UpdatedType,
    /// An update set a key attribute of an index to an empty value.
    #[error(
        "One or more parameter values are not valid. The update expression attempted to update a secondary index \
         key to a value that is not supported. The AttributeValue for a key attribute cannot contain an empty {0} \
         value."
    )]
    UpdatedEmpty(&'static str),
    /// A key of an index is too large.
    #[error(
        "One or more parameter values were invalid: Size limit exceeded for Index Key {name} Actual Size: {bytes} bytes \
         Max Size: {bytes_max} bytes IndexName: {index}"
    )]
    TooLarge {
        /// The attribute; of several, the one with which they are too large.
        name: String,
        /// The size of the attribute and those before it.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
        /// The index.
        index: String,
    },
}

/// Checks an item that is to be written as it is.
pub fn check_item<'a>(
    indexes: impl Iterator<Item = &'a IndexSchema>,
    item: &Item,
) -> Result<(), IndexKeyError> {
    first_by_name(indexes, |index| check_index(index, item))
}

/// Checks an item that an update made. Only what the update changed is looked at: an index may be younger than
/// an item that does not fit it.
pub fn check_update<'a>(
    indexes: impl Iterator<Item = &'a IndexSchema>,
    before: Option<&Item>,
    after: &Item,
) -> Result<(), IndexKeyError> {
    let none = Item::new();
    let before = before.unwrap_or(&none);
    first_by_name(indexes, |index| {
        let changed = |name: &String| before.get(name) != after.get(name);
        if !index.attributes().any(|attribute| changed(&attribute.name)) {
            return Ok(());
        }
        for attribute in index.attributes().filter(|attribute| changed(&attribute.name)) {
            let Some(value) = after.get(&attribute.name) else { continue };
            match fit(value, attribute.key_type) {
                Fit::Key => {}
                Fit::OtherType => return Err(IndexKeyError::UpdatedType),
                Fit::Empty(kind) => return Err(IndexKeyError::UpdatedEmpty(kind)),
            }
        }
        check_sizes(index, after)
    })
}

/// The size in bytes of an item and of its entries in the table's local indexes, which share its limit.
/// An entry has the size of the attributes that it shows: its keys and what is projected.
pub fn bytes_with_local_entries<'a>(indexes: impl Iterator<Item = &'a IndexSchema>, item: &Item) -> usize {
    let entries = indexes.filter(|index| index.local).map(|index| {
        let is_sparse = index.range.iter().any(|attribute| !item.contains_key(&attribute.name));
        let shown = item.iter().filter(|(name, _)| !is_sparse && index.projects(name));
        shown.map(|(name, value)| name.len() + size::value_bytes(value)).sum::<usize>()
    });
    size::item_bytes(item) + entries.sum::<usize>()
}

impl IndexSchema {
    /// Checks a value that a request gives for the key attribute `name` of this index.
    pub fn check_given(&self, name: &str, value: &AttributeValue) -> Result<(), IndexKeyError> {
        let Some(attribute) = self.attributes().find(|attribute| attribute.name == name) else {
            return Ok(());
        };
        match fit(value, attribute.key_type) {
            Fit::Key => Ok(()),
            Fit::OtherType => Err(self.mismatch(name, attribute.key_type, value)),
            Fit::Empty(kind) => Err(IndexKeyError::UpdatedEmpty(kind)),
        }
    }

    fn mismatch(&self, name: &str, expected: KeyType, value: &AttributeValue) -> IndexKeyError {
        IndexKeyError::TypeMismatch {
            name: name.to_owned(),
            expected: expected.name(),
            actual: value.type_name(),
            index: self.name.clone(),
        }
    }
}

fn check_index(index: &IndexSchema, item: &Item) -> Result<(), IndexKeyError> {
    for attribute in index.attributes() {
        let Some(value) = item.get(&attribute.name) else { continue };
        match fit(value, attribute.key_type) {
            Fit::Key => {}
            Fit::OtherType => return Err(index.mismatch(&attribute.name, attribute.key_type, value)),
            Fit::Empty(kind) => {
                let (index, name) = (index.name.clone(), attribute.name.clone());
                return Err(IndexKeyError::Empty { kind, index, name });
            }
        }
    }
    check_sizes(index, item)
}

fn check_sizes(index: &IndexSchema, item: &Item) -> Result<(), IndexKeyError> {
    for (attributes, bytes_max) in
        [(&index.hash, PARTITION_KEY_BYTES_MAX), (&index.range, SORT_KEY_BYTES_MAX)]
    {
        let mut bytes = 0;
        for attribute in attributes {
            let value = item.get(&attribute.name).and_then(|value| KeyValue::of(value, attribute.key_type));
            bytes += value.map_or(0, |value| value.bytes_length());
            if bytes > bytes_max {
                let (name, index) = (attribute.name.clone(), index.name.clone());
                return Err(IndexKeyError::TooLarge { name, bytes, bytes_max, index });
            }
        }
    }
    Ok(())
}

fn first_by_name<'a>(
    indexes: impl Iterator<Item = &'a IndexSchema>,
    check: impl Fn(&IndexSchema) -> Result<(), IndexKeyError>,
) -> Result<(), IndexKeyError> {
    let mut first: Option<(&str, IndexKeyError)> = None;
    for index in indexes {
        if first.as_ref().is_some_and(|(name, _)| *name < index.name.as_str()) {
            continue;
        }
        if let Err(error) = check(index) {
            first = Some((&index.name, error));
        }
    }
    first.map_or(Ok(()), |(_, error)| Err(error))
}

enum Fit {
    Key,
    OtherType,
    Empty(&'static str),
}

fn fit(value: &AttributeValue, key_type: KeyType) -> Fit {
    match (value, key_type) {
        (AttributeValue::S(text), KeyType::S) if text.is_empty() => Fit::Empty("string"),
        (AttributeValue::B(bytes), KeyType::B) if bytes.is_empty() => Fit::Empty("binary"),
        (AttributeValue::S(_), KeyType::S)
        | (AttributeValue::N(_), KeyType::N)
        | (AttributeValue::B(_), KeyType::B) => Fit::Key,
        _ => Fit::OtherType,
    }
}
