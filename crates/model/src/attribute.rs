//! Attribute values and items.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::number::Number;

/// An item, or the members of a map: attribute names with their values.
pub type Item = BTreeMap<String, AttributeValue>;

/// One DynamoDB attribute value.
///
/// Equality is DynamoDB's: numbers by value, sets whatever their order (sets
/// are kept sorted and without duplicates by whoever builds them).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// A string.
    S(String),
    /// A number of up to 38 significant digits.
    N(Number),
    /// Bytes.
    B(Bytes),
    /// A boolean.
    Bool(bool),
    /// The null value.
    Null,
    /// A list.
    L(Vec<AttributeValue>),
    /// A map.
    M(Item),
    /// A set of strings, sorted by their UTF-8 bytes.
    Ss(Vec<String>),
    /// A set of numbers, sorted by value.
    Ns(Vec<Number>),
    /// A set of byte strings, sorted.
    Bs(Vec<Bytes>),
}
